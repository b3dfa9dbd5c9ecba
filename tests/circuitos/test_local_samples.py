"""Sample bodies: every event fits its adapter, no delivery is a duplicate of another."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from circuitos.local import samples
from circuitos.local.demo import FIELD_MAP
from triggers.crm import ADAPTERS, adapter_of

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOOKS = {
    "gohighlevel": {"location_id": "Loc1"},
    "hubspot": {"portal_id": 77},
    "standard": {},
    "salesforce": {"account": "00D5g000004abcD"},
    "pipedrive": {"account": "77"},
    "zoho": {"account": "88", "secret": "token"},
    "gohighlevel-workflow": {"account": "Loc1"},
}
EVERY = [(crm, event) for crm in samples.crms() for event in samples.names(crm)]


def found(crm, body, number=0):
    headers = {"webhook-id": f"msg_{number}"}
    adapter = adapter_for(crm)
    return adapter.find(adapter.parse(body), body, headers=headers, at=AT)


def adapter_for(crm):
    return adapter_of("gohighlevel", is_workflow=True) if crm == "gohighlevel-workflow" else ADAPTERS[crm]


@pytest.mark.parametrize(("crm", "event"), EVERY)
def test_fits_its_adapter_and_is_never_a_duplicate(crm, event):
    document = samples.load(crm, event)

    bodies = [samples.fresh(crm, document, hook=HOOKS[crm], number=number, at=AT) for number in range(3)]

    told = [one for number, body in enumerate(bodies) for one in found(crm, body, number)]
    assert told
    assert [one.problem for one in told] == [None] * len(told)
    assert len({one.dedup_key for one in told}) == len(told)
    for one in told:
        adapter_for(crm).normalise(one.raw, kind=one.kind, tenant_settings={"field_map": FIELD_MAP})
    if account := HOOKS[crm].get("account") or HOOKS[crm].get("location_id"):
        assert {one.account for one in told} == {account}


class TestFresh:
    def test_new_records_are_new_and_old_ones_stay(self):
        create, update = (samples.load("gohighlevel", f"Contact{verb}") for verb in ("Create", "Update"))

        ids = {
            json.loads(samples.fresh("gohighlevel", create, hook=HOOKS["gohighlevel"], number=n, at=AT))["id"]
            for n in range(5)
        }
        same = json.loads(samples.fresh("gohighlevel", update, hook=HOOKS["gohighlevel"], number=0, at=AT))

        assert len(ids) == 5
        assert same["id"] == update["id"]

    def test_a_hubspot_delivery_holds_up_to_100_events_of_records_of_their_own(self):
        document = samples.load("hubspot", "contact.creation")

        body = samples.fresh("hubspot", document, hook=HOOKS["hubspot"], number=0, at=AT, repeat=150)

        events = json.loads(body)
        assert len(events) == 100
        assert len({event["objectId"] for event in events}) == 100
        assert {event["portalId"] for event in events} == {77}

    def test_a_body_of_ones_own_is_taken_from_a_file(self, tmp_path):
        file = tmp_path / "mine.json"
        file.write_text('{"type": "lead.created", "data": {"id": "x"}}')

        document = samples.load("standard", "", file=file)

        assert (
            found("standard", samples.fresh("standard", document, hook={}, number=0, at=AT))[0].object
            == "Contact"
        )


@pytest.mark.parametrize(
    ("crm", "event", "said"),
    [
        ("nocrm", "x", "there are: gohighlevel, gohighlevel-workflow, hubspot, "),
        ("hubspot", "nope", "contact.creation"),
    ],
)
def test_what_there_is_not_is_told_with_what_there_is(crm, event, said):
    with pytest.raises(samples.NoSample, match=said):
        samples.load(crm, event)
