"""The access matrix: every address, asked by everyone, against one table.

A new address falls under a rule by the name of its page; one that no rule names fails the test. Most are
asked by GET, where nothing is done; whoever may only look also posts to all of them.
"""

from __future__ import annotations

import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, get_resolver

from tenants.models import ApiKey, AuditEvent, Connection, Tenant
from tenants.scope import every_tenant
from tenants.staff_roles import PLACES, StaffRole, give_role
from tenants.tokens import issue
from tests import factories
from tests.rows import make_event, make_execution
from triggers.models import Event, Execution

pytestmark = pytest.mark.django_db

STAFF = [role.value for role in StaffRole]
WHO = ["anonymous", "member", "stranger", "no role", *STAFF, "superuser"]
IN, ASKED, NOTHING, REFUSED = "in", "asked to sign in", "nothing here", "refused"

# What is noted of whoever only takes a look along.
LOOKING = {"execution.test-made"}

# By name of the page, the first that fits: who is let in. All staff: whoever has a role.
LOOKED_AT = r"admin:login|admin:logout|console-code|console-second-factor"  # by their own tests
CONSOLE = [
    # Nothing of anybody is shown: whoever is staff.
    (r"console-confirm|admin:jsi18n|admin:password_change(_done)?", {"no role", *STAFF, "superuser"}),
    (r"admin:tenants_apikey_add|admin:auth_user_(add|password_change)", {"owner", "superuser"}),
    (
        r"admin:(index|search|view_on_site|app_list|autocomplete)|jail|tail|tail-.*|console-.*|admin:triggers_trigger_.*",
        {*STAFF, "superuser"},
    ),
]


def let_in(name):
    """Who may be let in to a page of the console; None when nothing says so."""
    for pattern, who in CONSOLE:
        if re.fullmatch(pattern, name):
            return who
    for model in admin.site._registry:
        label = model._meta.label_lower
        if name.startswith(f"admin:{label.replace('.', '_')}_"):
            adds = name == f"admin:{label.replace('.', '_')}_add"
            return {PLACES[label].value, "owner", "superuser"} if adds else {*STAFF, "superuser"}
    return None


# What leads in or out, for people nobody knows yet.
PORTAL_OPEN = (
    r"portal-(sign-in|ask-code|enter-code|landing|sign-out|reset(-sent|-key)?|invitation|join|left)|"
    r"account_.*"
)


def named(resolver=None, prefix="", namespace=""):
    """Every address: its name and its path, parts in angle brackets."""
    for each in (resolver or get_resolver()).url_patterns:
        route = prefix + str(each.pattern).lstrip("^")
        if isinstance(each, URLPattern):
            yield f"{namespace}{each.name or ''}", route
        else:
            inner = f"{namespace}{each.namespace}:" if each.namespace else namespace
            yield from named(each, route, inner)


def portal_addresses():
    return [(name, "/t/acme/" + path) for name, path in named(get_resolver("circuitos.portal_urls"))]


def console_addresses():
    return [(name, "/" + path) for name, path in named() if path.startswith("admin/")]


@pytest.fixture
def world(acme, globex):
    """Rows of acme, as what stands in for the parts of an address."""
    linked = factories.make_connection(acme, "standard")
    key, _ = issue(tenant=acme, user=None, name="of acme")
    event = make_event(acme)
    execution = make_execution(
        acme, records=[{"id": event.record_id}], event_ids=[event.pk], event_codes=[event.code]
    )
    return {
        Tenant: acme.code,
        Connection: linked.code,
        ApiKey: key.code,
        Execution: execution.code,
        Event: event.code,
    }


@pytest.fixture
def people(owner, stranger, operator):
    """A signed-in client for each who asks."""
    found = {"anonymous": Client(), "member": owner, "stranger": stranger, "superuser": operator}
    found["no role"] = User.objects.create_user("idle", is_staff=True)
    for role in STAFF:
        found[role] = User.objects.create_user(f"staff-{role}")
        give_role(found[role], role, actor="test")
    clients = {}
    for who in WHO:
        clients[who] = Client(raise_request_exception=False)
        if who != "anonymous":
            clients[who].force_login(found[who])
    return clients


def filled(path, world, name):
    """The path with ids of acme in it."""
    model = next(
        (m for m in world if f"_{m._meta.model_name}_" in name or m._meta.model_name in name), Tenant
    )
    code = str(world[model])
    path = re.sub(r"<uuid:\w+>|<path:object_id>", code, path)
    path = re.sub(r"<(?:str|slug):\w+>|<\w+>", "acme", path)
    path = re.sub(r"<int:\w+>", "1", path)
    return re.sub(r"\(\?P<\w+>[^)]*\)|\.\*|[$?\\]", "", path)


def outcome(response):
    status = response.status_code
    if status == 302 and re.search(r"/(login|sign-in)/", response["Location"]):
        return ASKED
    return {404: NOTHING, 403: REFUSED}.get(status, IN if status < 500 else f"broken ({status})")


