"""What leaves the house for a script: requests made in threads, while the main thread serves it."""

from __future__ import annotations

import os
import re
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from circuitos.env import env
from governor import egress, enrichment
from governor.ops import BadRequest
from tenants.models import Secret
from tenants.scope import every_tenant
from tenants.secrets import unseal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

THREADS = 16
_SECRET = re.compile(r"\{\{\s*secret:([A-Za-z0-9_.-]{1,80})\s*\}\}")
_SECRET_BYTES = re.compile(_SECRET.pattern.encode())
_KEYED = "idempotency-key"


@dataclass(slots=True)
class Reply:
    """A callout's answer as the script gets it, what it cost, and what the broker must do with it."""

    body: dict[str, Any]  # {"ok": …} or {"err": …}
    tokens_in: int = 0
    tokens_out: int = 0
    is_worth_retry: bool = False  # a model's: nothing was answered, or something that does not fit
    note: str = ""
    is_in_doubt: bool = False  # it was sent, and no answer was seen
    learned: dict[str, dict[str, Any] | None] = field(default_factory=dict)  # for the enrichment cache


class Mailbox:
    """Where threads leave their replies; the main thread is woken by ``fd``."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.is_closed = False
        self._replies: deque[tuple[Any, Reply]] = deque()

    def close(self) -> None:
        """The run is over: of what still waits for a thread, nothing is sent."""
        self.is_closed = True

    def put(self, ticket: Any, reply: Reply) -> None:
        self._replies.append((ticket, reply))
        os.eventfd_write(self.fd, 1)

    def take(self) -> list[tuple[Any, Reply]]:
        with suppress(BlockingIOError):
            os.eventfd_read(self.fd)
        taken = []
        while self._replies:
            taken.append(self._replies.popleft())
        return taken


@cache
def _pool(_process: int) -> tuple[ThreadPoolExecutor, int]:
    # One of each for the process's life: a thread that comes late must not write to a number reused.
    return ThreadPoolExecutor(THREADS, thread_name_prefix="callout"), os.eventfd(
        0, os.EFD_NONBLOCK | os.EFD_CLOEXEC
    )


def mailbox() -> Mailbox:
    """A fresh mailbox for one execution."""
    return Mailbox(_pool(os.getpid())[1])


def start(work: Callable[[], Reply], *, ticket: Any, mailbox: Mailbox) -> None:
    """Do ``work`` in a thread; its reply comes to the mailbox. Once that is closed, no work begins."""

    def run() -> None:
        # It waited for a thread, perhaps longer than its execution lived: another may have taken over.
        if mailbox.is_closed:
            return
        try:
            reply = work()
        except Exception as exc:  # a thread's fault must reach the script, or it would wait for ever
            reply = Reply(error("governor.callout-broken", f"The callout broke ({type(exc).__name__})."))
        mailbox.put(ticket, reply)

    _pool(os.getpid())[0].submit(run)


def error(code: str, detail: str, *, kind: str = "callout", **data: Any) -> dict[str, Any]:
    """A refusal as the script gets it."""
    return {"err": {"code": code, "detail": detail, "kind": kind, "data": data}}


def http(args: Mapping[str, Any], *, secrets: Mapping[str, str], key: UUID, seconds: float) -> Reply:
    """Make one HTTP request. ``key`` goes with writes, so that the other side can tell a repetition."""
    method = str(args["method"])
    headers = {str(name): _filled(value, secrets) for name, value in (args.get("headers") or {}).items()}
    if method not in egress.SAFE_METHODS and not any(name.lower() == _KEYED for name in headers):
        headers["Idempotency-Key"] = str(key)
    try:
        answer = egress.send(
            method,
            _filled(args["url"], secrets),
            headers=headers,
            params=_filled(args.get("params"), secrets),
            json=_filled(args.get("json"), secrets),
            body=_filled(args.get("body"), secrets),
            timeout=seconds,
        )
    except egress.EgressRefused as refused:
        return Reply(error(refused.code, str(refused), kind="judgment"), note="refused")
    except egress.CalloutFailed as failed:
        return Reply(error(failed.code, failed.detail), note=failed.code, is_in_doubt=failed.is_sent)
    body, shown = answer.body, answer.headers
    for name, value in secrets.items():
        if not value:
            continue
        # An answer that repeats what it was sent must not carry the secret into the jail.
        body = body.replace(value.encode(), f"{{{{secret:{name}}}}}".encode())
        shown = {header: text.replace(value, f"{{{{secret:{name}}}}}") for header, text in shown.items()}
    ok = {"status": answer.status, "headers": shown, "body": body}
    return Reply({"ok": ok}, note=f"{answer.status}, {len(answer.body):,} bytes")


def look_up(
    zips: Mapping[str, str | None],
    known: Mapping[str, dict[str, Any] | None],
    *,
    missing: list[str],
    seconds: float,
) -> Reply:
    """Facts for each record's ZIP code: from the cache, one request to the census, or the shipped table."""

    def fetch(url: str, *, secret: str) -> tuple[int, bytes]:
        joined = f"{url}&{secret}" if secret else url
        answer = egress.send("GET", joined, timeout=seconds, is_operators=True)
        return answer.status, answer.body

    base_url = env().census_base_url
    live = enrichment.ask(missing, fetch=fetch, base_url=base_url, api_key=env().census_api_key)
    wanted = sorted({code for code in zips.values() if code})
    found = enrichment.combine(wanted, known, live, base_url=base_url)
    facts = {record_id: (found.facts.get(code) or {}) if code else {} for record_id, code in zips.items()}
    notes = [f"{len(wanted)} ZIP codes, {found.requests} requests, {found.cached} cached"]
    if found.is_offline:
        notes.append("offline: the shipped table answered")
    if found.problem:
        notes.append(found.problem)
    return Reply({"ok": facts}, note="; ".join(notes), learned=live.facts)


def secrets_for(args: Mapping[str, Any], *, tenant_id: int) -> dict[str, str]:
    """The secrets that a request names, the tenant's own before the operator's. Raises ``BadRequest``."""
    names = set(_SECRET.findall(_texts(args)))
    if not names:
        return {}
    with every_tenant():
        rows = Secret.objects.filter(Q(tenant_id=tenant_id) | Q(tenant_id=None), name__in=names).order_by(
            "tenant_id"
        )
        sealed = {row.name: row for row in sorted(rows, key=lambda row: row.tenant_id is not None)}
    missing = sorted(names - set(sealed))
    if missing:
        raise BadRequest(
            f"There is no secret named {missing[0]}; set it with: manage.py secret set {missing[0]}"
        )
    return {
        name: unseal(row.sealed, context=f"secret:{row.tenant_id}:{name}").decode()
        for name, row in sealed.items()
    }


def _texts(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, dict):
        return "\n".join(_texts(item) for item in value.values())
    return "\n".join(_texts(item) for item in value) if isinstance(value, list) else ""


def _filled(value: Any, secrets: Mapping[str, str]) -> Any:
    """The value with each ``{{secret:NAME}}`` in it replaced."""
    if not secrets or value is None:
        return value
    if isinstance(value, str):
        return _SECRET.sub(lambda found: secrets[found[1]], value)
    if isinstance(value, bytes):
        return _SECRET_BYTES.sub(lambda found: secrets[found[1].decode()].encode(), value)
    if isinstance(value, dict):
        return {name: _filled(item, secrets) for name, item in value.items()}
    return [_filled(item, secrets) for item in value] if isinstance(value, list) else value
