"""``CircuitLog``: lines in the execution's trace. It takes anything and never raises."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from circuitos.script import output
from circuitos.script.plain import lenient
from circuitos.script.session import peek

if TYPE_CHECKING:
    from collections.abc import Generator


class _Written:
    """What a log call gives back: nothing, which may be awaited."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield

    def __repr__(self) -> str:
        return "None"


_WRITTEN = _Written()


class CircuitLog:
    """Write a line into the trace: ``CircuitLog.info("scored", leads=12)``. It needs no await.

    ``anything`` may be any object: a list of pydantic errors, an exception, a record. Long values are cut,
    lines past the limit (1,000) are left out with a line that says so; personal data and secrets are masked
    before storage. An execution that logs at error level and returns is *succeeded with errors*. Outside an
    execution lines go to stderr.
    """

    @staticmethod
    def debug(message: Any, anything: Any = None, **data: Any) -> _Written:
        return _write("debug", message, anything, data)

    @staticmethod
    def info(message: Any, anything: Any = None, **data: Any) -> _Written:
        return _write("info", message, anything, data)

    @staticmethod
    def warning(message: Any, anything: Any = None, **data: Any) -> _Written:
        return _write("warning", message, anything, data)

    warn = warning

    @staticmethod
    def error(message: Any, anything: Any = None, **data: Any) -> _Written:
        return _write("error", message, anything, data)


def _write(level: str, message: Any, anything: Any, data: dict[str, Any]) -> _Written:
    try:
        said = lenient(message)
        said = said if isinstance(said, str) else repr(said)
        taken = lenient(anything)
        if data:
            more = lenient(data)
            taken = (
                more
                if anything is None
                else {**(taken if isinstance(taken, dict) else {"value": taken}), **more}
            )
        session = peek()
        if session is None:
            sys.stderr.write(f"{level} {said}{'' if taken is None else f' {taken}'}\n")
        elif session.is_open:
            output.line(session, level, said, taken)
    except Exception as error:
        # A log call must never be what breaks a script, whatever it was given and wherever stderr leads.
        sys.__stderr__ and sys.__stderr__.write(f"a log line was lost: {type(error).__name__}\n")
    return _WRITTEN
