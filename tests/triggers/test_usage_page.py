"""The portal's usage page: for the tenant's people alone; owners ask for more; it costs a fixed amount."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client

from circuitos.env import env
from governor import notices
from governor.models import UpgradeRequest
from governor.quotas import Spent
from tenants.models import Tier
from tenants.scope import every_tenant
from tests.query_counts import counted
from tests.rows import make_execution
from tests.triggers.spending import park, spend
from triggers import upgrades

pytestmark = pytest.mark.django_db


@pytest.fixture
def enter(acme, globex):
    """``enter(person)``: a browser on acme's host, signed in."""

    def client(person=None, **options):
        found = Client(HTTP_HOST="acme.localhost", **options)
        if person is not None:
            found.force_login(person)
        return found

    return client


def page_of(client, path="/usage/"):
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


class TestEntrance:
    @pytest.mark.parametrize("path", ["/usage/", "/usage.csv"])
    @pytest.mark.parametrize("person", ["owner", "member", "operator"])
    def test_members_and_operators_enter(self, request, enter, path, person):
        assert enter(request.getfixturevalue(person)).get(path).status_code == 200

    @pytest.mark.parametrize("path", ["/usage/", "/usage.csv"])
    def test_others_do_not(self, enter, stranger, path):
        assert enter().get(path)["Location"] == "/sign-in/"
        refused = enter(stranger).get(path)
        assert refused.status_code == 404
        assert "Acme" not in refused.content.decode()

    def test_stands_below_a_path_too(self, enter, owner):
        client = Client(HTTP_HOST="any.example")
        client.force_login(owner)

        page = page_of(client, "/t/acme/usage/")

        assert 'href="/t/acme/usage.csv"' in page
        assert 'href="/t/acme/usage/" aria-current="page"' in page

    def test_of_another_tenant_no_row_is_shown(self, acme, globex, stranger):
        spend(acme, Spent(77, 5), trigger="Acme.secret")
        park(acme)
        client = Client(HTTP_HOST="globex.localhost")
        client.force_login(stranger)

        page, file = page_of(client), page_of(client, "/usage.csv")

        assert "Acme" not in page + file
        assert "77" not in file
        assert "events wait" not in page


class TestFigures:
    def test_shows_used_allowed_and_the_reset(self, enter, acme, globex, owner):
        spend(acme, Spent(42, 7), trigger="My.trigger")
        spend(globex, Spent(9_999, 7), trigger="Not.mine")

        page = page_of(enter(owner))

        assert "<strong>42</strong> of 100" in page
        assert "Resets" in page
        assert "My.trigger" in page
        assert "Not.mine" not in page
        assert "9,999" not in page

    @pytest.mark.parametrize(
        ("used", "said"),
        [(79, ("good", "")), (80, ("close", "▲ Close to the quota")), (100, ("full", "✕ Used up"))],
    )
    def test_a_standing_is_said_in_words_too(self, enter, acme, owner, used, said):
        tone, standing = said
        spend(acme, Spent(used, 0))

        page = page_of(enter(owner))

        assert f'<span class="{tone}">{used} %' in page
        assert standing in page
        home = page_of(enter(owner), "/")
        assert f'{used} <span class="note">of 100' in home
        assert standing in home

    def test_a_quota_without_end_has_no_bar(self, enter, acme, owner):
        spend(acme, Spent(1, 1, 5_000, 12_345))

        page = page_of(enter(owner))

        assert "<strong>5,000</strong> · not limited" in page
        assert "$0.01" in page

    def test_lists_the_notices(self, enter, acme, globex, owner):
        at = datetime.now(UTC)
        with connection.cursor() as cursor:
            for tenant in (acme, globex):
                notices.tell(
                    cursor,
                    tenant_id=tenant.pk,
                    key="k",
                    kind="threshold",
                    subject=f"News of {tenant.slug}",
                    text="…",
                    at=at,
                )
                old = at - timedelta(days=31)
                notices.tell(
                    cursor, tenant_id=tenant.pk, key="old", kind="t", subject="Old", text="…", at=old
                )

        page = page_of(enter(owner))

        assert "News of acme" in page
        assert "News of globex" not in page
        assert "Old" not in page

    def test_what_a_script_calls_itself_is_no_markup(self, enter, acme, owner):
        spend(acme, Spent(1, 1), trigger="<script>alert(1)</script>")

        assert "<script" not in page_of(enter(owner))

    def test_the_policy_forbids_scripts_and_styles_in_place(self, enter, owner):
        answer = enter(owner).get("/usage/")

        assert "'unsafe-inline'" not in answer["Content-Security-Policy"]
        assert b"style=" not in answer.content
        assert b"<script" not in answer.content


class TestParked:
    def test_says_how_many_wait_why_and_when_they_run(self, enter, acme, globex, owner):
        spend(acme, Spent(100, 0))
        make_execution(acme, size=1)
        park(acme, events=37)
        park(globex, events=5)

        page = page_of(enter(owner))

        assert "37 events wait" in page
        assert "100 of today&#x27;s 100 executions are used." in page
        assert "That is 1 to 37 executions. With 100 executions a day all have run by" in page
        assert "… and 27 more." in page
        assert "kept for 30 days" in page

    def test_one_event_is_one(self, enter, acme, owner):
        park(acme, events=1)

        assert "1 event waits" in page_of(enter(owner))


