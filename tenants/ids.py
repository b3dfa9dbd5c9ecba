"""Public ids: UUIDv7, so that rows made later sort later and indexes grow at one end."""

from __future__ import annotations

import os
import time
from threading import Lock
from uuid import UUID

_COUNTER_BITS = 42  # of the 74 random bits, those that count within one millisecond
_lock = Lock()
_last_ms = 0
_counter = 0


def new_code() -> UUID:
    """A new UUIDv7. Within a process each is greater than the one before, also when the clock steps back."""
    global _last_ms, _counter  # noqa: PLW0603  # one sequence for the process
    entropy = int.from_bytes(os.urandom(10), "big")
    with _lock:
        now_ms = time.time_ns() // 1_000_000
        if now_ms > _last_ms:
            _last_ms = now_ms
            _counter = (entropy >> 33) & ((1 << (_COUNTER_BITS - 1)) - 1)  # top bit free: room to count
        else:
            # A random stride: the next id cannot be guessed from this one, and a forked twin differs.
            _counter += 1 + (entropy >> 52)
            if _counter >> _COUNTER_BITS:
                _last_ms += 1
                _counter &= (1 << _COUNTER_BITS) - 1
        value = (_last_ms << 74) | (_counter << 32) | (entropy & 0xFFFFFFFF)
    high, low = value >> 62, value & ((1 << 62) - 1)
    return UUID(int=(high >> 12 << 80) | (0x7 << 76) | ((high & 0xFFF) << 64) | (0b10 << 62) | low)


def _forget() -> None:
    global _lock, _last_ms  # noqa: PLW0603
    _lock = Lock()
    _last_ms = 0


# A forked child would go on from its parent's counter, and a lock held at the fork would never open.
os.register_at_fork(after_in_child=_forget)
