"""Ingest below HTTP: admission, refused deliveries verified again, and real servers that stop."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from circuitos.env import BASE_DIR
from circuitos.local.process import Process
from circuitos.local.testing import Servers, start_servers
from tenants.connections import rotate_secret
from tenants.scope import every_tenant
from tests.factories import body_of, contact_create, sign_gohighlevel, sign_standard
from tests.triggers.web import Web
from triggers import delivery_connections, delivery_refused, group_commit, ingest
from triggers.crm import BadSignature
from triggers.delivery_admission import Ceilings, LotFull, Lots, RateExceeded
from triggers.models import Event, RefusedDelivery

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tenants.models import Connection, Tenant

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)


@pytest.fixture
def _own_thread(transactional_db: None) -> Iterator[None]:
    """This process's group commit, gone before the database is."""
    delivery_connections.forget()
    yield
    for thread in threading.enumerate():
        if thread.name in {"lots", "refused"}:
            thread.join()  # they would start another
    group_commit.stop()


class TestCeilings:
    def test_a_seconds_worth_may_come_at_once_and_no_more(self) -> None:
        ceilings = Ceilings()
        for _ in range(10):
            ceilings.take(1, 1, rate=10, now=100.0)

        with pytest.raises(RateExceeded) as caught:
            ceilings.take(1, 1, rate=10, now=100.0)

        assert caught.value.headers == {"Retry-After": "1"}

    def test_tokens_come_back_with_time(self) -> None:
        ceilings = Ceilings()
        ceilings.take(1, 10, rate=10, now=100.0)

        ceilings.take(1, 1, rate=10, now=100.2)

    def test_a_large_delivery_is_taken_and_paid_for_later(self) -> None:
        ceilings = Ceilings()
        ceilings.take(1, 100, rate=10, now=100.0)

        with pytest.raises(RateExceeded) as caught:
            ceilings.take(1, 1, rate=10, now=101.0)

        assert caught.value.headers == {"Retry-After": "9"}
        ceilings.take(1, 1, rate=10, now=110.0)

    def test_one_tenant_spends_nothing_of_anothers(self) -> None:
        ceilings = Ceilings()
        ceilings.take(1, 10, rate=10, now=100.0)

        ceilings.take(2, 1, rate=10, now=100.0)


@pytest.mark.usefixtures("_own_thread")
class TestLots:
    @pytest.fixture
    def lots(self) -> Lots:
        return Lots(start=lambda recount: recount())

    def test_what_came_since_the_last_count_counts(self, lots: Lots) -> None:
        lots.take(1, 0, lot=3, now=100.0)
        lots.take(1, 3, lot=3, now=100.0)

        with pytest.raises(LotFull) as caught:
            lots.take(1, 1, lot=3, now=100.0)

        assert caught.value.headers == {"Retry-After": "60"}
        lots.take(2, 1, lot=3, now=100.0)

    def test_after_a_recount_there_is_room_again(self, lots: Lots) -> None:
        """The three events were run meanwhile: the table holds none."""
        lots.take(1, 0, lot=3, now=100.0)
        lots.take(1, 3, lot=3, now=100.0)

        with pytest.raises(LotFull):
            lots.take(1, 1, lot=3, now=101.0)  # asks for a recount

        lots.take(1, 3, lot=3, now=101.0)

    def test_counts_what_waits(self, lots: Lots, acme_ghl: Connection) -> None:
        hook = delivery_connections.hook_of(acme_ghl, at=AT)
        for _ in range(3):
            body = body_of(contact_create(location=acme_ghl.account_id))
            _receive(hook, body, sign_gohighlevel(body))

        lots.take(acme_ghl.tenant_id, 0, lot=3, now=100.0)

        with pytest.raises(LotFull):
            lots.take(acme_ghl.tenant_id, 1, lot=3, now=100.0)

    def test_a_count_that_fails_forgets_nobody(self, acme: Tenant) -> None:
        def fail_once(recount: Callable[[], None]) -> None:
            group_commit.committer()._is_stopping = True
            recount()
            group_commit.stop()

        lots = Lots(start=fail_once)
        lots.take(1, 3, lot=3, now=100.0)

        with pytest.raises(LotFull):
            lots.take(1, 1, lot=3, now=100.0)


