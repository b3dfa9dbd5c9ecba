"""Alerts: told once for each crossing and once when it is over, by e-mail and in Slack."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from pytest_httpserver import HTTPServer

from governor import alert_settings, notice_slack, notices
from governor.alert_models import Alert, AlertSettings
from governor.alert_settings import Wanted
from governor.models import Notice
from tenants.models import AuditEvent, Connection
from tenants.scope import every_tenant
from tests.query_counts import counted
from tests.rows import make_execution
from triggers import alerts
from triggers.models import Lane

pytestmark = pytest.mark.django_db
AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FORM = {"emails": "", "slack": "", "error_minutes": "15", "quota_thresholds": ["50", "80", "100"]}


def want(tenant, *, slack="", **fields):
    defaults = {
        "emails": [],
        "quota_thresholds": [50, 80, 100],
        "error_percent": None,
        "error_minutes": 15,
        "silent_hours": None,
        "tells_parked": False,
    }
    return alert_settings.save(tenant, Wanted(**{**defaults, **fields}, slack=slack), actor="owner", at=AT)


def told(tenant):
    with every_tenant():
        return list(Notice.objects.filter(tenant=tenant).order_by("pk").values_list("kind", "subject"))


def fail(tenant, count, *, at=AT, **fields):
    for _ in range(count):
        make_execution(tenant, status="failed", ok=0, failed=3, at=at, **fields)


@pytest.fixture
def slack(settings):
    """A server that stands for Slack; what it was sent is in ``log``."""
    with HTTPServer(host="127.0.0.1") as server:
        settings.EGRESS_ALLOW = ["127.0.0.1", f"127.0.0.1:{server.port}"]
        yield server


class TestErrorRate:
    def test_is_told_once_and_when_it_is_over(self, acme, globex):
        want(acme, error_percent=20)
        want(globex, error_percent=20)
        for _ in range(6):
            make_execution(acme, at=AT)
        fail(acme, 4)

        assert alerts.review(at=AT + MINUTE) == 1
        assert alerts.review(at=AT + 2 * MINUTE) == 0
        assert told(acme) == [("alert", "40 % of the last 15 minutes failed")]
        assert told(globex) == []

        for _ in range(30):
            make_execution(acme, at=AT + 3 * MINUTE)
        assert alerts.review(at=AT + 4 * MINUTE) == 1
        assert told(acme)[1:] == [("recovered", "Over: 40 % of the last 15 minutes failed")]
        fail(acme, 30, at=AT + 5 * MINUTE)
        assert alerts.review(at=AT + 6 * MINUTE) == 1

    def test_needs_enough_of_them_and_live_ones(self, acme):
        want(acme, error_percent=1)
        fail(acme, 4)
        fail(acme, 4, mode="dry")
        fail(acme, 4, at=AT - timedelta(hours=1))

        assert alerts.review(at=AT + MINUTE) == 0


class TestSilence:
    def test_of_an_active_connection_is_told(self, acme, acme_ghl, acme_standard, globex_ghl):
        want(acme, silent_hours=6)
        old = AT - timedelta(hours=7)
        Connection.objects.update(last_event_at=old)
        Connection.objects.filter(pk=acme_standard.pk).update(is_active=False)
        Connection.objects.filter(pk=acme_ghl.pk).update(name="North")

        assert alerts.review(at=AT) == 1
        assert told(acme) == [("alert", "North has sent nothing for 6 hours")]

        Connection.objects.filter(pk=acme_ghl.pk).update(last_event_at=AT)
        assert alerts.review(at=AT + MINUTE) == 1
        assert told(acme)[-1][0] == "recovered"


class TestParked:
    def test_events_that_wait_are_told_with_the_reason(self, acme, globex):
        want(acme, tells_parked=True)
        with every_tenant():
            lane = Lane.objects.create(tenant=acme, object="Contact", parked_reason="quota")
            Lane.objects.create(tenant=globex, object="Contact", parked_reason="quota")

        assert alerts.review(at=AT) == 1
        with every_tenant():
            assert "a quota is used up" in Notice.objects.get().text
            Lane.objects.filter(pk=lane.pk).update(parked_reason="")
        assert alerts.review(at=AT + MINUTE) == 1

    def test_a_rule_that_is_switched_off_ends_unsaid(self, acme):
        want(acme, tells_parked=True)
        with every_tenant():
            Lane.objects.create(tenant=acme, object="Contact", parked_reason="quota")
        alerts.review(at=AT)

        want(acme)
        alerts.review(at=AT + MINUTE)

        assert [kind for kind, _ in told(acme)] == ["alert"]
        with every_tenant():
            assert not Alert.objects.filter(ended_at=None).exists()


class TestRecipients:
    @pytest.fixture(autouse=True)
    def _mail(self, settings):
        settings.NOTICES_BY_EMAIL = True

    def test_are_those_named_or_else_the_owners(self, acme, globex, owner, stranger):
        want(acme, emails=["ops@acme.test", "boss@acme.test"], tells_parked=True)
        want(globex, tells_parked=True)
        with every_tenant():
            for tenant in (acme, globex):
                Lane.objects.create(tenant=tenant, object="Contact", parked_reason="paused")

        alerts.review(at=AT)
        notices.send(at=AT)

        assert [message.to for message in mail.outbox] == [
            ["ops@acme.test", "boss@acme.test"],
            [stranger.email],
        ]

    def test_of_a_quota_hear_the_thresholds_they_chose(self, acme, owner):
        want(acme, quota_thresholds=[100])
        with connection.cursor() as cursor:
            for threshold in (50, 80, 100):
                notices.tell(
                    cursor,
                    tenant_id=acme.pk,
                    key=f"d:2026-05-04:executions:{threshold}:100",
                    kind="threshold",
                    subject=f"{threshold} %",
                    text="…",
                    at=AT,
                )

        assert notices.send(at=AT) == 1
        assert [message.subject for message in mail.outbox] == ["Acme: 100 %"]


class TestSlack:
    def test_gets_what_is_told_once(self, acme, slack):
        slack.expect_request("/services/T0/B0/x", method="POST").respond_with_data("ok")
        want(acme, slack=slack.url_for("/services/T0/B0/x"), tells_parked=True)
        with every_tenant():
            Lane.objects.create(tenant=acme, object="Contact", parked_reason="quota")
        alerts.review(at=AT + MINUTE)

        assert notice_slack.send(at=AT + MINUTE) == 1
        assert notice_slack.send(at=AT + 2 * MINUTE) == 0

        ((request, _),) = slack.log
        assert request.get_json()["text"].startswith("*Acme: Events wait*\n")

    def test_that_is_down_is_tried_again_and_that_refuses_is_not(self, acme, slack):
        slack.expect_ordered_request("/services/x").respond_with_data("", status=503)
        slack.expect_ordered_request("/services/x").respond_with_data("no_service", status=404)
        want(acme, slack=slack.url_for("/services/x"), tells_parked=True)
        with every_tenant():
            Lane.objects.create(tenant=acme, object="Contact", parked_reason="quota")
        alerts.review(at=AT)

        assert notice_slack.send(at=AT) == 0
        assert notice_slack.send(at=AT) == 0  # not so soon
        assert notice_slack.send(at=AT + notices.AGAIN_AFTER) == 0
        assert notice_slack.send(at=AT + 2 * notices.AGAIN_AFTER) == 0

        assert len(slack.log) == 2
        with every_tenant():
            assert "Slack refused it (404)" in Notice.objects.get().slack_problem

    @pytest.mark.parametrize(
        "url",
        [
            "http://hooks.slack.com/services/x",
            "https://hooks.slack.com.evil.test/services/x",
            "https://evil@hooks.slack.com/services/x",
            "https://hooks.slack.com:8443/services/x",
            "https://127.0.0.1/services/x",
            "https://hooks.slack.com",
            "https://[x",
            "ftp://x",
        ],
    )
    def test_other_addresses_are_refused(self, acme, url):
        with pytest.raises(notice_slack.BadSlack):
            want(acme, slack=url)


class TestPage:
    @pytest.fixture
    def enter(self, acme, globex):
        def client(person, **options):
            found = Client(HTTP_HOST="acme.localhost", **options)
            found.force_login(person)
            return found

        return client

    def test_saves_what_is_wanted_and_never_shows_the_address(self, enter, acme, owner):
        address = "https://hooks.slack.com/services/T0/B0/secretpart"
        form = {
            "emails": "ops@acme.test\nops@acme.test boss@acme.test",
            "slack": address,
            "quota_thresholds": ["100"],
            "error_percent": "20",
            "error_minutes": "60",
            "silent_hours": "6",
            "tells_parked": "on",
        }
        page = enter(owner).post("/alerts/save/", form, follow=True).content.decode()

        assert "Saved." in page
        assert "secretpart" not in page
        assert "A Slack webhook is kept" in page
        with every_tenant():
            row = AlertSettings.objects.get(tenant=acme)
        assert (row.emails, row.quota_thresholds) == (["ops@acme.test", "boss@acme.test"], [100])
        assert (row.error_percent, row.error_minutes, row.silent_hours, row.tells_parked) == (20, 60, 6, True)
        assert b"secretpart" not in bytes(row.sealed_slack)
        assert AuditEvent.objects.get().verb == "changed the alerts of"

        enter(owner).post("/alerts/save/", FORM)
        with every_tenant():
            assert AlertSettings.objects.get(tenant=acme).sealed_slack is not None
        enter(owner).post("/alerts/save/", {**FORM, "forget_slack": "on"})
        with every_tenant():
            assert AlertSettings.objects.get(tenant=acme).sealed_slack is None

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ({"emails": "nobody"}, "nobody is no e-mail address."),
            ({"emails": "\n".join(f"a{n}@b.test" for n in range(11))}, "At most 10 addresses."),
            ({"slack": "https://example.com/hook"}, "Slack&#x27;s incoming webhooks begin"),
            ({"error_percent": "0"}, "greater than or equal to 1"),
            ({"silent_hours": "x"}, "Enter a whole number."),
            ({"error_minutes": "7"}, "Select a valid choice."),
            ({"quota_thresholds": ["12"]}, "Select a valid choice."),
        ],
    )
    def test_says_what_is_wrong(self, enter, owner, values, said):
        page = enter(owner).post("/alerts/save/", {**FORM, **values}).content.decode()

        assert said in page
        with every_tenant():
            assert not AlertSettings.objects.exists()

    def test_sends_a_test_alert_and_says_what_became_of_it(self, enter, acme, owner, slack, settings):
        settings.NOTICES_BY_EMAIL = True
        slack.expect_request("/services/x").respond_with_data("ok")
        alert_settings.save(
            acme,
            Wanted([], slack.url_for("/services/x"), [100], None, 15, None, tells_parked=False),
            actor="owner",
            at=datetime.now(UTC),
        )

        page = enter(owner).post("/alerts/test/", follow=True).content.decode()

        assert "The test alert is sent." in page
        assert mail.outbox[0].subject == "Acme: A test alert"
        assert len(slack.log) == 1

    def test_tells_that_a_test_alert_did_not_arrive(self, enter, owner):
        page = enter(owner).post("/alerts/test/", follow=True).content.decode()

        assert "did not go everywhere" in page
        assert "No mail server is set" in page

    def test_is_changed_by_owners_alone(self, enter, member, operator, stranger):
        for person, status in ((member, 403), (operator, 403), (stranger, 404)):
            for path in ("/alerts/save/", "/alerts/test/"):
                assert enter(person).post(path, FORM).status_code == status
        assert "Save<" not in enter(member).get("/alerts/").content.decode()
        with every_tenant():
            assert not Notice.objects.exists()

    def test_shows_the_tenants_own(self, enter, acme, globex, owner):
        for tenant in (acme, globex):
            want(tenant, tells_parked=True)
            with every_tenant():
                Lane.objects.create(tenant=tenant, object="Contact", parked_reason="quota")
        with every_tenant():
            Alert.objects.create(tenant=globex, key="x", subject="Globex's own", began_at=AT)
        alerts.review(at=AT)
        client = enter(owner)
        page = client.get("/alerts/").content.decode()
        assert page.count("Events wait") == 2
        assert "Globex" not in page

        with counted("portal.alerts"):
            client.get("/alerts/")
