"""Where in the author's own code something happened: ``contact_trigger.py:42``."""

from __future__ import annotations

import os
import sys
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

_SDK = os.path.dirname(os.path.abspath(__file__)) + os.sep
_PACKAGE = os.path.dirname(os.path.dirname(_SDK.rstrip(os.sep)))  # what holds the package ``circuitos``
_STDLIB = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_AGENTS = os.path.join(os.path.dirname(_SDK.rstrip(os.sep)), "agents") + os.sep
_JAIL = os.path.join(_PACKAGE, "governor", "jail") + os.sep
_MACHINERY = (_SDK, _JAIL, *(os.path.join(_STDLIB, name) + os.sep for name in ("asyncio", "importlib")))
_known: dict[str, bool] = {}
_short: dict[str, str] = {}

TRACEBACK_CHARACTERS = 12_000


def is_script(filename: str) -> bool:
    """Whether a file is the author's: not the SDK, the standard library or an installed package."""
    known = _known.get(filename)
    if known is None:
        path = os.path.abspath(filename)
        known = _known[filename] = path.startswith(_AGENTS) or not (
            filename.startswith("<")
            or path.startswith((_SDK, _STDLIB, _JAIL))
            or "site-packages" in path
            or "dist-packages" in path
        )
    return known


def is_shipped(file: str | os.PathLike[str]) -> bool:
    """Whether a script file is one of the agents that come with CircuitOS."""
    return os.path.abspath(file).startswith(_AGENTS)


def short(filename: str) -> str:
    """The file's path as its author knows it, without the machine's folders."""
    known = _short.get(filename)
    if known is None:
        known = _short[filename] = filename if filename.startswith("<") else _shorten(filename)
    return known


def _shorten(filename: str) -> str:
    path = os.path.abspath(filename)
    roots = [
        entry for entry in (*sys.path, _PACKAGE) if entry and path.startswith(entry.rstrip(os.sep) + os.sep)
    ]
    # The project's own folder first, or an agent would be told by its bare file name.
    root = _PACKAGE if _PACKAGE in roots else max(roots, key=len, default="")
    return path[len(root.rstrip(os.sep)) + 1 :] if root else os.path.basename(path)


def here() -> str:
    """``file:line`` of the innermost script frame that is running, or ``""``."""
    frame = script_frame()
    return "" if frame is None else f"{short(frame.f_code.co_filename)}:{frame.f_lineno}"


def script_frame() -> FrameType | None:
    """The innermost script frame that is running."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None and not is_script(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def place(error: BaseException) -> str:
    """``file:line`` of the innermost script frame that ``error`` passed through, or ``""``."""
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if is_script(frame.f_code.co_filename):
            found = f"{short(frame.f_code.co_filename)}:{line}"
    if not found and isinstance(error, SyntaxError) and error.filename:
        return f"{short(error.filename)}:{error.lineno or 0}"
    return found


def tell(error: BaseException) -> str:
    """The traceback as text: the script's frames and those of the packages it called, no values, bounded."""
    told = traceback.TracebackException.from_exception(error, limit=-60)
    _clean(told, set())
    text = "".join(told.format())
    if len(text) <= TRACEBACK_CHARACTERS:
        return text
    half = TRACEBACK_CHARACTERS // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _clean(told: traceback.TracebackException, seen: set[int]) -> None:
    if id(told) in seen:
        return
    seen.add(id(told))
    told.stack[:] = [
        traceback.FrameSummary(
            short(frame.filename), frame.lineno, frame.name, lookup_line=False, line=frame.line or ""
        )
        for frame in told.stack
        if not (
            frame.filename.startswith("<frozen") or os.path.abspath(frame.filename).startswith(_MACHINERY)
        )
    ]
    filename = getattr(told, "filename", None)  # of a SyntaxError
    if filename:
        told.filename = short(filename)
    for linked in (told.__cause__, told.__context__, *(getattr(told, "exceptions", None) or ())):
        if linked is not None:
            _clean(linked, seen)
