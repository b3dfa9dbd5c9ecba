"""Frames between runner and broker: length-prefixed MessagePack, distrusted on arrival."""

from __future__ import annotations

from typing import Any

import msgspec

MAX_FRAME = 16 * 1024 * 1024
_PREFIX = 4
# An empty list is one byte here and sixty in memory, and the worker's memory is not limited as a script's is.
MOST_CONTAINERS = 400_000
MOST_VALUES = 2_000_000
_WORTH_COUNTING = 256 * 1024  # a shorter frame cannot hold so many that they matter
_HEADS = bytes([*range(0x80, 0xA0), *range(0xDC, 0xE0)])  # with which lists and maps begin

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder()


class WireError(Exception):
    """Bytes on the socket that are no frame of ours."""


class Req(msgspec.Struct, tag="req", tag_field="t", gc=False):
    """The script asks for something."""

    id: int
    op: str
    args: dict[str, Any]
    at: str = ""
    record: str = ""  # the id of the record the script is at


class Log(msgspec.Struct, tag="log", tag_field="t", gc=False):
    """The script wrote a log line; nobody answers."""

    level: str
    message: str
    data: msgspec.Raw = msgspec.Raw(b"\xc0")  # opened only when it is small
    at: str | None = None
    line: str = ""


class Done(msgspec.Struct, tag="done", tag_field="t", gc=False):
    """The last frame: what became of each record, or the error that ended the run."""

    outcomes: dict[str, Any] = {}
    error: dict[str, Any] | None = None
    cpu_ms: float = 0
    fields: dict[str, dict[str, Any]] = {}


class _Kind(msgspec.Struct):
    """As much of a message as says which it is."""

    t: str


Message = Req | Log | Done
_kind_decoder = msgspec.msgpack.Decoder(_Kind)
_message_decoder = msgspec.msgpack.Decoder(Message)


def pack(message: Any) -> bytes:
    """One frame, prefix included. Raises ``WireError`` when it cannot be said in 16 MiB of MessagePack."""
    try:
        payload = _encoder.encode(message)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise WireError(f"This value cannot leave the script: {error}") from error
    if len(payload) > MAX_FRAME:
        raise WireError(f"{len(payload)} bytes are more than a message may have ({MAX_FRAME}).")
    return len(payload).to_bytes(_PREFIX, "big") + payload


def unpack(payload: bytes | bytearray | memoryview) -> Any:
    """A frame's content, as plain values."""
    try:
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"Not a message: {error}") from error


def read_message(payload: bytes | bytearray | memoryview) -> Message:
    """What a runner sent, checked to be one of the three things it may say."""
    try:
        if len(payload) > _WORTH_COUNTING and _kind_decoder.decode(payload).t != "log":
            _refuse_crowd(bytes(payload))
        message: Message = _message_decoder.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"Not a message of a runner: {error}") from error
    return message


def _refuse_crowd(payload: bytes) -> None:
    """Raise ``WireError`` when opening the frame would take far more memory than it has bytes."""
    # Text in other alphabets has such bytes too; then they are counted one by one, values skipped by length.
    if len(payload) - len(payload.translate(None, _HEADS)) <= MOST_CONTAINERS // 2:
        return
    at, left, containers = 0, 1, 0
    for _ in range(MOST_VALUES):
        if not left or at >= len(payload):
            return
        head = payload[at]
        at += 1
        left -= 1
        if 0xA0 <= head <= 0xBF:
            at += head & 31
        elif 0x80 <= head <= 0x9F:
            containers += 1
            left += (head & 15) * (2 if head < 0x90 else 1)
        elif head in _SIZED:
            width, extra = _SIZED[head]
            size = int.from_bytes(payload[at : at + width], "big")
            at += width + extra
            if head >= 0xDC:
                containers += 1
                left += size * (2 if head >= 0xDE else 1)
            else:
                at += size
        elif head in _FIXED:
            at += _FIXED[head]
        if containers > MOST_CONTAINERS:
            raise WireError(f"It holds more than {MOST_CONTAINERS:,} lists and mappings.")
    raise WireError(f"It holds more than {MOST_VALUES:,} values.")


# By their first byte: how many bytes tell the length and what follows beside it; or how many there are.
_SIZED = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1)}
_SIZED |= {0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0), 0xDC: (2, 0), 0xDD: (4, 0), 0xDE: (2, 0), 0xDF: (4, 0)}
_FIXED = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8}
_FIXED |= {0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}


class Frames:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """What the frames hold that ``data`` completes. Raises ``WireError`` on an impossible length."""
        buffer = self._buffer
        buffer += data
        frames = []
        start = 0
        while len(buffer) - start >= _PREFIX:
            length = int.from_bytes(buffer[start : start + _PREFIX], "big")
            if length > MAX_FRAME:
                raise WireError(f"A frame of {length} bytes was announced; {MAX_FRAME} is the most.")
            end = start + _PREFIX + length
            if len(buffer) < end:
                break
            with memoryview(buffer) as view:  # copied once, not twice
                frames.append(bytes(view[start + _PREFIX : end]))
            start = end
        del buffer[:start]
        return frames

    @property
    def is_partial(self) -> bool:
        """Whether the stream stands in the middle of a frame."""
        return bool(self._buffer)
