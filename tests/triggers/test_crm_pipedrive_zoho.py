"""Pipedrive and Zoho in our names, with the old values that Pipedrive tells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from circuitos.local.samples import FOLDER
from tests.triggers import engine
from tests.triggers.speakers import AT
from triggers.crm import ADAPTERS, Normalised
from triggers.schemas import Misfit

if TYPE_CHECKING:
    from tenants.models import Tenant

HASH = "5a2c1f0e9d8b7a6c5d4e3f2a1b0c9d8e7f6a5b4c"


def read(crm: str, name: str, *, number: int = 0, **settings: Any) -> Normalised:
    body = (FOLDER / crm / f"{name}.json").read_bytes()
    adapter = ADAPTERS[crm]
    found = adapter.find(adapter.parse(body), body, headers={}, at=AT)[number]
    return adapter.normalise(found.raw, kind=found.kind, tenant_settings=settings)


class TestPipedrive:
    def test_a_person_is_a_contact(self) -> None:
        fields = read("pipedrive", "person.create", field_map={HASH: "site_visits"}).fields

        assert (fields["email"], fields["phone"]) == ("maya@okafor.example", "+1 972 555 0142")
        assert (fields["city"], fields["postal_code"], fields["assigned_to"]) == ("Plano", "75024", "11")
        assert fields["custom_fields"] == {"site_visits": 4}

    def test_a_change_tells_what_was_there_before(self) -> None:
        changed = read("pipedrive", "person.change")

        assert changed.fields["job_title"] == "Director"
        assert changed.old == {"job_title": "Owner", "custom_fields": {HASH: 4}}

    def test_a_deal_is_an_opportunity(self) -> None:
        changed = read("pipedrive", "deal.change")

        assert (changed.fields["status"], changed.fields["monetary_value"]) == ("won", 2400.5)
        assert changed.fields["contact_id"] == "501"
        assert changed.old == {"status": "open", "pipeline_stage_id": "2"}

    def test_an_activity_is_a_task(self) -> None:
        fields = read("pipedrive", "activity.create").fields

        assert (fields["due_at"], fields["completed"]) == ("2026-03-06T15:00:00Z", False)

    def test_a_deletion_tells_the_record_as_it_was(self) -> None:
        gone = read("pipedrive", "person.delete")

        assert gone.fields == {}
        assert gone.old
        assert gone.old["first_name"] == "Maya"

    def test_a_second_attempt_is_the_same_event_and_another_change_is_not(self) -> None:
        body = json.loads((FOLDER / "pipedrive" / "person.change.json").read_bytes())
        body["meta"] |= {"id": 501, "timestamp": 1772613000}
        again, other = ({**body, "meta": {**body["meta"], "attempt": 2}}, {**body, "previous": {"name": "M"}})

        keys = [
            ADAPTERS["pipedrive"].find(each, b"{}", headers={}, at=AT)[0] for each in (body, again, other)
        ]

        assert keys[0].dedup_key == keys[1].dedup_key != keys[2].dedup_key
        assert str(keys[0].occurred_at) == "2026-03-04 08:30:00+00:00"

    def test_a_wrong_type_is_named(self) -> None:
        body = json.dumps(
            {"meta": {"entity": "person", "action": "create"}, "data": {"first_name": 5}}
        ).encode()

        with pytest.raises(Misfit) as caught:
            ADAPTERS["pipedrive"].normalise(body, kind="", tenant_settings={})

        assert caught.value.fields[0]["field"] == "first_name"


class TestZoho:
    def test_a_lead_is_a_contact_with_custom_fields(self) -> None:
        fields = read("zoho", "Leads.insert", field_map={"Site_Visits": "site_visits"}).fields

        assert (fields["type"], fields["company_name"], fields["dnd"]) == ("lead", "Okafor Dental", False)
        assert fields["assigned_to"] == "554023000000001"
        assert fields["custom_fields"] == {"site_visits": 4}

    def test_each_record_gets_its_own_values(self) -> None:
        first, second = (read("zoho", "Contacts.update", number=number).fields for number in (0, 1))

        assert first == {"email": "ada@okafor.example", "company_name": "Okafor Dental"}
        assert second == {"phone": None}

    def test_a_deal_knows_its_outcome_and_its_contact(self) -> None:
        fields = read("zoho", "Deals.update").fields

        assert (fields["status"], fields["contact_id"]) == ("won", "554023000000527010")

    def test_without_values_only_the_event_is_known(self) -> None:
        assert read("zoho", "Contacts.delete").fields == {}


@pytest.mark.django_db(transaction=True)
class TestOldValues:
    def test_of_a_record_met_for_the_first_time_are_the_crms(self, acme: Tenant, globex: Tenant) -> None:
        """Our mirror knows nothing yet, and a trigger is still told what changed."""
        runs = engine.Runs()
        body = (FOLDER / "pipedrive" / "deal.change.json").read_bytes()
        for number in range(2):  # the second time the mirror knows better
            engine.put_raw(
                acme,
                body.replace(b'"stage_id": 2\n', b'"stage_id": %d\n' % (2 + number)),
                record_id="9001",
                operation="update",
                kind="deal.change",
                obj="Opportunity",
                crm="pipedrive",
            )

        engine.drain(engine.supervisor(runs, engine.spec("T.won", "update", object="Opportunity")))

        first, second = (job.olds[0] for job in runs.jobs)
        assert (first["status"], first["pipeline_stage_id"], first["name"]) == (
            "open",
            "2",
            "Lakeside retainer",
        )
        assert second["status"] == "won"
        assert engine.events(globex) == {}
