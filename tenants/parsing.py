"""What the REST API takes as JSON: text that the database can hold, and no deeper than a reader can go."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

if TYPE_CHECKING:
    from collections.abc import Mapping


class PlainJSONParser(JSONParser):
    """JSON without NUL and lone surrogates, which no column takes."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            document = super().parse(stream, media_type, parser_context)
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
