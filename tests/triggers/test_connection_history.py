"""What pages and REST say of a connection's past, to whom, and the verb that starts an import again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from tenants.models import AuditEvent
from tenants.scope import every_tenant
from tests.query_counts import counted
from tests.triggers.engine import put
from triggers import backfill, missed
from triggers.models import ArrivedDay, Backfill, Reconciliation

pytestmark = pytest.mark.django_db
NOW = datetime.now(UTC)
REPORT = {
    "leads": 500,
    "hot": 90,
    "won": 61,
    "won_hot": 48,
    "grades": {"A": 50, "D": 450},
    "best": [{"id": "c1", "score": 91.5, "grade": "A", "won": True}],
}


@pytest.fixture
def enter(acme, globex):
    def client(person):
        found = Client(HTTP_HOST="acme.localhost")
        found.force_login(person)
        return found

    return client


@pytest.fixture
def imported(acme_ghl, globex_ghl):
    """An import of acme that is done and scored, and one of globex that failed."""
    for connection in (acme_ghl, globex_ghl):
        backfill.queue(connection, at=NOW)
        missed.watch(connection, at=NOW)
    with every_tenant():
        Backfill.objects.filter(connection=acme_ghl).update(state="finished", read=1234, total=1234)
        Backfill.objects.filter(connection=acme_ghl, object="Score").update(report=REPORT)
        Backfill.objects.filter(connection=globex_ghl).update(state="failed", problem="Globex is told no.")
        Reconciliation.objects.update(finished_at=NOW)
    ArrivedDay.objects.create(connection_id=acme_ghl.pk, on=NOW.date(), delivered=4999, found=1)
    ArrivedDay.objects.create(
        connection_id=acme_ghl.pk, on=NOW.date() - timedelta(days=9), delivered=0, found=50
    )
    ArrivedDay.objects.create(connection_id=globex_ghl.pk, on=NOW.date(), delivered=0, found=7)
    return acme_ghl


class TestPortal:
    def test_says_what_was_won_and_what_arrived(self, enter, imported, member):
        client = enter(member)
        client.get(f"/connections/{imported.code}/")

        with counted("portal.connection-history"):
            page = client.get(f"/connections/{imported.code}/").content.decode()

        assert "Your last 500 leads, scored: of 61 won, 48 would have been hot." in page
        assert "99.98 %" in page
        assert "1,234" in page
        assert "Import again" not in page  # a member only looks
        assert "Globex" not in page

    def test_is_asked_for_again_while_it_runs(self, enter, imported, owner):
        with every_tenant():
            Backfill.objects.filter(connection=imported, object="Contact").update(
                state="running", read=300, total=1200
            )
        client = enter(owner)

        part = client.get(f"/connections/{imported.code}/history/").content.decode()

        assert "every 3s" in part
        assert "300 of 1,200" in part
        assert "Importing: 75 %" in part

    def test_an_owner_tries_again(self, enter, imported, owner, member, globex_ghl):
        with every_tenant():
            Backfill.objects.filter(connection=imported, object="Contact").update(
                state="failed", problem="403: no right."
            )
        address = f"/connections/{imported.code}/import/"
        assert (
            "Contacts: 403: no right." in enter(owner).get(f"/connections/{imported.code}/").content.decode()
        )
        assert enter(member).post(address).status_code == 403
        assert enter(owner).get(address).status_code == 405

        page = enter(owner).post(address, follow=True).content.decode()

        assert "goes on where it stopped" in page
        assert AuditEvent.objects.get().verb == "continued the import of"
        assert "under way already" in enter(owner).post(address, follow=True).content.decode()
        assert enter(owner).post(f"/connections/{globex_ghl.code}/import/").status_code == 404
        assert enter(owner).get(f"/connections/{globex_ghl.code}/history/").status_code == 404

    def test_says_nothing_of_a_connection_without_access(self, enter, acme_standard, owner):
        client = enter(owner)
        page = client.get(f"/connections/{acme_standard.code}/").content.decode()

        assert "What it already held" not in page
        assert client.get(f"/connections/{acme_standard.code}/history/").status_code == 404
        answer = client.post(f"/connections/{acme_standard.code}/import/", follow=True)
        assert "Nothing can be imported" in answer.content.decode()


class TestRest:
    def test_tells_the_same(self, api, imported, acme_token, globex_token):
        told = api(acme_token).get(f"/api/v1/connections/{imported.code}/history/").json()

        assert told["completeness"] == {"percent": 99.98, "delivered": 4999, "found": 1}
        assert told["scores"]["won_hot"] == 48
        assert [each["object"] for each in told["imports"]] == ["Contacts", "Opportunities", "Appointments"]
        assert api(globex_token).get(f"/api/v1/connections/{imported.code}/history/").status_code == 404


class TestConsole:
    def test_shows_it_with_the_connection(self, console, imported):
        page = console.get(f"/admin/tenants/connection/{imported.code}/change/").content.decode()

        assert "of 61 won, 48 would have been hot" in page
        assert "99.98 %: 4,999 told, 1 found by us" in page

    def test_lists_completeness_at_the_same_cost(self, console, imported):
        console.get("/admin/triggers/reconciliation/")

        with counted("console.completeness"):
            page = console.get("/admin/triggers/reconciliation/").content.decode()

        assert "99.98 %" in page

    def test_starts_a_failed_import_again(self, console, imported, globex_ghl):
        with every_tenant():
            pk = Backfill.objects.get(connection=globex_ghl, object="Contact").pk

        answer = console.post(
            "/admin/triggers/backfill/", {"action": "start_again", "_selected_action": [pk]}, follow=True
        )

        assert "The import of 1 connection goes on." in answer.content.decode()
        with every_tenant():
            assert set(Backfill.objects.filter(connection=globex_ghl).values_list("state", flat=True)) == {
                "queued"
            }


def test_live_work_goes_before_an_import(acme, monkeypatch):
    from triggers import tasks

    put(acme)
    steps = []
    tasks._in_spare_time(lambda at: steps.append(at) or True, seconds=5)

    assert len(steps) == 1
