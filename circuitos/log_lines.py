"""Lines of the processes' own logs: no person, no secret and no webhook's address stands in one."""

from __future__ import annotations

import logging
import re

from governor.judgment.masking import HIDDEN, mask_text

# Behind it whoever knows the key may post; the first four letters still tell connections apart.
_HOOK = re.compile(r"(/hooks/[\w-]{4})[\w-]{8,}")


class MaskedFormatter(logging.Formatter):
    """The line as always, tracebacks included, and then masked."""

    def format(self, record: logging.LogRecord) -> str:
        return without_addresses(mask_text(super().format(record)))


def without_addresses(text: str) -> str:
    """``text`` without the keys of webhooks' addresses."""
    return _HOOK.sub(rf"\1{HIDDEN}", text) if "/hooks/" in text else text
