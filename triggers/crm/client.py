"""Calling a connected CRM's API: a fresh token, within its rate budget, counted, under the egress rules."""

from __future__ import annotations

import json as codec
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from governor import egress, usage
from governor.calendar import day_of
from governor.policy import load
from governor.quotas import Quota
from governor.rate_headers import hold_seconds
from governor.tenant_governor import resets_at
from tenants import credentials
from tenants.choices import CRM
from tenants.connections import needs_reconnecting
from tenants.errors import CodedError
from triggers.crm import budget, renewal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenants.credentials import Credentials
    from tenants.models import Connection

SECONDS = 10.0
PATIENCE = 2.0  # seconds a caller waits for its turn before it is told to come again
ASK_AGAIN = 30.0  # when the CRM fails and does not say when
SLOW_DOWN = 10.0  # and when it says 429 without saying for how long


class CrmUnavailable(CodedError):
    """Not just now: come again after ``retry_after`` seconds."""

    code = "triggers.crm-unavailable"
    status = 503

    def __init__(self, detail: str, *, retry_after: float = ASK_AGAIN) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unauthorised(CodedError):
    """There is no token, or the CRM refuses it."""

    code = "triggers.crm-unauthorised"
    status = 409


@dataclass(frozen=True)
class Answer:
    """What the CRM said; ``document`` is its JSON, None when it sent none."""

    status: int
    headers: dict[str, str]
    body: bytes
    document: Any

    @property
    def is_ok(self) -> bool:
        return 200 <= self.status < 300


class Client:
    """The API of one connection; for one thread, as it uses the caller's connection to the database."""

    def __init__(self, connection: Connection, *, patience: float = PATIENCE) -> None:
        self._of = connection
        self._base = renewal.base_url(connection.crm)
        self._patience = patience
        self._known = credentials.load(connection)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        is_counted: bool = True,
    ) -> Answer:
        """One request and its answer, whatever 2xx or 4xx it is; a 401 renews the token once.

        ``is_counted``: against the tenant's quota of API calls; what we do of our own accord is not. Raises
        ``CrmUnavailable``, ``Unauthorised`` and ``governor.egress.EgressRefused``.
        """
        known = self._credentials()
        answer = self._send(method, path, params=params, json=json, known=known, is_counted=is_counted)
        if answer.status == 401 and renewal.is_renewable(self._of, known):
            known = self._renewed(known)
            answer = self._send(method, path, params=params, json=json, known=known, is_counted=is_counted)
        if answer.status == 401:
            needs_reconnecting(self._of, renewal.REVOKED, timezone.now())
            raise Unauthorised(f"{self._of.get_crm_display()} refuses our token.")
        return answer

    def _credentials(self) -> Credentials:
        if self._known is None:
            raise Unauthorised("There is no token for this connection.")
        if self._known.is_stale(timezone.now()) and renewal.is_renewable(self._of, self._known):
            return self._renewed(self._known)
        return self._known

    def _renewed(self, known: Credentials) -> Credentials:
        try:
            self._known = renewal.renew(self._of, known, at=timezone.now())
        except renewal.Revoked as error:
            raise Unauthorised(str(error)) from None
        except renewal.NotRenewed as error:
            raise CrmUnavailable(str(error)) from None
        return self._known

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None,
        json: Any,
        known: Credentials,
        is_counted: bool,
    ) -> Answer:
        self._wait_for_turn()
        if is_counted:
            self._count()
        headers = headers_for(self._of.crm, path, known.token)
        try:
            said = egress.send(
                method, self._base + path, headers=headers, params=params, json=json, timeout=SECONDS
            )
        except egress.CalloutFailed as failed:
            raise CrmUnavailable(failed.detail) from None
        hold = hold_seconds(said.status, said.headers, at=timezone.now())
        if said.status == 429:
            hold = SLOW_DOWN if hold is None else hold
        if hold:
            with transaction.atomic(), database.cursor() as cursor:
                budget.hold(cursor, self._of.pk, seconds=hold)
        name = self._of.get_crm_display()
        if said.status == 429 or said.status >= 500:
            raise CrmUnavailable(f"{name} answered {said.status}.", retry_after=hold or ASK_AGAIN)
        return Answer(said.status, said.headers, said.body, _document(said.body))

    def _wait_for_turn(self) -> None:
        with database.cursor() as cursor:
            seconds = budget.wait_for_turn(cursor, self._of, patience=self._patience)
        if seconds:
            raise CrmUnavailable(
                "The requests that the CRM takes of us just now are used up.", retry_after=seconds
            )

    def _count(self) -> None:
        at = timezone.now()
        with transaction.atomic(), database.cursor() as cursor:
            policy = load(cursor, self._of.tenant_id)
            refusal = usage.spend_call(
                cursor,
                tenant_id=self._of.tenant_id,
                on=day_of(at, policy.timezone),
                quota=Quota.of(policy),
                at=at,
            )
        if refusal is not None:
            seconds = (resets_at(refusal.period, at, policy.timezone) - at).total_seconds()
            raise CrmUnavailable(refusal.sentence, retry_after=seconds)


def headers_for(crm: str, path: str, token: str) -> dict[str, str]:
    """What each request of a CRM's API carries."""
    headers = {"authorization": f"Bearer {token}", "accept": "application/json"}
    if crm == CRM.GOHIGHLEVEL:
        headers["version"] = _version(path)
    return headers


def _version(path: str) -> str:
    """HighLevel's version header: conversations and calendars are of another day."""
    return "2021-04-15" if path.startswith(("/conversations", "/calendars")) else "2021-07-28"


def _document(body: bytes) -> Any:
    try:
        return codec.loads(body)
    except ValueError:
        return None
