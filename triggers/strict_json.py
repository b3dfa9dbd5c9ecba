"""Strict JSON: what the signature proved must mean the same to every reader, or it is refused."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from tenants.errors import CodedError

MAX_DEPTH = 20
MAX_NODES = 2_000  # of one event; a delivery's array holds up to 100 events

# A string, or a bracket outside of strings.
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_LONE_SURROGATE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})")
_decode = msgspec.json.Decoder().decode
_slices = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Malformed(CodedError):
    """The body is not the strict JSON we take. The message says where."""

    code = "triggers.malformed"
    status = 400


def parse(body: bytes) -> Any:
    """The document of ``body``. Raises ``Malformed``.

    Refused besides bad grammar: other encodings than UTF-8, duplicate keys, NaN and infinite numbers, lone
    surrogates, NUL (the database takes none), more than ``MAX_DEPTH`` levels or ``MAX_NODES`` values.
    """
    try:
        document = _decode(body)
    except UnicodeDecodeError as error:
        raise Malformed(f"The body is not UTF-8 ({_utf8_fault(body, error)}).") from None
    except RecursionError:
        raise Malformed(_depth_fault(body)) from None
    except msgspec.MsgspecError as error:
        raise Malformed(_fault(body, str(error))) from None
    keys = _measure(document, body)
    # Blanks taken away, each key ends in `":`. As many of them as decoded keys: no key was lost to a twin.
    # More of them, a twin or text that looks so: read the slow way. This test takes 1 µs, the slow way 8.
    if body.translate(None, b" \t\r\n").count(b'":') != keys:
        json.loads(body, object_pairs_hook=_unique, parse_int=_number, parse_float=_number)
    if b"\\" in body and b"\\u0000" in body:
        _refuse_nul(document)
    return document


def elements(body: bytes) -> list[bytes]:
    """The exact bytes of each element of the array that ``body`` is known to hold."""
    return [bytes(element) for element in _slices(body)]


def _fault(body: bytes, said: str) -> str:
    if "(byte" in said:
        return f"{said}."
    # The decoder looks for the other half of a surrogate, and calls the body truncated without it.
    lone = _LONE_SURROGATE.search(body)
    if lone is not None:
        return f"A string holds half a surrogate pair (byte {lone.start()})."
    return f"{said} (within {len(body)} bytes)."


def _measure(document: Any, body: bytes) -> int:
    """The number of keys in the whole document. Raises ``Malformed`` when it is too deep or too large."""
    level = [document] if type(document) is dict or type(document) is list else []
    depth = keys = nodes = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Malformed(_depth_fault(body))
        below: list[Any] = []
        for node in level:
            nodes += len(node)
            if type(node) is dict:
                keys += len(node)
                below += [value for value in node.values() if type(value) is dict or type(value) is list]
            else:
                below += [value for value in node if type(value) is dict or type(value) is list]
        level = below
    if nodes > MAX_NODES:
        _refuse_large(document)
    return keys


def _refuse_large(document: Any) -> None:
    events = document if type(document) is list else [document]
    if len(events) > MAX_NODES:
        raise Malformed(f"The array has {len(events)} elements, more than {MAX_NODES}.")
    for position, event in enumerate(events):
        nodes = _count(event)
        if nodes > MAX_NODES:
            raise Malformed(f"Event {position} has {nodes} values, more than {MAX_NODES}.")


def _count(document: Any) -> int:
    nodes, waiting = 0, [document]
    while waiting:
        node = waiting.pop()
        if type(node) is dict:
            nodes += len(node)
            waiting += node.values()
        elif type(node) is list:
            nodes += len(node)
            waiting += node
    return nodes


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise Malformed(f"The key {key[:80]!r} stands twice in one object.")
            seen.add(key)
    return found


def _number(text: str) -> None:
    """Numbers were checked by the first reading; a second conversion would only cost."""


def _refuse_nul(document: Any) -> None:
    waiting = [document]
    while waiting:
        node = waiting.pop()
        if type(node) is str:
            if "\0" in node:
                raise Malformed(f"A string holds NUL at its position {node.index(chr(0))}: {node[:40]!r}.")
        elif type(node) is dict:
            waiting += node
            waiting += node.values()
        elif type(node) is list:
            waiting += node


def _depth_fault(body: bytes) -> str:
    depth = 0
    for match in _BRACKETS.finditer(body):
        token = match[0]
        depth += token in b"[{"
        depth -= token in b"]}"
        if depth > MAX_DEPTH:
            return f"More than {MAX_DEPTH} levels deep (byte {match.start()})."
    return f"More than {MAX_DEPTH} levels deep."


def _utf8_fault(body: bytes, error: UnicodeDecodeError) -> str:
    try:
        body.decode()
    except UnicodeDecodeError as exact:
        return f"byte {exact.start}"
    return error.reason
