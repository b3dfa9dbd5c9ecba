"""Where a tenant's signals of lead scoring come from, which have no source, and what would add most."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection
from psycopg2 import sql

from governor import activity
from tenants.records.jsonb import load
from triggers import crm_fields, field_guesses
from triggers.schemas import FIELDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from circuitos.agents.virtual_lpr.gather import Read
    from circuitos.agents.virtual_lpr.weights import Weights
    from tenants.models import Tenant
    from triggers.crm.definitions import Definition
    from triggers.field_guesses import Guess
    from triggers.models import CrmFields

SAMPLE = 200  # newest contacts that are looked at
_NEWEST = 4_000  # newest records among which they are looked for
BEST = 3
_MIRROR_SAYS = {
    "Appointment": "appointments",
    "Message": "messages",
    "LCEmailStats": "mail statistics",
}
_SAMPLE = """
SELECT external_id, data::text FROM (
    SELECT object, external_id, data, deleted_at FROM {schema}.records_record ORDER BY id DESC LIMIT %s
) newest
WHERE object = 'Contact' AND deleted_at IS NULL LIMIT %s
"""
_THERE_ARE = """
SELECT name FROM unnest(%s::text[]) AS wanted (name)
WHERE EXISTS (SELECT 1 FROM {schema}.records_record r WHERE r.object = wanted.name)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One reading of the score: the signals it feeds, and where it comes from."""

    reading: str
    kind: str  # of a field that could feed it; "" = none can
    signals: tuple[str, ...]
    labels: tuple[str, ...]
    points: float  # at most
    gain: float  # what it would add to what can be reached now; 0 when it has a source
    source: str  # "" = none
    how: str  # chosen, named, mirror, census, settings, ""
    filled: int  # of the sample
    chosen: str | None  # the field the tenant chose; "" = none; None = it chose nothing
    guess: Guess | None
    is_off: bool
    hint: str  # what would give it, where no field does

    @property
    def has_source(self) -> bool:
        return bool(self.source) and not self.is_off


@dataclass(frozen=True, slots=True)
class Standing:
    """All signals of a tenant."""

    rows: tuple[Row, ...]
    fields: tuple[Definition, ...]
    sample: int
    least: int

    @property
    def live(self) -> int:
        return sum(len(row.signals) for row in self.rows if row.has_source)

    @property
    def total(self) -> int:
        return sum(len(row.signals) for row in self.rows if not row.is_off)

    @property
    def guesses(self) -> list[Row]:
        return [row for row in self.rows if row.guess is not None]

    @property
    def best(self) -> list[Row]:
        """The rows without a source that would add most, best first."""
        missing = [row for row in self.rows if not row.has_source and not row.is_off and row.gain > 0]
        return sorted(missing, key=lambda row: (-row.gain, -row.points, row.reading))[:BEST]


def standing(tenant: Tenant, *, known: list[CrmFields], at: datetime) -> Standing:
    """How the signals stand: three queries. Raises ``BadSettings`` when the tenant's settings do not hold."""
    # numpy comes with it: a web process that never shows this does without.
    from circuitos.agents.virtual_lpr import gather
    from circuitos.agents.virtual_lpr import readings as r
    from circuitos.agents.virtual_lpr.rules import SIGNALS
    from circuitos.agents.virtual_lpr.weights import weights_of

    settings = tenant.settings if isinstance(tenant.settings, dict) else {}
    weights = weights_of(settings, timezone=tenant.timezone)
    fields = crm_fields.contact_fields(known, settings)
    records, acts, objects = _look(tenant, at=at)
    read = gather.read(
        records, {key: {"activity": facts} for key, facts in acts.items()}, weights=weights, now=at
    )
    lpr = settings.get("lpr")
    chosen = (lpr.get("fields") if isinstance(lpr, dict) else None) or {}
    kinds = {reading.name: reading.kind for reading in r.FROM_FIELDS}
    sources = _sources(read, weights, fields, chosen, objects)
    off = {name for name in r.NAMES if all(s.proxy in weights.off for s in SIGNALS if s.reading == name)}
    guesses = field_guesses.guess(fields, kinds, but={*chosen, *_by_field(sources), *off})
    live = {name for name, (source, _) in sources.items() if source} - off
    rows = []
    for name in r.NAMES:
        fed = [signal for signal in SIGNALS if signal.reading == name]
        source, how = sources[name]
        rows.append(
            Row(
                reading=name,
                kind=kinds.get(name, ""),
                signals=tuple(signal.name for signal in fed),
                labels=tuple(_label(signal, weights) for signal in fed),
                points=sum(max(weights.points[SIGNALS.index(signal)]) for signal in fed) / 100,
                gain=0.0
                if name in live or name in off
                else (_reach(weights, live | {name}) - _reach(weights, live)) / 100,
                source=source,
                how=how,
                filled=sum(r.INDEX[name] in seen for seen in read.seen),
                chosen=chosen.get(name),
                guess=guesses.get(name),
                is_off=name in off,
                hint=_hint(name, weights),
            )
        )
    return Standing(tuple(rows), tuple(fields), len(records), weights.least_signals)


