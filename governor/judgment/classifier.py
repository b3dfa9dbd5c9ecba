"""The linear classifier of level 14: weights of hashed n-grams, trained by ``benchmarks/judgment_train.py``.

What it learned from, and what it is worth, says ``weights.md`` beside it.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from governor.judgment import features
from governor.judgment.slices import sliced

LENGTH = 1_200  # characters judged at once, in training too
OVERLAP = 200
SHORTEST = 20  # of a text that is judged at all; shorter ones say too little
STEEPNESS = 1.6
FILE = Path(__file__).with_name("weights.json")


@dataclass(frozen=True, slots=True)
class Weights:
    """A weight for each bucket, an intercept, and the score at which the risk is a half."""

    buckets: npt.NDArray[np.float32]
    intercept: float
    middle: float


def risk(text: str) -> float:
    """How much ``text`` reads like an attack on a model, 0–1; of a long text, its worst slice."""
    if len(text) < SHORTEST:
        return 0.0
    return risk_of(max(score(part) for part in sliced(text, LENGTH, OVERLAP)))


def risk_of(told: float) -> float:
    """The risk that a score stands for: a half where next to no harmless text came."""
    away = STEEPNESS * (told - weights().middle)
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, away))))


def score(text: str) -> float:
    """The classifier's score of one slice."""
    known = weights()
    found = features.buckets(text)
    return float(known.buckets[found].sum()) / features.scale(len(found)) + known.intercept


@lru_cache(maxsize=1)
def weights() -> Weights:
    return unpacked(json.loads(FILE.read_text()))


def unpacked(told: dict[str, Any]) -> Weights:
    """The weights in what ``packed`` wrote."""
    packed = np.frombuffer(base64.b64decode(told["weights"]), dtype=np.int8)
    if len(packed) != features.BUCKETS:
        raise ValueError(f"{FILE.name} holds {len(packed)} weights instead of {features.BUCKETS}.")
    return Weights(packed.astype(np.float32) * np.float32(told["step"]), told["intercept"], told["middle"])


def packed(buckets: npt.NDArray[np.float64], *, intercept: float, middle: float) -> str:
    """The content of ``weights.json``: a weight a byte, in steps."""
    step = float(np.abs(buckets).max()) / 127 or 1.0
    rounded = np.clip(np.rint(buckets / step), -127, 127).astype(np.int8)
    return json.dumps(
        {
            "about": "Weights of hashed n-grams, trained by benchmarks/judgment_train.py; see weights.md.",
            "step": step,
            "intercept": round(intercept, 5),
            "middle": round(middle, 5),
            "weights": base64.b64encode(rounded.tobytes()).decode(),
        },
        indent=1,
    )
