"""Operators set limits and quotas: looked at first, confirmed where it hurts, explained afterwards."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from governor import overrides
from governor.models import Override
from tenants.ids import new_code
from tenants.models import AuditEvent
from tests.query_counts import counted
from tests.rows import make_execution
from triggers import effective, registry
from triggers.registry import ScriptsDoNotLoad

pytestmark = pytest.mark.django_db
LIST = "/admin/governor/override/"
ADD = f"{LIST}add/"
SCORE = "ContactTrigger.score_new_leads"


@pytest.fixture
def some(acme, globex):
    """Overrides of every scope and state."""
    at = now()

    def put(name, value, **scope):
        return overrides.put(name=name, value=value, reason="so agreed", actor="eve", at=at, **scope)

    made = [
        put("api_calls", 60),
        put("weight", 3, tier=globex.tier),
        put("api_calls", 70, tenant=acme),
        put("cpu_ms", 9_000, tenant=globex, trigger="A.b"),
    ]
    lapsed = put("wall_ms", 20_000, tenant=acme, until=at + timedelta(days=1))
    Override.objects.filter(pk=lapsed.pk).update(until=at - timedelta(minutes=1))
    overrides.end(put("memory_mb", 64, tenant=globex), actor="eve", at=at)
    return made


def form(**change):
    return {
        "name": "api_calls",
        "scope": "tenant",
        "tenant": "acme",
        "value": "80",
        "ends": "lasting",
        "reason": "a launch",
        **change,
    }


def previewed(client, **change):
    return client.post(ADD, {**form(**change), "preview": "1"})


def set_(client, *, sure=False, **change):
    """Preview, then press Set on what came back."""
    page = previewed(client, **change)
    seen = page.context["form"].fingerprint
    more = {"sure": "1"} if sure else {}
    return client.post(ADD, {**form(**change), "seen": seen, "set": "1", **more}, follow=True)


class TestList:
    def test_costs_what_it_did(self, console, some):
        console.get(LIST)

        with counted("admin.overrides"):
            shown = console.get(LIST).content.decode()

        for said in (
            "API calls",
            "70 requests",
            "tenant acme",
            "tenant globex, trigger A.b",
            "so agreed",
            "eve",
        ):
            assert said in shown
        assert "In force" in shown
        assert "Set a limit or quota" in shown

    @pytest.mark.parametrize(
        ("query", "stays", "goes"),
        [
            ({"name": "weight"}, "tier paid", "tenant acme<"),
            ({"scope": "platform"}, "60 requests", "tier paid"),
            ({"scope": "tier"}, "tier paid", "60 requests"),
            ({"scope": "tenant"}, "70 requests", "60 requests"),
            ({"scope": "trigger"}, "trigger A.b", "60 requests"),
            ({"state": "lapsed"}, "wall_ms</span>", "memory_mb</span>"),
            ({"state": "ended"}, "memory_mb</span>", "wall_ms</span>"),
            ({"state": "in-force"}, "70 requests", "memory_mb</span>"),
        ],
    )
    def test_filters_narrow(self, console, some, query, stays, goes):
        shown = console.get(LIST, query).content.decode()

        assert stays in shown
        assert goes not in shown

    def test_by_tenant(self, console, some, globex):
        shown = console.get(LIST, {"tenant__id__exact": globex.pk}).content.decode()

        assert "trigger A.b" in shown
        assert "70 requests" not in shown

    def test_nothing_is_edited_or_deleted(self, console, some):
        page = f"{LIST}{some[0].code}/change/"

        assert console.get(page).status_code == 200
        assert console.post(page, {"value": 1}).status_code == 403
        assert console.post(f"{LIST}{some[0].pk}/delete/", {"post": "yes"}).status_code == 403
        some[0].refresh_from_db()
        assert some[0].value == 60


class TestSet:
    def test_first_it_is_looked_at(self, console, acme, globex):
        make_execution(acme, usage={"api_calls": [51, 50]}, status="failed", limit_name="api_calls")
        make_execution(globex, usage={"api_calls": [51, 50]}, status="failed", limit_name="api_calls")

        shown = previewed(console).content.decode()

        assert "this would have stopped none of 1 execution." in shown
        assert "at most 1 would have had room" in shown
        assert "50 from the platform, raised to 80 for tenant acme by operator because a launch." in shown
        assert not Override.objects.exists()

    def test_then_it_is_set_and_explained(self, console, acme, globex):
        answer = set_(console, trigger=SCORE, scope="tenant-trigger", ends="week")

        made = Override.objects.get()
        assert (made.value, made.tenant, made.trigger, made.actor) == (80, acme, SCORE, "operator")
        assert timedelta(days=6.9) < made.until - now() <= timedelta(days=7)
        shown = answer.content.decode()
        assert f"api_calls is 80 requests for trigger {SCORE} of acme until" in shown
        assert f"raised to 80 for trigger {SCORE} of acme by operator until" in shown
        told = AuditEvent.objects.get()
        assert (told.verb, told.tenant, told.data["value"]) == ("set", acme, 80)

    def test_what_hurts_needs_a_tick(self, console, acme, globex):
        make_execution(acme, usage={"api_calls": [45, 50]})

        refused = set_(console, value="40").content.decode()
        assert "would have stopped 1 execution of 1 tenant" in refused
        assert "Tick this first" in refused
        assert not Override.objects.exists()

        set_(console, value="40", sure=True)
        assert Override.objects.get().value == 40

    def test_nothing_is_set_that_was_not_looked_at(self, console, acme, globex):
        seen = previewed(console).context["form"].fingerprint

        answer = console.post(ADD, {**form(value="90"), "seen": seen, "set": "1", "sure": "1"})

        assert answer.context["after"].value == 90
        assert not Override.objects.exists()

    @pytest.mark.parametrize(
        ("change", "made"),
        [
            ({"scope": "platform"}, {"tier": None, "tenant": None, "trigger": ""}),
            ({"scope": "tier", "tier": "paid"}, {"tier_id": "paid", "tenant": None}),
            ({"scope": "trigger", "trigger": "A.b"}, {"tenant": None, "trigger": "A.b"}),
            ({"scope": "tenant", "trigger": "A.b"}, {"trigger": ""}),
        ],
    )
    def test_for_each_scope(self, console, acme, globex, change, made):
        assert set_(console, **change).status_code == 200

        found = Override.objects.get()
        assert {name: getattr(found, name) for name in made} == made

    @pytest.mark.parametrize("ends", ["midnight", "day", "date"])
    def test_with_an_end(self, console, acme, globex, ends):
        acme.timezone = "Pacific/Auckland"
        acme.save(update_fields=["timezone"])
        date = f"{now() + timedelta(days=3):%Y-%m-%dT12:30}"

        set_(console, ends=ends, until=date)

        until = Override.objects.get().until
        told = {
            "midnight": until.minute == 0 and until.hour in {11, 12},
            "day": timedelta(hours=23.9) < until - now() <= timedelta(hours=24),
            "date": f"{until:%Y-%m-%dT%H:%M}" == date,
        }
        assert told[ends]

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"value": "2000"}, "api_calls is a whole number from 0 to 1,000 requests."),
            ({"value": "much"}, "Enter a whole number."),
            ({"reason": "x"}, "Say why, in a few words"),
            (
                {"name": "weight", "scope": "trigger", "trigger": "A.b", "value": "3"},
                "belongs to a tenant or tier",
            ),
            ({"tenant": "initech"}, "There is no such tenant."),
            ({"tenant": ""}, "Say which tenant, by its slug."),
            ({"scope": "tier"}, "Say which tier."),
            ({"scope": "trigger"}, "Say which trigger, as Class.method."),
            ({"ends": "date"}, "Say until when."),
            ({"ends": "date", "until": "2020-01-01T00:00"}, "The end lies in the past."),
            ({"name": "turns"}, "Select a valid choice."),
        ],
    )
    def test_faults_are_told_in_sentences(self, console, acme, globex, change, said):
        page = previewed(console, **change)

        assert said in page.content.decode()
        assert "seen" not in page.context
        assert not Override.objects.exists()

    def test_a_link_fills_in_the_form(self, console, acme):
        page = console.get(ADD, {"name": "cpu_ms", "tenant": "acme", "trigger": SCORE})

        shown = page.context["form"]
        assert (shown["name"].value(), shown["scope"].value()) == ("cpu_ms", "tenant-trigger")
        assert console.get(ADD, {"trigger": SCORE}).context["form"]["scope"].value() == "trigger"

    def test_what_is_more_special_is_told_to_rule(self, console, some, acme, globex):
        shown = previewed(console, scope="tier", tier="paid", name="weight", value="5").content.decode()

        assert "Something more special" not in shown
        assert "raised to 5 for tier paid" in shown


class TestEnd:
    def test_asks_first_then_what_stood_below_holds(self, console, some, acme):
        page = f"{LIST}{some[2].code}/end/"
        assert "End api_calls 70 requests for tenant acme?" in console.get(page).content.decode()
        some[2].refresh_from_db()
        assert some[2].ended_at is None

        answer = console.post(page, {"reason": "it is over"}, follow=True)

        some[2].refresh_from_db()
        assert (some[2].ended_by, some[2].ended_at is not None) == ("operator", True)
        assert "what stood below it holds again" in answer.content.decode()
        assert AuditEvent.objects.order_by("id").last().data["reason"] == "it is over"
        assert "It is ended already" in console.get(page).content.decode()

    def test_an_unknown_one(self, console):
        assert console.get(f"{LIST}{new_code()}/end/").status_code == 404


class TestEffective:
    def page(self, tenant):
        return f"{LIST}effective/{tenant.code}/"

    def test_tells_every_value_and_why(self, console, some, acme, globex):
        console.get(self.page(acme))
        with counted("admin.effective"):
            shown = console.get(self.page(acme)).content.decode()

        assert "60 for the platform by eve because so agreed, raised to 70 for tenant acme by eve" in shown
        assert "10 s" in shown
        assert "executions_per_month" in shown
        assert "unlimited" in shown
        assert "9,000" not in shown

    def test_of_one_trigger(self, console, some, globex):
        shown = console.get(self.page(globex), {"trigger": "A.b"}).content.decode()

        assert "lowered to 9,000 for trigger A.b of globex by eve" in shown
        assert '<option value="A.b" selected>' in shown

    def test_a_scripts_own_limits_are_among_them(self, console, acme, globex, monkeypatch):
        from tests.triggers.engine import spec

        made = registry.Registry([spec("T.modest", limits={"api_calls": 5})])
        monkeypatch.setattr(registry._Held, "registry", made)

        shown = console.get(self.page(acme), {"trigger": "T.modest"}).content.decode()

        assert "lowered to 5 by the script itself" in shown

    def test_opens_while_the_scripts_do_not_load(self, console, acme, monkeypatch):
        def broken():
            raise ScriptsDoNotLoad("A script is broken.")

        monkeypatch.setattr(effective, "registry", broken)

        assert console.get(self.page(acme)).status_code == 200
        assert console.get(ADD).status_code == 200

    def test_a_trace_leads_there(self, console, acme, globex):
        execution = make_execution(acme, usage={"api_calls": [3, 80], "cpu_ms": [5, 10_000]})

        shown = console.get(f"/admin/triggers/execution/{execution.code}/change/").content.decode()

        assert "why 80?" in shown
        assert f"{self.page(acme)}?trigger={SCORE}&amp;name=api_calls#api_calls" in shown
        assert "why 10 s?" not in shown

    def test_of_an_unknown_tenant(self, console):
        assert console.get(f"{LIST}effective/{new_code()}/").status_code == 404


class TestAccess:
    def pages(self, override, tenant):
        return [LIST, ADD, f"{LIST}{override.code}/end/", f"{LIST}effective/{tenant.code}/"]

    def test_is_for_operators_alone(self, client, some, acme, owner):
        for person in (None, owner):
            if person:
                client.force_login(person)
            for page in self.pages(some[0], acme):
                assert client.get(page).status_code == (404 if person else 302)
                assert client.post(page, form()).status_code == (404 if person else 302)

    def test_who_may_look_may_not_set(self, viewer, some, acme):
        looks, adds, ends, explains = self.pages(some[0], acme)

        shown = viewer.get(looks)
        assert shown.status_code == 200
        assert "Set a limit or quota" not in shown.content.decode()
        assert "/end/" not in shown.content.decode()
        assert "?name=" not in viewer.get(explains).content.decode()
        for page in (adds, ends):
            assert viewer.get(page).status_code == 403
            assert viewer.post(page, {**form(), "set": "1"}).status_code == 403
        some[0].refresh_from_db()
        assert some[0].ended_at is None

    def test_staff_without_any_permission_sees_nothing(self, client, some, acme, django_user_model):
        client.force_login(django_user_model.objects.create_user("idle", is_staff=True))

        for page in self.pages(some[0], acme):
            assert client.get(page).status_code == 403
