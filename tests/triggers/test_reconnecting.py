"""A connection whose access was lost: its events and writes wait, its owner is told, and all goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection as database
from django.test import Client

from governor.models import Notice
from tenants.connections import needs_reconnecting, reconnected, set_credentials
from tenants.ids import new_code
from tenants.models import AuditEvent, Connection
from tenants.scope import every_tenant
from tests.factories import make_connection
from tests.triggers.test_group_commit import row
from triggers import delivery_store, lanes, outbox_lanes, reconnecting
from triggers.models import LiveEvent, OutboxLane, OutboxWrite

if TYPE_CHECKING:
    from tenants.models import Tenant

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
REASON = "The token was revoked in HubSpot."


def come(to: Connection, *records: str) -> None:
    """Events as ingest stores them, within the test's transaction."""
    with database.cursor() as cursor:
        cursor.execute("SELECT FROM pg_prepared_statements WHERE name = 'circuitos_insert'")
        if cursor.fetchone() is None:
            delivery_store.prepare(cursor)
        rows = [row(to.tenant, record, connection_id=to.pk, crm=to.crm) for record in records]
        delivery_store.insert(cursor, rows)


def lane_of(record: str) -> int | None:
    with every_tenant():
        found: int | None = LiveEvent.objects.get(record_id=record).lane_id
    return found


class TestLost:
    def test_what_comes_waits_in_no_lane_and_others_are_served(self, acme: Tenant, globex: Tenant) -> None:
        lost, fine = make_connection(acme, "hubspot"), make_connection(acme, "standard")
        theirs = make_connection(globex, "hubspot")
        come(lost, "before")

        assert needs_reconnecting(lost, REASON, AT)

        for to, record in ((lost, "waits"), (fine, "beside"), (theirs, "elsewhere")):
            come(to, record)
        assert lane_of("waits") is None
        assert None not in {lane_of("before"), lane_of("beside"), lane_of("elsewhere")}
        assert (reconnecting.waiting(lost), reconnecting.waiting(fine)) == (1, 0)

    def test_is_noted_once(self, acme: Tenant) -> None:
        lost = make_connection(acme, "hubspot")

        assert needs_reconnecting(lost, REASON, AT)
        assert not needs_reconnecting(lost, "Something else.", AT + timedelta(hours=1))

        lost.refresh_from_db()
        assert (lost.reconnect_since, lost.reconnect_reason) == (AT, REASON)
        assert AuditEvent.objects.get().verb == "lost its access"

    def test_the_owner_is_told_once_each_time(self, acme: Tenant, globex: Tenant) -> None:
        lost = make_connection(acme, "hubspot", name="North")
        make_connection(globex, "hubspot")
        needs_reconnecting(lost, REASON, AT)

        for minute in range(3):
            reconnecting.review(at=AT + timedelta(minutes=minute))

        with every_tenant():
            told = Notice.objects.get()
        assert (told.tenant_id, told.subject) == (acme.pk, "North needs reconnecting")
        assert REASON in told.text
        set_credentials(lost, token="new")
        needs_reconnecting(lost, REASON, AT + timedelta(days=1))
        reconnecting.review(at=AT + timedelta(days=1))
        with every_tenant():
            assert Notice.objects.count() == 2

    def test_writes_wait_too(self, acme: Tenant) -> None:
        lost = make_connection(acme, "hubspot")
        with every_tenant():
            OutboxLane.objects.create(connection=lost, tenant=acme)
            OutboxWrite.objects.create(
                connection=lost, tenant=acme, execution=new_code(), object="Contact", record_id="1",
                operation="update", status="pending", sealed=b"", created_at=AT,
            )  # fmt: skip
        needs_reconnecting(lost, REASON, AT)

        with database.cursor() as cursor:
            assert outbox_lanes.take(cursor) is None
        set_credentials(lost, token="new")
        reconnecting.review(at=AT)

        with database.cursor() as cursor:
            lease = outbox_lanes.take(cursor)
        assert lease is not None
        assert lease.connection_id == lost.pk


class TestBack:
    def test_a_new_token_lets_all_go_on_in_order(
        self, acme: Tenant, django_capture_on_commit_callbacks, monkeypatch
    ) -> None:
        rung: list[set[int]] = []
        monkeypatch.setattr("triggers.bells.ring", rung.append)
        lost = make_connection(acme, "hubspot")
        needs_reconnecting(lost, REASON, AT)
        come(lost, "first", "second")

        set_credentials(lost, token="new")
        # It is connected; until what waits has its lane, what comes waits behind it.
        come(lost, "third")
        assert lane_of("third") is None
        with django_capture_on_commit_callbacks(execute=True):
            assert reconnecting.review(at=AT) == 1

        lane = lane_of("first")
        assert lane is not None
        assert {lane_of("second"), lane_of("third")} == {lane}
        assert {lane} in rung
        come(lost, "fourth")
        assert lane_of("fourth") == lane
        with every_tenant():
            ids = list(LiveEvent.objects.order_by("id").values_list("record_id", flat=True))
        assert ids == ["first", "second", "third", "fourth"]

    def test_what_still_needs_it_stays(self, acme: Tenant, globex: Tenant) -> None:
        back, lost = make_connection(acme, "hubspot"), make_connection(globex, "hubspot")
        for each in (back, lost):
            needs_reconnecting(each, REASON, AT)
        come(back, "back")
        come(lost, "lost")

        reconnected(back)
        assert reconnecting.review(at=AT) == 1

        assert lane_of("back") is not None
        assert lane_of("lost") is None
        assert not reconnecting.resume(lost)

    def test_a_straggler_finds_its_lane(self, acme: Tenant) -> None:
        """An ingest that began before the resuming may store after it."""
        late = make_connection(acme, "hubspot")
        needs_reconnecting(late, REASON, AT)
        come(late, "late")
        Connection.objects.filter(pk=late.pk).update(is_held=False, reconnect_since=None)

        reconnecting.review(at=AT)

        assert lane_of("late") is not None
        with database.cursor() as cursor:
            assert lanes.with_work(cursor) == [lane_of("late")]


class TestShown:
    def test_in_portal_and_console(self, acme, globex, owner, console) -> None:
        lost = make_connection(acme, "hubspot")
        make_connection(globex, "hubspot")
        needs_reconnecting(lost, REASON, AT)
        come(lost, "waits")
        portal = Client(HTTP_HOST="acme.localhost")
        portal.force_login(owner)

        for path in ("/connections/", f"/connections/{lost.code}/"):
            page = portal.get(path).content.decode()
            assert "Needs reconnecting" in page
            assert REASON in page
        assert "1 event waits" in portal.get(f"/connections/{lost.code}/").content.decode()
        assert REASON in console.get("/admin/tenants/connection/").content.decode()
        assert REASON in console.get(f"/admin/tenants/connection/{lost.code}/change/").content.decode()

    def test_over_rest(self, acme, globex, acme_token) -> None:
        lost = make_connection(acme, "hubspot")
        make_connection(globex, "hubspot")
        needs_reconnecting(lost, REASON, AT)
        come(lost, "waits")
        bearer = {"HTTP_AUTHORIZATION": f"Bearer {acme_token}"}
        (shown,) = Client().get("/api/v1/connections/", **bearer).json()["results"]
        assert (shown["status"], shown["reconnect_reason"]) == ("needs-reconnecting", REASON)
        events = Client().get("/api/v1/events/?status=parked", **bearer).json()["results"]
        assert [event["record_id"] for event in events] == ["waits"]
        assert Client().get("/api/v1/events/?status=queued", **bearer).json()["results"] == []
