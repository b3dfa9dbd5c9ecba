"""Pages of the REST API's lists."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.response import Response

if TYPE_CHECKING:
    from rest_framework.pagination import Cursor
    from rest_framework.request import Request

_ID = re.compile(r"[0-9]{1,18}")


class Newest(CursorPagination):
    """Pages by id, newest first: each costs the same however deep, and nothing is counted."""

    ordering = "-pk"
    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Where the page begins. Anybody can write a cursor: one that names no id finds nothing."""
        cursor = super().decode_cursor(request)
        if cursor is not None and cursor.position is not None and not _ID.fullmatch(str(cursor.position)):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()})
