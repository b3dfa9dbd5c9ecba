"""Group commit: one commit for many, no neighbour harmed, and a database that comes and goes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from circuitos.env import BASE_DIR
from tenants.ids import new_code
from tenants.scope import every_tenant
from triggers import delivery_store
from triggers.delivery_store import Row
from triggers.group_commit import GroupCommit, Unavailable
from triggers.models import Dedup, Event, Lane, LiveEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tenants.models import Connection, Tenant

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)


def row(tenant: Tenant, key: str, **fields: Any) -> Row:
    return Row(
        **{
            "connection_id": 1,
            "key": key,
            "expires_at": AT + timedelta(days=7),
            "code": new_code(),
            "tenant_id": tenant.pk,
            "crm": "gohighlevel",
            "object": "Contact",
            "operation": "insert",
            "record_id": key[:200],
            "kind": "ContactCreate",
            "occurred_at": AT,
            "received_at": AT,
            "delivery": new_code(),
            "position": 0,
            "body": b"\x00\xffsealed",
            **fields,
        }
    )


class Rung(list[int]):
    def __call__(self, lanes: Iterable[int]) -> None:
        self.extend(lanes)


@pytest.fixture
def rung() -> Rung:
    return Rung()


@pytest.fixture
def committer(transactional_db: None, rung: Rung) -> Iterator[GroupCommit]:
    group = GroupCommit(ring=rung)
    yield group
    group.close()


@pytest.mark.django_db(transaction=True)
class TestStore:
    def test_what_it_says_is_stored_is_on_disk(
        self, committer: GroupCommit, acme: Tenant, rung: Rung
    ) -> None:
        first, second = row(acme, "a"), row(acme, "b", object="Task")

        answer = committer.store([first, second])

        assert answer == [(first.code, True), (second.code, True)]
        with every_tenant():
            stored = {event.code: event for event in LiveEvent.objects.all()}
            lanes = {lane.object: lane.pk for lane in Lane.objects.all()}
        assert set(stored) == {first.code, second.code}
        assert bytes(stored[first.code].body) == first.body
        assert stored[second.code].lane_id == lanes["Task"]
        assert set(rung) == set(lanes.values())

    def test_a_quarantined_event_goes_to_the_history(
        self, committer: GroupCommit, acme: Tenant, rung: Rung
    ) -> None:
        bad = row(acme, "a", reason="triggers.not-an-event", detail="It is none.")

        committer.store([bad])

        with every_tenant():
            event = Event.objects.get(code=bad.code)
            assert not LiveEvent.objects.exists()
        assert (event.status, event.reason, event.finished_at) == ("quarantined", "triggers.not-an-event", AT)
        assert event.error == {"code": "triggers.not-an-event", "detail": "It is none."}
        assert rung == []

    def test_a_twin_in_the_same_delivery_is_the_same_event(
        self, committer: GroupCommit, acme: Tenant
    ) -> None:
        first, twin = row(acme, "a"), row(acme, "a")

        assert committer.store([first, twin]) == [(first.code, True), (first.code, False)]

    def test_a_key_past_its_window_is_new_again(self, committer: GroupCommit, acme: Tenant) -> None:
        first = row(acme, "a", expires_at=AT + timedelta(minutes=15))
        soon = row(acme, "a", received_at=AT + timedelta(minutes=14))
        later = row(acme, "a", received_at=AT + timedelta(minutes=15), expires_at=AT + timedelta(minutes=30))

        assert committer.store([first]) == [(first.code, True)]
        assert committer.store([soon]) == [(first.code, False)]
        assert committer.store([later]) == [(later.code, True)]
        assert Dedup.objects.get(key="a").event_code == later.code

    def test_the_same_key_of_another_connection_is_another_event(
        self, committer: GroupCommit, acme: Tenant
    ) -> None:
        one, other = row(acme, "a"), row(acme, "a", connection_id=2)

        assert [is_new for _, is_new in committer.store([one, other])] == [True, True]

    def test_what_was_stored_before_the_line_broke_is_not_stored_twice(
        self, committer: GroupCommit, acme: Tenant
    ) -> None:
        """As when the answer to a commit got lost: the same rows go out again."""
        rows = [row(acme, "a"), row(acme, "b")]

        assert committer.store(rows) == committer.store(rows)
        with every_tenant():
            assert LiveEvent.objects.count() == 2

    def test_a_failing_row_fails_alone(self, committer: GroupCommit, acme: Tenant) -> None:
        good = [row(acme, f"good {number}") for number in range(30)]
        bad = row(acme, "bad", record_id="x" * 201)
        barrier = threading.Barrier(31)

        def store(one: Row) -> str:
            barrier.wait()
            try:
                return str(committer.store([one])[0][0])
            except Unavailable:
                return "refused"

        with ThreadPoolExecutor(31) as pool:
            told = list(pool.map(store, [*good, bad]))

        assert told == [*(str(one.code) for one in good), "refused"]
        with every_tenant():
            assert LiveEvent.objects.count() == 30

    def test_a_failing_row_of_a_delivery_leaves_its_siblings_stored(
        self, committer: GroupCommit, acme: Tenant
    ) -> None:
        rows = [row(acme, "a"), row(acme, "bad", kind="x\0"), row(acme, "c")]

        with pytest.raises(Unavailable):
            committer.store(rows)

        with every_tenant():
            assert set(LiveEvent.objects.values_list("code", flat=True)) == {rows[0].code, rows[2].code}

    def test_thirty_two_threads_with_one_key_store_one_event(
        self, committer: GroupCommit, acme: Tenant
    ) -> None:
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda _: committer.store([row(acme, "same")])[0], range(64)))

        assert sum(is_new for _, is_new in answers) == 1
        assert len({code for code, _ in answers}) == 1
        with every_tenant():
            assert LiveEvent.objects.count() == 1

    def test_a_question_is_answered_between_two_commits(self, committer: GroupCommit) -> None:
        def question(cursor: Any) -> Any:
            cursor.execute("SELECT 1 + 1")
            return cursor.fetchone()

        assert committer.ask(question) == (2,)

    def test_a_bad_question_harms_nobody(self, committer: GroupCommit, acme: Tenant) -> None:
        with pytest.raises(psycopg2.Error):
            committer.ask(lambda cursor: cursor.execute("SELECT nonsense"))

        assert committer.store([row(acme, "a")])

    def test_notes_when_a_connection_last_spoke(
        self, committer: GroupCommit, acme: Tenant, acme_ghl: Connection
    ) -> None:
        committer.ask(lambda cursor: delivery_store.touch(cursor, {acme_ghl.pk: AT}))

        acme_ghl.refresh_from_db()
        assert acme_ghl.last_event_at == AT

    def test_an_idle_connection_that_died_is_replaced_unseen(
        self, committer: GroupCommit, acme: Tenant
    ) -> None:
        (pid,) = committer.ask(_backend)
        with psycopg2.connect(**_parameters()) as other, other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        other.close()

        assert committer.store([row(acme, "a")])

    def test_after_its_end_it_refuses(self, transactional_db: None, acme: Tenant) -> None:
        group = GroupCommit()
        group.close()

        with pytest.raises(Unavailable) as caught:
            group.store([row(acme, "a")])

        assert caught.value.headers == {"Retry-After": "5"}


OTHER_PROCESS = """
import sys, random, django
django.setup()
from tests.triggers.test_group_commit import row
from tenants.models import Tenant
from triggers.group_commit import GroupCommit
acme = Tenant.objects.get(slug="acme")
group = GroupCommit(ring=lambda lanes: None)
chance = random.Random(int(sys.argv[1]))
new = 0
for number in range(60):
    keys = [f"{number}-{key}" for key in range(40)]
    chance.shuffle(keys)
    new += sum(is_new for _, is_new in group.store([row(acme, key) for key in keys]))
