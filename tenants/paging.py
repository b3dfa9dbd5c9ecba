"""Pages of the REST API's lists. A cursor is sealed: nobody reads or writes one but we."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import TYPE_CHECKING, Any

from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from tenants.errors import CodedError
from tenants.secrets import seal, unseal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rest_framework.request import Request

PAGE = 50
LONGEST_PAGE = 200
_CONTEXT = "cursor"
_MOST_BYTES = 2_000
_LIMIT = re.compile(r"[1-9][0-9]{0,2}")


class BadCursor(CodedError):
    """The cursor is none of ours: cut short, made up, or of an installation with other keys."""

    code = "api.bad-cursor"

    def __init__(self) -> None:
        super().__init__("This cursor is not one that a list gave. Take `next` or `previous` as it came.")


class BadLimit(CodedError):
    """The wanted length of a page cannot be."""

    code = "api.bad-filter"

    def __init__(self) -> None:
        super().__init__(f"limit: write a number from 1 to {LONGEST_PAGE}.", filter="limit")


class Newest(CursorPagination):
    """Pages by id, newest first: each costs the same however deep, and nothing is counted."""

    ordering = "-pk"
    page_size = PAGE
    max_page_size = LONGEST_PAGE
    page_size_query_param = "limit"

    def get_page_size(self, request: Request) -> int:
        return page_size(request)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Where the page begins. Raises ``BadCursor``."""
        opened = open_cursor(request)
        if opened is None:
            return None
        match opened:
            case ["pk", int(offset), bool(is_reverse), str() | None as position]:
                return Cursor(offset, is_reverse, position)  # type: ignore[arg-type]  # the stubs say int
        raise BadCursor

    def encode_cursor(self, cursor: Cursor) -> str:
        assert self.base_url is not None
        position = None if cursor.position is None else str(cursor.position)
        sealed = seal_cursor(["pk", cursor.offset, bool(cursor.reverse), position])
        return replace_query_param(self.base_url, self.cursor_query_param, sealed)

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()})


def page_of(rows: Sequence[dict[str, Any]], request: Request, *, key: str) -> Response:
    """A page of a short list that is made whole, such as the triggers; ``key`` names what its rows differ in.

    The cursor holds the key of a row beside the page. When that row is gone, the list begins anew.
    """
    size = page_size(request)
    keys = [row[key] for row in rows]
    match open_cursor(request):
        case None:
            start = 0
        case ["after", str(name)]:
            start = keys.index(name) + 1 if name in keys else 0
        case ["before", str(name)]:
            start = max(0, keys.index(name) - size) if name in keys else 0
        case _:
            raise BadCursor
    end = start + size
    address = request.build_absolute_uri()
    after = seal_cursor(["after", keys[end - 1]]) if end < len(rows) else None
    before = seal_cursor(["before", keys[start]]) if 0 < start < len(rows) else None
    return Response(
        {
            "results": list(rows[start:end]),
            "next": replace_query_param(address, "cursor", after) if after else None,
            "previous": replace_query_param(address, "cursor", before) if before else None,
        }
    )


def whole(rows: Sequence[Any]) -> Response:
    """A list that is always one page."""
    return Response({"results": list(rows), "next": None, "previous": None})


def page_size(request: Request) -> int:
    """How many rows are wanted. Raises ``BadLimit``."""
    text = request.query_params.get("limit")
    if text is None:
        return PAGE
    if not _LIMIT.fullmatch(text) or int(text) > LONGEST_PAGE:
        raise BadLimit
    return int(text)


def open_cursor(request: Request) -> Any:
    """What ``?cursor=`` holds; None without one. Raises ``BadCursor``."""
    text = request.query_params.get("cursor")
    if text is None:
        return None
    if not text or len(text) > _MOST_BYTES or not text.isascii():
        raise BadCursor
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return json.loads(unseal(sealed, context=_CONTEXT))
    except (binascii.Error, ValueError, CodedError):
        raise BadCursor from None


def seal_cursor(where: Any) -> str:
    """``where`` as the text of a cursor."""
    sealed = seal(json.dumps(where).encode(), context=_CONTEXT)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()
