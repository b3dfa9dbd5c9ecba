"""The hooks view within this process: how a request is read, and what an accident of ours answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.factories import body_of, contact_create, sign_gohighlevel, sign_hubspot
from triggers import delivery_connections, ingest

if TYPE_CHECKING:
    from tenants.models import Connection

pytestmark = pytest.mark.django_db(transaction=True)


class TestHookView:
    def test_a_delivery_is_taken(self, acme_ghl: Connection) -> None:
        body = body_of(contact_create(location=acme_ghl.account_id))

        answer = self._post(acme_ghl, body, sign_gohighlevel(body))
        again = self._post(acme_ghl, body, sign_gohighlevel(body))

        assert (answer.status_code, again.status_code) == (202, 200)
        assert answer["Content-Length"] == str(len(answer.content))
        assert answer.json()["event_ids"] == again.json()["event_ids"]

    def test_the_public_address_is_the_one_configured_or_the_one_called(
        self, acme_hubspot: Connection
    ) -> None:
        body = body_of([])
        path = f"/hooks/{acme_hubspot.key}/?a=1"
        headers = sign_hubspot(body, uri=f"https://crm.example.test{path}")

        refused = self._post(acme_hubspot, body, headers, path=path)
        called = self._post(acme_hubspot, body, headers, path=path, HTTP_HOST="crm.example.test", secure=True)

        assert (refused.status_code, called.status_code) == (401, 202)

    @pytest.mark.parametrize(
        ("environ", "status"),
        [
            ({"CONTENT_TYPE": "text/xml"}, 415),
            ({"CONTENT_TYPE": "application/json; charset=utf-16"}, 415),
            ({"HTTP_CONTENT_ENCODING": "br"}, 415),
            ({"CONTENT_LENGTH": str(ingest.MAX_BODY + 1)}, 413),
            ({"CONTENT_LENGTH": "9" * 5000}, 413),
        ],
    )
    def test_what_is_not_read_is_refused(
        self, acme_ghl: Connection, environ: dict[str, Any], status: int
    ) -> None:
        assert self._post(acme_ghl, b"{}", {}, **environ).status_code == status

    def test_without_a_length_too_much_is_too_much(self, acme_ghl: Connection) -> None:
        answer = self._post(acme_ghl, b" " * (ingest.MAX_BODY + 1), {}, CONTENT_LENGTH="")

        assert (answer.status_code, answer.json()["code"]) == (413, "triggers.too-large")

    def test_another_method_and_an_unknown_key(self, acme_ghl: Connection) -> None:
        assert Client().get(f"/hooks/{acme_ghl.key}/").status_code == 405
        assert Client().post("/hooks/unknown/", b"{}", content_type="application/json").status_code == 404

    def test_an_accident_of_ours_asks_for_the_event_again(
        self, acme_ghl: Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def stumble(*_: Any, **__: Any) -> None:
            raise RuntimeError("private detail")

        monkeypatch.setattr(delivery_connections, "find", stumble)

        answer = self._post(acme_ghl, b"{}", {})

        assert (answer.status_code, answer.json()["code"]) == (429, "triggers.unavailable")
        assert answer["Retry-After"]
        assert b"private" not in answer.content
        assert "private detail" in caplog.text

    def _post(
        self,
        connection: Connection,
        body: bytes,
        headers: dict[str, str],
        *,
        path: str = "",
        secure: bool = False,
        **environ: Any,
    ) -> Any:
        delivery_connections.forget()
        return Client().post(
            path or f"/hooks/{connection.key}/",
            body,
            content_type=environ.pop("CONTENT_TYPE", "application/json"),
            secure=secure,
            headers={name: value for name, value in headers.items() if name != "Content-Type"},
            **environ,
        )
