"""What the REST API takes as JSON: bounded, text that the database can hold, no deeper than a reader goes."""

from __future__ import annotations

import io
from typing import IO, TYPE_CHECKING, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_BYTES = 1024 * 1024  # as of a webhook


class TooLarge(CodedError):
    """The body is longer than we read."""

    code = "api.too-large"
    status = 413


class PlainJSONParser(JSONParser):
    """JSON of at most 1 MiB, without NUL and lone surrogates, which no column takes."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise TooLarge(f"A body may have {MOST_BYTES:,} bytes.")
        try:
            document = super().parse(io.BytesIO(body), media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deep.") from None
        _check(document)
        return document


def _check(document: Any) -> None:
    waiting = [document]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            if "\x00" in node or any("\ud800" <= character <= "\udfff" for character in node):
                raise ParseError("A text holds NUL or half a character.")
        elif isinstance(node, dict):
            waiting += node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
