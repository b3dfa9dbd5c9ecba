"""Frames between runner and broker: length-prefixed MessagePack, distrusted on arrival."""

from __future__ import annotations

from typing import Any

import msgspec

MAX_FRAME = 16 * 1024 * 1024
_PREFIX = 4

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


Message = Req | Log | Done
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
        message: Message = _message_decoder.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise WireError(f"Not a message of a runner: {error}") from error
    return message


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
            frames.append(bytes(buffer[start + _PREFIX : end]))
            start = end
        del buffer[:start]
        return frames

    @property
    def is_partial(self) -> bool:
        """Whether the stream stands in the middle of a frame."""
        return bool(self._buffer)