@pytest.mark.usefixtures("_own_thread")
class TestVerifyAgain:
    def test_after_the_secret_was_mended_it_is_taken(self, acme_standard: Connection) -> None:
        body = body_of({"type": "contact.created", "data": {"id": "1"}})
        secret = "whsec_" + "QUJD" * 8
        refused = self._refuse(acme_standard, body, sign_standard(body, secret=secret, at=AT))
        rotate_secret(connection=acme_standard, new=secret, at=AT)
        refused.connection.refresh_from_db()

        with every_tenant():
            receipt = ingest.verify_again(refused)

            event = Event.objects.get(code=receipt.event_ids[0])
            assert not RefusedDelivery.objects.exists()
        assert (event.record_id, event.received_at) == ("1", AT)

    def test_while_it_still_does_not_hold_it_is_kept(self, acme_standard: Connection) -> None:
        body = body_of({"type": "contact.created", "data": {"id": "1"}})
        refused = self._refuse(acme_standard, body, sign_standard(body, secret="whsec_QUJD", at=AT))

        with every_tenant():
            with pytest.raises(BadSignature):
                ingest.verify_again(refused)
            assert RefusedDelivery.objects.count() == 1

    def _refuse(self, connection: Connection, body: bytes, headers: dict[str, str]) -> RefusedDelivery:
        hook = delivery_connections.hook_of(connection, at=AT)
        with pytest.raises(BadSignature):
            _receive(hook, body, headers)
        deadline = time.monotonic() + 20
        with every_tenant():
            while (found := RefusedDelivery.objects.first()) is None:
                assert time.monotonic() < deadline
                time.sleep(0.02)
        assert isinstance(found, RefusedDelivery)
        return found


@pytest.mark.usefixtures("_own_thread")
class TestFindConnection:
    def test_costs_one_query_in_five_seconds(
        self, acme_ghl: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        select = delivery_connections._select

        def counting(cursor: Any, query: str, values: tuple[str, ...]) -> Any:
            asked.extend(values)
            return select(cursor, query, values)

        monkeypatch.setattr(delivery_connections, "_select", counting)

        for _ in range(100):
            delivery_connections.find(acme_ghl.key, at=AT)
        for _ in range(100):
            with pytest.raises(delivery_connections.UnknownKey):
                delivery_connections.find("guessed", at=AT)

        assert asked == [acme_ghl.key, "guessed"]

    def test_guessing_drives_no_real_connection_out(
        self, acme_ghl: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivery_connections, "MAX_KEPT", 10)
        delivery_connections.find(acme_ghl.key, at=AT)

        for number in range(25):
            with pytest.raises(delivery_connections.UnknownKey):
                delivery_connections.find(f"guess-{number}", at=AT)

        assert acme_ghl.key in delivery_connections._known
        assert len(delivery_connections._unknown) <= 10


class TestRefusals:
    def test_more_than_memory_may_hold_is_not_sealed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(delivery_refused, "MAX_WAITING_BYTES", 10)

        assert delivery_refused.Refusals().has_room(10)
        assert not delivery_refused.Refusals().has_room(11)


SET_UP = """
import django
django.setup()
from tenants.models import Tier
from tenants.provision import create_tenant
from tests.factories import ED25519_PUBLIC
from tenants.connections import connect
tenant = create_tenant(slug="acme", name="Acme", tier=Tier.objects.order_by("pk").first())
print(connect(tenant=tenant, crm="standard", secrets=["%s"]).key)
"""


@pytest.mark.failure
class TestServersStopped:
    """Real ones, of this test's own."""

    SECRET = "whsec_" + "QUJD" * 8

    @pytest.fixture
    def servers(self) -> Iterator[Servers]:
        with start_servers() as servers:
            yield servers

    def test_webhooks_are_refused_at_once_without_postgresql_and_taken_without_valkey(
        self, servers: Servers
    ) -> None:
        environ = {
            **os.environ,
            "DATABASE_URL": servers.database_url,
            "REDIS_URL": servers.redis_url,
            "DJANGO_SETTINGS_MODULE": "circuitos.settings",
        }
        _python(environ, "manage.py", "migrate_schemas", "--shared")
        path = f"/hooks/{_python(environ, '-c', SET_UP % self.SECRET).split()[-1]}/"
        web = Web(environ)
        postgres, valkey = servers.processes
        try:
            assert self._deliver(web, path, "first") == 202

            valkey.end()
            begun = time.monotonic()
            assert [self._deliver(web, path, f"no-bell-{number}") for number in range(20)] == [202] * 20
            assert time.monotonic() - begun < 10

            postgres.end()
            begun = time.monotonic()
            assert [self._deliver(web, path, f"away-{number}") for number in range(20)] == [429] * 20
            assert time.monotonic() - begun < 10

            again = Process(postgres.program, log=postgres.log)
            again.start_alone()
            servers.processes.append(again)
            deadline = time.monotonic() + 60
            while (status := self._deliver(web, path, "away-1")) == 429:
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert status == 202
            assert self._deliver(web, path, "first") == 200
        finally:
            web.stop()

    def _deliver(self, web: Web, path: str, name: str) -> int:
        body = body_of({"type": "contact.created", "data": {"id": name}})
        answer = web.send(path, body, sign_standard(body, secret=self.SECRET, message_id=name))
        if answer.status == 429:
            assert answer.document["code"] == "triggers.unavailable"
            assert int(answer.headers["Retry-After"]) >= 1
        return answer.status


def _python(environ: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-W", "ignore", *arguments]
    done = subprocess.run(command, cwd=BASE_DIR, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _receive(hook: Any, body: bytes, headers: dict[str, str]) -> ingest.Receipt:
    lowered = {name.lower(): value for name, value in headers.items()}
    return ingest.receive(hook=hook, body=body, headers=lowered, method="POST", uris=(), at=AT)
