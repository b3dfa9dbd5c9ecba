"""One HTTP callout of a script on its way: its attempts and its hops, each a request of its own."""

from __future__ import annotations

import json
import random
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import httpx2
from django.conf import settings

from governor import callouts, egress, rate_headers, targets
from governor.host_watch import LONGEST_WAIT, Tried

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

MOST_HOPS = 5
MOST_RETRIES = 3
TELLING_SECONDS = 1.0
_KEYED = "idempotency-key"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# The server, or what stands before it, was not able to; a safe request may be put to it again.
_PASSING = frozenset({502, 503, 504})
_BUSY = frozenset({429, 503})
# All that is taken along to another origin: nothing in it tells who asks.
_KEPT = frozenset({"accept", "accept-language", "content-type", "content-language", "user-agent", _KEYED})
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class Trip:
    """Made with secrets filled in. ``attempt`` runs in a thread, all else in the broker's own."""

    def __init__(
        self, args: Mapping[str, Any], *, secrets: Mapping[str, str], key: UUID, seconds: float, listed: Any
    ) -> None:
        self.requests = 0  # that were made
        self._method = str(args["method"]).upper()
        self._secrets = secrets
        self._written = _ways_to_write(secrets)
        self._listed = listed  # the hosts that the tenant allows
        self._url = str(callouts.filled(args["url"], secrets))
        given = args.get("headers") or {}
        self._headers = {str(name): str(callouts.filled(value, secrets)) for name, value in given.items()}
        self._params = callouts.filled(args.get("params"), secrets)
        self._json = callouts.filled(args.get("json"), secrets)
        self._body = callouts.filled(args.get("body"), secrets)
        self._has_secret_body = (self._json, self._body) != (args.get("json"), args.get("body"))
        is_safe = self._method in egress.SAFE_METHODS
        if not is_safe and not any(name.lower() == _KEYED for name in self._headers):
            self._headers["Idempotency-Key"] = str(key)
        retries = args.get("retries")
        self._retries = int(is_safe) if retries is None else int(retries)
        self._hops = MOST_HOPS if args.get("follow") else -1
        self._seconds = seconds
        self._notes: list[str] = []
        self._is_hop = False  # the last answer was a redirect that is followed
        target = egress.check_url(self._method, self._url, allowed=settings.EGRESS_ALLOW)
        targets.check_listed(target, listed)
        self.host = targets.host_of(target)

    def attempt(self, *, seconds: float) -> callouts.Reply:
        """Make one request."""
        self.requests += 1
        self._is_hop = False
        began = time.monotonic()
        given = min(seconds, self._seconds)
        try:
            answer = egress.send(
                self._method,
                self._url,
                headers=self._headers,
                params=self._params,
                json=self._json,
                body=self._body,
                timeout=given,
            )
            return self._read(answer)
        except egress.EgressRefused as refused:
            said = callouts.error(refused.code, str(refused), kind="judgment")
            return callouts.Reply(said, note=self._noted("refused"))
        except egress.CalloutFailed as failed:
            # That nothing came in a blink says nothing of the host.
            is_telling = failed.code != "governor.timeout" or given >= TELLING_SECONDS
            tried = Tried(self.host, code=failed.code, is_sent=failed.is_sent) if is_telling else None
            return callouts.Reply(
                callouts.error(failed.code, failed.detail, host=self.host),
                note=self._noted(failed.code),
                is_in_doubt=failed.is_sent,
                tried=tried,
            )
        finally:
            self._seconds -= time.monotonic() - began

    def goes_on(self, tried: Tried | None, *, seconds_left: float) -> float | None:
        """Seconds until the next request of this callout; None when there is none to make."""
        if self._is_hop:
            self._is_hop = False
            return 0.0
        if tried is None or self._retries <= 0 or self._seconds <= 0:
            return None
        wait = self._wait_before_retry(tried)
        if wait is None or wait > LONGEST_WAIT or wait + 1 > seconds_left:
            return None
        return wait

    @property
    def is_hop(self) -> bool:
        """Whether the next request is to another address, not the last one again."""
        return self._is_hop

    def retried(self) -> None:
        """A request is made again."""
        self._retries -= 1

    def _wait_before_retry(self, tried: Tried) -> float | None:
        if tried.status in _BUSY and tried.hold is not None:
            return tried.hold  # it did nothing, and says when it can: the key tells it is the same request
        is_safe = self._method in egress.SAFE_METHODS
        if tried.code and not tried.is_sent and tried.code != "governor.bad-request":
            return _moment()
        if is_safe and (tried.code == "governor.broken-answer" or tried.status in _PASSING):
            return _moment()
        return None

    def _read(self, answer: egress.Answer) -> callouts.Reply:
        at = datetime.now(UTC)
        hold = rate_headers.hold_seconds(answer.status, answer.headers, at=at)
        # Not ``self.host``: a hop that follows has another.
        tried = Tried(self.host, status=answer.status, hold=hold)
        location = answer.headers.get("location", "")
        if answer.status in _REDIRECTS and location and self._hops >= 0:
            return self._follow(answer.status, location, tried)
        ok: dict[str, Any] = {
            "status": answer.status,
            "headers": {name: self._hidden(value) for name, value in answer.headers.items()},
            "body": self._hidden_bytes(answer.body),
        }
        if self._hops >= 0:
            ok["url"] = self._hidden(self._url)
        note = self._noted(f"{answer.status}, {len(answer.body):,} bytes")
        return callouts.Reply({"ok": ok}, note=note, tried=tried)

    def _follow(self, status: int, location: str, tried: Tried) -> callouts.Reply:
        """Become the request to the address that was named, or refuse to."""
        try:
            self._become(status, location)
        except egress.EgressRefused as refused:
            said = callouts.error(refused.code, f"It answered {status}: {refused}", kind="judgment")
            return callouts.Reply(said, note=self._noted(f"{status}, refused"), tried=tried)
        except _TooMany:
            said = callouts.error("governor.too-many-redirects", f"It redirected over {MOST_HOPS} times.")
            return callouts.Reply(said, note=self._noted(f"{status}, too many"), tried=tried)
        self._is_hop = True
        note = self._noted(f"{status} → {self._method} {self.host}")
        return callouts.Reply({"ok": {}}, note=note, tried=tried)

    def _become(self, status: int, location: str) -> None:
        if self._hops == 0:
            raise _TooMany
        here = httpx2.URL(self._url)
        if location.startswith("//"):
            there = f"{here.scheme}:{location}"
        elif _SCHEME.match(location):
            there = location
        else:
            try:
                there = str(here.join(location))
            except (httpx2.InvalidURL, ValueError):
                raise egress.EgressRefused("It redirects to what is no address.") from None
        is_read = (status == 303 and self._method != "HEAD") or (
            status in {301, 302} and self._method == "POST"
        )
        method = "GET" if is_read else self._method
        target = egress.check_url(method, there, allowed=settings.EGRESS_ALLOW)
        targets.check_listed(target, self._listed)
        if here.scheme == "https" and target.scheme != "https":
            raise egress.EgressRefused("It redirects from https to http.")
        is_elsewhere = (here.scheme, targets.host_of(here)) != (target.scheme, targets.host_of(target))
        if is_read:
            self._json = self._body = None
            self._headers = {
                name: value
                for name, value in self._headers.items()
                if not name.lower().startswith("content-") and name.lower() != _KEYED
            }
        elif is_elsewhere and self._has_secret_body:
            raise egress.EgressRefused("It redirects a body with a secret in it to another host.")
        if is_elsewhere:
            self._headers = {
                name: value
                for name, value in self._headers.items()
                if name.lower() in _KEPT and not any(secret in value for secret in self._secrets.values())
            }
        self._hops -= 1
        self._params = None
        self._method, self._url, self.host = method, str(target), targets.host_of(target)

    def _noted(self, note: str) -> str:
        self._notes.append(note)
        return "; ".join(self._notes)

    def _hidden(self, text: str) -> str:
        # An answer that repeats what it was sent must not carry the secret into the jail.
        for written, name in self._written:
            text = text.replace(written, f"{{{{secret:{name}}}}}")
        return text

    def _hidden_bytes(self, body: bytes) -> bytes:
        for written, name in self._written:
            body = body.replace(written.encode(), f"{{{{secret:{name}}}}}".encode())
        return body


class _TooMany(Exception):
    """There were too many redirects."""


def _ways_to_write(secrets: Mapping[str, str]) -> list[tuple[str, str]]:
    """Each secret as it is, in an address and in JSON, with its name; the longest first."""
    found = {}
    for name, value in secrets.items():
        as_json = json.dumps(value)[1:-1]
        for written in (value, quote(value), quote(value, safe=""), quote_plus(value), as_json):
            found[written] = name
    found.pop("", None)
    return sorted(found.items(), key=lambda each: -len(each[0]))


def _moment() -> float:
    return random.uniform(0.05, 0.2)  # noqa: S311 — spreads load, guards nothing
