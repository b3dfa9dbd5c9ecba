"""What tells, at next to no cost, that a text needs no closer look."""

# ruff: noqa: E501 — a pattern is read whole
from __future__ import annotations

import re

SHORTEST = 12  # a shorter text cannot hold an order
FEW = 100  # characters in which an order has one of the words below, or the classifier sees it

# A name, a phone, an e-mail, an id, a date: one to three words without any mark.
_HARMLESS = re.compile(r"[A-Za-z0-9@.,+'_()/:-]{0,60}+(?: [A-Za-z0-9@.,+'_()/:-]{1,40}+){0,2}")
_PLAIN = re.compile(r"[\t\n\r\x20-\x7e]*+")
_MARKS = re.compile(r"[<>{}`\\=%|;&#*'\"()\[\]«\r\n]|--|^\s*[+@-]|\.\./|:")
_ODD = re.compile(r"[%\\&]|[0-9@$!][A-Za-z]|[A-Za-z][0-9@$!|][A-Za-z]")
_SPACED = re.compile(r"(?:[^\W_][ ._*-]{1,2}){7}|(?:[0-9a-fA-F]{2}[ :]){8}")
_ROT13 = re.compile(r"\b(?:vtaber|vafgehpgvbaf|cerivbhf|flfgrz|cebzcg)\b", re.IGNORECASE)
_WORDS = re.compile(r"[a-z']{2,20}")
_OTHER_SCRIPT = re.compile("[\u0370-\U0003ffff]")

# What orders to a machine are made of. Three words with one of these are looked at more closely.
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
    tool call function role end approve credit transfer without hot won vip must should your new bypassing obeying say
    disregarding olvidate ignoren abstraction instruccion nuevas siguiente vorgabe anordnung prompten istemini ignorez promptu
    everyone every all
    """.split()  # noqa: SIM905 — as a page of words
)


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
    """Whether something may be decoded: a long run, escapes, digits among letters, letters set apart, ROT13."""
    words = text.split()
    if _ODD.search(text) or any(len(word) > 15 for word in words):
        return True
    few = sum(len(word) < 3 for word in words)
    return (few > 7 and _SPACED.search(text) is not None) or _ROT13.search(text) is not None


def has_trigger(searched: str) -> bool:
    """Whether a folded text has a word, or letters, that an order may be made of."""
    if not searched.isascii() and _OTHER_SCRIPT.search(searched):
        return True
    return not _TRIGGERS.isdisjoint(_WORDS.findall(searched))


def has_two_triggers(searched: str) -> bool:
    """An order that is split has a word of it in more than one part."""
    if not searched.isascii() and _OTHER_SCRIPT.search(searched):
        return True
    return len(_TRIGGERS.intersection(_WORDS.findall(searched))) > 1
