"""The mirror in PostgreSQL: batches, isolation, races, conditions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, transaction

from tenants.records.store import (
    Change,
    Incoming,
    TooMuchData,
    UnknownLookup,
    apply_changes,
    apply_incoming,
    existing,
    get,
    query,
)

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOSTILE = "\x00 \ud800 ' \" \\ %s %(a)s {schema} \\u0000"


def event(record_id: str, second: int = 1, operation: str = "update", **fields: Any) -> Incoming:
    return Incoming(
        second, record_id, operation, fields, AT - timedelta(seconds=100 - second), False, "gohighlevel"
    )


def incoming(tenant: Any, *changes: Incoming, object: str = "Contact"):
    with transaction.atomic(), connection.cursor() as cursor:
        return apply_incoming(cursor, schema=tenant.schema_name, object=object, changes=changes, at=AT)


def write(tenant: Any, *changes: Change, **options: Any):
    with transaction.atomic(), connection.cursor() as cursor:
        return apply_changes(cursor, schema=tenant.schema_name, changes=changes, at=AT, **options)


def find(tenant: Any, object: str = "Contact", **options: Any) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        return query(cursor, schema=tenant.schema_name, object=object, **{"where": {}, **options})


def read(tenant: Any, *ids: str, object: str = "Contact") -> dict[str, dict[str, Any]]:
    with connection.cursor() as cursor:
        return get(cursor, schema=tenant.schema_name, object=object, ids=ids)


@pytest.mark.django_db
class TestApplyIncoming:
    def test_answers_stand_in_the_order_of_the_changes(self, acme):
        incoming(acme, event("b", 1, email="old"))

        applied = incoming(acme, event("c", 2, email="c"), event("a", 2, email="a"), event("b", 2, email="b"))

        assert [answer.record_id for answer in applied] == ["c", "a", "b"]
        assert [answer.old_known for answer in applied] == [False, False, True]
        assert applied[2].before == {"id": "b", "email": "old"}
        assert read(acme, "a", "b", "c", "d").keys() == {"a", "b", "c"}

    def test_costs_two_statements_for_known_records_however_many(self, acme, django_assert_num_queries):
        incoming(acme, *(event(str(number), 1, email="a") for number in range(50)))
        changes = [event(str(number), 2, email="b") for number in range(50)]

        with django_assert_num_queries(2), connection.cursor() as cursor:
            apply_incoming(cursor, schema=acme.schema_name, object="Contact", changes=changes, at=AT)

    def test_marks_and_watermark_survive_storage(self, acme):
        incoming(acme, event("a", 50, email="new", phone="1"))

        (late,) = incoming(acme, event("a", 20, email="old", phone="0"))

        assert late.is_stale
        assert read(acme, "a") == {"a": {"id": "a", "email": "new", "phone": "1"}}

    def test_two_changes_of_one_record_in_a_batch_follow_each_other(self, acme):
        first, second = incoming(acme, event("a", 1, email="1"), event("a", 2, email="2"))

        assert (first.before, second.before) == (None, {"id": "a", "email": "1"})
        assert read(acme, "a")["a"]["email"] == "2"

    def test_hostile_text_is_stored_as_text(self, acme):
        incoming(acme, event("a", email=HOSTILE, **{HOSTILE: [HOSTILE, float("nan"), 10**30]}))

        record = read(acme, "a")["a"]
        assert record["email"] == "\ufffd \ufffd\ufffd\ufffd ' \" \\ %s %(a)s {schema} \\u0000"
        assert list(record.values())[-1][1:] == [None, 1e30]

    def test_objects_of_the_same_id_are_two_records(self, acme):
        incoming(acme, event("1", email="contact"))
        incoming(acme, event("1", name="deal"), object="Opportunity")

        assert read(acme, "1")["1"] == {"id": "1", "email": "contact"}

    def test_an_empty_batch_asks_nothing(self, acme, django_assert_num_queries):
        with django_assert_num_queries(0), connection.cursor() as cursor:
            assert apply_incoming(cursor, schema=acme.schema_name, object="Contact", changes=[], at=AT) == []


@pytest.mark.django_db
class TestApplyChanges:
    def test_merges_by_field_and_tells_both_images(self, acme):
        incoming(acme, event("a", email="a"))

        (written,) = write(
            acme,
            Change("Contact", "update", "a", {"score": 1}),
            Change("Contact", "update", "a", {"grade": "A"}),
        )

        assert written.before == {"id": "a", "email": "a"}
        assert written.after == {"id": "a", "email": "a", "score": 1, "grade": "A"}
        assert read(acme, "a")["a"] == written.after

    def test_leaves_what_it_does_not_name(self, acme):
        incoming(acme, event("a", email="a", custom_fields={"visits": 1, "opens": 2}))

        write(acme, Change("Contact", "update", "a", {"custom_fields": {"opens": 3}, "score": None}))

        expected = {"id": "a", "email": "a", "custom_fields": {"visits": 1, "opens": 3}, "score": None}
        assert read(acme, "a")["a"] == expected

    def test_spans_objects(self, acme):
        write(
            acme, Change("Score", "insert", "s", {"value": 1}), Change("Task", "upsert", "t", {"title": "x"})
        )

        assert read(acme, "s", object="Score") == {"s": {"id": "s", "value": 1}}
        assert read(acme, "t", object="Task") == {"t": {"id": "t", "title": "x"}}

    def test_updating_an_unknown_record_makes_none(self, acme):
        (written,) = write(acme, Change("Contact", "update", "nobody", {"score": 1}))

        assert written.after is None
        assert read(acme, "nobody") == {}

    def test_a_deleted_record_is_not_found(self, acme):
        incoming(acme, event("a", email="a"))

        write(acme, Change("Contact", "delete", "a"))

        assert read(acme, "a") == {}
        assert find(acme) == []

    def test_our_write_coming_back_is_an_echo(self, acme):
        incoming(acme, event("a", 1, email="a"))
        write(acme, Change("Contact", "update", "a", {"email": "b"}))

        (back,) = incoming(acme, event("a", 100, email="b"))

        assert back.is_echo


@pytest.mark.django_db
class TestIsolation:
    def test_same_ids_of_two_tenants_never_mix(self, acme, globex):
        for second in range(1, 6):
            incoming(acme, event("1", second, email=f"acme-{second}"))
            incoming(globex, event("1", second, email=f"globex-{second}"))
            write(acme, Change("Contact", "update", "1", {"score": second}))

        assert read(acme, "1") == {"1": {"id": "1", "email": "acme-5", "score": 5}}
        assert read(globex, "1") == {"1": {"id": "1", "email": "globex-5"}}

    def test_a_rolled_back_batch_leaves_the_next_tenant_alone(self, acme, globex):
        with transaction.atomic():
            incoming(acme, event("1", email="acme"))
            transaction.set_rollback(True)
        incoming(globex, event("1", email="globex"))

        assert read(acme, "1") == {}
        assert read(globex, "1")["1"]["email"] == "globex"

    def test_the_schema_is_a_name_and_never_sql(self, acme):
        acme.schema_name = 't_acme".records_record; DROP SCHEMA t_globex CASCADE; --'

        with pytest.raises(Exception, match="does not exist"), transaction.atomic():
            incoming(acme, event("1"))


def in_threads(*jobs: Any) -> list[Any]:
    """Run the jobs at once, each on its own connection."""
    barrier = Barrier(len(jobs))

    def run(job: Any) -> Any:
        barrier.wait()
        try:
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [future.result() for future in [pool.submit(run, job) for job in jobs]]


@pytest.mark.django_db(transaction=True)
class TestThreads:
    def test_tenants_in_threads_never_mix(self, acme, globex):
        def rounds(tenant):
            for second in range(1, 16):
                incoming(tenant, *(event(str(n), second, owner=tenant.slug, n=second) for n in range(20)))

        in_threads(lambda: rounds(acme), lambda: rounds(globex), lambda: rounds(acme))

        for tenant in (acme, globex):
            records = read(tenant, *map(str, range(20)))
            assert {record["owner"] for record in records.values()} == {tenant.slug}
            assert {record["n"] for record in records.values()} == {15}

    def test_two_workers_meeting_new_records_lose_nothing(self, acme):
        """Overlapping batches in opposite order: neither deadlocks nor overwrites the other's fields."""

        def worker(name: str, ids: list[int]):
            def run():
                for start in range(0, 60, 10):
                    write(
                        acme,
                        *(Change("Score", "upsert", f"{start}-{i}", {name: True, f"f{i}": i}) for i in ids),
                    )

            return run

        in_threads(
            worker("left", [1, 2, 3, 4, 5]), worker("right", [5, 4, 3, 2, 1]), worker("third", [3, 1, 6])
        )

        for record in find(acme, "Score"):
            number = int(record["id"].split("-")[1])
            if number in {1, 3}:
                assert {"left", "right", "third"} <= record.keys()
            assert record[f"f{number}"] == number


