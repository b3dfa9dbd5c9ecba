"""Saved views: kept, shown above the executions list, and taken away again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from django.db import transaction
from django.db.models import Q

from tenants import audit
from tenants.errors import CodedError
from triggers.models import SavedView

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

MOST_OWN = 30
MOST_SHOWN = 60
LONGEST_NAME = 60
LONGEST_QUERY = 2000
_OF_THE_PAGE = frozenset({"p", "all", "o", "_changelist_filters", "csrfmiddlewaretoken"})


class BadView(CodedError):
    """The view cannot be saved as it is."""

    code = "triggers.bad-view"


class NoView(CodedError):
    """There is no such view, or it is somebody else's."""

    code = "triggers.no-view"
    status = 404


def normal(query: str) -> str:
    """The query string without what belongs to the page alone, and without empty filters."""
    pairs = parse_qsl(query.lstrip("?").replace("\x00", ""), max_num_fields=200)
    kept = [(name, value) for name, value in pairs if name not in _OF_THE_PAGE]
    if not {"from", "to"} & {name for name, _ in kept}:
        kept = [pair for pair in kept if pair[0] != "zone"]  # of the reader, where no time is named
    return urlencode(kept)


def save(*, owner: Any, name: str, query: str, is_shared: bool, at: datetime) -> SavedView:
    """Keep the filters under the name; one of the same name is replaced. Raises ``BadView``."""
    name = " ".join(name.replace("\x00", "").split())
    if not name or len(name) > LONGEST_NAME:
        raise BadView(f"Give the view a name of at most {LONGEST_NAME} characters.")
    try:
        kept = normal(query)
    except ValueError:
        raise BadView("There are too many filters to save.") from None
    if not kept:
        raise BadView("Choose a filter or search for something first: this list shows everything.")
    if len(kept) > LONGEST_QUERY:
        raise BadView("These filters are too long to save.")
    own = SavedView.objects.filter(owner=owner)
    if not own.filter(name=name).exists() and len(own.values_list("pk")[:MOST_OWN]) == MOST_OWN:
        raise BadView(f"You have {MOST_OWN} views; delete one first.")
    with transaction.atomic():
        view, _ = SavedView.objects.update_or_create(
            owner=owner, name=name, defaults={"query": kept, "is_shared": is_shared, "created_at": at}
        )
        audit.record(
            actor=str(owner),
            verb="view.saved",
            target=name,
            data={"query": kept, "shared": is_shared},
            at=at,
        )
    return view


def delete(*, owner: Any, code: UUID, at: datetime) -> str:
    """Take away a view of one's own. Returns its name. Raises ``NoView``."""
    with transaction.atomic():
        view = SavedView.objects.select_for_update().filter(owner=owner, code=code).first()
        if view is None:
            raise NoView("There is no such view of yours.")
        view.delete()
        audit.record(actor=str(owner), verb="view.deleted", target=view.name, at=at)
    return view.name


def shown_to(owner: Any, *, query: str) -> Sequence[dict[str, Any]]:
    """The views a person may choose: their own and the shared ones, told which one is on."""
    try:
        current = sorted(parse_qsl(normal(query)))
    except ValueError:
        current = []
    views = (
        SavedView.objects.filter(Q(owner=owner) | Q(is_shared=True))
        .select_related("owner")
        .order_by("name", "pk")[:MOST_SHOWN]
    )
    return [
        {
            "code": view.code,
            "name": view.name,
            "query": view.query,
            "is_own": view.owner_id == owner.pk,
            "is_shared": view.is_shared,
            "owner": view.owner.get_username(),
            "is_on": bool(current) and sorted(parse_qsl(view.query)) == current,
        }
        for view in views
    ]


def context(*, owner: Any, query: str) -> dict[str, Any]:
    """What the list's page needs to show them: one query."""
    try:
        current = normal(query)
    except ValueError:
        current = ""
    views = shown_to(owner, query=query)
    return {
        "saved_views": views,
        "current_query": current,
        "is_saved": any(view["is_on"] and view["is_own"] for view in views),
    }
