"""The Judgment Protocol, levels 6–14: what it finds, what it finds by mistake, and what it costs.

    python -m benchmarks.judgment [--json] [--quick]

Found and false alarms are told of texts that the weights were not trained on: by folds for sources that are
known, by leaving a source and its kin out for those that are not. Without the public texts only the costs are
measured.
``--quick`` judges by the weights that ship, which know these texts.
"""

# ruff: noqa: E501 — a record is read whole
from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import judgment_data, judgment_train
from governor.judgment import classifier, code_injection, judge
from governor.judgment.findings import Verdict
from governor.judgment.judge import judge_batch, judge_record, judge_text

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTACT = {
    "id": "q3vT9kZxw0M1bLr7Yc2e", "first_name": "Siobhan", "last_name": "O'Brien", "email": "siobhan.obrien@mail.example",
    "phone": "+14155550136", "city": "San Rafael", "state": "CA", "postal_code": "94901", "source": "Website form",
    "tags": ["spring promo", "kitchen", "asked for a quote"], "website": "https://obrien.example/contact",
    "note": "We would like to have the kitchen redone before the summer. Two rooms, about 400 square feet, and the floor "
            "is uneven near the window. Could someone come by next Tuesday after 4 pm? Prompt reply appreciated, thanks!",
    "custom_fields": {"budget": "20,000 to 30,000", "timeline": "three months", "pos_system": "POS system: Square"},
}  # fmt: skip


@contextmanager
def _judging_by(weights: Any, intercept: float, middle: float) -> Iterator[None]:
    """The judgment with these weights instead of those that ship, as they would ship."""
    told = json.loads(classifier.packed(weights, intercept=intercept, middle=middle))
    shipped, classifier.weights = classifier.weights, lambda: loaded  # type: ignore[assignment]
    loaded = classifier.unpacked(told)
    judge.forget()
    try:
        yield
    finally:
        classifier.weights = shipped
        judge.forget()


def _is_held(text: str) -> bool:
    return judge_text(text, place="note").verdict >= Verdict.QUARANTINE


def _found(place: Any, *, is_quick: bool) -> dict[str, Any]:
    texts = [*judgment_data.public(place), *judgment_data.own()]
    own = np.array([text.source == judgment_data.OWN for text in texts])
    held = np.zeros(len(texts), dtype=bool)
    unseen = np.zeros(len(texts), dtype=bool)
    if is_quick:
        held = unseen = np.array([_is_held(text.text) for text in texts])
        return _figures(texts, held, unseen)
    matrix = judgment_train.Matrix(texts)
    half = judgment_train.middle(matrix, judgment_train.folds(matrix))
    fold = np.random.default_rng(3).integers(0, 3, len(own))
    for number in range(3):
        chosen = (fold == number) & ~own
        with _judging_by(*matrix.fit(~chosen), half):
            for index in np.flatnonzero(chosen):
                held[index] = _is_held(texts[index].text)
    families = {text.family for text in texts if text.is_attack and text.source != judgment_data.OWN}
    for family in sorted(families | {judgment_data.HARD}):
        chosen = matrix.families == family
        with _judging_by(*matrix.fit(~chosen), half):
            for index in np.flatnonzero(chosen):
                unseen[index] = _is_held(texts[index].text)
    return _figures(texts, held, unseen)


def _figures(texts: list[judgment_data.Text], held: Any, unseen: Any) -> dict[str, Any]:
    def share(flags: Any, wanted: list[bool]) -> float:
        return float(np.mean(flags[np.array(wanted)]))

    public = [text.source != judgment_data.OWN for text in texts]
    attacks = [text.is_attack and other for text, other in zip(texts, public, strict=True)]
    hard = [text.source == judgment_data.HARD for text in texts]
    harmless = [
        other and not text.is_attack and text.source != judgment_data.HARD
        for text, other in zip(texts, public, strict=True)
    ]
    by_source = {}
    for source in sorted({text.source for text in texts}):
        chosen = [text.source == source for text in texts]
        by_source[source] = [sum(chosen), share(held, chosen), share(unseen, chosen)]
    return {
        "known": share(held, attacks),
        "unseen": share(unseen, attacks),
        "false_alarms": share(held, harmless),
        "trigger_words": share(held, hard),
        "trigger_words_unseen": share(unseen, hard),
        "by_source": by_source,
    }


def _code(place: Any) -> dict[str, list[int]]:
    """By category: how many payloads, and in how many level 9 finds code."""
    count: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for category, text, is_attack in judgment_data.payloads(place):
        name = category if is_attack is not False else "not to be flagged"
        count[name] += 1
        found[name] += bool(code_injection.findings(text[:4_000], place="x"))
    return {name: [count[name], found[name]] for name in sorted(count)}


def _costs() -> dict[str, float]:
    records = []
    for number in range(200):
        record = {**CONTACT, "id": f"contact{number:04d}", "email": f"person{number}@mail.example"}
        record["note"] = f"Visit {number}: " + str(CONTACT["note"])
        records.append(record)
    return {
        "record_bytes": len(json.dumps(CONTACT)),
        "record_ms": _median(lambda: judge_record(CONTACT, object="Contact"), 400),
        "batch_ms": _median(lambda: judge_batch(records, object="Contact"), 15),
        "long_html_ms": _median(lambda: judge_text(_html(), place="body"), 5),
    }


def _html() -> str:
    row = "<tr><td style='padding:4px'>Spring offer</td><td><a href='https://shop.example/a?b=1'>See it</a></td></tr>\n"
    return f"<html><body><table>{row * 900}</table></body></html>"


def _median(call: Any, rounds: int) -> float:
    call()
    times = []
    for _ in range(rounds):
        began = time.process_time()
        call()
        times.append((time.process_time() - began) * 1000)
    return statistics.median(times)


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.judgment", description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--quick", action="store_true", help="by the weights that ship, which know these texts"
    )
    wanted = parser.parse_args()
    told: dict[str, Any] = {"costs": _costs(), "found": None, "code": None}
    place = judgment_data.folder()
    if place is None:
        print(
            "The public texts are not here (JUDGMENT_DATA names their folder): only costs are measured.",
            file=sys.stderr,
        )
    else:
        told["found"] = _found(place, is_quick=wanted.quick)
        told["code"] = _code(place)
    print(json.dumps(told, indent=None if wanted.json else 2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
