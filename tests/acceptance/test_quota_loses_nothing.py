"""A tenant over its quota: its leads wait in order, another tenant's run, and an upgrade lets all run."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from governor.policy import FRESH_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance.installation import Installation

pytestmark = pytest.mark.timeout(240)

SET = """
import sys
import django
django.setup()
from django.utils.timezone import now
from governor import overrides
from tenants.models import Tenant
overrides.put(
    name="executions_per_day", value=int(sys.argv[1]), tenant=Tenant.objects.get(slug="demo"),
    reason="a test", actor="operator", at=now(),
)
"""
UPGRADE = """
import django
django.setup()
from django.utils.timezone import now
from governor.models import Override
from tenants.models import Tenant
from triggers import upgrades
Override.objects.filter(tenant__slug="demo").update(ended_at=now())
asked = upgrades.ask(tenant=Tenant.objects.get(slug="demo"), actor="owner", at=now())
upgrades.approve(asked, actor="operator", at=now())
"""
BACK = """
import django
django.setup()
from tenants.models import Tenant
Tenant.objects.filter(slug="demo").update(tier_id="free")
"""
PARKED = """
SELECT 1 FROM triggers_lane lane JOIN tenants_tenant tenant ON tenant.id = lane.tenant_id
WHERE tenant.slug = %s AND lane.parked_reason = 'quota'
"""


def contact(number: int, **more: Any) -> bytes:
    """A contact of the generic kind."""
    data = {"id": f"quota-{number}", "email": f"quota{number}@example.test", **more}
    document = {"type": "contact.created", "timestamp": f"2026-03-02T12:00:{number:02}Z", "data": data}
    return json.dumps(document).encode()


@pytest.fixture
def used_up(installation: Installation) -> Iterator[Installation]:
    """The demo tenant has used what it may."""
    installation.python("-c", SET, "0")
    time.sleep(FRESH_SECONDS)  # a worker that just ran something of this tenant still holds the old quota
    yield installation
    installation.python("-c", BACK)


class TestOverQuota:
    def test_leads_wait_in_order_and_run_after_an_upgrade(self, used_up):
        mine = [used_up.send_signed("standard", [contact(number)])[0] for number in range(1, 4)]
        used_up.wait(lambda: bool(used_up.query(PARKED, "demo")), "the lane is parked")

        other = used_up.send_signed("standard", [contact(9)], tenant=1)[0]
        (ran,) = [
            execution
            for execution in _ended(used_up, other, token=used_up.tokens[1])
            if execution["finished_at"]
        ]
        assert ran["status"] == "succeeded"
        assert [used_up.rest(f"events/{code}/")[1]["status"] for code in mine] == ["parked"] * 3
        assert not used_up.query(PARKED, "globex")

        used_up.python("-c", UPGRADE)

        for code in mine:
            used_up.executions_of(code)
        assert {used_up.rest(f"events/{code}/")[1]["status"] for code in mine} == {"succeeded"}
        used_up.wait(
            lambda: bool(used_up.query("SELECT 1 FROM governor_notice WHERE kind = 'caught-up'")),
            "the owner was told what was caught up",
        )
        ((subject,),) = used_up.query("SELECT subject FROM governor_notice WHERE kind = 'caught-up'")
        assert subject == "3 events that waited for the quota have run"
        used_up.assert_counted()


def _ended(installation: Installation, event: str, *, token: str) -> list[Any]:
    found: list[Any] = []

    def has_ended() -> bool:
        found[:] = installation.rest(f"events/{event}/", token=token)[1]["executions"]
        return bool(found) and all(execution["finished_at"] for execution in found)

    installation.wait(has_ended, f"event {event} has run")
    return found
