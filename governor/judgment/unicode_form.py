"""Level 7: the canonical form of a text, without what hides words; and the folded form that is searched."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from governor.judgment.findings import Finding, Verdict

LEVEL = 7

# Characters that show nothing, by what they are used for. A tab and a line end are no controls here.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]+")
_TAGS = re.compile("[\U000e0000-\U000e007f]+")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]+")
_ZERO_WIDTH = re.compile("[\u200b\u2060-\u2064\ufeff\u00ad\u180e\u115f\u1160\u3164\uffa0\u034f]+")
_JOINERS = re.compile("[\u200c\u200d]")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]+")
_LONE = re.compile("[\ud800-\udfff]+")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ud800-\udfff\U000e0000-\U000e01ef]"
)
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f")  # England, Scotland, Wales
# Scripts that write with joiners: Arabic and its kin, the Indic ones, Mongolian.
_JOINING = re.compile("[\u0600-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefe]")

# What looks like a Latin letter, beyond what NFKC folds.
_LOOKS = dict(
    zip(
        "аеорсухіјѕԁԛԝһӏьвнкмтгпАВЕКМНОРСТУХІЈЅαβεικνορτυχγωΑΒΕΖΗΙΚΜΝΟΡΤΥΧıɑɡɩʋᴀʙᴄᴅᴇғɢʜɪᴊᴋʟᴍɴᴏᴘʀѕᴛᴜᴠᴡʏᴢøłđ",
        "aeopcyxijsdqwhlbbhkmtrnABEKMHOPCTYXIJSabeiknoptuxywABEZHIKMNOPTYXiagivabcdefghijklmnoprstuvwyzold",
        strict=True,
    )
)
_FOLD = str.maketrans(_LOOKS)
_MARKS = re.compile("[\u0300-\u036f\u064b-\u0655]+")
_ALEFS = str.maketrans("أإآٱىة", "ااااية")
_LATIN = re.compile("[A-Za-z]")
_OTHER = re.compile("[\u0370-\u052f]")
_WORDS = re.compile(r"[^\W\d_]{2,40}")


def canonical(text: str, *, place: str) -> tuple[str, list[Finding]]:
    """``text`` as it goes on, and what was stripped from it.

    Compatibility forms that a person types (full-width letters, ligatures) become plain when they stand for
    letters of the alphabet or digits; emoji, Arabic and Indic joiners stay.
    """
    if text.isascii() and not _CONTROLS.search(text):
        return text, []
    found: list[Finding] = []
    if _INVISIBLE.search(text):
        text = _stripped(text, place, found)
    if not unicodedata.is_normalized("NFKC", text):
        plain = "".join(_plain(character) for character in text)
        if plain != text:
            text = plain
            found.append(Finding(LEVEL, "compatibility_forms", place, 0.05, Verdict.SANITISE))
        text = unicodedata.normalize("NFC", text)
    if _is_mixed(text):
        found.append(Finding(LEVEL, "mixed_scripts", place, 0.2))
    return text, found


def folded(text: str) -> str:
    """``text`` for searching only: NFKC, lower case, look-alikes as the letters they look like."""
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))
    if _LATIN.search(text) and _OTHER.search(text):
        text = _WORDS.sub(_fold_word, text)
    return text.lower()


def bare(text: str) -> str:
    """A folded text without its accents: ``instrucción`` and ``instruccion`` read alike."""
    if text.isascii():
        return text
    plain = unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text)))
    return plain.translate(_ALEFS)


def hidden(text: str) -> str:
    """What tag characters in ``text`` spell; they show nothing and some models read them."""
    without_flags = _FLAG.sub("", text)
    return "".join(
        chr(ord(character) - 0xE0000)
        for run in _TAGS.findall(without_flags)
        for character in run
        if 0xE0020 <= ord(character) <= 0xE007E
    )


def _stripped(text: str, place: str, found: list[Finding]) -> str:
    def strip(pattern: re.Pattern[str], rule: str, weight: float, by: str = "") -> None:
        nonlocal text
        text, count = pattern.subn(by, text)
        if count:
            found.append(Finding(LEVEL, rule, place, weight, Verdict.SANITISE))

    strip(_LONE, "lone_surrogates", 0.1, "\ufffd")
    strip(_CONTROLS, "control_characters", 0.1)
    if _TAGS.search(text):
        flags: list[str] = []

        def keep(flag: re.Match[str]) -> str:
            flags.append(flag[0])
            return f"\x00{len(flags) - 1}\x00"  # controls are gone, so nobody else writes one

        text = _FLAG.sub(keep, text)
        strip(_TAGS, "tag_characters", 0.5)
        for number, flag in enumerate(flags):
            text = text.replace(f"\x00{number}\x00", flag, 1)
    strip(_BIDI, "bidi_controls", 0.2)
    at_start = text.startswith("\ufeff")
    if at_start:
        text = text[1:]  # the byte order mark of a file, no trick
    inside = len(re.findall("(?<=[^\\W\\d_])[\u200b\u2060-\u2064\ufeff\u00ad](?=[^\\W\\d_])", text))
    strip(_ZERO_WIDTH, "zero_width", 0.25 if inside > 3 else 0.05)
    if _JOINERS.search(text):
        parts = _JOINERS.split(text)
        joiners = _JOINERS.findall(text)
        kept = parts[0]
        lost = 0
        for joiner, part in zip(joiners, parts[1:], strict=True):
            if _may_join(kept, part):
                kept += joiner + part
            else:
                kept += part
                lost += 1
        text = kept
        if lost:
            found.append(Finding(LEVEL, "zero_width", place, 0.25 if lost > 3 else 0.05, Verdict.SANITISE))
    if _SELECTORS.search(text):
        runs = [run for run in _SELECTORS.findall(text) if len(run) > 1]
        if runs:
            text = _SELECTORS.sub(lambda run: run[0] if len(run[0]) == 1 else "", text)
            weight = 0.5 if max(map(len, runs)) > 3 else 0.1
            found.append(Finding(LEVEL, "variation_selectors", place, weight, Verdict.SANITISE))
    return text


def _may_join(before: str, after: str) -> bool:
    """A joiner stands between emoji, or where a script writes with it."""
    if not before or not after:
        return False
    left, right = before[-1], after[0]
    if _JOINING.match(left) or _JOINING.match(right):
        return True
    return _is_pictorial(left) and _is_pictorial(right)


def _is_pictorial(character: str) -> bool:
    return ord(character) >= 0x2190 and unicodedata.category(character) in {"So", "Sk", "Mn", "Sm"}


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    """Only what hides a letter or a digit is replaced; ``½``, ``™`` and ``…`` are as they were meant."""
    if character.isascii():
        return character
    form = unicodedata.normalize("NFKC", character)
    is_hidden = len(form) == 1 and form.isascii() and form.isalnum() and character not in "ªº²³¹ⁿ"
    return form if is_hidden else character


def _is_mixed(text: str) -> bool:
    """A word of Latin and of Cyrillic or Greek letters: nobody writes one by hand."""
    if text.isascii() or not _OTHER.search(text) or not _LATIN.search(text):
        return False
    return any(_LATIN.search(word) and _OTHER.search(word) for word in _WORDS.findall(text[:20_000]))


def _fold_word(word: re.Match[str]) -> str:
    found = word[0]
    if _LATIN.search(found) and _OTHER.search(found):
        return found.translate(_FOLD)
    return found
