"""A running installation with loopback providers, used as its operator, tenants and CRMs use it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from circuitos.local.deliver import Signer, deliver
from tests.failure.system import System
from tests.providers import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tests.providers import Census, HubSpot

SET_TOKEN = """
import sys
import django
django.setup()
from tenants.connections import set_credentials
from tenants.models import Connection
set_credentials(Connection.objects.get(tenant__slug="demo", crm="hubspot"), token=sys.argv[1])
"""
# So that the deliveries of two tests never look like one another's.
_EPOCH_MS = int(time.time() * 1000)


class Installation(System):
    """Web, worker and beat; the demo's HubSpot connection may write, and the census has a key."""

    def __init__(self, folder: Path, *, hubspot: HubSpot, census: Census) -> None:
        super().__init__(
            folder,
            CENSUS_API_KEY="key",
            CENSUS_BASE_URL=census.url,
            HUBSPOT_API_URL=hubspot.url,
            EGRESS_ALLOW="127.0.0.1",
            CIRCUITOS_RELOAD="1",
        )
        self.hubspot = hubspot
        self.census = census
        self._sent = 0
        (self.scripts / "counting.py").unlink()
        self.python("-c", SET_TOKEN, TOKEN)

    def forget_requests(self) -> None:
        self.hubspot.requests.clear()
        self.census.asked.clear()

    # --- as HubSpot ---

    def hubspot_delivery(self, kind: str, ids: Iterable[int], **more: Any) -> bytes:
        """One delivery: an event of this kind for each record, with a value for each where it has one."""
        hook = self.demo["tenants"][0]["hooks"]["hubspot"]
        value = more.pop("value", None)
        events = []
        for record_id in ids:
            self._sent += 1
            event = {
                "eventId": self._sent,
                "subscriptionId": 1,
                "portalId": hook["portal_id"],
                "occurredAt": _EPOCH_MS + self._sent,
                "subscriptionType": kind,
                "attemptNumber": 0,
                "objectId": record_id,
                **more,
            }
            if value is not None:
                event["propertyValue"] = value(record_id) if callable(value) else value
            events.append(event)
        return json.dumps(events).encode()

    def send_hubspot(self, bodies: Sequence[bytes]) -> None:
        self.send_signed("hubspot", bodies)

    def send_signed(self, crm: str, bodies: Sequence[bytes], *, tenant: int = 0) -> list[str]:
        """Send the deliveries one after another; the ids of their events."""
        results = deliver(Signer(self.demo["tenants"][tenant]["hooks"][crm]), bodies)
        assert set(results.outcomes) == {"accepted"}, results.outcomes
        return results.event_ids

    def wait_until_sent(self) -> None:
        """Every event has run and every write was told to its CRM."""
        self.wait(
            lambda: (
                not any(self.statuses().get(status) for status in ("queued", "running"))
                and not self.query("SELECT 1 FROM triggers_outboxwrite WHERE status = 'pending' LIMIT 1")
            ),
            "all is run and sent",
        )

    # --- as a tenant or operator ---

    def rest(
        self, path: str, *, token: str | None = None, body: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        """Status and document of a request to the REST API; with a ``body`` it is a POST."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {token or self.tokens[0]}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    @property
    def tokens(self) -> list[str]:
        """The tenants' tokens: demo, globex."""
        return [tenant["api_token"] for tenant in self.demo["tenants"]]

    def executions_of(self, event: str) -> list[Any]:
        """The executions of an event, once it has ended."""
        found: list[Any] = []

        def has_ended() -> bool:
            found[:] = self.rest(f"events/{event}/")[1]["executions"]
            return bool(found) and all(execution["finished_at"] for execution in found)

        self.wait(has_ended, f"event {event} has run")
        return found

    def record(self, obj: str, record_id: str) -> dict[str, Any]:
        """A record of the demo tenant's mirror."""
        ((data,),) = self.query(
            "SELECT data FROM t_demo.records_record WHERE object = %s AND external_id = %s", obj, record_id
        )
        return dict(data)