group.close()
print(new)
"""


@pytest.mark.failure
@pytest.mark.django_db(transaction=True)
class TestTwoProcesses:
    def test_with_the_same_keys_in_any_order_neither_waits_for_ever(
        self, child_environ: dict[str, str], acme: Tenant
    ) -> None:
        children = [
            subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", OTHER_PROCESS, str(seed)],
                cwd=BASE_DIR,
                env=child_environ,
                stdout=subprocess.PIPE,
                text=True,
            )
            for seed in (1, 2)
        ]

        told = [child.communicate(timeout=120)[0] for child in children]

        assert [child.returncode for child in children] == [0, 0]
        assert sum(map(int, told)) == 60 * 40
        with every_tenant():
            assert LiveEvent.objects.count() == 60 * 40


class Away:
    """A database that can be switched off: connections break, and no new one is made."""

    def __init__(self) -> None:
        self.is_away = False
        self.made: list[Any] = []

    def connect(self) -> Any:
        if self.is_away:
            raise psycopg2.OperationalError("connection refused")
        connection = delivery_store.connect()
        self.made.append(connection)
        return connection

    def go(self) -> None:
        self.is_away = True
        with psycopg2.connect(**_parameters()) as other, other.cursor() as cursor:
            for connection in self.made:
                cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (connection.get_backend_pid(),))
        other.close()


@pytest.mark.django_db(transaction=True)
class TestDatabaseAway:
    def test_all_are_refused_at_once_and_taken_again_after_its_return(self, acme: Tenant, rung: Rung) -> None:
        away = Away()
        group = GroupCommit(connect=away.connect, ring=rung)
        assert group.store([row(acme, "before")])
        away.go()

        begun = time.monotonic()
        with ThreadPoolExecutor(32) as pool:
            told = list(pool.map(lambda number: _try(group, row(acme, f"during {number}")), range(200)))
        took = time.monotonic() - begun

        assert set(told) == {"refused"}
        assert took < 10  # two hundred in line would wait for minutes
        assert group.is_down
        away.is_away = False
        while _try(group, row(acme, "after")) == "refused":
            time.sleep(0.02)
        assert not group.is_down
        group.close()
        with every_tenant():
            assert set(LiveEvent.objects.values_list("record_id", flat=True)) == {"before", "after"}

    def test_away_from_the_start_is_the_same(self, acme: Tenant, rung: Rung) -> None:
        away = Away()
        away.is_away = True
        group = GroupCommit(connect=away.connect, ring=rung)

        assert _try(group, row(acme, "a")) == "refused"

        away.is_away = False
        while _try(group, row(acme, "a")) == "refused":
            time.sleep(0.02)
        group.close()


def _try(group: GroupCommit, one: Row) -> str:
    try:
        return str(group.store([one])[0][0])
    except Unavailable:
        return "refused"


def _backend(cursor: Any) -> Any:
    cursor.execute("SELECT pg_backend_pid()")
    return cursor.fetchone()


def _parameters() -> dict[str, Any]:
    from django.db import connection

    parameters = connection.get_connection_params()
    return {
        name: value
        for name, value in parameters.items()
        if name in {"dbname", "user", "password", "host", "port"}
    }
