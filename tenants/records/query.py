"""Reading the mirror: records by id, and by conditions on their fields. Every value is a parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from psycopg2 import sql

from tenants.errors import CodedError
from tenants.records.jsonb import dump, load
from tenants.records.merge import NESTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MAX_ROWS = 10_000
MAX_BYTES = 12 * 1024 * 1024  # of one answer; what the jail's wire carries, with room for its frame
_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_LOOKUPS = frozenset({*_COMPARISONS, "in", "ne", "contains"})


class UnknownLookup(CodedError):
    """A condition or order that the mirror does not know."""

    code = "tenants.unknown-lookup"


class TooMuchData(CodedError):
    """The records asked for are larger together than one answer may be."""

    code = "tenants.too-much-data"


class Cursor(Protocol):
    """What we use of a database cursor, Django's or psycopg2's."""

    def execute(self, query: Any, params: Any = None) -> Any: ...
    def fetchall(self) -> list[tuple[Any, ...]]: ...


def get(cursor: Cursor, *, schema: str, object: str, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The records that are there, by id. Raises ``TooMuchData``."""
    statement = sql.SQL(
        "SELECT external_id, data::text AS data FROM {}.records_record"
        " WHERE object = %s AND external_id = ANY(%s::text[]) AND deleted_at IS NULL"
    ).format(sql.Identifier(schema))
    rows = _read(cursor, statement, [object, list(ids)])
    return {external_id: {"id": external_id, **load(data)} for external_id, data in rows}


def existing(cursor: Cursor, *, schema: str, object: str, ids: Iterable[str]) -> set[str]:
    """Which of these records are there."""
    statement = sql.SQL(
        "SELECT external_id FROM {}.records_record"
        " WHERE object = %s AND external_id = ANY(%s::text[]) AND deleted_at IS NULL"
    ).format(sql.Identifier(schema))
    cursor.execute(statement, [object, list(ids)])
    return {external_id for (external_id,) in cursor.fetchall()}


def query(
    cursor: Cursor,
    *,
    schema: str,
    object: str,
    where: Mapping[str, Any] | None = None,
    order_by: str | None = None,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """Records that meet every condition: ``{"city": "Denver", "score__gte": 80}``.

    Lookups: ``gt gte lt lte in ne contains``. A value never matches one of another type; an absent field is
    null. Raises ``UnknownLookup`` and ``TooMuchData``.
    """
    conditions = [sql.SQL("object = %s"), sql.SQL("deleted_at IS NULL")]
    params: list[Any] = [object]
    for name, value in (where or {}).items():
        condition, values = _condition(name, value)
        conditions.append(condition)
        params.extend(values)
    order, order_params = _order(order_by)
    statement = sql.SQL(
        "SELECT external_id, data::text AS data FROM {}.records_record WHERE {} ORDER BY {} LIMIT %s"
    ).format(sql.Identifier(schema), sql.SQL(" AND ").join(conditions), order)
    rows = _read(cursor, statement, [*params, *order_params, max(0, min(int(limit), MAX_ROWS))])
    return [{"id": external_id, **load(data)} for external_id, data in rows]


def _read(cursor: Cursor, statement: sql.Composable, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows, counted by the database first: a script's question must not fill the worker's memory."""
    bounded = sql.SQL(
        "SELECT external_id, CASE WHEN size <= %s THEN data END FROM"
        " (SELECT external_id, data, sum(octet_length(data)) OVER (ROWS UNBOUNDED PRECEDING) AS size"
        " FROM ({}) AS found) AS counted"
    ).format(statement)
    cursor.execute(bounded, [MAX_BYTES, *params])
    rows = cursor.fetchall()
    if rows and rows[-1][1] is None:
        most = MAX_BYTES // 1024 // 1024
        raise TooMuchData(f"These {len(rows):,} records are larger than {most} MB together; ask for fewer.")
    return rows


def _condition(name: str, value: Any) -> tuple[sql.Composable, list[Any]]:
    path, lookup = _split(name)
    if lookup == "in" and not isinstance(value, (list, tuple, set, frozenset)):
        raise UnknownLookup(f"{name} wants a list.")
    if path == ["id"]:
        return _id_condition(name, lookup, value)
    field = sql.SQL("coalesce(data #> %s::text[], 'null'::jsonb)")
    if lookup == "in":
        return sql.SQL("{} = ANY(%s::jsonb[])").format(field), [path, [dump(item) for item in value]]
    if lookup == "contains":
        return (
            sql.SQL(
                "CASE jsonb_typeof(data #> %s::text[])"
                " WHEN 'array' THEN data #> %s::text[] @> %s::jsonb"
                " WHEN 'string' THEN position(%s in data #>> %s::text[]) > 0 ELSE false END"
            ),
            [path, path, dump([value]), str(value), path],
        )
    if lookup in _COMPARISONS:
        # jsonb orders numbers before strings; nobody means that.
        same_type = sql.SQL("jsonb_typeof(data #> %s::text[]) = jsonb_typeof(%s::jsonb)")
        compare = sql.SQL("data #> %s::text[] {} %s::jsonb").format(sql.SQL(_COMPARISONS[lookup]))
        return sql.SQL("({} AND {})").format(same_type, compare), [path, dump(value), path, dump(value)]
    operator = sql.SQL("<>" if lookup == "ne" else "=")
    return sql.SQL("{} {} %s::jsonb").format(field, operator), [path, dump(value)]


def _id_condition(name: str, lookup: str, value: Any) -> tuple[sql.Composable, list[Any]]:
    if lookup == "in":
        return sql.SQL("external_id = ANY(%s::text[])"), [[str(item) for item in value]]
    if lookup == "contains":
        raise UnknownLookup(f"{name}: ids are compared whole.")
    operator = _COMPARISONS.get(lookup, "<>" if lookup == "ne" else "=")
    return sql.SQL("external_id {} %s").format(sql.SQL(operator)), [str(value)]


def _order(order_by: str | None) -> tuple[sql.Composable, Sequence[Any]]:
    if order_by is None:
        return sql.SQL("id"), []
    direction = sql.SQL("DESC NULLS LAST" if order_by.startswith("-") else "ASC NULLS LAST")
    path, lookup = _split(order_by.removeprefix("-"))
    if lookup:
        raise UnknownLookup(f"One cannot order by {order_by!r}.")
    if path == ["id"]:
        return sql.SQL("external_id {}").format(direction), []
    return sql.SQL("nullif(data #> %s::text[], 'null'::jsonb) {}, external_id").format(direction), [path]


def _split(name: str) -> tuple[list[str], str]:
    """``custom_fields__visits__gt`` → (["custom_fields", "visits"], "gt")."""
    if not isinstance(name, str) or not name or "\x00" in name:
        raise UnknownLookup(f"{name!r} is no field.")
    if name.startswith(f"{NESTED}__"):
        inner, _, lookup = name[len(NESTED) + 2 :].rpartition("__")
        if lookup in _LOOKUPS and inner:
            return [NESTED, inner], lookup
        return [NESTED, name[len(NESTED) + 2 :]], ""
    field, separator, lookup = name.partition("__")
    if separator and lookup not in _LOOKUPS:
        raise UnknownLookup(
            f"{name!r}: there is no lookup {lookup!r}; there are {', '.join(sorted(_LOOKUPS))}."
        )
    return [field], lookup
