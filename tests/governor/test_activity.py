"""What a lead did, told from the mirror's records about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from governor import activity
from tenants.records import activity as stored
from tenants.records.store import Change, apply_changes

NOW = datetime(2026, 7, 15, 12, 0, tzinfo=UTC)


def at(**ago: float) -> str:
    return (NOW - timedelta(**ago)).isoformat()


def record(obj: str, record_id: str, **values: Any) -> dict[str, Any]:
    return {**dict.fromkeys(stored.COLUMNS), "object": obj, "id": record_id, "stored_at": NOW, **values}


def message(record_id: str, direction: str, **values: Any) -> dict[str, Any]:
    return record("Message", record_id, direction=direction, **values)


def mail(record_id: str, event: str, **values: Any) -> dict[str, Any]:
    return record("LCEmailStats", record_id, mail_event=event, **values)


class TestFacts:
    @pytest.mark.parametrize(
        ("status", "counts"), [("confirmed", True), ("cancelled", False), ("noshow", False)]
    )
    def test_an_appointment_that_stands(self, status, counts):
        found = activity.work_out([record("Appointment", "a1", status=status, created_at=at(days=1))], at=NOW)

        assert ("appointment" in found) is counts
        assert ("actions_7d" in found) is counts

    def test_a_call_that_came_in(self):
        calls = [
            message("m1", "outbound", message_type="CALL", created_at=at(hours=5)),
            message("m2", "inbound", message_type="CALL", created_at=at(hours=4)),
        ]

        assert activity.work_out(calls, at=NOW)["called"] == {"value": True, "source": "Message m2"}
        assert "called" not in activity.work_out(calls[:1], at=NOW)

    def test_the_quickest_answer_to_ours(self):
        talk = [
            message("m1", "outbound", created_at=at(days=2)),
            message("m2", "outbound", created_at=at(days=1)),
            message("m3", "inbound", created_at=at(hours=23)),
            message("m4", "outbound", created_at=at(minutes=60)),
            message("m5", "inbound", created_at=at(minutes=48)),
        ]

        found = activity.work_out(talk, at=NOW)

        assert found["reply_minutes"] == {"value": 12.0, "source": "Message m5"}
        assert "proactive_contact" not in found

    def test_who_wrote_first(self):
        found = activity.work_out([message("m1", "inbound", created_at=at(days=1))], at=NOW)

        assert found["proactive_contact"]["source"] == "Message m1"

    def test_opens_clicks_and_no_mere_delivery(self):
        mails = [mail(f"e{n}", "opened", mail_at=str(int(NOW.timestamp()) - n)) for n in range(5)]
        mails += [
            mail("e8", "clicked", created_at=at(days=20)),
            mail("e9", "delivered", created_at=at(hours=1)),
        ]

        found = activity.work_out(mails, at=NOW)

        assert found["email_opens"] == {"value": 5, "source": "LCEmailStats e0 and 4 more"}
        assert found["email_clicks"] == {"value": 1, "source": "LCEmailStats e8"}
        assert (found["actions_7d"]["value"], found["actions_30d"]["value"]) == (5, 6)
        assert found["hours_since_activity"]["source"] == "LCEmailStats e0"

    def test_what_is_dated_ahead_or_unreadable_breaks_nothing(self):
        odd = [
            message("m1", "inbound", created_at=at(days=-3)),
            message("m2", "INBOUND", created_at="yesterday"),
            mail("e1", "opened", mail_at="99999999999999999"),
        ]

        found = activity.work_out(odd, at=NOW)

        assert found["actions_7d"]["value"] == 2  # taken as of when we heard of them


@pytest.mark.django_db
class TestMirror:
    def put(self, tenant, *rows):
        changes = [
            Change(object=obj, operation="insert", id=record_id, fields=fields)
            for obj, record_id, fields in rows
        ]
        with connection.cursor() as cursor:
            apply_changes(cursor, schema=tenant.schema_name, changes=changes, at=NOW)

    def ask(self, tenant, *records):
        with connection.cursor() as cursor:
            return activity.facts(cursor, schema=tenant.schema_name, records=records, at=NOW)

    def test_tells_of_each_contact_its_own_and_of_no_other_tenant(
        self, acme, globex, django_assert_num_queries
    ):
        opened = {"webhook_payload": {"event": "opened", "recipient": "Ada@Example.test"}}
        self.put(
            acme,
            ("Appointment", "a1", {"contact_id": "ada", "status": "booked"}),
            ("Message", "m1", {"contact_id": "bob", "direction": "inbound", "message_type": "CALL"}),
            ("LCEmailStats", "e1", opened),
            ("Note", "n1", {"contact_id": "ada"}),
        )
        self.put(globex, ("Message", "m2", {"contact_id": "ada", "direction": "inbound"}))

        with django_assert_num_queries(1):
            found = self.ask(acme, {"id": "ada", "email": "ada@example.test"}, {"id": "bob"}, {"id": "eve"})

        assert set(found["ada"]) == {
            "appointment", "email_opens", "hours_since_activity", "actions_7d", "actions_30d",
        }  # fmt: skip
        assert found["bob"]["called"]["source"] == "Message m1"
        assert found["eve"] == {}

    def test_a_contacts_id_of_any_length_and_kind_is_stored(self, acme):
        self.put(
            acme,
            ("Message", "m1", {"contact_id": "x" * 100_000}),
            ("Message", "m2", {"contact_id": {"id": 7}}),
            ("LCEmailStats", "e1", {"webhook_payload": "none"}),
        )

        assert self.ask(acme, {"id": "a\x00b", "email": 7}) == {"a\x00b": {}}
