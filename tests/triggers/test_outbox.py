"""The outbox: what the CRM is to be told of, stored with the settle."""

from __future__ import annotations

from typing import Any

import msgspec

from governor.job import RunResult
from tenants.records.store import Change
from tenants.scope import every_tenant
from tenants.secrets import unseal
from tests.triggers.engine import Runs, drain, put, supervisor
from triggers.models import LiveEvent, OutboxWrite


def settle(acme: Any, connection: Any, *changes: Change) -> list[OutboxWrite]:
    event = put(acme, "c1")
    with every_tenant():
        LiveEvent.objects.filter(pk=event.pk).update(connection=connection)
    drain(supervisor(Runs(lambda job: RunResult(changes=list(changes)))))
    with every_tenant():
        return list(OutboxWrite.objects.order_by("id"))


class TestOutbox:
    def test_a_change_of_the_crms_record_is_kept_for_it(self, acme, acme_ghl):
        (write,) = settle(acme, acme_ghl, Change("Contact", "update", "c1", {"score": 7}))

        assert (write.status, write.object, write.record_id, write.connection_id) == (
            "not-sent",
            "Contact",
            "c1",
            acme_ghl.pk,
        )
        plain = unseal(write.sealed, context=f"outbox:{acme.pk}:{write.code}")
        assert msgspec.msgpack.decode(plain) == {"score": 7}

    def test_other_objects_of_the_crm_go_to_the_same_connection(self, acme, acme_ghl):
        (write,) = settle(acme, acme_ghl, Change("Task", "insert", "t1", {"title": "Call"}))

        assert (write.object, write.connection_id) == ("Task", acme_ghl.pk)

    def test_the_tenants_own_objects_stay_at_home(self, acme, acme_ghl):
        assert settle(acme, acme_ghl, Change("LeadScore", "upsert", "s1", {"value": 7})) == []

    def test_an_event_without_a_connection_sends_nothing(self, acme):
        assert settle(acme, None, Change("Contact", "update", "c1", {"score": 7})) == []
