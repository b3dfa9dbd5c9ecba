"""Sending the outbox to a loopback HubSpot: what is sent together, what is sent again, and what is not."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection, transaction
from pytest_httpserver import HTTPServer
from werkzeug import Response

from governor import hosts
from governor.models import Charged, HostState
from tenants.connections import set_credentials
from tenants.ids import new_code
from tenants.records.store import Change
from tenants.scope import every_tenant
from tests.providers import TOKEN, HubSpot
from tests.triggers.engine import park
from tests.triggers.test_admission import set_value
from triggers import lanes, outbox, outbox_lanes, outbox_sender
from triggers.models import Lane, OutboxLane, OutboxWrite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tenants.models import Connection

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def hubspot(settings: Any) -> Iterator[HubSpot]:
    with HTTPServer(host="127.0.0.1") as server:
        double = HubSpot(server)
        settings.HUBSPOT_API_URL = double.url
        settings.EGRESS_ALLOW = ["127.0.0.1"]
        hosts.forget()
        yield double


@pytest.fixture
def account(acme_hubspot: Connection) -> Connection:
    set_credentials(acme_hubspot, token=TOKEN)
    return acme_hubspot


def put(to: Connection, *changes: Change) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        outbox.put(
            cursor,
            changes,
            tenant_id=to.tenant_id,
            execution=new_code(),
            connection_of={},
            otherwise=to.pk,
            at=AT,
        )


def update(contact: str, **fields: Any) -> Change:
    return Change("Contact", "update", contact, fields)


def writes() -> list[OutboxWrite]:
    with every_tenant():
        return list(OutboxWrite.objects.order_by("id"))


def statuses() -> list[str]:
    return [write.status for write in writes()]


def lane() -> OutboxLane:
    with every_tenant():
        found: OutboxLane = OutboxLane.objects.get()
        return found


def due() -> None:
    """Let the time of waiting pass."""
    with every_tenant():
        OutboxLane.objects.update(next_attempt_at=None)


def probe() -> None:
    """Let the time of the next probe come."""
    with every_tenant():
        HostState.objects.update(probe_at=AT)
    due()


class TestPut:
    def test_waits_to_be_sent_where_there_are_credentials(self, account):
        put(account, update("7", lpr_score=80))

        assert statuses() == ["pending"]
        assert lane().connection_id == account.pk

    def test_a_crm_without_a_writer_is_not_sent_to(self, acme_standard):
        set_credentials(acme_standard, token="pit-1")

        put(acme_standard, update("7", lpr_score=80))

        assert statuses() == ["not-sent"]

    def test_an_object_the_writer_does_not_know_is_not_sent(self, account):
        put(account, Change("Note", "insert", "n1", {"body": "Called"}), update("7", lpr_score=80))

        assert statuses() == ["not-sent", "pending"]


class TestQuota:
    def test_each_request_counts_as_one_api_call(self, account, hubspot):
        put(account, *[update(str(number), lpr_score=number) for number in range(1, 101)])

        outbox_sender.drain()

        with every_tenant():
            (line,) = Charged.objects.all()
        assert (line.tenant_id, line.kind, line.api_calls) == (account.tenant_id, "outbox", 1)

    def test_over_the_quota_writes_wait_and_the_newest_value_wins(self, account, acme, hubspot):
        set_value(acme, "api_calls_per_day", 0)
        put(account, update("7", lpr_score=80))
        outbox_sender.drain()
        put(account, update("7", lpr_score=90))

        outbox_sender.drain()

        assert hubspot.paths() == []
        assert statuses() == ["pending", "pending"]
        waiting = lane()
        assert (waiting.waits_for_quota, waiting.attempts) == (True, 0)
        assert waiting.problem == "0 of today's 0 API calls are used."
        assert waiting.next_attempt_at.astimezone(UTC).strftime("%H:%M") in {"23:59", "00:00"}
        assert outbox_lanes.review(at=datetime.now(UTC)) == 0

        set_value(acme, "api_calls_per_day", 10)
        assert outbox_lanes.review(at=datetime.now(UTC)) == 1
        outbox_sender.drain()

        assert statuses() == ["sent", "sent"]
        assert hubspot.paths() == ["contacts/update"]
        assert hubspot.requests[0][1][0]["properties"]["lpr_score"] == "90"


class TestDrain:
    def test_a_hundred_records_cost_one_request(self, account, hubspot):
        put(account, *[update(str(number), lpr_score=number) for number in range(1, 101)])

        assert not outbox_sender.drain()

        assert hubspot.paths() == ["contacts/update"]
        assert hubspot.records["100"] == {"lpr_score": "100"}
        assert set(statuses()) == {"sent"}
        assert writes()[0].sent_at is not None

    def test_more_go_in_requests_of_a_hundred(self, account, hubspot):
        put(account, *[update(str(number), lpr_score=number) for number in range(1, 251)])

        outbox_sender.drain()

        assert [len(inputs) for _, inputs in hubspot.requests] == [100, 100, 50]

    def test_the_newest_value_of_a_field_wins_and_goes_once(self, account, hubspot):
        put(account, update("7", lpr_score=10, custom_fields={"a": 1}))
        put(account, update("7", lpr_score=90, custom_fields={"b": 2}), update("7", city="Plano"))

        outbox_sender.drain()

        ((_, inputs),) = hubspot.requests
        assert inputs == [{"id": "7", "properties": {"lpr_score": "90", "city": "Plano", "a": "1", "b": "2"}}]
        assert statuses() == ["sent"] * 3

    def test_what_was_sent_is_not_sent_again(self, account, hubspot):
        put(account, update("7", lpr_score=10))

        outbox_sender.drain()
        outbox_sender.drain()

        assert len(hubspot.requests) == 1

    def test_each_tenant_through_its_own_connection(self, account, globex_hubspot, hubspot):
        set_credentials(globex_hubspot, token="another")
        put(globex_hubspot, update("8", lpr_score=1))
        put(account, update("7", lpr_score=2))

        outbox_sender.drain()

        assert hubspot.records == {"7": {"lpr_score": "2"}}
        assert {write.record_id: write.status for write in writes()} == {"8": "pending", "7": "sent"}

    def test_a_token_taken_away_leaves_them_not_sent(self, account, hubspot):
        put(account, update("7", lpr_score=10))
        set_credentials(account, token=None)

        outbox_sender.drain()

        assert statuses() == ["not-sent"]
        assert hubspot.requests == []

    def test_addresses_of_our_own_network_are_refused(self, account, hubspot, settings):
        settings.EGRESS_ALLOW = []
        put(account, update("7", lpr_score=10))

        outbox_sender.drain()

        assert hubspot.requests == []
        assert statuses() == ["pending"]
        assert "private address" in lane().problem


class TestTasks:
    def test_a_task_is_made_for_its_contact_with_a_due_time_and_priority(self, account, hubspot):
        task = {
            "title": "URGENT: Hot lead scored 91/100",
            "record_id": "7",
            "due_at": "2026-03-02T12:00:00+00:00",
            "priority": "critical",
            "body": "+15 Called",
        }
        put(account, update("7", lpr_score=91), Change("Task", "insert", "0195-made-by-us", task))

        outbox_sender.drain()

        assert hubspot.paths() == ["contacts/update", "tasks/create"]
        ((given,),) = [inputs for path, inputs in hubspot.requests if "tasks" in path]
        assert given["properties"] == {
            "hs_task_subject": "URGENT: Hot lead scored 91/100",
            "hs_task_body": "+15 Called",
            "hs_timestamp": "1772452800000",
            "hs_task_priority": "HIGH",
            "hs_task_status": "NOT_STARTED",
        }
        kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 204}
        assert given["associations"] == [{"to": {"id": "7"}, "types": [kind]}]

    def test_its_later_changes_go_to_the_id_hubspot_gave_it(self, account, hubspot):
        put(account, *[Change("Task", "insert", f"ours-{n}", {"title": f"Call {n}"}) for n in (1, 2)])
        outbox_sender.drain()

        put(account, Change("Task", "update", "ours-1", {"completed": True}))
        outbox_sender.drain()

        theirs = {write.record_id: write.remote_id for write in writes() if write.remote_id}
        assert hubspot.records[theirs["ours-1"]]["hs_task_subject"] == "Call 1"
        assert hubspot.records[theirs["ours-1"]]["hs_task_status"] == "COMPLETED"
        assert hubspot.records[theirs["ours-2"]]["hs_task_status"] == "NOT_STARTED"

    def test_made_and_deleted_meanwhile_is_nothing(self, account, hubspot):
        put(
            account, Change("Task", "insert", "ours", {"title": "Call"}), Change("Task", "delete", "ours", {})
        )

        outbox_sender.drain()

        assert hubspot.requests == []
        assert statuses() == ["not-sent", "not-sent"]

    @pytest.mark.parametrize("status", [502, 504])
    def test_one_that_may_have_been_made_is_in_doubt_and_not_made_twice(self, account, hubspot, status):
        hubspot.instead = [Response(status=status)]
        put(account, Change("Task", "insert", "ours", {"title": "Call"}))

        outbox_sender.drain()
        due()
        outbox_sender.drain()

        assert len(hubspot.requests) == 1
        (write,) = writes()
        assert (write.status, write.problem) == ("failed", outbox_sender.IN_DOUBT)

    def test_a_sender_that_died_on_the_way_leaves_it_in_doubt_but_sends_the_rest(self, account, hubspot):
        put(account, Change("Task", "insert", "ours", {"title": "Call"}), update("7", lpr_score=1))
        with connection.cursor() as cursor:
            dead = outbox_lanes.take(cursor, lease_seconds=0)
            outbox_lanes.leave(cursor, dead, [writes()[0].pk], at=AT)
        with every_tenant():
            OutboxLane.objects.update(lease_until=AT)

        outbox_sender.drain()

        assert statuses() == ["failed", "sent"]


class TestRefusals:
    def test_207_fails_those_it_names_and_no_other(self, account, hubspot):
        hubspot.unknown = {"2"}
        put(account, *[update(str(number), lpr_score=number) for number in (1, 2, 3)])

        outbox_sender.drain()

        assert statuses() == ["sent", "failed", "sent"]
        assert writes()[1].problem.startswith("HubSpot refused it: Could not get some CONTACT objects")

    def test_a_request_refused_whole_is_split_until_the_record_at_fault_stands_alone(self, account, hubspot):
        hubspot.invalid = {"42"}
        put(account, *[update(str(number), lpr_score=number) for number in range(1, 101)])

        outbox_sender.drain()

        failed = [write for write in writes() if write.status == "failed"]
        assert [(write.record_id, write.problem) for write in failed] == [
            ("42", "HubSpot answered 400: Email is invalid.")
        ]
        assert statuses().count("sent") == 99
        assert len(hubspot.requests) < 20

    def test_splitting_has_an_end(self, account, hubspot):
        hubspot.invalid = {str(number) for number in range(1, 101)}
        put(account, *[update(str(number), lpr_score=number) for number in range(1, 101)])

        outbox_sender.drain()

        assert set(statuses()) == {"failed"}
        assert len(hubspot.requests) <= 2 * outbox_sender.SPLITS + 1

    def test_a_property_hubspot_does_not_have_fails_those_that_write_it(self, account, hubspot):
        hubspot.missing_properties = {"lpr_score"}
        put(account, update("1", lpr_score=1), update("2", city="Plano"))

        outbox_sender.drain()

        assert statuses() == ["failed", "sent"]
        assert writes()[0].problem == "HubSpot has no property lpr_score."
        assert len(hubspot.requests) == 2

    def test_an_id_that_is_not_hubspots_is_not_sent_to_it(self, account, hubspot):
        put(account, update("made-elsewhere", lpr_score=1))

        outbox_sender.drain()

        assert hubspot.requests == []
        assert writes()[0].problem == "HubSpot's id of Contact made-elsewhere is not known."

    def test_fields_nobody_may_write_are_left_out_and_named(self, account, hubspot):
        put(account, update("7", dnd=True, city="Plano"), update("8", dnd=True))

        outbox_sender.drain()

        assert hubspot.records == {"7": {"city": "Plano"}}
        first, second = writes()
        assert (first.status, first.problem) == ("sent", "Not written, the CRM lets nobody: dnd.")
        assert (second.status, second.problem) == ("failed", "HubSpot lets nobody write dnd.")


class TestWaiting:
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_it_is_sent_again_later_with_what_came_meanwhile(self, account, hubspot, status):
        hubspot.instead = [Response(status=status)]
        put(account, update("7", lpr_score=1))
        outbox_sender.drain()
        put(account, update("7", lpr_score=2))

        outbox_sender.drain()
        assert len(hubspot.requests) == 1
        assert (lane().attempts, lane().problem) == (1, f"HubSpot answered {status}.")
        assert lane().next_attempt_at > datetime.now(UTC)

        due()
        outbox_sender.drain()
        assert hubspot.records == {"7": {"lpr_score": "2"}}
        assert statuses() == ["sent", "sent"]
        assert [write.attempts for write in writes()] == [2, 1]
        assert (lane().attempts, lane().problem) == (0, "")

    def test_as_long_as_the_crm_asks_for(self, account, hubspot):
        hubspot.instead = [Response(status=429, headers={"Retry-After": "120"})]
        put(account, update("7", lpr_score=1))

        outbox_sender.drain()

        wait = lane().next_attempt_at - datetime.now(UTC)
        assert timedelta(seconds=100) < wait <= timedelta(seconds=120)

    def test_a_refused_token_holds_everything_back(self, account, hubspot):
        set_credentials(account, token="revoked")
        put(account, update("7", lpr_score=1))

        outbox_sender.drain()

        assert statuses() == ["pending"]
        assert lane().problem == "HubSpot answered 401."

    def test_a_task_refused_for_now_is_made_later(self, account, hubspot):
        hubspot.instead = [Response(status=429)]
        put(account, Change("Task", "insert", "ours", {"title": "Call"}))
        outbox_sender.drain()

        due()
        outbox_sender.drain()

        assert statuses() == ["sent"]
        assert len(hubspot.records) == 1

    def test_errors_that_pass_are_tried_again(self, account, hubspot):
        error = {"category": "RATE_LIMITS", "message": "too fast", "context": {"ids": ["8"]}}
        answer = {"status": "COMPLETE", "results": [{"id": "7"}], "errors": [error]}
        hubspot.instead = [Response(json.dumps(answer), status=207)]
        put(account, update("7", lpr_score=1), update("8", lpr_score=1))

        outbox_sender.drain()

        assert statuses() == ["sent", "pending"]
        assert lane().problem == "HubSpot answered: too fast"


class TestOutage:
    def test_a_probe_that_the_quota_kept_back_is_anothers(self, account, hubspot):
        hubspot.instead = [Response(status=500)] * hosts.THRESHOLD
        put(account, update("7", lpr_score=1))
        for _ in range(hosts.THRESHOLD):
            due()
            outbox_sender.drain()
        set_value(account.tenant, "api_calls_per_day", 1)
        due()
        probe()

        outbox_sender.drain()

        with every_tenant():
            assert HostState.objects.get().state == "open"
        assert lane().waits_for_quota

    def test_waits_for_the_probe_and_burns_no_attempts(self, account, globex_hubspot, hubspot):
        hubspot.instead = [Response(status=500)] * (hosts.THRESHOLD + 1)
        put(account, update("7", lpr_score=1))
        for _ in range(hosts.THRESHOLD):
            due()
            outbox_sender.drain()
        assert lane().attempts == hosts.THRESHOLD

        due()
        outbox_sender.drain()  # the circuit is open: nothing is sent
        assert len(hubspot.requests) == lane().attempts == hosts.THRESHOLD
        assert "left alone" in lane().problem
        assert lane().next_attempt_at <= datetime.now(UTC) + timedelta(seconds=hosts.FIRST_DELAY * 1.3)
        assert [write.attempts for write in writes()] == [hosts.THRESHOLD]

        probe()
        outbox_sender.drain()  # its one probe fails
        assert len(hubspot.requests) == hosts.THRESHOLD + 1
        with every_tenant(), connection.cursor() as cursor:
            parked = [
                lanes.lane_of(cursor, tenant_id=of.tenant_id, obj="Contact", kind="live")
                for of in (account, globex_hubspot)
            ]
            for lane_id in parked:
                park(cursor, lane_id, seconds=60)

        probe()
        outbox_sender.drain()  # and this one succeeds

        assert statuses() == ["sent"]
        assert hubspot.records == {"7": {"lpr_score": "1"}}
        with every_tenant():
            assert not HostState.objects.exclude(state="closed").exists()
            reasons = {one.pk: one.parked_reason for one in Lane.objects.all()}
        assert [reasons[lane_id] for lane_id in parked] == ["", "provider-down"]

    def test_is_probed_by_another_when_the_quota_stops_this_one(self, account, acme, hubspot):
        put(account, update("7", lpr_score=1))
        for _ in range(hosts.THRESHOLD):
            hosts.failed(acme.pk, hubspot.url.removeprefix("http://"), problem="", is_probe=False)
        set_value(acme, "api_calls_per_day", 0)
        probe()

        outbox_sender.drain()

        assert lane().waits_for_quota
        with every_tenant():
            (state,) = HostState.objects.values_list("state", flat=True)
        assert state == "open"

    def test_of_one_account_holds_no_other_back(self, account, globex_hubspot, hubspot):
        set_credentials(globex_hubspot, token=TOKEN)
        hubspot.instead = [Response(status=429, headers={"Retry-After": "120"})]
        put(account, update("7", lpr_score=1))
        outbox_sender.drain()

        put(globex_hubspot, update("8", lpr_score=2))
        outbox_sender.drain()

        assert statuses() == ["pending", "sent"]


class TestFaults:
    def test_of_ours_hold_the_connection_back_and_no_other(
        self, account, globex_hubspot, hubspot, monkeypatch
    ):
        set_credentials(globex_hubspot, token=TOKEN)
        put(account, update("7", lpr_score=1))
        put(globex_hubspot, update("8", lpr_score=1))
        with every_tenant():
            OutboxWrite.objects.filter(record_id="7").update(sealed=b"rubbish")

        outbox_sender.drain()

        assert {write.record_id: write.status for write in writes()} == {"7": "pending", "8": "sent"}
        with every_tenant():
            assert OutboxLane.objects.get(connection=account).problem == outbox_sender.FAULT


@pytest.mark.django_db(transaction=True)
class TestTwoSenders:
    def test_never_send_the_same_writes(self, account, hubspot):
        # The first is held in its request until the second has looked.
        inside, may_answer = threading.Event(), threading.Event()

        def slow() -> Response:
            inside.set()
            assert may_answer.wait(10)
            return Response(json.dumps({"status": "COMPLETE", "results": [{"id": "7"}]}), status=200)

        hubspot.instead = [slow]
        put(account, update("7", lpr_score=1))

        def first() -> None:
            outbox_sender.drain()
            connection.close()

        thread = threading.Thread(target=first)
        thread.start()
        assert inside.wait(10)
        assert not outbox_sender.drain()
        may_answer.set()
        thread.join()

        assert len(hubspot.requests) == 1
        assert statuses() == ["sent"]

    def test_one_that_lost_its_lease_stores_nothing(self, account, hubspot):
        put(account, update("7", lpr_score=1))
        with connection.cursor() as cursor:
            lost = outbox_lanes.take(cursor, lease_seconds=0)
            new = outbox_lanes.take(cursor)
            assert new is not None

            with pytest.raises(outbox_lanes.Fenced):
                outbox_lanes.end(cursor, lost, [outbox_lanes.End(writes()[0].pk, "failed")], at=AT)

        assert statuses() == ["pending"]
