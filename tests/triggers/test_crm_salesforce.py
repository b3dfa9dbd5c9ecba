"""Salesforce: SOAP that cannot hurt, change events, and both in our names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from circuitos.local.samples import FOLDER
from tests.triggers.speakers import AT
from triggers.crm import Found, salesforce, salesforce_xml
from triggers.crm.adapter import NOT_AN_EVENT, RECORD_MISSING
from triggers.strict_json import Malformed

HEAD = (
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>'
    '<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>00D1</OrganizationId>'
)
TAIL = "</notifications></soapenv:Body></soapenv:Envelope>"


def notification(fields: str, *, number: int = 1, kind: str = "sf:Contact") -> str:
    return (
        f'<Notification><Id>04l{number}</Id><sObject xsi:type="{kind}" xmlns:sf="urn:x">{fields}</sObject>'
        "</Notification>"
    )


def message(fields: str, **more: Any) -> bytes:
    return f"{HEAD}{notification(fields, **more)}{TAIL}".encode()


def sample(name: str) -> bytes:
    return (FOLDER / "salesforce" / name).read_bytes()


def find(body: bytes, **headers: str) -> list[Found]:
    return salesforce.find(salesforce.parse(body), body, headers=headers, at=AT)


def normalise(found: Found, **settings: Any) -> dict[str, Any]:
    return salesforce.normalise(found.raw, kind=found.kind, tenant_settings=settings).fields


HOSTILE = {
    "document type": b'<!DOCTYPE x SYSTEM "http://192.0.2.1/x.dtd"><x/>',
    "internal entity": b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
    "billion laughs": b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;"><!ENTITY c "&b;&b;">]><x>&c;</x>',
    "external entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "parameter entity": b'<!DOCTYPE x [<!ENTITY % a SYSTEM "http://192.0.2.1/"> %a;]><x/>',
    "document type without anything": b"<!DOCTYPE x><x/>",
    "document type after the declaration": b'<?xml version="1.0"?><!DOCTYPE x []><x/>',
    "undeclared entity": b"<x>&nbsp;</x>",
    "stylesheet": b'<?xml-stylesheet href="http://192.0.2.1/x.xsl"?><x/>',
    "processing instruction inside": b"<x><?php echo 1 ?></x>",
    "UTF-16": '<?xml version="1.0" encoding="UTF-16"?><x/>'.encode("utf-16"),
    "another declared encoding": b'<?xml version="1.0" encoding="ISO-8859-1"?><x/>',
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?><x/>',
    "no UTF-8": b"<x>\xff</x>",
    "encoded surrogate": b"<x>\xed\xa0\x80</x>",
    "NUL by number": b"<x>&#0;</x>",
    "surrogate by number": b"<x>&#xD800;</x>",
    "control character": b"<x>\x01</x>",
    "unclosed": b"<x>",
    "wrong end": b"<x></y>",
    "two roots": b"<x/><x/>",
    "text after the root": b"<x/>x",
    "unknown prefix": b"<a:x/>",
    "twin attributes": b'<x a="1" a="2"/>',
    "twenty-one levels": b"<x>" * 21 + b"</x>" * 21,
    "a hundred thousand levels": b"<x>" * 100_000,
    "forty thousand elements": b"<x>" + b"<y/>" * 40_001 + b"</x>",
    "a hundred attributes": b"<x " + b" ".join(b'a%d="1"' % n for n in range(100)) + b"/>",
    "two thousand fields": message("".join(f"<sf:F{n}/>" for n in range(2_001))),
    "a field twice": message("<sf:Id>1</sf:Id><sf:Id>2</sf:Id>"),
    "SQL": b"<'; DROP TABLE x",
}


class TestXml:
    @pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
    def test_what_xml_is_feared_for_is_malformed(self, body: bytes) -> None:
        with pytest.raises(Malformed) as refused:
            salesforce.parse(body)

        assert "passwd" not in str(refused.value)

    @pytest.mark.parametrize(
        "body",
        [
            b"<x/>",
            b'<Envelope xmlns="urn:other"/>',
            HEAD.encode() + TAIL.encode(),
            message("").replace(b"outbound", b"inbound"),
            (HEAD + "".join(notification("<sf:Id>1</sf:Id>", number=n) for n in range(101)) + TAIL).encode(),
            (HEAD + "<Notification><Id>1</Id></Notification>" + TAIL).encode(),
        ],
        ids=["other", "other envelope", "none", "other namespace", "a hundred and one", "no record"],
    )
    def test_what_is_no_message_is_quarantined_whole(self, body: bytes) -> None:
        (found,) = find(body)

        assert found.problem == NOT_AN_EVENT
        assert json.loads(found.raw)["body"] == body.decode()

    def test_a_hundred_notifications_are_a_hundred_events(self) -> None:
        body = HEAD + "".join(notification(f"<sf:Id>{n}</sf:Id>", number=n) for n in range(100)) + TAIL

        found = find(body.encode())

        assert len({each.dedup_key for each in found}) == 100
        assert [each.record_id for each in found] == [str(n) for n in range(100)]

    def test_texts_are_read_as_they_are_meant(self) -> None:
        (found,) = find(
            message(
                "<sf:Id>1</sf:Id><sf:LastName>O&apos;Brien &amp; <![CDATA[<Söhne>]]></sf:LastName><!-- x -->"
            )
        )

        assert normalise(found) == {"last_name": "O'Brien & <Söhne>"}

    def test_a_session_is_read_past(self) -> None:
        body = message("<sf:Id>1</sf:Id>").replace(
            b"<Notif", b"<SessionId>00Dx!AQ-session</SessionId><Notif", 1
        )

        assert b"session" not in find(body)[0].raw

    def test_a_notification_of_no_record_has_a_problem(self) -> None:
        assert find(message("<sf:Email>a@b.test</sf:Email>"))[0].problem == RECORD_MISSING

    def test_the_answer_is_what_salesforce_waits_for(self) -> None:
        root = salesforce_xml._tree(salesforce_xml.ACK.encode())

        assert root.children[0].children[0].children[0].said() == "true"


class TestFind:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("Contact.inserted.xml", [("Contact", "insert", "0035g00000QwErTAAV", "outbound.Contact")]),
            ("Lead.updated.xml", [("Contact", "update", "00Q5g00000LkJhGEAV", "outbound.Lead")]),
            (
                "Contact.change_create.json",
                [("Contact", "insert", "0035g00000QwErUAAV", "change.Contact.CREATE")],
            ),
            (
                "Contact.change_delete.json",
                [("Contact", "delete", "0035g00000QwErUAAV", "change.Contact.DELETE")],
            ),
            (
                "Contact.change_update.json",
                [
                    ("Contact", "update", "0035g00000QwErTAAV", "change.Contact.UPDATE"),
                    ("Contact", "update", "0035g00000QwErUAAV", "change.Contact.UPDATE"),
                ],
            ),
        ],
    )
    def test_tells_what_happened_to_what(self, name: str, expected: list[tuple[str, ...]]) -> None:
        found = find(sample(name))

        assert [(each.object, each.operation, each.record_id, each.kind) for each in found] == expected
        assert {each.account for each in found} == {"00D5g000004abcD"}

    @pytest.mark.parametrize(
        "wrapper", ["{}", '{{"payload":{}}}', '{{"data":{{"payload":{}}}}}', '[{{"payload":{}}}]']
    )
    def test_takes_a_change_event_as_relays_wrap_it(self, wrapper: str) -> None:
        event = json.dumps(
            {"ChangeEventHeader": {"entityName": "Lead", "changeType": "UNDELETE", "recordIds": ["00Q1"]}}
        )

        (found,) = find(wrapper.format(event).encode(), **{"x-organization-id": "00D000000000001AAA"})

        assert (found.object, found.operation, found.account) == ("Contact", "undelete", "00D000000000001")

    @pytest.mark.parametrize("change", ["GAP_UPDATE", "GAP_CREATE", "GAP_DELETE"])
    def test_a_gap_tells_that_it_happened_and_empties_nothing(self, change: str) -> None:
        header = {
            "entityName": "Contact",
            "changeType": change,
            "recordIds": ["003"],
            "changedFields": ["Phone"],
        }

        (found,) = find(json.dumps({"ChangeEventHeader": header}).encode())

        assert found.problem is None
        assert normalise(found) == {}

    def test_a_gap_beyond_telling_is_quarantined(self) -> None:
        header = {"entityName": "Contact", "changeType": "GAP_OVERFLOW", "recordIds": ["000"]}

        assert find(json.dumps({"ChangeEventHeader": header}).encode())[0].problem == NOT_AN_EVENT

    def test_more_records_than_a_delivery_may_name_are_quarantined_whole(self) -> None:
        header = {
            "entityName": "Contact",
            "changeType": "DELETE",
            "recordIds": [f"003{number}" for number in range(401)],
        }

        (found,) = find(json.dumps({"ChangeEventHeader": header}).encode())

        assert found.problem == NOT_AN_EVENT


class TestNormalise:
    def test_a_contact(self) -> None:
        (found,) = find(sample("Contact.inserted.xml"))

        fields = normalise(found, field_map={"Site_Visits__c": "site_visits"})

        assert fields["last_name"] == "O'Brien"
        assert fields["postal_code"] == "75024"
        assert fields["dnd"] is False
        assert fields["custom_fields"] == {"site_visits": "4"}

    def test_a_lead_is_a_contact_and_nil_is_none(self) -> None:
        (found,) = find(sample("Lead.updated.xml"))

        fields = normalise(found)

        assert (fields["type"], fields["company_name"], fields["phone"]) == ("lead", "Weiß & Söhne", None)

    def test_an_opportunity_knows_its_outcome(self) -> None:
        won, still_open = (normalise(each) for each in find(sample("Opportunity.updated.xml")))

        assert (won["status"], won["monetary_value"]) == ("won", 2400.5)
        assert still_open["status"] == "open"

    def test_a_change_tells_the_changed_fields_and_empties_those_it_leaves_out(self) -> None:
        found, _ = find(sample("Contact.change_update.json"))

        assert normalise(found) == {
            "last_name": "Okafor-Lee",
            "phone": None,
            "updated_at": "2026-03-04T08:30:00.000Z",
            "custom_fields": {"Site_Visits__c": 9},
        }
        assert json.loads(found.raw)["changeOrigin"].startswith("com/salesforce/api")

    def test_a_task(self) -> None:
        (found,) = find(sample("Task.change_create.json"))

        fields = normalise(found)

        assert (fields["title"], fields["contact_id"], fields["completed"]) == (
            "Call back",
            "0035g00000QwErTAAV",
            False,
        )
