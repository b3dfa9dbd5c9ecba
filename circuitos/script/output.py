"""What a script says: log lines, and whatever it prints, both bounded."""

from __future__ import annotations

import contextlib
import io
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from circuitos.script import frames
from circuitos.script.plain import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from circuitos.script.session import Session

PRINTED_CHARACTERS = 2_000  # of one printed line; the rest of the line is dropped


def line(session: Session, level: str, message: str, data: Any = None, *, line: str | None = None) -> None:
    """Send one log line. Past the limit of log lines one last line says so, and the rest is dropped."""
    allowed = (session.channel.limits.get("log_lines") or [0, 1_000])[1]
    session.log_lines += 1
    if session.log_lines > allowed:
        if session.log_lines > allowed + 1:
            return
        level, message, data = "warning", f"More than {allowed} log lines; the rest is left out.", None
    payload = {
        "level": level,
        "message": text(message),
        "data": data,
        "at": datetime.now(UTC).isoformat(),
        "line": frames.here() if line is None else line,
    }
    session.channel.notify("log", payload)


class Printed(io.TextIOBase):
    """A text stream whose lines become log lines."""

    def __init__(self, session: Session, level: str, stream: str) -> None:
        self._session = session
        self._level = level
        self._data = {"stream": stream}
        self._held = ""
        self._is_busy = False

    def writable(self) -> bool:
        return True

    def write(self, written: str) -> int:
        size = len(written)
        # A line handler that prints (a tracer, a broken channel) must not come back in here for ever.
        if self._is_busy:
            return size
        self._is_busy = True
        try:
            *lines, rest = written.split("\n") if size < 1_000_000 else [written[:PRINTED_CHARACTERS], ""]
            for ended in lines:
                self._say(self._held + ended[:PRINTED_CHARACTERS])
                self._held = ""
            self._held = (self._held + rest[:PRINTED_CHARACTERS])[:PRINTED_CHARACTERS]
        finally:
            self._is_busy = False
        return size

    def finish(self) -> None:
        """Send what was printed without an end of line."""
        if self._held:
            self._say(self._held)
            self._held = ""

    def _say(self, said: str) -> None:
        if said.strip():
            line(self._session, self._level, said[:PRINTED_CHARACTERS], self._data)


@contextlib.contextmanager
def captured(session: Session) -> Iterator[None]:
    """While inside, ``print`` and ``sys.stderr`` write log lines."""
    out, err = Printed(session, "info", "stdout"), Printed(session, "warning", "stderr")
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        out.finish()
        err.finish()
