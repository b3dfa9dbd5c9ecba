"""Runs triggers in a test: the execution is the jail's own, the world behind it is prepared by the test."""

from __future__ import annotations

from circuitos.script.testing.answers import Asked, NoAnswer, in_turn
from circuitos.script.testing.result import Callout, Change, Error, LogLine, Outcome, Question, Result
from circuitos.script.testing.running import run

__all__ = [
    "Asked",
    "Callout",
    "Change",
    "Error",
    "LogLine",
    "NoAnswer",
    "Outcome",
    "Question",
    "Result",
    "in_turn",
    "run",
]