class TestUpgrade:
    def test_is_offered_from_eighty_percent_and_asked_for_by_owners(self, enter, acme, globex, owner):
        client = enter(owner)
        assert "Larger plan" in page_of(client)
        spend(acme, Spent(80, 0))
        assert "Time for a larger plan?" in page_of(client)

        answer = client.post("/usage/upgrade/")

        assert answer["Location"] == "/usage/"
        page = page_of(client)
        assert "owner asked for it:" in page
        assert "Ask for Paid" not in page
        with every_tenant():
            (asked,) = UpgradeRequest.objects.all()
        assert (asked.tenant, asked.requested_by) == (acme, "owner")

    @pytest.mark.parametrize("person", ["member", "operator"])
    def test_others_are_told_who_can(self, request, enter, person):
        client = enter(request.getfixturevalue(person))

        assert "An owner of Acme can ask for it here." in page_of(client)
        assert client.post("/usage/upgrade/").status_code == 403
        with every_tenant():
            assert not UpgradeRequest.objects.exists()

    def test_strangers_ask_for_nothing(self, enter, stranger):
        assert enter().post("/usage/upgrade/")["Location"] == "/sign-in/"
        assert enter(stranger).post("/usage/upgrade/").status_code == 404
        assert enter(stranger).get("/usage/upgrade/").status_code == 405

    def test_a_form_of_elsewhere_is_refused(self, enter, owner):
        assert enter(owner, enforce_csrf_checks=True).post("/usage/upgrade/").status_code == 403

    def test_an_address_of_ones_own_takes_its_place(self, enter, owner, monkeypatch):
        monkeypatch.setenv("UPGRADE_URL", "https://shop.example/plans")
        env.cache_clear()
        try:
            page = page_of(enter(owner))
        finally:
            monkeypatch.undo()
            env.cache_clear()

        assert '<a class="button" href="https://shop.example/plans"' in page
        assert "Ask for Paid" not in page

    def test_on_the_largest_plan_nothing_is_offered(self, enter, acme, owner):
        Tier.objects.filter(slug="free").update(upgrade_to=None)
        client = enter(owner)

        assert "Larger plan" not in page_of(client)
        client.post("/usage/upgrade/")
        assert "There is no larger plan than Free" in page_of(client)

    def test_after_the_approval_the_new_plan_stands_there(self, enter, acme, owner, operator):
        client = enter(owner)
        page_of(client)  # the middleware remembers the tenant as it was
        client.post("/usage/upgrade/")
        with every_tenant():
            asked = UpgradeRequest.objects.get()

        upgrades.approve(asked, actor="operator", at=datetime.now(UTC))

        page = page_of(client)
        assert "Paid plan ·" in page
        assert "of 10,000" in page
        assert "You have the Paid plan now" in page


class TestFile:
    def test_is_of_the_days_asked_for(self, enter, acme, globex, owner):
        spend(acme, Spent(3, 4), trigger="T.t", at=datetime(2026, 3, 2, 12, tzinfo=UTC))

        answer = enter(owner).get("/usage.csv?from=2026-03-01&to=2026-03-31")

        assert answer["Content-Type"] == "text/csv; charset=utf-8"
        assert "2026-03-02,T.t,3,4,0,0.000000" in answer.content.decode()

    @pytest.mark.parametrize("query", ["from=x", "from=2020-01-01&to=2026-01-01", "to=9999-12-31"])
    def test_days_that_cannot_be_are_told_on_the_page(self, enter, owner, query):
        client = enter(owner)

        answer = client.get(f"/usage.csv?{query}")

        assert answer["Location"] == "/usage/"
        assert 'role="alert"' in page_of(client)


class TestCost:
    @pytest.mark.parametrize("rows", [10, 1_000])
    def test_is_the_same_however_many_rows(self, enter, acme, globex, owner, rows):
        at = datetime.now(UTC)
        with connection.cursor() as cursor:
            cursor.execute(
                """INSERT INTO governor_charged (tenant_id, "on", at, kind, trigger, executions, api_calls,
                                                 ai_tokens, ai_cost_micros)
                   SELECT %s, %s, %s, 'execution', 'T.t' || n, 1, 1, 1, 1 FROM generate_series(1, %s) n""",
                [acme.pk, at.date(), at, rows],
            )
            cursor.execute(
                """INSERT INTO governor_usage (tenant_id, period, starts_on, executions, api_calls, ai_tokens,
                                               ai_cost_micros, held_executions, held_calls, held_tokens)
                   SELECT %s, 'd', %s::date - n, 5, 5, 5, 5, 0, 0, 0 FROM generate_series(0, %s) n""",
                [acme.pk, at.date(), rows],
            )
        park(acme, events=min(rows, 50))
        client = enter(owner)
        page_of(client)  # the middleware reads the tenant

        with counted("portal.usage"):
            page = page_of(client)

        assert page.count("<tr>") < 80
