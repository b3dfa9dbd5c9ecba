"""What the OpenAPI schema says of parameters and refusals that many addresses share."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from tenants.paging import LONGEST_PAGE, PAGE

_EMPTY = {"type": "string", "maxLength": 0}
SLUG = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": 40}
# An empty parameter is as if it were not there, as browsers send a form's empty fields.
SLUG_OR_EMPTY = {**SLUG, "pattern": "^([a-z0-9][a-z0-9-]*)?$"}
DAY_OR_EMPTY = {"anyOf": [{"type": "string", "format": "date"}, _EMPTY]}
MOMENT_OR_EMPTY = {"anyOf": [{"type": "string", "format": "date-time"}, *DAY_OR_EMPTY["anyOf"]]}
TENANT = OpenApiParameter(
    "tenant",
    SLUG_OR_EMPTY,
    description="The tenant's slug. An operator's token sees all tenants without it; a tenant's token may"
    " name its own tenant, and no other.",
)
NAMED_TENANT = OpenApiParameter(
    "tenant", SLUG_OR_EMPTY, description="Operators name the tenant; a tenant's token need not."
)
PAGING = [
    OpenApiParameter(
        "cursor",
        {"type": "string", "minLength": 1, "maxLength": 2000},
        description="Where the page begins, as `next` and `previous` name it. Anything else is refused"
        " with `api.bad-cursor`.",
    ),
    OpenApiParameter(
        "limit",
        {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": PAGE},
        description="How many rows a page has at most.",
    ),
]
ID = OpenApiParameter(
    "code", {"type": "string", "format": "uuid"}, "path", description="The `id` it has in its list."
)


class ErrorSerializer(serializers.Serializer[Any]):
    """A refusal: a stable code to program against, and a sentence to read."""

    code = serializers.CharField(help_text="`area.what`; does not change")
    detail = serializers.CharField(help_text="a sentence; may be reworded")


class PageSerializer(serializers.Serializer[Any]):
    """A page of a list; follow ``next`` until it is null."""

    next = serializers.URLField(allow_null=True, help_text="the next page; null on the last")
    previous = serializers.URLField(allow_null=True, help_text="the page before; null on the first")