class TestConsole:
    def test_whoever_is_no_staff_finds_nothing_anywhere(self, world, people):
        wrong = []
        for name, path in console_addresses():
            address = filled(path, world, name)
            if re.fullmatch(LOOKED_AT, name):
                continue
            told = {who: outcome(people[who].get(address)) for who in ("anonymous", "member", "stranger")}
            if name == "admin:jsi18n":
                told["anonymous"] = ASKED  # words for scripts, nothing of anybody
            if told != {"anonymous": ASKED, "member": NOTHING, "stranger": NOTHING}:
                wrong.append((name, address, told))

        assert wrong == [], wrong

    def test_staff_are_let_in_by_their_role(self, world, people):
        wrong = []
        for name, path in console_addresses():
            if re.fullmatch(LOOKED_AT, name) or name in {"admin:", "admin"}:
                continue
            allowed = let_in(name)
            if allowed is None:
                wrong.append((name, path, "has no place in the table"))
                continue
            address = filled(path, world, name)
            for who in ("no role", *STAFF, "superuser"):
                told = outcome(people[who].get(address))
                if told.startswith("broken") or (who not in allowed and told == IN):
                    wrong.append((name, who, told))
                # What changes something asks for more than a role that sees; what shows, never.
                is_list = name.endswith("_changelist") or name == "admin:index"
                if who in allowed and is_list and told != IN:
                    wrong.append((name, who, told))

        assert wrong == [], wrong

    def test_whoever_may_only_look_changes_nothing_by_posting_anywhere(self, world, people):
        def state():
            rows = {m._meta.label: m.objects.count() for m in admin.site._registry if m is not AuditEvent}
            return rows, list(Tenant.objects.values()), list(Connection.objects.values())

        addresses = console_addresses()  # registers what the console shows
        with every_tenant():
            before = state()
        known = set(AuditEvent.objects.values_list("pk", flat=True))
        broken = []
        for name, path in addresses:
            if re.fullmatch(LOOKED_AT, name) or name in {"admin:", "admin"}:
                continue
            address = filled(path, world, name)
            for who in ("member", "no role", "viewer"):
                for data in ({}, {"post": "yes", "_save": "Save", "reason": "Why.", "confirm": "yes"}):
                    told = people[who].post(address, data).status_code
                    if told >= 500 or (who == "member" and told != 404):
                        broken.append((name, who, told))

        with every_tenant():
            after = state()
        assert broken == [], broken
        assert after == before
        # That somebody looked is noted, nothing else.
        assert set(AuditEvent.objects.exclude(pk__in=known).values_list("verb", flat=True)) <= LOOKING

    def test_each_registered_model_has_its_place_among_the_roles(self):
        labels = {model._meta.label_lower for model in admin.site._registry}

        assert labels - set(PLACES) == set()

    @pytest.mark.parametrize("role", STAFF)
    def test_a_role_changes_what_its_place_says_and_no_more(self, role, db):
        person = User.objects.create_user("one")
        give_role(person, role, actor="test")
        person = User.objects.get(pk=person.pk)

        for model in admin.site._registry:
            label = model._meta.label_lower
            app, name = label.split(".")
            may = person.has_perm(f"{app}.change_{name}")
            assert may == (role == "owner" or PLACES[label] == role), label
            assert person.has_perm(f"{app}.view_{name}")


class TestPortal:
    def test_a_stranger_finds_nothing_and_nobody_else_does_without_signing_in(self, world, people):
        wrong = []
        for name, path in portal_addresses():
            if re.fullmatch(PORTAL_OPEN, name):
                continue
            address = filled(path, world, name)
            for who in ("anonymous", "stranger", "member", "superuser"):
                told = {outcome(people[who].get(address)), outcome(people[who].post(address))}
                # A verb tells nobody by GET that it is one: 405 says nothing of a tenant's.
                if who == "anonymous" and IN in told and 405 not in _statuses(people[who], address):
                    wrong.append((name, who, told))
                if who == "stranger" and not told <= {NOTHING, IN, REFUSED}:
                    wrong.append((name, who, told))
                if who == "stranger" and {200, 302, 403} & _statuses(people[who], address):
                    wrong.append((name, who, told, _statuses(people[who], address)))
                if any(each.startswith("broken") for each in told):
                    wrong.append((name, who, told))

        assert wrong == [], wrong


class TestApi:
    def test_needs_a_token_and_tells_nothing_of_another_tenants_rows(self, world, globex, api):
        foreign = api(issue(tenant=globex, user=None, name="globex")[1])
        nobody = api()
        wrong = []
        for name, path in named():
            if not path.startswith("api/v1/"):
                continue
            is_of_a_row = "<" in path
            address = "/" + filled(path, world, name)
            for method in ("get", "post", "patch", "delete"):
                unknown = getattr(nobody, method)(address).status_code
                if unknown not in {401, 405}:
                    wrong.append((address, method, "anonymous", unknown))
                if is_of_a_row:
                    told = getattr(foreign, method)(address, {}, format="json").status_code
                    if told not in {404, 405}:
                        wrong.append((address, method, "stranger", told))

        assert wrong == [], wrong


class TestEverything:
    def test_each_address_belongs_to_one_of_the_parts(self):
        known = ("admin", "api/", "healthz", "readyz", "metrics", "hooks/", "connect/")
        unplaced = [path for _, path in named() if path and not path.startswith(known)]
        names = {
            name for name, _ in portal_addresses() if not name.startswith(("portal-", "account_", "mfa_"))
        }

        assert unplaced == []
        assert names <= {""}


def _statuses(client, address):
    return {client.get(address).status_code, client.post(address).status_code}


def test_the_matrix_asks_enough():
    assert len(console_addresses()) + len(portal_addresses()) > 80
