"""Mending a mapping: one problem, told once, previewed, mended in the console, and its events run again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection as database
from django.utils.timezone import now

from governor.models import Notice
from tenants.models import AuditEvent, Connection
from tenants.scope import every_tenant
from tests.factories import make_connection
from tests.triggers import engine
from triggers import lanes, mapping, members, past, quarantine, quarantine_news
from triggers.models import LiveEvent
from triggers.schemas import Misfit
from triggers.work import Verdict

if TYPE_CHECKING:
    from tenants.models import Tenant

pytestmark = pytest.mark.django_db
PAGE = "/admin/triggers/event/mapping/"
RULE = {"object": "Contact", "field": "tags", "verb": "convert", "to": "list"}
FAULT = [{"field": "tags", "reason": "Input should be a valid list"}]


def misfit(linked: Connection) -> Any:
    """An event whose tags came as a map; it ended in quarantine."""
    live = engine.put(linked.tenant, tags={"a": "hot", "b": "west"})
    with every_tenant(), database.cursor() as cursor:
        LiveEvent.objects.filter(pk=live.pk).update(connection=linked)
        verdict = Verdict("quarantined", Misfit.code, "Contact does not fit its schema: tags.", FAULT)
        past.move(cursor, [past.end_of(live.pk, {"": verdict})], at=now())
    return live.code


def normalised(tenant: Tenant) -> dict[str, Any]:
    """The fields of the tenant's waiting event, as a claim under its lane's lease reads them."""
    with database.cursor() as cursor:
        cursor.execute("UPDATE triggers_liveevent SET received_at = now() - interval '1 minute'")
        lease, _ = lanes.take(cursor, worker="test")
        assert lease is not None
        assert lease.slug == tenant.slug
        cursor.execute("SELECT id FROM triggers_liveevent WHERE tenant_id = %s", [tenant.pk])
        (row,) = members.read(cursor, [each for (each,) in cursor.fetchall()])
        fields: dict[str, Any] = members.normalise(row, lease).fields
        return fields


class TestMending:
    def test_from_the_preview_to_the_events_that_run_again(self, console, acme, globex):
        linked, theirs = make_connection(acme, "gohighlevel"), make_connection(globex, "gohighlevel")
        code, other = misfit(linked), misfit(theirs)
        asked = {"connection": str(linked.code), **RULE}

        shown = console.get(PAGE, asked).content.decode()
        assert "fits" in shown
        assert "tags: [&#x27;hot&#x27;, &#x27;west&#x27;]" in shown
        linked.refresh_from_db()
        assert linked.mapping == []

        console.post(PAGE, asked)
        decided = quarantine.rerun([code], actor="op", at=now())

        linked.refresh_from_db()
        theirs.refresh_from_db()
        assert (linked.mapping, theirs.mapping, decided.done) == ([RULE], [], 1)
        assert normalised(acme)["tags"] == ["hot", "west"]
        row = AuditEvent.objects.get(verb="mended the mapping of")
        assert (row.tenant, row.data["rule"], row.actor) == (acme, RULE, "operator")
        quarantine.rerun([other], actor="op", at=now())
        with every_tenant():
            LiveEvent.objects.filter(tenant=acme).delete()
        with pytest.raises(members.Unfit):
            normalised(globex)

    def test_a_rule_takes_the_place_of_the_one_before_and_is_removed(self, acme):
        linked = make_connection(acme, "gohighlevel")
        mapping.add(linked, mapping.rule_of(RULE), actor="op", at=now())
        mapping.add(linked, mapping.rule_of({**RULE, "verb": "ignore"}), actor="op", at=now())
        linked.refresh_from_db()
        assert linked.mapping == [{**RULE, "verb": "ignore", "to": ""}]

        mapping.remove(linked, obj="Contact", name="tags", actor="op", at=now())
        linked.refresh_from_db()
        assert linked.mapping == []
        with pytest.raises(mapping.BadRule):
            mapping.remove(linked, obj="Contact", name="tags", actor="op", at=now())

    @pytest.mark.parametrize(
        "wrong",
        [
            {"object": ""},
            {"object": "Spaceship"},
            {"verb": "burn"},
            {"to": "blob"},
            {"verb": "rename", "to": "no_field"},
            {"verb": "rename", "to": "extra"},
            {"field": "extra"},
        ],
    )
    def test_a_rule_that_cannot_be_says_why(self, wrong):
        with pytest.raises(mapping.BadRule) as caught:
            mapping.rule_of({**RULE, **wrong})

        assert str(caught.value)

    @pytest.mark.parametrize("sent", [{}, {"verb": "burn"}, {"remove": "1"}, {**RULE, "to": "blob"}])
    def test_bad_input_is_a_sentence_and_changes_nothing(self, console, acme, sent):
        linked = make_connection(acme, "gohighlevel")

        for ask in (console.get, console.post):
            assert ask(PAGE, {"connection": str(linked.code), **sent}, follow=True).status_code == 200
        assert console.get(PAGE, {"connection": "nobody"}).status_code == 404
        linked.refresh_from_db()
        assert linked.mapping == []


class TestNews:
    def test_is_told_once_and_again_when_it_comes_back_after_mending(self, acme, globex):
        linked = make_connection(acme, "gohighlevel")
        for _ in range(3):
            misfit(linked)
        misfit(make_connection(globex, "gohighlevel"))

        assert (quarantine_news.review(at=now()), quarantine_news.review(at=now())) == (2, 0)
        with every_tenant():
            assert "Contact tags" in Notice.objects.get(tenant=acme).subject

        mapping.add(linked, mapping.rule_of({**RULE, "to": "number"}), actor="op", at=now())
        assert quarantine_news.review(at=now()) == 1
        assert quarantine_news.review(at=now() + timedelta(hours=1)) == 0
