"""What the OpenAPI schema says of parameters and refusals that many addresses share."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from tenants.paging import LONGEST_PAGE, PAGE

SLUG = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": 40}
TENANT = OpenApiParameter(
    "tenant",
    SLUG,
    description="The tenant's slug. An operator's token sees all tenants without it; a tenant's token may"
    " name its own tenant, and no other.",
)
NAMED_TENANT = OpenApiParameter(
    "tenant", SLUG, description="Operators name the tenant; a tenant's token need not."
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
