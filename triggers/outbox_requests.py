"""One request of the outbox: its token, its turn, its place in the quota, and what the answer tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
from django.db import transaction
from django.utils import timezone

from governor import egress, hosts, usage
from governor.calendar import day_of
from governor.host_watch import HostWatch, Passed, Stopped, Tried
from governor.judgment import authority
from governor.policy import load
from governor.quotas import Quota
from governor.rate_headers import hold_seconds
from governor.targets import host_of
from governor.tenant_governor import resets_at
from tenants import credentials
from tenants.connections import needs_reconnecting
from triggers import outage, outbox_lanes
from triggers.crm import budget, renewal
from triggers.crm.client import headers_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from tenants.models import Connection
    from triggers.crm.writer import Call, Write
    from triggers.outbox_lanes import OutboxLease

REQUEST_SECONDS = 10.0
STOPPED_WAIT = 30.0  # seconds until it is looked whether the kill switch still stops everything
PATIENCE = 2.0  # seconds to wait for a turn within the rate budget, before the lane is given back
# The server says it did nothing; behind other 5xx a gateway may hide a server that did.
NOT_DONE = frozenset({429, 500, 503})
_TO_US = frozenset({401, 403})  # says nothing of the records: the token is wrong, or lacks a right


class Wait(Exception):
    """Nothing more can be sent to this CRM for a while."""

    def __init__(
        self,
        problem: str,
        *,
        seconds: float | None = None,
        is_tried: bool = True,
        waits_for_quota: bool = False,
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.seconds = seconds
        self.is_tried = is_tried  # a request was made
        self.waits_for_quota = waits_for_quota


class Unanswered(Wait):
    """The request was made, and nothing is known of its writes. ``is_done``: the CRM may have done it."""

    def __init__(self, problem: str, *, is_done: bool, seconds: float | None = None) -> None:
        super().__init__(problem, seconds=seconds)
        self.is_done = is_done


class Requests:
    """The requests of one leased lane, one after the other."""

    def __init__(self, cursor: Any, lease: OutboxLease, of: Connection) -> None:
        self._cursor = cursor
        self._lease = lease
        self._of = of
        self._known = credentials.load(of)
        self._url = renewal.base_url(of.crm)
        self._host = host_of(httpx2.URL(self._url))
        self._watch = HostWatch(of.tenant_id)

    @property
    def is_possible(self) -> bool:
        """Whether there is a token to ask with."""
        return self._known is not None

    def post(
        self, call: Call, *, path: str, body: Callable[[], dict[str, Any] | None], at: datetime
    ) -> tuple[int, bytes]:
        """Status and body of an answer that speaks of the writes.

        Raises ``Wait`` when it was not made, ``Unanswered`` when it was.
        """
        passed = self._watch.admit(self._host, seconds_left=0)
        if isinstance(passed, Stopped):
            seconds = hosts.known(self._of.tenant_id, self._host).waits
            raise Wait(passed.detail, seconds=seconds, is_tried=False)
        try:
            token = self._fresh_token(at)
            self._wait_for_turn()
            self._count(at)
        except Wait:
            self._give_up(passed)
            raise
        if call.is_repeatable:
            outbox_lanes.renew(self._cursor, self._lease)
        else:
            outbox_lanes.leave(self._cursor, self._lease, rows_of(call.writes), at=at)
        try:
            answer = self._send(call, path, body, token)
            known = self._known
            if answer.status == 401 and known is not None and renewal.is_renewable(self._of, known):
                # It was taken back before its time; with a new one the same request may pass.
                try:
                    token = self._renewed(at)
                except Wait as reason:
                    self._saw(Tried(self._host, status=answer.status), passed)
                    raise Unanswered(reason.problem, is_done=False) from None
                answer = self._send(call, path, body, token)
        except egress.EgressRefused as refused:
            self._give_up(passed)
            raise Unanswered(str(refused), is_done=False) from None
        except egress.CalloutFailed as failed:
            self._saw(Tried(self._host, code=failed.code, is_sent=failed.is_sent), passed)
            raise Unanswered(failed.detail, is_done=failed.is_sent) from None
        hold = hold_seconds(answer.status, answer.headers, at=timezone.now())
        if hold:
            with transaction.atomic():
                budget.hold(self._cursor, self._of.pk, seconds=hold)
        self._saw(Tried(self._host, status=answer.status, hold=hold), passed)
        if _says_nothing(answer.status):
            if answer.status == 401:
                needs_reconnecting(self._of, renewal.REVOKED, timezone.now())
            raise Unanswered(
                f"{self._of.get_crm_display()} answered {answer.status}.",
                is_done=answer.status >= 500 and answer.status not in NOT_DONE,
                seconds=hold,
            )
        return answer.status, answer.body

    def _send(
        self, call: Call, path: str, body: Callable[[], dict[str, Any] | None], token: str
    ) -> egress.Answer:
        headers = headers_for(self._of.crm, path, token)
        return egress.send(
            call.method, self._url + path, headers=headers, json=body(), timeout=REQUEST_SECONDS
        )

    def _fresh_token(self, at: datetime) -> str:
        assert self._known is not None
        is_stale = self._known.is_stale(at) and renewal.is_renewable(self._of, self._known)
        return self._renewed(at) if is_stale else self._known.token

    def _renewed(self, at: datetime) -> str:
        assert self._known is not None
        try:
            self._known = renewal.renew(self._of, self._known, at=at)
        except (renewal.NotRenewed, renewal.Revoked) as error:
            raise Wait(str(error)) from None
        return self._known.token

    def _wait_for_turn(self) -> None:
        """Take a turn within the connection's rate budget. Raises ``Wait`` when none is near."""
        seconds = budget.wait_for_turn(self._cursor, self._of, patience=PATIENCE)
        if seconds:
            raise Wait(
                f"{self._of.get_crm_display()} takes no more of us now.", seconds=seconds, is_tried=False
            )

    def _count(self, at: datetime) -> None:
        """Count the request against the tenant's API calls. Raises ``Wait`` when none is left."""
        with transaction.atomic():
            policy = load(self._cursor, self._lease.tenant_id)
            if policy.is_stopped:
                ruling = authority.switch(is_stopped=True)
                raise Wait(ruling.sentence, seconds=STOPPED_WAIT, is_tried=False)
            refusal = usage.spend_call(
                self._cursor,
                tenant_id=self._lease.tenant_id,
                on=day_of(at, policy.timezone),
                quota=Quota.of(policy),
                at=at,
            )
        if refusal is not None:
            seconds = (resets_at(refusal.period, at, policy.timezone) - at).total_seconds()
            raise Wait(refusal.sentence, seconds=seconds, is_tried=False, waits_for_quota=True)

    def _saw(self, tried: Tried, passed: Passed) -> None:
        """Share what the request told of the CRM's host; lanes parked for it go on once it is back."""
        self._watch.saw(tried, is_probe=passed.is_probe)
        if self._watch.has_recovered:
            self._watch.has_recovered = False
            with transaction.atomic():
                outage.resume(self._cursor, tenant_id=self._of.tenant_id)

    def _give_up(self, passed: Passed) -> None:
        """It was let through as a probe and not made: another may send its own at once."""
        if passed.is_probe:
            self._watch.gave_up(self._host)


def rows_of(writes: Iterable[Write]) -> list[int]:
    """The outbox rows of these writes."""
    return [row for write in writes for row in write.rows]


def _says_nothing(status: int) -> bool:
    return status in _TO_US or status == 429 or status >= 500 or 300 <= status < 400
