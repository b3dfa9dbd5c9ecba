"""Trains the classifier of the Judgment Protocol and writes its weights.

    python -m benchmarks.judgment_train [--check]

Logistic regression over ``governor.judgment.features`` by gradient descent, plain numpy, a minute. Without
``--check`` it only writes; with it, it measures by folds and by leaving sources out, and writes nothing.
"""

from __future__ import annotations

import argparse
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import numpy.typing as npt

from benchmarks import judgment_data
from governor.judgment import classifier, features
from governor.judgment.slices import sliced
from governor.judgment.unicode_form import folded

ROUNDS = 120
RATE = 60.0
ATTACKS_COUNT = 2.0  # as often as harmless texts
SHRINK = 1e-6
FALSE_ALARMS = 0.002  # of harmless texts, at which the risk is a half
LONGEST = 20_000

Floats = npt.NDArray[np.float64]


class Matrix:
    """The texts as buckets, slice after slice; ``owners`` says whose slice it is."""

    def __init__(self, texts: list[judgment_data.Text]) -> None:
        parts, lengths, owners, scales = [], [], [], []
        for number, text in enumerate(texts):
            for part in sliced(folded(text.text[:LONGEST]), classifier.LENGTH, classifier.OVERLAP):
                found = features.buckets(part)
                if not len(found):
                    found = np.zeros(1, dtype=np.uint32)
                parts.append(found.astype(np.int64))
                lengths.append(len(found))
                owners.append(number)
                scales.append(features.scale(len(found)))
        self.buckets = np.concatenate(parts)
        self.lengths = np.array(lengths)
        self.owners = np.array(owners)
        self.scales = np.array(scales)
        self.truth = np.array([text.is_attack for text in texts], dtype=np.float64)
        self.families = np.array([text.family for text in texts])

    def fit(self, chosen: npt.NDArray[np.bool_], *, rounds: int = ROUNDS) -> tuple[Floats, float]:
        """Weights and intercept from the chosen texts."""
        slices = chosen[self.owners]
        buckets = self.buckets[np.repeat(slices, self.lengths)]
        lengths = self.lengths[slices]
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        rows = np.repeat(np.arange(len(lengths)), lengths)
        owners, scales = self.owners[slices], self.scales[slices]
        truth = self.truth[owners]
        shares = np.where(truth > 0, ATTACKS_COUNT, 1.0) / np.sqrt(np.bincount(owners)[owners])
        weights, speed = np.zeros(features.BUCKETS), np.zeros(features.BUCKETS)
        intercept = drift = 0.0
        for _ in range(rounds):
            scores = np.add.reduceat(weights[buckets], starts) / scales + intercept
            error = (_sigmoid(scores) - truth) * shares / len(truth)
            slope = np.bincount(buckets, weights=(error / scales)[rows], minlength=features.BUCKETS)
            speed = 0.9 * speed + 0.1 * (slope + SHRINK * weights)
            drift = 0.9 * drift + 0.1 * float(error.sum())
            weights -= RATE * speed
            intercept -= RATE / 5 * drift
        return weights, intercept

    def scores(self, weights: Floats, intercept: float) -> Floats:
        """Of each text, the score of its worst slice."""
        starts = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        told = np.add.reduceat(weights[self.buckets], starts) / self.scales + intercept
        worst = np.full(len(self.truth), -np.inf)
        np.maximum.at(worst, self.owners, told)
        return worst


def folds(matrix: Matrix, *, count: int = 3) -> Floats:
    """Of each text, its score by weights trained without it; our own texts are always in."""
    own = matrix.families == judgment_data.OWN
    fold = np.random.default_rng(3).integers(0, count, len(own))
    told = np.zeros(len(own))
    for number in range(count):
        held = (fold == number) & ~own
        told[held] = matrix.scores(*matrix.fit(~held))[held]
    return told


def middle(matrix: Matrix, told: Floats) -> float:
    """The score that only ``FALSE_ALARMS`` of the harmless texts reach."""
    harmless = np.sort(told[(matrix.truth == 0) & (matrix.families != judgment_data.OWN)])[::-1]
    return float(harmless[int(len(harmless) * FALSE_ALARMS)])


def _sigmoid(scores: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(scores, -30, 30))))


def _check(matrix: Matrix, told: Floats, half: float) -> None:
    attacks = (matrix.truth == 1) & (matrix.families != judgment_data.OWN)
    print(f"middle {half:.2f}; found by folds {(told[attacks] > half).mean():.1%}")
    hits = 0
    for family in sorted(set(matrix.families) - {judgment_data.OWN}):
        held = matrix.families == family
        scores = matrix.scores(*matrix.fit(~held))
        found = scores[held] > half
        hits += int(found[matrix.truth[held] == 1].sum())
        kind = "attacks" if matrix.truth[held].any() else "false alarms"
        known = (told[held] > half).mean()
        print(
            f"without {family}: {kind} {found.mean():.2%} of {len(found)}, in folds {known:.2%}",
            flush=True,
        )
    print(f"attacks of sources left out: {hits / attacks.sum():.1%}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.judgment_train", description=__doc__)
    parser.add_argument("--check", action="store_true", help="measure by leaving texts out; write nothing")
    wanted = parser.parse_args()
    place = judgment_data.folder()
    if place is None:
        print("The public texts are not here: name their folder in JUDGMENT_DATA.", file=sys.stderr)
        return 1
    matrix = Matrix([*judgment_data.public(place), *judgment_data.own()])
    told = folds(matrix)
    half = middle(matrix, told)
    if wanted.check:
        _check(matrix, told, half)
        return 0
    weights, intercept = matrix.fit(np.ones(len(matrix.truth), dtype=bool))
    classifier.FILE.write_text(classifier.packed(weights, intercept=intercept, middle=half) + "\n")
    print(f"{classifier.FILE.name}: {classifier.FILE.stat().st_size:,} bytes; a risk of a half at {half:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
