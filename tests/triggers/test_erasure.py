"""Erasing a contact: nothing of it is left in its tenant, everything of it in the other."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from django.db import connection
from django.test import Client

from governor.models import JournalEntry
from logs.models import Trace
from tenants.ids import new_code
from tenants.models import AuditEvent
from tenants.records.store import Change, apply_changes
from tenants.scope import every_tenant, tenant_scope
from tenants.secrets import seal
from tests.rows import make_event, make_execution
from tests.triggers.test_approvals import asked
from triggers import data_export, erasure, history
from triggers.models import Erasure, Event, Execution, OutboxWrite
from triggers.past import EventEnd, move
from triggers.scrub import Scrubber
from triggers.subject import BadIdentifier, NoSubject, find

pytestmark = pytest.mark.django_db
AT = datetime.now(UTC)
ADA = {
    "id": "lead-7",
    "email": "Ada@Example.test",
    "phone": "+13035550177",
    "first_name": "Ada",
    "last_name": "Lovelace",
}
BODY = json.dumps({"type": "ContactCreate", **ADA}).encode()


def hold(tenant):
    """What a tenant comes to hold on Ada, in a batch with Grace."""
    grace = {"id": "lead-8", "email": "grace@example.test", "phone": "+13035550188"}
    with connection.cursor() as cursor:
        apply_changes(
            cursor,
            schema=tenant.schema_name,
            changes=[
                Change("Contact", "upsert", "lead-7", {**ADA, "lpr_score": 91}),
                Change("Contact", "upsert", "lead-8", grace),
                Change("Opportunity", "upsert", "deal-1", {"name": "Lovelace, roof", "contact_id": "lead-7"}),
                # The same number as the contact's id, of another object and about nobody.
                Change("Opportunity", "upsert", "lead-7", {"name": "Other", "contact_id": "lead-8"}),
            ],
            at=AT,
        )
    past, other, waiting = (
        make_event(tenant, record_id="lead-7", body=BODY),
        make_event(tenant, record_id="lead-8", body=b'{"email":"grace@example.test"}'),
        make_event(tenant, record_id="lead-7", body=BODY),
    )
    with connection.cursor() as cursor:
        before = seal(msgspec.msgpack.encode(ADA), context=f"before:{tenant.pk}:{past.code}")
        move(cursor, [EventEnd(past.pk, "succeeded", before=before), EventEnd(other.pk, "succeeded")], at=AT)
    batch = make_execution(
        tenant,
        records=[ADA, grace],
        event_ids=[past.pk, other.pk],
        event_codes=[past.code, other.code],
        trace={
            "outcomes": {"lead-7": ["failed", "Ada Lovelace has no roof", None], "lead-8": ["ok", "", None]},
            "entries": [
                {
                    "level": "info",
                    "message": "scored Ada, 2 in total",
                    "data": {"id": "lead-7", "city": "Denver"},
                },
                {"level": "info", "message": "grace is next", "data": {}},
            ],
            "effects": [
                {
                    "op": "update",
                    "args": {"rows": [{"id": "lead-7", "city": "Denver"}, {"id": "lead-8", "n": 1}]},
                }
            ],
            "error": {"code": "x", "detail": "lead-7 failed", "record": "lead-7"},
        },
    )
    alone = make_execution(
        tenant,
        records=[ADA],
        event_ids=[past.pk],
        event_codes=[past.code],
        error_detail="Ada is unlucky",
        trace={"effects": [{"op": "ai", "args": {"prompt": "a poem on the countess"}, "ms": 3}]},
    )
    for execution in (batch, alone):
        with every_tenant():
            JournalEntry.objects.create(
                tenant=tenant, root=execution.root, execution=execution.code, fingerprint="f" * 64,
                occurrence=0, op="http", idempotency_key=new_code(), intended_at=AT, answered_at=AT,
                answer=b"sealed",
            )  # fmt: skip
    for record_id in ("lead-7", "lead-8"):
        code = new_code()
        with every_tenant():
            OutboxWrite.objects.create(
                code=code, tenant=tenant, execution=batch.code, object="Contact", record_id=record_id,
                operation="update", created_at=AT,
                sealed=seal(msgspec.msgpack.encode({"lpr_score": 91}), context=f"outbox:{tenant.pk}:{code}"),
            )  # fmt: skip
    return {"past": past, "waiting": waiting, "batch": batch, "alone": alone}


def everything(tenant):
    """All that is stored of a tenant, opened, as one text."""
    said = []
    with tenant_scope(tenant.pk):
        for event in Event.objects.order_by("pk"):
            said.append(
                (event.record_id, str(event.error), str(history.body_of(event)), bytes(event.before or b""))
            )
        said += Execution.objects.order_by("pk").values_list("record_ids", "terms", "error_detail")
        said += Trace.objects.values_list("spans", "entries", "effects", "judgments", "outcomes", "error")
        said += OutboxWrite.objects.values_list("object", "record_id")
        said += Erasure.objects.values_list("actor", "digests", "counts")
    said += AuditEvent.objects.filter(tenant=tenant).values_list("actor", "verb", "target", "data")
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT object, external_id, data::text FROM "{tenant.schema_name}".records_record')
        said += cursor.fetchall()
    return "\n".join(map(str, said))


def erase(tenant, text="ada@example.test", **more):
    return erasure.erase(tenant, text, **{"confirmation": text, "actor": "owner", "at": AT, **more})


@pytest.fixture
def both(acme, globex):
    """The same person is a contact of both tenants."""
    return hold(acme), hold(globex)


class TestErasing:
    @pytest.mark.parametrize("text", ["ada@example.test", "lead-7", "(303) 555-0177"])
    def test_leaves_nothing_of_the_contact_in_its_tenant_and_all_in_the_other(self, acme, globex, both, text):
        untouched = everything(globex)

        erase(acme, text)

        left = everything(acme)
        for word in ("ada", "lovelace", "a***@e***.test", "3035550177", "denver", "countess"):
            assert word not in left.lower(), word
        # The deal with the contact's number is another thing: it stays, and nothing else has the id.
        assert left.count("lead-7") == 1
        assert everything(globex) == untouched

    def test_keeps_what_belongs_to_others(self, acme, both):
        erase(acme)

        with tenant_scope(acme.pk):
            batch = Execution.objects.get(pk=both[0]["batch"].pk)
            trace = Trace.objects.get(execution=batch.code)
        assert (batch.record_ids[1], batch.size) == ("lead-8", 2)
        assert len(batch.terms) == 2
        assert trace.outcomes["lead-8"] == ["ok", "", None]
        assert trace.entries[1]["message"] == "grace is next"
        assert trace.entries[0]["message"] == "scored [erased], 2 in total"
        assert trace.effects[0]["args"]["rows"] == [{"erased": True}, {"id": "lead-8", "n": 1}]
        assert trace.error["code"] == "x"
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT external_id FROM "{acme.schema_name}".records_record ORDER BY 1')
            assert cursor.fetchall() == [("lead-7",), ("lead-8",)]

    def test_counts_what_went_and_is_audited(self, acme, globex, both):
        for tenant in (acme, globex):
            asked(tenant, record_id="lead-7")

        receipt = erase(acme)

        assert receipt.counts == {
            "records": 2, "events": 2, "executions": 2, "journal": 2, "outbox": 1, "refused": 0,
            "approvals": 1,
        }  # fmt: skip
        event = AuditEvent.objects.get(tenant=acme)
        assert (event.verb, event.target) == ("erased a contact", f"erasure {receipt.code}")
        assert erasure.earlier(acme, " LEAD-7 ") == receipt
        assert erasure.earlier(acme, "lead-8") is None

    def test_an_event_that_waits_is_ended(self, acme, both):
        erase(acme)

        with tenant_scope(acme.pk):
            ended = Event.objects.get(pk=both[0]["waiting"].pk)
        assert (ended.status, ended.reason, history.body_of(ended)) == ("skipped", "erased", None)

    def test_knows_what_named_the_contact_before(self, acme, both):
        old = json.dumps({"contact": {"email": "countess@old.test", "firstName": "Augusta"}}).encode()
        make_event(acme, record_id="lead-7", body=old, status="failed")
        ran = make_execution(
            acme,
            records=[{"id": "lead-7", "email": "countess@old.test"}, {"id": "lead-8"}],
            trace={"entries": [{"level": "info", "message": "wrote to Augusta", "data": {}}]},
        )

        erase(acme)

        assert "augusta" not in everything(acme).lower()
        with tenant_scope(acme.pk):
            assert Execution.objects.get(pk=ran.pk).terms == []
        assert erasure.earlier(acme, "countess@old.test")

    def test_what_comes_later_is_new(self, acme, both):
        erase(acme)

        hold(acme)

        assert erasure.preview(acme, "ada@example.test").counts["records"] == 2

    def test_is_found_by_address_when_the_mirror_has_it_no_more(self, acme, both):
        with connection.cursor() as cursor:
            cursor.execute(f'DELETE FROM "{acme.schema_name}".records_record WHERE object = %s', ["Contact"])

        erase(acme)

        assert "lead-7" not in everything(acme).replace("('Opportunity', 'lead-7'", "")


class TestRefusing:
    def test_an_unconfirmed_one(self, acme, both):
        before = everything(acme)

        with pytest.raises(erasure.NotConfirmed):
            erase(acme, confirmation="ada")

        assert everything(acme) == before

    def test_while_an_execution_has_not_ended(self, acme, both):
        make_execution(acme, records=[ADA], status="running", finished_at=None)
        before = everything(acme)

        with pytest.raises(erasure.StillRunning):
            erase(acme)

        assert everything(acme) == before
        assert erasure.preview(acme, "lead-7").is_running

    @pytest.mark.parametrize(
        "text", ["nobody@example.test", "lead-99", "%", "' OR 1=1 --", "+1 303 555 0199"]
    )
    def test_whom_it_does_not_know(self, acme, both, text):
        with pytest.raises(NoSubject), tenant_scope(acme.pk):
            find(acme, text)

    @pytest.mark.parametrize("text", ["", "  ", "x" * 201, "a\x00b"])
    def test_what_names_nobody(self, acme, text):
        with pytest.raises(BadIdentifier), tenant_scope(acme.pk):
            find(acme, text)


class TestCopy:
    def test_of_a_contact_is_in_clear_and_of_it_alone(self, acme, both):
        copy = json.loads(data_export.of_contact(acme, "ada@example.test", actor="owner", at=AT))

        assert {(row["object"], row["id"]) for row in copy["records"]} == {
            ("Contact", "lead-7"), ("Opportunity", "deal-1"),
        }  # fmt: skip
        assert copy["records"][0]["data"]["lpr_score"] == 91
        assert copy["events"][0]["body"]["email"] == "Ada@Example.test"
        assert copy["events"][0]["before"]["last_name"] == "Lovelace"
        assert copy["crm_writes"][0]["fields"] == {"lpr_score": 91}
        assert [list(row["outcomes"]) for row in copy["executions"]] == [["lead-7"], ["lead-7"]]
        assert "grace" not in json.dumps(copy)
        assert AuditEvent.objects.get().verb == "exported a contact"

    def test_of_all_records_is_a_line_each(self, acme, globex, both, monkeypatch):
        monkeypatch.setattr(data_export, "AT_A_TIME", 2)

        rows = [json.loads(line) for line in data_export.all_records(acme, actor="owner", at=AT)]

        assert [(row["object"], row["id"]) for row in rows] == [
            ("Contact", "lead-7"), ("Contact", "lead-8"),
            ("Opportunity", "deal-1"), ("Opportunity", "lead-7"),
        ]  # fmt: skip


class TestPage:
    @pytest.fixture
    def portal(self, owner):
        client = Client(HTTP_HOST="acme.localhost")
        client.force_login(owner)
        return client

    def test_shows_retention_from_the_constants(self, portal, monkeypatch):
        monkeypatch.setattr("triggers.retention_shown.EVENT_DAYS", 12)

        shown = portal.get("/data/").content.decode()

        assert "12 days" in shown
        assert "365 days" in shown
        assert "24 hours" in shown

    def test_look_erase_and_take_the_receipt(self, portal, acme, globex, both):
        seen = portal.post("/data/contact/", {"contact": "ada@example.test"}).content.decode()
        assert "deal-1" in seen

        asked = {"contact": "ada@example.test", "confirmation": "ada"}
        refused = portal.post("/data/contact/erase/", asked)
        assert refused.status_code == 400
        assert "Nothing was erased" in refused.content.decode()
        done = portal.post("/data/contact/erase/", {**asked, "confirmation": "ada@example.test"}, follow=True)

        receipt = Erasure._base_manager.get()
        assert str(receipt.code) in done.content.decode()
        file = portal.get(f"/data/receipts/{receipt.code}/")
        assert file.json()["erased"]["records"] == 2
        assert "attachment" in file["Content-Disposition"]
        assert "ada" not in file.content.decode().lower()
        again = portal.post("/data/contact/", {"contact": "ada@example.test"}).content.decode()
        assert f"receipt {receipt.code}" in again

    def test_copies_are_files(self, portal, acme, both):
        one = portal.post("/data/contact/export/", {"contact": "lead-7"})
        every = portal.post("/data/records/export/")

        assert one.json()["records"][0]["data"]["email"] == "Ada@Example.test"
        assert len(b"".join(every.streaming_content).splitlines()) == 4
        assert "attachment" in every["Content-Disposition"]
        assert portal.post("/data/contact/export/", {"contact": "\x00"}).status_code == 302

    @pytest.mark.parametrize("path", ["contact/", "contact/export/", "contact/erase/", "records/export/"])
    def test_effects_are_for_owners(self, acme, both, member, stranger, path):
        asked = {"contact": "lead-7", "confirmation": "lead-7"}
        client = Client(HTTP_HOST="acme.localhost")

        for person, status in ((member, 403), (stranger, 404)):
            client.force_login(person)
            assert client.post(f"/data/{path}", asked).status_code == status
            assert client.get(f"/data/{path}").status_code == 405
        assert not Erasure._base_manager.exists()

    def test_a_receipt_of_another_tenant_is_404(self, portal, globex, both):
        receipt = erase(globex)

        assert portal.get(f"/data/receipts/{receipt.code}/").status_code == 404


class TestScrubbing:
    def test_strikes_words_and_not_parts_of_them(self):
        scrubber = Scrubber(ids={"7"}, words={"Ada", "Al"})

        assert scrubber.text("Ada and ADA, not Adam or total") == "[erased] and [erased], not Adam or total"
        assert scrubber.value({"id": "7", "city": "Denver"}) == {"erased": True}
        assert scrubber.value(["7", 7, None, "17"]) == ["[erased]", 7, None, "17"]
        assert scrubber.items([{"level": "info", "record_id": "7"}]) == [
            {"level": "info", "record_id": "[erased]"}
        ]
