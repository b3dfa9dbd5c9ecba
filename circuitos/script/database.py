"""``CircuitDB``: the CRM's and the tenant's records, read in the mirror, changed when the handler returns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from circuitos.script.aliases import camel_case, camel_keywords, snake
from circuitos.script.declare import Enricher, enrichers
from circuitos.script.errors import RecordError
from circuitos.script.plain import strict
from circuitos.script.record import Record, changes_of, mark_saved
from circuitos.script.session import call, compose, current

PRIORITIES = ("low", "normal", "high", "critical")


@dataclass(frozen=True, slots=True)
class SaveResult:
    """What became of one row: ``ok``, its ``id``, and ``errors``, sentences, when it was refused."""

    id: str
    ok: bool
    errors: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return self.ok


class Enriched(Mapping[str, Mapping[str, Mapping[str, Any]]]):
    """Facts by record id, then by source: ``enriched["c1"]["census"]["median_income"]``."""

    def __init__(self, facts: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> None:
        self._facts = facts

    def of(self, record: Mapping[str, Any] | str, source: str) -> Mapping[str, Any]:
        """What ``source`` knows about ``record`` (or a record id); empty when it knows nothing."""
        key = record if isinstance(record, str) else str(record.get("id", ""))
        return self._facts.get(key, {}).get(source) or {}

    def __getitem__(self, record_id: str) -> Mapping[str, Mapping[str, Any]]:
        return self._facts[record_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def __repr__(self) -> str:
        return f"<facts about {len(self)} records>"


@camel_case
class CircuitDB:
    """Records by object: ``"Contact"``, ``"Opportunity"``, … and the tenant's own. Await calls in async code.

    Reads see committed data with this execution's own changes laid over it, by id (filters see committed data
    only). Changes are committed together when the handler returns; after an error none is. A changed field
    the CRM knows is then written back to the CRM.
    """

    @staticmethod
    def query(
        object: str,
        where: Mapping[str, Any] | None = None,
        *,
        order_by: str | None = None,
        limit: int = 200,
        **equals: Any,
    ) -> Any:
        """Records of ``object``, as a list. Costs 1 record query and a record read each.

        ``where``: ``{"city": "Plano", "score__gte": 70}``, or the same as keywords; lookups are ``gt``,
        ``gte``, ``lt``, ``lte``, ``in``, ``ne``, ``contains``. ``order_by="-created_at"`` is newest first.
        Raises ``RecordError`` for a lookup or object that does not exist.
        """
        args = {
            "object": _object(object),
            "where": strict({**(where or {}), **equals}, "where"),
            "order_by": order_by,
            "limit": int(limit),
        }
        return call("records.query", args, what="CircuitDB.query", then=lambda rows: _records(object, rows))

    @staticmethod
    def get(object: str, ids: Iterable[str] | str) -> Any:
        """``{id: record}`` of those that exist; for one id the record or ``None``. Costs 1 record query."""
        if isinstance(ids, str):
            wanted = ids
            return call(
                "records.get",
                {"object": _object(object), "ids": [wanted]},
                what="CircuitDB.get",
                then=lambda rows: (
                    Record(rows[wanted], object=object) if rows.get(wanted) is not None else None
                ),
            )
        return call(
            "records.get",
            {"object": _object(object), "ids": [str(key) for key in ids]},
            what="CircuitDB.get",
            then=lambda rows: {
                key: Record(row, object=object) for key, row in rows.items() if row is not None
            },
        )

    @staticmethod
    def insert(object: str, rows: Any) -> Any:
        """Create records; gives a ``SaveResult`` each, in order, with the id the new record got.

        A row is a mapping, a pydantic object or a dataclass. Costs a record write each.
        Raises ``RecordError`` for a value that cannot be stored, naming row and field.
        """
        return _write("insert", object, rows)

    @staticmethod
    def update(object: str, rows: Any) -> Any:
        """Change the given fields of existing records, by ``id``; gives a ``SaveResult`` each, in order.

        Of a changed ``Record`` the changed fields are stored, nothing else.
        """
        return _write("update", object, rows)

    @staticmethod
    def upsert(object: str, rows: Any) -> Any:
        """Change records that exist, by ``id``, and create the others; a ``SaveResult`` each, in order."""
        return _write("upsert", object, rows)

    @staticmethod
    def delete(object: str, ids: Any) -> Any:
        """Delete records, given by id or as records. Gives a ``SaveResult`` each, in order."""
        given = [ids] if isinstance(ids, (str, Mapping)) else list(ids)
        wanted = [str(each.get("id") or "") if isinstance(each, Mapping) else str(each) for each in given]
        if not all(wanted):
            raise RecordError("CircuitDB.delete wants ids; a row without one was given.")
        return call(
            "records.delete", {"object": _object(object), "ids": wanted}, what="CircuitDB.delete", then=_saved
        )

    @staticmethod
    def batch_enrich(records: Iterable[Mapping[str, Any]], sources: Iterable[str] | str = ("census",)) -> Any:
        """What ``sources`` know about the records: an ``Enriched``. Costs 1 API call a source, not a record.

        ``"census"`` goes by ``postal_code``; ``"activity"`` tells of a batch's own contacts what their
        appointments, messages and mails in the mirror say, for 1 record query and no API call; ``@enricher``
        sources by their own key. Raises ``CalloutError`` when a source cannot be reached, ``CircuitError``
        for a source that does not exist.
        """
        batch = list(records)
        wanted = [sources] if isinstance(sources, str) else list(sources)

        def plain() -> Enriched:
            return _joined(batch, wanted, [_enrich(batch, source) for source in wanted])

        async def awaitable() -> Enriched:
            import asyncio

            async def one(source: str) -> Any:
                facts = _enrich(batch, source)
                return await facts if hasattr(facts, "__await__") else facts

            return _joined(batch, wanted, await asyncio.gather(*[one(source) for source in wanted]))

        current()
        return compose(plain, awaitable, what="CircuitDB.batch_enrich")

    @staticmethod
    @camel_keywords
    def create_task(
        title: str | Mapping[str, Any],
        *,
        record_id: Any = None,
        due_at: Any = None,
        priority: str = "normal",
        body: str = "",
        **more: Any,
    ) -> Any:
        """Ask a person to do something; gives the task's id. Costs 1 record write.

        ``record_id`` (or the record itself) is who it is about, ``due_at`` an aware datetime, ``priority``
        one of ``low``, ``normal``, ``high``, ``critical``. A mapping with these names may be given instead.
        """
        fields = {"record_id": record_id, "due_at": due_at, "priority": priority, "body": body}
        fields |= {snake(name): value for name, value in more.items()}
        if isinstance(title, Mapping):
            fields |= {snake(name): value for name, value in title.items()}
        else:
            fields["title"] = title
        task = _task(fields)
        return call("task.create", task, what="CircuitDB.create_task", then=lambda answer: str(answer["id"]))


def _object(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise RecordError(f'The object comes first, as in CircuitDB.query("Contact"); {name!r} was given.')
    return name


def _records(object_name: str, rows: Iterable[Mapping[str, Any]]) -> list[Record]:
    return [Record(row, object=object_name) for row in rows]


def _saved(results: Iterable[Mapping[str, Any]]) -> list[SaveResult]:
    return [
        SaveResult(
            str(result.get("id") or ""),
            bool(result["ok"]),
            [str(said) for said in result.get("errors") or ()],
        )
        for result in results
    ]


def _write(operation: str, object_name: str, rows: Any) -> Any:
    if hasattr(rows, "__await__"):
        raise RecordError(f"CircuitDB.{operation} was given something that was not awaited.")
    single = isinstance(rows, Mapping) or not hasattr(rows, "__iter__") or hasattr(rows, "model_dump")
    given = [rows] if single else list(rows)
    plain = [_row(operation, index, row) for index, row in enumerate(given)]
    for row in given:
        if isinstance(row, Record):
            mark_saved(row)
    args = {"object": _object(object_name), "rows": plain}
    return call(f"records.{operation}", args, what=f"CircuitDB.{operation}", then=_saved)


def _row(operation: str, index: int, row: Any) -> dict[str, Any]:
    changed = changes_of(row) if isinstance(row, Record) and operation == "update" else None
    if changed is None and hasattr(row, "model_dump"):
        changed = row.model_dump(mode="json", exclude_unset=operation == "update")
    plain = strict(row if changed is None else changed, f"row {index}")
    if not isinstance(plain, dict):
        raise RecordError(f"Row {index} is a {type(row).__name__}; a row is a mapping of fields.")
    if operation == "update" and not plain.get("id"):
        raise RecordError(f"Row {index} has no id; CircuitDB.update changes records by id.")
    return plain


def _enrich(batch: list[Mapping[str, Any]], source: str) -> Any:
    own = enrichers.get(source)
    if own is not None:
        return _ask_own(own, batch)
    wanted = [
        {"id": str(record.get("id") or ""), "postal_code": strict(record.get("postal_code"), "postal_code")}
        for record in batch
    ]
    return call("enrich", {"source": source, "records": wanted}, what="CircuitDB.batch_enrich")


def _ask_own(own: Enricher, batch: list[Mapping[str, Any]]) -> Any:
    values = {str(record.get("id") or ""): record.get(own.key) for record in batch}
    distinct = list(dict.fromkeys(value for value in values.values() if value not in (None, "")))
    answer = own.function(distinct) if distinct else {}

    def by_record(facts: Mapping[Any, Any]) -> dict[str, Any]:
        return {record_id: facts.get(value) or {} for record_id, value in values.items()}

    if not hasattr(answer, "__await__"):
        return by_record(answer)

    async def later() -> dict[str, Any]:
        return by_record(await answer)

    return later()


def _joined(batch: list[Mapping[str, Any]], sources: list[str], facts: list[Any]) -> Enriched:
    ids = [str(record.get("id") or "") for record in batch]
    return Enriched(
        {
            key: {source: known.get(key) or {} for source, known in zip(sources, facts, strict=True)}
            for key in ids
        }
    )


def _task(fields: dict[str, Any]) -> dict[str, Any]:
    about = next(
        (fields.pop(name) for name in ("record_id", "contact_id", "record") if fields.get(name)), None
    )
    task = {
        "title": fields.pop("title", None),
        "record_id": str(about.get("id") or "") if isinstance(about, Mapping) else about and str(about),
        "due_at": fields.pop("due_at", None) or fields.pop("due_date", None),
        "priority": str(fields.pop("priority", "normal")).lower(),
        "body": fields.pop("body", "") or fields.pop("description", ""),
    }
    for name in ("record_id", "contact_id", "record", "due_date", "description"):
        fields.pop(name, None)
    if fields:
        raise RecordError(f"CircuitDB.create_task does not know {', '.join(sorted(fields))}.")
    if not isinstance(task["title"], str) or not task["title"].strip():
        raise RecordError("A task needs a title.")
    if task["priority"] not in PRIORITIES:
        raise RecordError(f"priority is {task['priority']!r}; write one of {', '.join(PRIORITIES)}.")
    plain: dict[str, Any] = strict(task, "task")
    return plain