def _look(
    tenant: Tenant, *, at: datetime
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]], set[str]]:
    """The newest contacts, what they did, and which objects the mirror holds at all."""
    schema = sql.Identifier(tenant.schema_name)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL(_SAMPLE).format(schema=schema), [_NEWEST, SAMPLE])
        records = [{**load(data), "id": external_id} for external_id, data in cursor.fetchall()]
        acts = activity.facts(cursor, schema=tenant.schema_name, records=records, at=at)
        cursor.execute(sql.SQL(_THERE_ARE).format(schema=schema), [list(_MIRROR_SAYS)])
        return records, acts, {name for (name,) in cursor.fetchall()}


def _sources(
    read: Read, weights: Weights, fields: Iterable[Definition], chosen: dict[str, str], objects: set[str]
) -> dict[str, tuple[str, str]]:
    """By reading: the source in words, and how it was found."""
    from circuitos.agents.virtual_lpr import readings as r

    seen: dict[int, Counter[str]] = {}
    for lead in read.seen:
        for index, (source, _) in lead.items():
            seen.setdefault(index, Counter())[source] += 1
    places = {each.place for each in fields} | {"created_at"}
    named: dict[int, tuple[int, str]] = {}
    for place in sorted(places):
        for index, rank in weights.targets[place.rpartition(".")[2]]:
            named[index] = min(named.get(index, (rank, place)), (rank, place))
    found: dict[str, tuple[str, str]] = {}
    for name, index in r.INDEX.items():
        if index >= len(r.FROM_FIELDS) or (name == "industry" and not weights.industries):
            found[name] = _derived(name, weights)
            continue
        told = Counter(
            {source: count for source, count in seen.get(index, Counter()).items() if _is_field(source)}
        )
        mirror = [
            _MIRROR_SAYS[obj]
            for obj, names in activity.FROM_OBJECT.items()
            if obj in objects and name in names
        ]
        by_name = named.get(index)
        if chosen.get(name):
            found[name] = (f"the field {chosen[name]}", "chosen")
        elif mirror and (name == "hours_since_activity" or not (told or by_name)):
            found[name] = (f"the {' and '.join(mirror)} of a lead", "mirror")
        elif told or by_name:
            place = told.most_common(1)[0][0] if told else by_name[1] if by_name else ""
            found[name] = (f"the field {place}", "named")
        else:
            found[name] = ("", "")
    return found


def _derived(name: str, weights: Weights) -> tuple[str, str]:
    """Of what no field gives, and of what needs a setting first."""
    if name == "season" and weights.seasons is not None:
        return "your seasons", "settings"
    if name == "affluence" or (name == "distance_miles" and weights.place is not None):
        return "the postal code, by the census", "census"
    return "", ""


def _is_field(source: str) -> bool:
    return source.partition(" ")[0] not in activity.FROM_OBJECT


def _by_field(sources: dict[str, tuple[str, str]]) -> set[str]:
    return {name for name, (_, how) in sources.items() if how in {"chosen", "named"}}


def _reach(weights: Weights, live: Collection[str]) -> int:
    """The most points, in hundredths, that a lead can have from these readings."""
    from circuitos.agents.virtual_lpr.rules import CAPS, PILLARS, SIGNALS, STRONGEST_ONLY

    def of(path: str) -> int:
        members = [row for row, signal in enumerate(SIGNALS) if signal.part == path]
        if members:
            points = [
                max(weights.points[row])
                for row in members
                if SIGNALS[row].reading in live and SIGNALS[row].proxy not in weights.off
            ]
            full = max(points, default=0) if path in STRONGEST_ONLY else sum(points)
        else:
            full = sum(of(child) for child in CAPS if child.rpartition(".")[0] == path)
        return min(full, weights.caps[path])

    return sum(of(pillar) for pillar in PILLARS)


def _label(signal: Any, weights: Weights) -> str:
    from circuitos.agents.virtual_lpr.rules import SIGNALS

    label = weights.labels[SIGNALS.index(signal)][0]
    return label[:1].upper() + label[1:]


def _hint(name: str, weights: Weights) -> str:
    if name == "season":
        return "Ask your service team to set your peak and high seasons."
    if name == "distance_miles":
        return "Write the latitude and longitude of your business in the settings of lead scoring."
    if name == "industry" and not weights.industries:
        return "Write the industries of your best customers in the settings of lead scoring."
    objects = [_MIRROR_SAYS[obj] for obj, names in activity.FROM_OBJECT.items() if name in names]
    return f"Let your CRM send {' or '.join(objects)}, or choose a field." if objects else "Choose a field."


def places(standing: Standing) -> list[tuple[str, str]]:
    """The fields that one may choose: what is stored, and what a person reads."""
    ours = {"custom_fields", "extra", "attachments", "dnd_settings"}
    found = {each.place.rpartition(".")[2]: f"{each.label} ({each.place})" for each in standing.fields}
    for name in FIELDS["Contact"]:
        if name not in ours:
            found.setdefault(name, f"{name.replace('_', ' ').capitalize()} ({name})")
    for row in standing.rows:
        if row.chosen:
            found.setdefault(row.chosen, row.chosen)
    return sorted(found.items(), key=lambda pair: pair[1].casefold())
