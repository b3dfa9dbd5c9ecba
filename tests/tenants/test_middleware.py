"""Portals are found by host and path; proxies speak only when trusted; the database has few slots."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory

from tenants import middleware, slots
from tenants.middleware import DatabaseSlots, Portal, TrustedProxies
from tenants.slots import SLOTS, Busy, database_slot


def routed(path: str, host: str = "testserver", *, portal: Portal | None = None):
    """The request as the middleware passed it on."""
    passed = []
    portal = portal or Portal(lambda request: HttpResponse())
    portal.get_response = lambda request: passed.append(request) or HttpResponse()
    portal(RequestFactory().get(path, HTTP_HOST=host))
    return passed[0]


@pytest.mark.django_db
class TestPortal:
    @pytest.mark.parametrize("host", ["acme.localhost", "ACME.localhost:8000", "acme.localhost:80"])
    def test_a_slugs_host_leads_to_its_tenant(self, acme, globex, host):
        request = routed("/", host)

        assert (request.tenant, request.urlconf) == (acme, "circuitos.portal_urls")

    @pytest.mark.parametrize(
        ("path", "rest"), [("/t/acme/", "/"), ("/t/acme", "/"), ("/t/acme/a/b/", "/a/b/")]
    )
    def test_a_path_leads_to_its_tenant_on_any_host(self, acme, path, rest):
        request = routed(path, "anything.example")

        assert (request.tenant, request.path_info, request.path) == (acme, rest, path)

    def test_a_host_of_its_own_leads_to_its_tenant(self, acme):
        acme.domains.create(domain="crm.acme.example", is_primary=False)

        assert routed("/", "crm.acme.example").tenant == acme

    @pytest.mark.parametrize(
        "host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "a.acme.localhost", "x.localhost"]
    )
    def test_other_hosts_lead_to_none(self, acme, host):
        request = routed("/", host)

        assert request.tenant is None
        assert not hasattr(request, "urlconf")

    @pytest.mark.parametrize("path", ["/hooks/x/", "/api/v1/events/", "/admin/", "/healthz", "/static/a.css"])
    def test_the_platforms_own_paths_ask_nothing(self, acme, path, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert routed(path, "acme.localhost").tenant is None

    def test_asks_once_in_five_seconds_also_for_nobody(self, acme, django_assert_num_queries):
        portal = Portal(lambda request: HttpResponse())

        with django_assert_num_queries(2):
            for _ in range(3):
                routed("/", "acme.localhost", portal=portal)
                routed("/", "nobody.localhost", portal=portal)

    def test_what_one_request_does_to_its_tenant_is_not_seen_by_the_next(self, acme):
        portal = Portal(lambda request: HttpResponse())
        routed("/", "acme.localhost", portal=portal).tenant.name = "changed"

        assert routed("/", "acme.localhost", portal=portal).tenant.name == "Acme"

    def test_an_unknown_slug_in_the_path_is_404(self, acme):
        assert Client().get("/t/nobody/").status_code == 404


class TestTrustedProxies:
    @pytest.fixture
    def seen(self, monkeypatch):
        """Calls with the headers of a proxy; gives the request as it went on."""
        import ipaddress

        networks = (ipaddress.ip_network("10.0.0.0/8"),)
        monkeypatch.setattr(middleware, "_proxies", lambda: networks)

        def call(remote: str, **headers: str):
            passed = []
            TrustedProxies(passed.append)(RequestFactory().get("/", REMOTE_ADDR=remote, **headers))
            return passed[0]

        return call

    def test_a_trusted_one_tells_address_host_and_scheme(self, seen):
        request = seen(
            "10.0.0.1",
            HTTP_X_FORWARDED_FOR="6.6.6.6, 203.0.113.9, 10.0.0.2",
            HTTP_X_FORWARDED_HOST="circuit.test",
            HTTP_X_FORWARDED_PROTO="https",
        )

        assert request.META["REMOTE_ADDR"] == "203.0.113.9"
        assert (request.get_host(), request.scheme) == ("circuit.test", "https")

    @pytest.mark.parametrize("remote", ["203.0.113.1", "", "garbage"])
    def test_others_are_not_believed(self, seen, remote):
        request = seen(
            remote,
            HTTP_X_FORWARDED_FOR="6.6.6.6",
            HTTP_X_FORWARDED_HOST="evil.test",
            HTTP_X_FORWARDED_PROTO="https",
        )

        assert request.META["REMOTE_ADDR"] == remote
        assert (request.get_host(), request.scheme) == ("testserver", "http")
        assert not [name for name in request.META if "FORWARDED" in name]

    def test_garbage_in_the_chain_ends_it(self, seen):
        assert seen("10.0.0.1", HTTP_X_FORWARDED_FOR="<x>, 10.0.0.3").META["REMOTE_ADDR"] == "<x>"


class TestDatabaseSlots:
    @pytest.mark.django_db(transaction=True)
    def test_many_threads_hold_few_connections(self):
        # Counted on our side: PostgreSQL lists a closed connection for some moments more.
        opened = []
        barrier = Barrier(32)

        def request(_: int) -> int:
            barrier.wait()
            most = 0
            for _ in range(5):
                with database_slot():
                    connection.ensure_connection()
                    opened.append(connection.connection)
                    most = max(most, sum(not raw.closed for raw in list(opened)))
            return most

        with ThreadPoolExecutor(32) as pool:
            most = max(pool.map(request, range(32)))

        assert len(opened) == 160
        assert most <= SLOTS
        assert all(raw.closed for raw in opened)

    @pytest.mark.django_db
    def test_nests_without_waiting_for_itself(self, monkeypatch):
        import threading

        monkeypatch.setattr(slots, "_slots", threading.BoundedSemaphore(1))

        with database_slot(), database_slot(patience=0.0):
            pass
        with database_slot(patience=0.0):
            pass

    @pytest.mark.django_db
    def test_without_a_free_slot_it_says_so_and_webhooks_pass(self, monkeypatch):
        import threading

        full = threading.BoundedSemaphore(1)
        full.acquire()
        monkeypatch.setattr(slots, "_slots", full)
        answer = DatabaseSlots(lambda request: HttpResponse("in"))

        with pytest.raises(Busy), database_slot(patience=0.0):
            pass
        assert answer(RequestFactory().post("/hooks/x/")).content == b"in"

    @pytest.mark.django_db
    def test_a_failing_request_gives_its_slot_back(self, monkeypatch):
        import threading

        monkeypatch.setattr(slots, "_slots", threading.BoundedSemaphore(1))

        for _ in range(3):
            with pytest.raises(ZeroDivisionError), database_slot(patience=0.0):
                1 / 0  # noqa: B018

    @pytest.mark.django_db
    def test_a_full_house_answers_503(self, monkeypatch):
        import threading

        released = Event()
        holding = Event()
        monkeypatch.setattr(slots, "_slots", threading.BoundedSemaphore(1))

        def hold():
            with database_slot():
                holding.set()
                released.wait(10)

        thread = threading.Thread(target=hold)
        thread.start()
        holding.wait(10)
        monkeypatch.setattr(middleware, "database_slot", lambda: database_slot(patience=0.0))
        response = DatabaseSlots(lambda request: HttpResponse("in"))(RequestFactory().get("/"))
        released.set()
        thread.join()

        assert (response.status_code, response["Retry-After"]) == (503, "2")
