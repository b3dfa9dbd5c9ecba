"""What tells, at next to no cost, that a text needs no closer look."""

# ruff: noqa: E501 — a pattern is read whole
from __future__ import annotations

import re

SHORTEST = 12  # a shorter text cannot hold an order

# A name, a phone, an e-mail, an id, a date: one to three words without any mark.
_HARMLESS = re.compile(r"[A-Za-z0-9@.,+'_()/:-]{0,60}+(?: [A-Za-z0-9@.,+'_()/:-]{1,40}+){0,2}")
_PLAIN = re.compile(r"[\t\n\r\x20-\x7e]*+")
_MARKS = re.compile(r"[<>{}`\\=%|;&#*'\"()\[\]«\r\n]|--|^\s*[+@-]|\.\./|:")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{16}|%[0-9a-fA-F]{2}|&#?[0-9a-zA-Z]{2,8};|\\[xu]|(?:[^\W_][ ._*-]){7}|[0-9@$!][a-z]|[a-z][0-9@$!|][a-z]|(?:[0-9a-fA-F]{2}[ :]){8}"
                      r"|\b(?:vtaber|vafgehpgvbaf|cerivbhf)\b", re.IGNORECASE)  # fmt: skip
_WORDS = re.compile(r"[a-z']{2,20}")
_OTHER_SCRIPT = re.compile("[\u0370-\U0003ffff]")

# Every rule of levels 10–14 needs one of these words (or another script, or a mark).
_TRIGGERS = frozenset(
    """
    ignore ignores ignored ignoring disregard forget override overrides bypass overlook neglect discard skip cancel drop erase
    abandon dismiss obey heed follow following adhere execute unlearn nevermind violate disable break attention above prior preceding
    instruction instructions iunstructions directive directives prompt prompts guideline guidelines rules rule instead earlier original
    task tasks ai llm gpt chatgpt chatbot bot model assistant language system developer admin administrator stop everything now
    henceforth pretend act roleplay simulate simulator behave imagine persona character terminal unrestricted unfiltered uncensored dan evil
    restrictions restriction filter filters ethics ethical moral morals censorship limitations refuse refuses refusal decline apologize apologise
    mode godmode jailbreak jailbroken hypothetical fictional fiction grandmother grandma freed liberated unlocked free warnings disclaimers
    reveal show print output repeat display tell give send share write copy list leak dump expose disclose recite translate summarize
    summarise encode spell paste return echo provide extract forward email post what secret secrets token tokens password passwords
    credentials key keys score rate rank grade mark classify flag label qualify categorize categorise treat set lpr grant offer issue refund
    discount reply respond answer response summary user human instrucciones instruccion reglas ordenes consignas ignora ignorar ignore olvida
    olvide olvidar descarta omite omita desobedece haz caso sigas instructions consigne consignes directives ordres regles ignorez oublie oubliez
    oublier nouvelle nouvelles anweisung anweisungen instruktionen vorgaben regeln befehle systemprompt ignoriere ignorieren vergiss vergessen
    missachte neue istruzioni istruzione regole dimentica dimenticare ignorare trascura instrucoes instrucao regras esqueca esquecer desconsidere
    instructies opdrachten opdracht regels negeer vergeet zignoruj ignoruj zapomnij polecenia polecenie instrukcje zasadach zasady talimat talimatlar
    kurallar kural yeni asistan unut bo qua abaikan lupakan instruksi perintah ignorera glom instruktioner anvisningar regler partir desde ahora
    jetzt maintenant ora agora puntua califica bewerte notez note pontue avalie muestra mostra affiche zeige toon pokaz mostre goster mostrar
    tool call function role end approve credit transfer without
    """.split()  # noqa: SIM905 — as a page of words
)
_ALWAYS = re.compile(r"talimat|yonerge|kural|komut|[<\[{#«\"]|:\s|[=]")


def is_plain(text: str) -> bool:
    """ASCII without control characters: its canonical form is itself."""
    return _PLAIN.fullmatch(text) is not None


def is_harmless_shape(text: str) -> bool:
    """A value of three words at most, and without a mark or a sign of something encoded."""
    return (
        len(text) <= 80
        and _HARMLESS.fullmatch(text) is not None
        and (len(text) < SHORTEST or _TRIGGERS.isdisjoint(_WORDS.findall(text.lower())))
        and not (len(text) > 23 and " " not in text and "@" not in text and "://" not in text)
    )


def may_hold_marks(text: str) -> bool:
    return _MARKS.search(text) is not None


def may_be_encoded(text: str) -> bool:
    return _ENCODED.search(text) is not None


def may_order(searched: str) -> bool:
    """Whether a folded text has a word that a rule of levels 10–14 needs."""
    if not searched.isascii() and _OTHER_SCRIPT.search(searched):
        return True
    return not _TRIGGERS.isdisjoint(_WORDS.findall(searched)) or _ALWAYS.search(searched) is not None
