"""Level 16, for review agents: what an invitation to a review, or a reply to one, must not say.

The rules follow 16 CFR Part 465 (no reward for a sentiment, no asking of happy customers only, no threat to
have a review taken down) and, for health tenants, 45 CFR 164.502 (a reply confirms no patient).
"""

from __future__ import annotations

import re
from typing import NamedTuple

LONGEST = 4_000  # characters of a reply that are looked at; longer ones are refused

_OFFER = re.compile(
    r"\b(?:discount|coupon|voucher|gift ?card|gift|rebate|refund|cash ?back|credit|reward|freebie|raffle"
    r"|(?:\d{1,3} ?%|[$€£] ?\d{1,6}) ?(?:off|credit|back)?|on the house|for free|free of charge)\b"
    r"|(?<!\w)[$€£] ?\d{1,6}|\b\d{1,3} ?% off",
    re.IGNORECASE,
)
_REVIEW = re.compile(r"\b(?:reviews?|ratings?|stars?|feedback|testimonials?)\b", re.IGNORECASE)
_BUY = re.compile(
    r"\b(?:change|update|remove|delete|edit|revise|take down|improve|raise)\b[^.!?\n]{0,40}"
    r"\b(?:your |the |this )?(?:review|rating|stars?)\b",
    re.IGNORECASE,
)
_HAPPY_ONLY = re.compile(
    r"\b(?:if|only if|in case) you(?:'re| are| were| have been|'ve been| had| enjoyed| loved| liked)"
    r"(?: a| an| the| our| very| really| completely| fully)*[^.!?\n]{0,40}"
    r"(?:happy|satisfied|pleased|good|great|wonderful|positive|delighted|enjoyed|loved|liked|5[- ]?stars?)"
    r"[^.!?\n]{0,80}\b(?:review|rating|rate us|stars?)\b"
    r"|\b(?:if you (?:enjoyed|loved|liked))\b[^.!?\n]{0,100}\b(?:review|rating|rate us)\b"
    r"|\b(?:positive|good|great|five|5)[- ]?(?:stars?)? reviews? only\b",
    re.IGNORECASE,
)
_THREAT = re.compile(
    r"\b(?:legal action|lawyers?|attorneys?|sue you|lawsuit|defamation|court|report you)\b", re.IGNORECASE
)
_PATIENT = re.compile(
    r"\b(?:(?:as (?:a|our)|being (?:a|our)|one of our|our|valued|dear) patients?"
    r"|(?:your|the) (?:appointment|visit|procedure|treatment|surgery|diagnosis|test results?|condition"
    r"|prescription|chart|medical records?|x-?rays?|therapy|crown|implants?|root canal|cleaning|exam)"
    r"|(?:when|since|after|before) (?:you|we) (?:came in|visited|saw|treated|examined)"
    r"|(?:treat|treating|treated|see|seeing|saw|seen|examined|care for|caring for|cared for) you)\b",
    re.IGNORECASE,
)
HEALTH = frozenset({"health", "healthcare", "dental", "dentist", "medical", "clinic", "therapy", "med-spa"})


class Broken(NamedTuple):
    """A rule that a text breaks, in words for whoever has to mend it."""

    rule: str
    sentence: str


def faults_of_request(text: str, *, asks_all: bool = True) -> list[Broken]:
    """What an invitation to write a review must not do. ``asks_all``: all customers get it, happy or not."""
    found = _too_long(text)
    shown = text[:LONGEST]
    if _OFFER.search(shown):
        found.append(Broken("review-offer", "Nothing may be offered for a review."))
    if not asks_all or _HAPPY_ONLY.search(shown):
        found.append(Broken("review-gating", "Everybody is asked, not only those who are happy."))
    return found


def faults_of_reply(text: str, *, industry: str = "") -> list[Broken]:
    """What a public reply to a review must not say."""
    found = _too_long(text)
    shown = text[:LONGEST]
    is_about_review = bool(_REVIEW.search(shown))
    if _OFFER.search(shown) and (is_about_review or _BUY.search(shown)):
        found.append(Broken("review-offer", "Nothing may be offered for a review, or for changing one."))
    elif _BUY.search(shown):
        found.append(Broken("review-change", "Nobody is asked to change or take down a review."))
    if _THREAT.search(shown):
        found.append(Broken("review-threat", "A reply threatens nobody."))
    if is_health(industry) and _PATIENT.search(shown):
        found.append(Broken("patient-confirmed", "A reply does not tell that somebody is a patient."))
    return found


def is_health(industry: str) -> bool:
    """Whether a tenant of this industry may not tell who its customers are."""
    words = set(re.split(r"[^a-z-]+", industry.lower()))
    return bool(HEALTH & words) or bool({"health", "clinic"} & set(re.split(r"[^a-z]+", industry.lower())))


def _too_long(text: str) -> list[Broken]:
    if len(text) <= LONGEST:
        return []
    return [Broken("too-long", f"It has {len(text):,} characters; at most {LONGEST:,} are sent.")]
