"""Level 14, the patterns: texts aimed at a score, a status or a gift, and instructions where a name or a tag stands."""

# ruff: noqa: E501 — a pattern is read whole
from __future__ import annotations

import re

from governor.judgment.findings import Finding
from governor.judgment.rules import broken, rules

LEVEL = 14
WEIGHT = 0.5
SPLIT_WEIGHT = 0.5

_WHO = r"(?:this|the|my|that|every|each) (?:lead|contact|customer|record|client|prospect|account|application|opportunity|deal|user|person|candidate|profile|submission|review)"
RULES = rules(
        (
            "score",
            "100|10/10|a+|99|hot|qualified|high|priority|won|vip|maximum|score|rank|grade|rating|tier|status|stage",
            rf"\b(?:score|rate|rank|grade|mark|classify|flag|label|treat|tag|qualify|set|categori[sz]e|consider|evaluate)\b\W{{1,2}}(?:{_WHO}|me|it|us|this|him|her)\b[^.\n]{{0,40}}?\b(?:as|to|at|with|by)?\W{{0,3}}"
            r"(?:(?:a )?(?:perfect |score of |grade )?(?:\b100\b(?! ?%? (?:satisf|happy|sure))|10/10|\ba\+|99\b)|hot(?: lead)?\b|qualified\b|high(?:est)?[ -](?:value|priority|intent|score|quality)|top priority|\bwon\b|closed[ -]won|\bvip\b(?! (?:area|room|lounge|table))|highest|maximum)"
            r"|\b(?:set|change|increase|raise|boost|adjust|update|bump|max(?:imi[sz]e)?|override|assign|give|make)\b[^.\n]{0,24}?\b(?:(?:lpr|lead|my|the|its|this|contact|intent|quality|fit|engagement)(?:'s)?[ _]){1,3}(?:score|rank|grade|rating|tier|status|stage|priority)\b[^.\n]{0,24}?(?:\b(?:to|at|=|of|as|high|max)|:|=)"
            r"|\b(?:lpr_?score|lead_?score|score)\s{0,3}(?::=|=|:)\s{0,3}[\"']?(?:100|99|9\d)\b",
        ),
        (
            "gift",
            "refund|discount|coupon|free |gift card|credit|bonus|compensation|admin ",
            r"\b(?:give|grant|offer|issue|apply|approve|send|add|credit|award|authori[sz]e|refund)\b(?: (?:me|us|him|her|this|the|every|all|each|\w{1,12}(?:'s)?)){0,3}? (?:a |an |the )?(?:full |complete |free |special |\d{1,3} ?(?:%|percent) ){0,2}(?:refund|discount|coupon|free (?:month|year|trial|membership|service|upgrade)|gift card|credit|bonus|compensation|admin (?:access|rights|account))\b"
            r"[^.\n]{0,60}?\b(?:to (?:every|all|each|everyone|all customers|this (?:lead|contact|customer))|automatically|immediately and|without (?:approval|asking|checking|review|question)|no matter|regardless|in your (?:reply|answer|response)|when you reply)",
        ),
        (
            "reply",
            "your |when |respond|reply|answer|output",
            r"\b(?:in your (?:reply|answer|response|summary|output|review reply)|when (?:you )?(?:reply(?:ing)?|respond(?:ing)?|answer(?:ing)?|summari[sz](?:e|ing))(?: to)?(?: this| me)?|your (?:reply|answer|response|summary|output) (?:must|should|has to|needs to|shall|will))\b[^.\n]{0,60}?\b(?:say|include|mention|state|contain|begin|start|end|recommend|tell|write|add|offer|promise|link|only|be|output|consist|insert)\b"
            r"|\b(?:respond|reply|answer|output|start your (?:answer|reply|response))(?: only| solely| just| exclusively)? with(?: only)? (?:the |exactly |just |this |a |one )?(?:[\"'“«]|word|phrase|text|exact|\w{1,12} word|yes|no\b|ok\b|json|code)",
        ),
        (
            "assistant_must",
            "must|should|has to|have to|shall|need|is to|required|instructed|authori|are to",
            r"\b(?:ai|llm|assistant|chatbot|language model|the model|bot|agents?|the system)\b[^.\n]{0,40}?\b(?:must|should|has to|have to|shall|needs? to|is (?:to|required to|instructed to|authori[sz]ed to)|are (?:to|required to|instructed to))\W{1,2}(?:now |always |immediately |only )?(?:ignore|score|rate|mark|give|grant|send|reveal|reply|respond|say|output|print|approve|treat|set|delete|forward|transfer|recommend|include|classify|disregard|execute|call|book|write)",
        ),
        (
            "elsewhere",
            "puntua|califica|marca|bewerte|markiere|stufe|note|marque|valuta|classifica|pontue|avalie|beoordeel|ocen|puanla",
            r"\b(?:puntua|califica|marca|bewerte|markiere|stufe|note[rz]?|marque|valuta|classifica|pontue|avalie|beoordeel|ocen|оцени|отметь|puanla)\b[^.\n]{0,40}?\b(?:100|maxim\w{1,2}|hochste\w{0,2}|heiß\w{0,3}|caliente|chaud|caldo|quente|горяч\w{1,3})\b"
            r"|(?:评分|打分|評分|スコア|점수).{0,10}?(?:100|满分|満点|만점)",
        ),
)  # fmt: skip

# Fields that hold a few words: an order in one of them was put there for a machine to read.
_SHORT_FIELD = re.compile(
    r"(?:^|[._])(?:first|last|full|middle|company|business)?_?(?:name|title|tags?|source|company|metadata|city|state|country|position)s?(?:$|[.\[])",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"\b(?:ignore|disregard|forget|override|pretend|reveal|score (?:this|me|it)|set (?:score|status|my)|mark (?:as|me|this)|execute|you (?:must|are now|will now)|system prompt|instructions?:|act as|send (?:all|me|the)|delete (?:all|every)|give (?:me|every)|respond with|reply with|from now on|ignora|ignoriere|vergiss|olvida|oublie|ignore[rz])\b"
)  # fmt: skip


def findings(text: str, *, place: str) -> list[Finding]:
    """A finding for each rule that ``text`` breaks: one slice, folded, without accents."""
    found = [Finding(LEVEL, name, place, WEIGHT) for name in broken(RULES, text)]
    if len(text) > 12 and _SHORT_FIELD.search(place) and _ORDER.search(text) and len(text.split()) > 3:
        found.append(Finding(LEVEL, "order_in_short_field", place, WEIGHT))
    return found


def is_short_field(place: str) -> bool:
    return bool(_SHORT_FIELD.search(place))
