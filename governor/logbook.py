"""The log lines of one execution: the first and the last are kept, those between are counted."""

from __future__ import annotations

from collections import deque
from typing import Any

_TAIL_SHARE = 5  # one line in five of the limit is kept for the end
MOST_BYTES = 1_000_000
MESSAGE_CHARACTERS = 10_000
LEVELS = {"debug", "info", "warning", "error"}


class Logbook:
    """Keeps up to ``most`` lines and a megabyte of what a script logs."""

    def __init__(self, most: int) -> None:
        tail = min(most, max(1, most // _TAIL_SHARE))
        self._most_head = most - tail
        self._head: list[dict[str, Any]] = []
        self._tail: deque[tuple[dict[str, Any], int]] = deque(maxlen=tail)
        self._bytes = 0
        self.dropped = 0
        self.has_errors = False

    def add(self, entry: dict[str, Any], size: int) -> None:
        """Keep a line of ``size`` bytes, or count it."""
        self.has_errors |= entry["level"] == "error"
        if len(self._head) < self._most_head and self._bytes + size <= MOST_BYTES // 2 and not self._tail:
            self._head.append(entry)
            self._bytes += size
            return
        if self._tail.maxlen == 0:
            self.dropped += 1
            return
        if len(self._tail) == self._tail.maxlen:
            self._drop_oldest()
        self._tail.append((entry, size))
        self._bytes += size
        while self._bytes > MOST_BYTES and len(self._tail) > 1:
            self._drop_oldest()

    def entries(self) -> list[dict[str, Any]]:
        """What was kept, in order, with a line in the gap that says how many are missing."""
        tail = [entry for entry, _ in self._tail]
        if not self.dropped:
            return [*self._head, *tail]
        lines = "line" if self.dropped == 1 else "lines"
        gap = {
            "level": "warning",
            "message": f"{self.dropped} log {lines} dropped here.",
            "dropped": self.dropped,
        }
        return [*self._head, gap, *tail]

    def _drop_oldest(self) -> None:
        _, size = self._tail.popleft()
        self._bytes -= size
        self.dropped += 1
