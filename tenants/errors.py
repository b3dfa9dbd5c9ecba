"""The base of foreseen errors: the reader can act on them, so they carry a code and a sentence."""

from __future__ import annotations

from typing import Any


class CodedError(Exception):
    """A foreseen refusal. ``code`` is stable (``area.what``); the message is a sentence for people."""

    code = "circuitos.error"
    status = 400

    def __init__(self, detail: str, *, headers: dict[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.headers = headers
        self.extra = extra
