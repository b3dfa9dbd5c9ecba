"""The page of scoring signals, for owners and operators alike: what it shows, and what one does on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages

from circuitos.script.errors import CircuitError
from tenants.models import Connection, Tenant
from triggers import crm_fields, signal_choices, signal_sources, usage_words
from triggers.crm import definitions, score_fields
from triggers.crm.client import Client

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from django.http import HttpRequest

    from triggers.crm.score_fields import Made
    from triggers.models import CrmFields
    from triggers.signal_sources import Row, Standing

FIELD = "field-"
_HOW = {
    "chosen": ("good", "✓", "Chosen"),
    "named": ("good", "✓", "By its name"),
    "mirror": ("good", "✓", "From what it did"),
    "census": ("good", "✓", "Census"),
    "settings": ("good", "✓", "Your settings"),
}


def page_of(tenant: Tenant, *, at: datetime) -> dict[str, Any]:
    """The page's context: a fixed number of queries."""
    fresh = Tenant.objects.get(pk=tenant.pk)
    known = crm_fields.of_tenant(fresh)
    shown: dict[str, Any] = {"signals_of": fresh, "connections": _connections(fresh, known, at=at)}
    try:
        standing = signal_sources.standing(fresh, known=known, at=at)
    except CircuitError as error:
        return {**shown, "problem": error.detail}
    options = signal_sources.places(standing)
    return {
        **shown,
        "standing": standing,
        "share": round(100 * standing.live / max(standing.total, 1)),
        "rows": [_row(row, standing, options) for row in standing.rows],
        "guesses": [_row(row, standing, options) for row in standing.guesses],
        "best": standing.best,
        "own_least": signal_choices.least_of(fresh),
    }


def save(request: HttpRequest, tenant: Tenant, *, at: datetime) -> None:
    """Store what the form says, and say what happened."""
    fresh, standing = _standing(tenant, at=at)
    actor = request.user.get_username()
    if "guess" in request.POST:
        taken = signal_choices.confirm(
            tenant=fresh, standing=standing, readings=set(request.POST.getlist("guess")), actor=actor, at=at
        )
        guesses = "1 guess is" if taken == 1 else f"{taken} guesses are"
        messages.success(request, f"{guesses} confirmed. The next scores use them.")
        return
    choices = {
        name.removeprefix(FIELD): str(request.POST[name]) for name in request.POST if name.startswith(FIELD)
    }
    chosen = signal_choices.save(
        tenant=fresh,
        standing=standing,
        choices=choices,
        least=_least(request.POST.get("least", "")),
        actor=actor,
        at=at,
    )
    fields = "1 field is" if chosen == 1 else f"{chosen} fields are"
    messages.success(request, f"Saved: {fields} chosen by hand. The next scores use them; earlier ones stay.")


def read_fields(request: HttpRequest, connection: Connection, *, at: datetime) -> None:
    """Ask the CRM for its fields, and say how many it has."""
    found = crm_fields.read(connection, client=Client(connection), actor=request.user.get_username(), at=at)
    count = sum(each.object == "Contact" for each in found)
    messages.success(request, f"{connection} has {count} fields of contacts. Look at the guesses below.")


def create_fields(request: HttpRequest, connection: Connection, *, at: datetime) -> None:
    """Make the fields that scores go to, and say what became of each."""
    made = crm_fields.create_score_fields(
        connection, client=Client(connection), actor=request.user.get_username(), at=at
    )
    for sentence, is_good in told(made):
        (messages.success if is_good else messages.error)(request, sentence)


def told(made: list[Made]) -> list[tuple[str, bool]]:
    """What became of the fields, in sentences, and whether each is good news."""
    by_state: dict[str, list[Made]] = {}
    for each in made:
        by_state.setdefault(each.state, []).append(each)
    sentences = []
    if created := by_state.get("created"):
        sentences.append((f"Created: {', '.join(each.label for each in created)}.", True))
    if there := by_state.get("there"):
        sentences.append((f"There already: {', '.join(each.label for each in there)}.", True))
    sentences += [(f"{each.label} was refused: {each.reason}", False) for each in by_state.get("refused", ())]
    if left := by_state.get("not tried"):
        sentences.append((f"Not tried: {', '.join(each.label for each in left)}. {left[0].reason}", False))
    return sentences


def connection_of(tenant: Tenant, code: UUID) -> Connection | None:
    """The tenant's connection that can tell its fields."""
    found = Connection.objects.select_related("tenant").filter(tenant=tenant, code=code).first()
    return found if found is not None and definitions.can_tell(found.crm) else None


def _standing(tenant: Tenant, *, at: datetime) -> tuple[Tenant, Standing]:
    fresh = Tenant.objects.get(pk=tenant.pk)
    try:
        return fresh, signal_sources.standing(fresh, known=crm_fields.of_tenant(fresh), at=at)
    except CircuitError as error:
        raise signal_choices.BadChoice(f"The settings of lead scoring do not hold: {error.detail}") from error


def _least(text: str) -> int | None:
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise signal_choices.BadChoice("Write a whole number of signals.") from None


def _connections(tenant: Tenant, known: list[CrmFields], *, at: datetime) -> list[dict[str, Any]]:
    rows: dict[int, CrmFields] = {row.connection_id: row for row in known}
    found = []
    for each in Connection.objects.filter(tenant=tenant).order_by("pk"):
        if not definitions.can_tell(each.crm):
            continue
        row = rows.get(each.pk)
        read_at = row.read_at if row is not None else None
        fields = definitions.of_document(row.definitions) if row else []
        found.append(
            {
                "connection": each,
                "has_token": each.sealed_credentials is not None,
                "count": sum(field.object == "Contact" for field in fields),
                "read": usage_words.moment(read_at, tenant.timezone, at=at) if read_at else "",
                "problem": row.problem if row else "",
                "missing": [score_fields.SCORE_FIELDS[name][0] for name in score_fields.missing(fields)]
                if read_at
                else None,
            }
        )
    return found


def _row(row: Row, standing: Standing, options: list[tuple[str, str]]) -> dict[str, Any]:
    tone, symbol, word = _HOW.get(row.how, ("warn", "○", "No source"))
    if row.is_off:
        tone, symbol, word = "quiet", "–", "Switched off"
    chosen = signal_choices.NONE if row.chosen == "" else row.chosen or signal_choices.AUTO
    return {
        "row": row,
        "said": {"tone": tone, "symbol": symbol, "word": word},
        "name": FIELD + row.reading,
        "title": " · ".join(dict.fromkeys(row.labels)),
        "sample": standing.sample,
        # Of the census and of the seasons no contact says anything here.
        "is_counted": bool(standing.sample and row.kind),
        "options": [(value, label, value == chosen) for value, label in options] if row.kind else [],
        "is_none": chosen == signal_choices.NONE,
        "none": signal_choices.NONE,
    }
