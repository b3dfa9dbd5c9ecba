"""What every adapter promises: whoever adds a CRM adds a line to ``SPEAKERS`` and these tests are its too."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tenants.choices import CRM
from tenants.errors import CodedError
from tests.triggers.hostile import REFUSED, TAKEN
from tests.triggers.speakers import AT, IDS, SPEAKERS, Speaker
from triggers import ingest
from triggers.crm import ADAPTERS, Normalised, account_of, adapter_of, gohighlevel_workflow, is_signed
from triggers.crm.adapter import ACCOUNT_MISSING, MAX_KEY, MAX_KIND, MAX_RECORD_ID, NOT_AN_EVENT, Found
from triggers.ingest import WrongAccount
from triggers.schemas import FIELDS, Misfit, complete

if TYPE_CHECKING:
    from collections.abc import Iterator

OPERATIONS = {"insert", "update", "delete", "undelete", "merge"}
# What may stand where a text or a number is expected.
ODD: tuple[Any, ...] = (
    None,
    True,
    5,
    -1.5,
    "",
    "x" * 300,
    [],
    {},
    [[]],
    {"a": {"b": 1}},
    10**30,
    "\u202e\ufeff",
)
every = pytest.mark.parametrize("speaker", SPEAKERS, ids=IDS)


def read(speaker: Speaker, body: bytes, **hook: Any) -> list[tuple[Found, str]]:
    headers = speaker.sign(body, speaker.secret, AT)
    uris = ("https://crm.example.test/hooks/k1/",)
    return ingest.read(hook=speaker.hook(**hook), body=body, headers=headers, method="POST", uris=uris, at=AT)


def in_bounds(found: Found) -> bool:
    return (
        found.operation in OPERATIONS
        and len(found.object) <= 60
        and len(found.record_id) <= MAX_RECORD_ID
        and len(found.kind) <= MAX_KIND
        and 0 < len(found.dedup_key) <= MAX_KEY
        and bool(found.problem) == (not found.object or not found.record_id)
        and isinstance(found.raw, bytes)
        and (found.account is None or type(found.account) is str)
    )


def spoilt(document: Any) -> Iterator[Any]:
    """``document`` with each value, one at a time, replaced by what nobody expects."""

    def places(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        yield path
        rows = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
        for key, value in rows:
            yield from places(value, (*path, key))

    for path in places(document, ()):
        for odd in ODD:
            if not path:
                yield odd
                continue
            copy = msgspec.json.decode(msgspec.json.encode(document))
            holder = copy
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = odd
            yield copy


class TestEveryCrm:
    def test_has_an_adapter_and_a_speaker(self) -> None:
        assert set(ADAPTERS) == set(CRM.values)
        assert {speaker.name.partition("-")[0] for speaker in SPEAKERS} == set(CRM.values)

    @every
    def test_declares_what_it_reads(self, speaker: Speaker) -> None:
        adapter = speaker.adapter

        assert all(name == name.lower() for name in adapter.HEADERS)
        assert set(adapter.HEADERS) >= adapter.PROOFS
        assert "application/json" in adapter.MEDIA_TYPES
        assert isinstance(adapter.NAMES_ACCOUNT, bool)
        assert isinstance(adapter.SIGNS_ADDRESS, bool)

    @every
    def test_says_whether_a_signature_proves_its_events(self, speaker: Speaker) -> None:
        (found, _), *_ = read(speaker, speaker.body)

        assert is_signed(speaker.name.partition("-")[0], found.kind) is speaker.is_signed


class TestFind:
    @every
    def test_tells_what_happened_to_which_record(self, speaker: Speaker) -> None:
        events = read(speaker, speaker.body)

        assert events
        assert all(in_bounds(found) and problem == "" for found, problem in events)
        assert {found.account or "" for found, _ in events} == {speaker.account}
        assert {found.object for found, _ in events} <= set(FIELDS)

    @every
    def test_keeps_json_without_the_secret(self, speaker: Speaker) -> None:
        for found, _ in read(speaker, speaker.body):
            assert isinstance(json.loads(found.raw), dict)
            assert not [secret for secret in speaker.hides if secret in found.raw]

    @every
    def test_knows_a_delivery_again(self, speaker: Speaker) -> None:
        first, again = speaker.find(speaker.body), speaker.find(speaker.body)

        assert [found.dedup_key for found in first] == [found.dedup_key for found in again]
        assert len({found.dedup_key for found in first}) == len(first)

    @every
    def test_another_account_is_refused_and_a_connection_of_none_takes_all(self, speaker: Speaker) -> None:
        if speaker.adapter.NAMES_ACCOUNT:
            with pytest.raises(WrongAccount):
                read(speaker, speaker.body, account_id="another")
        assert {problem for _, problem in read(speaker, speaker.body, account_id="")} == {""}

    @every
    def test_without_an_account_it_is_quarantined(self, speaker: Speaker) -> None:
        if not speaker.adapter.NAMES_ACCOUNT:
            return
        body = speaker.body
        for name in (
            "OrganizationId",
            "organizationId",
            "locationId",
            "portalId",
            "company_id",
            "channel_id",
        ):
            body = body.replace(f'"{name}"'.encode(), b'"nobody"').replace(f"{name}>".encode(), b"nobody>")
        body = body.replace(b'"location"', b'"place"')

        assert {problem for _, problem in read(speaker, body)} == {ACCOUNT_MISSING}

    @every
    def test_who_is_not_listed_is_refused(self, speaker: Speaker) -> None:
        hook = speaker.hook(senders=_networks("192.0.2.0/24", "2001:db8::/32"))
        sent = {
            "body": speaker.body,
            "method": "POST",
            "uris": ("https://crm.example.test/hooks/k1/",),
            "at": AT,
        }
        headers = speaker.sign(speaker.body, speaker.secret, AT)

        for peer in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1"):
            assert ingest.read(hook=hook, headers={**headers, ":peer": peer}, **sent)
        for peer in ("", "198.51.100.1", "::1", "unix:", "192.0.2.7, 198.51.100.1"):
            with pytest.raises(CodedError, match="list"):
                ingest.read(hook=hook, headers={**headers, ":peer": peer}, **sent)


class TestNormalise:
    @every
    def test_gives_our_fields(self, speaker: Speaker) -> None:
        for found in speaker.find(speaker.body):
            normalised = ADAPTERS[speaker.name.partition("-")[0]].normalise(
                found.raw, kind=found.kind, tenant_settings={}
            )

            assert isinstance(normalised, Normalised)
            assert set(normalised.fields) <= set(FIELDS[found.object])
            assert complete(found.object, normalised.fields)


class TestHostileBodies:
    @every
    @pytest.mark.parametrize("body", [*REFUSED.values(), *TAKEN.values()], ids=[*REFUSED, *TAKEN])
    def test_are_refused_with_a_code_or_quarantined(self, speaker: Speaker, body: bytes) -> None:
        try:
            events = speaker.find(body)
        except CodedError as error:
            assert error.status == 400  # noqa: PT017  # some are taken
        else:
            assert events
            assert all(in_bounds(found) and found.problem for found in events)

    @every
    def test_with_any_value_replaced_break_nothing(self, speaker: Speaker) -> None:
        if not speaker.sample.endswith(".json"):
            return
        adapter = ADAPTERS[speaker.name.partition("-")[0]]
        for document in spoilt(json.loads(speaker.body)):
            body = json.dumps(document).encode()
            for found in speaker.find(body):
                assert in_bounds(found), document
                try:
                    adapter.normalise(found.raw, kind=found.kind, tenant_settings={})
                except Misfit as misfit:
                    assert str(misfit)  # noqa: PT017  # most fit, some do not

    @every
    def test_too_many_events_are_quarantined_whole(self, speaker: Speaker) -> None:
        many = {"hubspot": b"[" + b",".join([b"{}"] * 101) + b"]", "salesforce": b"[" + b"{}," * 100 + b"{}]"}
        body = many.get(speaker.name, b"[]")

        assert [found.problem for found in speaker.find(body)] == [NOT_AN_EVENT]


def test_an_organisation_is_known_by_either_length_of_its_id() -> None:
    assert account_of("salesforce", "00D5g000004abcDEAQ") == account_of("salesforce", "00D5g000004abcD")
    assert account_of("hubspot", "123456789012345678") == "123456789012345678"


def test_a_workflow_is_taken_only_where_it_was_asked_for() -> None:
    assert adapter_of("gohighlevel") is ADAPTERS["gohighlevel"]
    assert adapter_of("gohighlevel", is_workflow=True) is gohighlevel_workflow
    assert adapter_of("hubspot", is_workflow=True) is ADAPTERS["hubspot"]


def _networks(*texts: str) -> Any:
    from triggers.delivery_connections import _networks as parse

    return parse(texts)
