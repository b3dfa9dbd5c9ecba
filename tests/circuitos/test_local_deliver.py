"""Deliveries: signed as each CRM signs, sent over real HTTP, counted by what came back."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from django.core.management import CommandError, call_command
from werkzeug import Response

from circuitos.local import deliver
from circuitos.management.commands.send import find_hook
from triggers.crm import ADAPTERS

PRIVATE = Ed25519PrivateKey.generate()
PUBLIC = base64.b64encode(
    PRIVATE.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
).decode()
PEM = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def hooks_of(server) -> dict:
    return {
        "gohighlevel": {
            "url": server.url_for("/hooks/g/"),
            "signing": "ed25519",
            "private_key": PEM,
            "location_id": "L",
        },
        "hubspot": {
            "url": server.url_for("/hooks/h/"),
            "signing": "hubspot-v3",
            "secret": "s",
            "portal_id": 7,
        },
        "standard": {
            "url": server.url_for("/hooks/s/"),
            "signing": "standard-webhooks",
            "secret": "whsec_" + base64.b64encode(b"k" * 24).decode(),
        },
    }


@pytest.fixture
def crm_server(httpserver):
    """A server that verifies as ours does: 202 for a new body, 200 for a known one."""
    seen: set[bytes] = set()

    def answer(request):
        crm = {"g": "gohighlevel", "h": "hubspot", "s": "standard"}[request.path.split("/")[2]]
        hook = hooks_of(httpserver)[crm]
        ADAPTERS[crm].verify(
            body=request.data,
            headers={name.lower(): value for name, value in request.headers.items()},
            method="POST",
            uris=[hook["url"]],
            secrets=[hook.get("secret", "")],
            public_keys=[PUBLIC],
            at=datetime.now(UTC),
        )
        status = 200 if request.data in seen else 202
        seen.add(request.data)
        body = {"accepted": int(status == 202), "event_ids": ["e"]}
        return Response(json.dumps(body), status, content_type="application/json")

    for path in ("/hooks/g/", "/hooks/h/", "/hooks/s/"):
        httpserver.expect_request(path, method="POST").respond_with_handler(answer)
    return httpserver


class TestDeliver:
    @pytest.mark.parametrize("crm", ["gohighlevel", "hubspot", "standard"])
    def test_signs_as_the_crm_does(self, crm_server, crm):
        signer = deliver.Signer(hooks_of(crm_server)[crm])

        results = deliver.deliver(signer, [b'{"n":%d}' % n for n in range(10)], concurrency=3)

        crm_server.check_handler_errors()
        assert results.outcomes == {"accepted": 10}
        assert results.event_ids == ["e"] * 10
        assert 0 < results.percentile(0.5) <= results.percentile(0.99)

    def test_counts_duplicates_refusals_and_silence(self, crm_server):
        signer = deliver.Signer(hooks_of(crm_server)["standard"])
        crm_server.expect_request("/hooks/no/").respond_with_json({"code": "triggers.nope"}, status=401)
        refused = deliver.Signer(
            {**hooks_of(crm_server)["standard"], "url": crm_server.url_for("/hooks/no/")}
        )
        silent = deliver.Signer({**hooks_of(crm_server)["standard"], "url": "http://127.0.0.1:1/"})

        assert deliver.deliver(signer, [b"{}", b"{}"]).outcomes == {"accepted": 1, "duplicate": 1}
        assert deliver.deliver(refused, [b"{}"]).outcomes == {"triggers.nope": 1}
        assert deliver.deliver(silent, [b"{}"]).outcomes == {"no-answer": 1}
        assert deliver.deliver(silent, [b"{}"]).percentile(0.5) == 0.0

    def test_keeps_to_the_rate(self, crm_server):
        signer = deliver.Signer(hooks_of(crm_server)["standard"])

        results = deliver.deliver(signer, [b"%d" % n for n in range(6)], concurrency=6, rate=20)

        assert results.seconds >= 5 / 20


class TestCommand:
    @pytest.fixture
    def home(self, tmp_path, crm_server, monkeypatch):
        tenant = {"slug": "demo", "hooks": hooks_of(crm_server)}
        (tmp_path / "demo.json").write_text(json.dumps({"tenants": [tenant]}))
        monkeypatch.setattr(
            "circuitos.management.commands.send.env", lambda: type("Env", (), {"home": tmp_path})
        )
        return tmp_path

    def test_sends_samples_and_tells_machines(self, home, capsys):
        call_command("send", "gohighlevel", "ContactCreate", count=5, is_json=True)

        said = json.loads(capsys.readouterr().out)
        assert said["outcomes"] == {"accepted": 5}
        assert said["events_accepted"] == 5
        assert said["p99_ms"] >= said["p50_ms"] > 0

    def test_shows_people_a_table(self, home, capsys):
        call_command("send", "hubspot", "contact.creation", twice=True)

        said = capsys.readouterr().out
        assert "accepted" in said
        assert "duplicate" in said

    def test_sends_a_file_as_it_is(self, home, tmp_path, capsys):
        file = tmp_path / "body"
        file.write_bytes(b"not json at all")

        call_command("send", "standard", file=file, as_is=True, is_json=True)

        assert json.loads(capsys.readouterr().out)["outcomes"] == {"accepted": 1}

    def test_refusals_end_with_an_exit_code(self, home, crm_server, capsys):
        crm_server.clear()

        with pytest.raises(SystemExit):
            call_command("send", "standard", "contact.created", is_json=True)
        capsys.readouterr()

    def test_lists_what_there_is(self, home, capsys):
        call_command("send")

        assert "gohighlevel: AppInstall, AppUninstall" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("arguments", "options", "said"),
        [
            (("nocrm", "x"), {}, "it has: gohighlevel, hubspot, standard"),
            (("hubspot", "x"), {}, "contact.creation"),
            (("hubspot", "contact.creation"), {"count": 0}, "begin at 1"),
            (("hubspot", "contact.creation"), {"tenant": "nobody"}, "there are: demo"),
        ],
    )
    def test_a_wrong_word_is_told(self, home, arguments, options, said):
        with pytest.raises(CommandError, match=said):
            call_command("send", *arguments, **options)

    def test_without_a_demo_it_says_what_to_start(self, tmp_path):
        with pytest.raises(CommandError, match="make run"):
            find_hook(tmp_path / "demo.json", "demo", "hubspot")


class TestAnyConnection:
    @pytest.mark.parametrize(
        ("crm", "event", "header"),
        [
            ("salesforce", "Contact.inserted", ("X-Circuitos-Secret", "user:secret")),
            ("pipedrive", "deal.change", ("Authorization", "Basic dXNlcjpzZWNyZXQ=")),
            ("gohighlevel-workflow", "contact", ("X-Circuitos-Secret", "user:secret")),
            ("zoho", "Leads.insert", None),
        ],
    )
    def test_is_spoken_to_as_its_crm_does(self, httpserver, crm, event, header):
        httpserver.expect_request("/hooks/k/").respond_with_json({"accepted": 1}, status=202)

        call_command(
            "send",
            crm,
            event,
            url=httpserver.url_for("/hooks/k/"),
            secret="user:secret",
            account="77",
            is_json=True,
        )

        ((request, _),) = httpserver.log
        if header is not None:
            assert request.headers[header[0]] == header[1]
        else:
            assert json.loads(request.get_data())["token"] == "user:secret"
        assert b"77" in request.get_data()

    @pytest.mark.parametrize(
        ("crm", "options"),
        [
            ("gohighlevel", {"secret": "s"}),
            ("pipedrive", {"secret": ""}),
            ("hubspot", {"secret": "s", "account": "mine"}),
        ],
    )
    def test_what_cannot_be_signed_is_told(self, crm, options):
        with pytest.raises(CommandError):
            call_command("send", crm, "x", url="http://127.0.0.1:1/", **options)