@pytest.mark.django_db
class TestQuery:
    @pytest.fixture(autouse=True)
    def _records(self, acme, globex):
        rows = [
            ("a", {"city": "Denver", "score": 10, "tags": ["hot"], "custom_fields": {"visits": 3}}),
            ("b", {"city": "Boulder", "score": 9, "tags": [], "custom_fields": {"visits": 30}}),
            ("c", {"city": None, "score": "100"}),
            ("d", {"score": 100.5, "city": "Denver"}),
        ]
        for record_id, values in rows:
            incoming(acme, event(record_id, **values))
        incoming(globex, event("g", city="Denver"))

    @pytest.mark.parametrize(
        ("where", "ids"),
        [
            ({}, "abcd"),
            ({"city": "Denver"}, "ad"),
            ({"city": None}, "c"),
            ({"absent": None}, "abcd"),
            ({"city__ne": "Denver"}, "bc"),
            ({"city__in": ["Boulder", None]}, "bc"),
            ({"score__gt": 9}, "ad"),
            ({"score__gte": 9, "score__lt": 100}, "ab"),
            ({"score__lte": "100"}, "c"),
            ({"city__contains": "ould"}, "b"),
            ({"tags__contains": "hot"}, "a"),
            ({"custom_fields__visits__gte": 10}, "b"),
            ({"custom_fields__visits": 3}, "a"),
            ({"id": "b"}, "b"),
            ({"id__in": ["a", "zz"]}, "a"),
            ({"id__gt": "b"}, "cd"),
            ({"city": "' OR 1=1 --"}, ""),
            ({"x' OR '1'='1": 1}, ""),
            ({"city": "%s"}, ""),
        ],
    )
    def test_conditions(self, acme, where, ids):
        assert "".join(sorted(row["id"] for row in find(acme, where=where))) == ids

    @pytest.mark.parametrize(
        ("order_by", "ids"), [("city", "badc"), ("-city", "adbc"), ("-id", "dcba"), ("id", "abcd")]
    )
    def test_order_puts_nulls_last(self, acme, order_by, ids):
        assert "".join(row["id"] for row in find(acme, order_by=order_by)) == ids

    def test_limit(self, acme):
        assert [row["id"] for row in find(acme, order_by="id", limit=2)] == ["a", "b"]

    @pytest.mark.parametrize(
        "options",
        [
            {"where": {"city__like": "D%"}},
            {"where": {"city__in": "Denver"}},
            {"where": {"": 1}},
            {"where": {"a\x00": 1}},
            {"where": {"id__contains": "a"}},
            {"order_by": "city__gt"},
        ],
    )
    def test_refuses_what_it_does_not_know(self, acme, options):
        with pytest.raises(UnknownLookup):
            find(acme, **options)

    def test_refuses_an_answer_that_would_fill_the_worker(self, acme):
        ids = [f"large{number}" for number in range(13)]
        write(acme, *(Change("Contact", "upsert", record_id, {"note": "x" * 1_000_000}) for record_id in ids))

        with pytest.raises(TooMuchData):
            find(acme, limit=100)
        with pytest.raises(TooMuchData):
            read(acme, *ids)
        assert len(read(acme, *ids[:2])) == 2

    def test_existing_tells_which_are_there(self, acme):
        with connection.cursor() as cursor:
            there = existing(cursor, schema=acme.schema_name, object="Contact", ids=["a", "g", "z"])

        assert there == {"a"}
