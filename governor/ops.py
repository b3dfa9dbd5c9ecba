"""The requests the broker answers at once: reading the mirror and collecting changes to it."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import OperationalError, connection
from psycopg2.errors import QueryCanceled

from governor import activity
from governor.changes import Changes, are_plain, faults, new_id, unknown
from tenants.errors import CodedError
from tenants.records import store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from governor.job import Job
    from governor.meter import Meter

LONGEST_ID = 200
MOST_ROWS = 10_000
MOST_CONDITIONS = 50  # of one query
TASK = "Task"


class BadRequest(CodedError):
    """The arguments of a request make no sense. The SDK never sends such; a forged message may."""

    code = "script.bad-request"


class LimitReached(Exception):
    """A counter is over; the meter holds which."""


class Records:
    """Answers the ``records.*`` and ``task.create`` requests of one execution."""

    def __init__(self, job: Job, meter: Meter, *, seconds_left: Callable[[], float]) -> None:
        self.changes = Changes()
        self._seconds_left = seconds_left
        self._job = job
        self._meter = meter
        # Records we know to exist without asking: the batch's own, and those read before.
        self._known: dict[str, set[str]] = {job.object: {str(record["id"]) for record in job.records}}
        self.ops: dict[str, Callable[[dict[str, Any], str], Any]] = {
            "records.query": self._query,
            "records.get": self._get,
            "records.insert": partial(self._add, "insert"),
            "records.update": self._update,
            "records.upsert": partial(self._add, "upsert"),
            "records.delete": self._delete,
            "task.create": self._create_task,
        }

    def _query(self, args: dict[str, Any], at: str) -> list[dict[str, Any]]:
        object_ = _object(args)
        self._count("record_queries", 1, at)
        where, order_by, limit = args.get("where") or {}, args.get("order_by"), args.get("limit", 200)
        if not isinstance(where, dict) or not isinstance(order_by, str | None) or type(limit) is not int:
            raise BadRequest("A query has where (a mapping), order_by (a text) and limit (a number).")
        if len(where) > MOST_CONDITIONS:
            raise BadRequest(f"A query has at most {MOST_CONDITIONS} conditions.")
        # One more than may be read: enough to tell that the limit is exceeded, and never a whole table.
        most = max(0, min(limit, int(self._meter.left("records_read")) + 1, MOST_ROWS))
        with self._in_time(at) as cursor:
            rows = store.query(
                cursor, schema=self._job.schema, object=object_, where=where, order_by=order_by, limit=most
            )
        self._count("records_read", len(rows), at)
        self._remember(object_, [row["id"] for row in rows])
        return self.changes.overlay(object_, rows)

    def _get(self, args: dict[str, Any], at: str) -> dict[str, dict[str, Any]]:
        object_, ids = _object(args), _ids(args.get("ids"))
        self._count("record_queries", 1, at)
        if len(ids) > self._meter.left("records_read"):
            self._count("records_read", len(ids), at)
        rows = self._fetch(object_, ids)
        found = {row["id"]: row for row in self.changes.overlay(object_, rows.values())}
        for record_id in ids:
            if record_id not in rows and (row := self.changes.new_row(object_, record_id)):
                found[record_id] = row
        self._count("records_read", len(found), at)
        return found

    def activity(self, ids: Iterable[str], at: str) -> dict[str, dict[str, Any]]:
        """What the batch's own records did lately, by id: one query."""
        self._count("record_queries", 1, at)
        own = {str(record["id"]): record for record in self._job.records}
        asked = [own[record_id] for record_id in ids if record_id in own]
        with self._in_time(at) as cursor:
            return activity.facts(cursor, schema=self._job.schema, records=asked, at=self._job.now)

    def _add(self, operation: str, args: dict[str, Any], at: str) -> list[dict[str, Any]]:
        """Insert or upsert: the record need not be there, and is given an id where it has none."""
        object_, rows = _object(args), self._rows(args, at)
        saved, fit = [], are_plain(rows)
        for row in rows:
            errors = [] if fit else faults(row)
            record_id = _id_of(row) or new_id()
            if not errors:
                self.changes.add(object_, operation, record_id, _fields(row))
            saved.append(_saved(record_id, errors))
        return saved

    def _update(self, args: dict[str, Any], at: str) -> list[dict[str, Any]]:
        object_, rows = _object(args), self._rows(args, at)
        known = self._existing(object_, [_id_of(row) for row in rows])
        saved, fit = [], are_plain(rows)
        for row in rows:
            record_id = _id_of(row)
            errors = ([] if fit else faults(row)) or unknown(record_id, object_, known)
            if not errors:
                self.changes.add(object_, "update", record_id, _fields(row))
            saved.append(_saved(record_id, errors))
        return saved

    def _delete(self, args: dict[str, Any], at: str) -> list[dict[str, Any]]:
        object_, ids = _object(args), _ids(args.get("ids"))
        self._count("records_written", len(ids), at)
        known = self._existing(object_, ids)
        saved = []
        for record_id in ids:
            errors = unknown(record_id, object_, known)
            if not errors:
                self.changes.add(object_, "delete", record_id, {})
            saved.append(_saved(record_id, errors))
        return saved

    def _create_task(self, args: dict[str, Any], at: str) -> dict[str, str]:
        self._count("records_written", 1, at)
        if errors := faults(args):
            raise BadRequest(errors[0])
        task_id = new_id()
        self.changes.add(TASK, "insert", task_id, args)
        return {"id": task_id}

    def _rows(self, args: dict[str, Any], at: str) -> list[dict[str, Any]]:
        rows = args.get("rows")
        if not isinstance(rows, list):
            raise BadRequest("Rows come as a list.")
        self._count("records_written", len(rows), at)
        return rows

    def _existing(self, object_: str, ids: list[str]) -> set[str]:
        """Those of the ids that exist, as this execution sees it. Asks the mirror for those not known yet."""
        changes = self.changes
        known = self._known.setdefault(object_, set())
        missing = [
            record_id
            for record_id in dict.fromkeys(ids)
            if record_id and record_id not in known and not changes.is_pending(object_, record_id)
        ]
        if missing:
            with connection.cursor() as cursor:
                there = store.existing(cursor, schema=self._job.schema, object=object_, ids=missing)
            self._remember(object_, there)
        return {
            record_id
            for record_id in ids
            if changes.is_pending(object_, record_id)
            or (record_id in known and not changes.is_deleted(object_, record_id))
        }

    def _fetch(self, object_: str, ids: list[str]) -> dict[str, dict[str, Any]]:
        with connection.cursor() as cursor:
            rows = store.get(cursor, schema=self._job.schema, object=object_, ids=ids)
        self._remember(object_, rows)
        return rows

    @contextmanager
    def _in_time(self, at: str) -> Iterator[Any]:
        """A cursor whose statements end with the wall limit: while it waits, the broker watches nothing."""
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = %s", [max(1, round(self._seconds_left() * 1000))])
            is_over = False
            try:
                yield cursor
            except OperationalError as error:
                if not isinstance(error.__cause__, QueryCanceled):
                    raise
                is_over = True
            cursor.execute("RESET statement_timeout")
        if is_over:
            self._meter.exceed("wall_ms", self._meter.max["wall_ms"], at=at)
            raise LimitReached

    def _remember(self, object_: str, ids: Any) -> None:
        self._known.setdefault(object_, set()).update(ids)

    def _count(self, name: str, amount: int, at: str) -> None:
        if not self._meter.count(name, amount, at=at):
            raise LimitReached


def _object(args: dict[str, Any]) -> str:
    name = args.get("object")
    if not isinstance(name, str) or not name.isidentifier() or len(name) > 60:
        raise BadRequest(f"{str(name)[:60]!r} is no object's name.")
    return name


def _ids(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(each, str) and "\0" not in each for each in value):
        raise BadRequest("Ids come as a list of texts.")
    return value


def _id_of(row: Any) -> str:
    record_id = row.get("id") if isinstance(row, dict) else None
    return (
        record_id
        if isinstance(record_id, str) and len(record_id) <= LONGEST_ID and "\0" not in record_id
        else ""
    )


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}


def _saved(record_id: str, errors: list[str]) -> dict[str, Any]:
    return {"id": record_id, "ok": not errors, "errors": errors}
