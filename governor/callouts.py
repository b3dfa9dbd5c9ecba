"""What leaves the house for a script: requests made in threads, while the main thread serves it."""

from __future__ import annotations

import os
import re
import threading
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
    from concurrent.futures import Future

    from governor.host_watch import Tried

THREADS = 16
MOST_LEFT = 96  # threads of ended runs that are not waited for
_SECRET = re.compile(r"\{\{\s*secret:([A-Za-z0-9_.-]{1,80})\s*\}\}")
_SECRET_BYTES = re.compile(_SECRET.pattern.encode())


@dataclass(slots=True)
class Reply:
    """A callout's answer as the script gets it, what it cost, and what the broker must do with it."""

    body: dict[str, Any]  # {"ok": …} or {"err": …}
    tokens_in: int = 0
    tokens_out: int = 0
    is_worth_retry: bool = False  # a model's: nothing was answered, or something that does not fit
    note: str = ""
    is_in_doubt: bool = False  # it was sent, and no answer was seen
    tried: Tried | None = None  # what it tells of the host
    learned: dict[str, dict[str, Any] | None] = field(default_factory=dict)  # for the enrichment cache


class Mailbox:
    """Where threads leave their replies; the main thread is woken by ``fd``."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._end = threading.Event()
        self._replies: deque[tuple[Any, Reply]] = deque()

    def close(self) -> None:
        """The run is over: of what still waits for a thread, nothing is sent."""
        self._end.set()

    @property
    def is_closed(self) -> bool:
        return self._end.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait in a thread for so long, or until the run is over: then True."""
        return self._end.wait(seconds)

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


class _Threads:
    """The threads of this process. One that an ended run left busy keeps no later run waiting.

    Looking up a name and connecting cannot be cut short; a read ends soon after its mailbox is closed.
    """

    def __init__(self) -> None:
        # For the process's life: a thread that comes late must not write to a number reused.
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._pool = _new_pool()
        self._given: list[Future[None]] = []
        self._left: list[Future[None]] = []

    def refresh(self) -> None:
        """A run begins: leave what the one before left busy to itself, unless that grew to too much."""
        self._given = [future for future in self._given if not future.done()]
        self._left = [future for future in self._left if not future.done()]
        if self._given and len(self._left) < MOST_LEFT:
            self._left += self._given
            self._given = []
            self._pool.shutdown(wait=False)
            self._pool = _new_pool()

    def submit(self, work: Callable[[], None]) -> None:
        self._given.append(self._pool.submit(work))


def _new_pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="callout")


@cache
def _threads(_process: int) -> _Threads:
    return _Threads()


def mailbox() -> Mailbox:
    """A fresh mailbox for one execution."""
    threads = _threads(os.getpid())
    threads.refresh()
    return Mailbox(threads.fd)


def start(work: Callable[[], Reply], *, ticket: Any, mailbox: Mailbox) -> None:
    """Do ``work`` in a thread; its reply comes to the mailbox. Once that is closed, no work begins."""

    def run() -> None:
        # It waited for a thread, perhaps longer than its execution lived: another may have taken over.
        if mailbox.is_closed:
            return
        try:
            with egress.until(lambda: mailbox.is_closed):
                reply = work()
        except Exception as exc:  # a thread's fault must reach the script, or it would wait for ever
            reply = Reply(error("governor.callout-broken", f"The callout broke ({type(exc).__name__})."))
        mailbox.put(ticket, reply)

    _threads(os.getpid()).submit(run)


def error(code: str, detail: str, *, kind: str = "callout", **data: Any) -> dict[str, Any]:
    """A refusal as the script gets it."""
    return {"err": {"code": code, "detail": detail, "kind": kind, "data": data}}


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


def filled(value: Any, secrets: Mapping[str, str]) -> Any:
    """The value with each ``{{secret:NAME}}`` in it replaced."""
    if not secrets or value is None:
        return value
    if isinstance(value, str):
        return _SECRET.sub(lambda found: secrets[found[1]], value)
    if isinstance(value, bytes):
        return _SECRET_BYTES.sub(lambda found: secrets[found[1].decode()].encode(), value)
    if isinstance(value, dict):
        return {name: filled(item, secrets) for name, item in value.items()}
    return [filled(item, secrets) for item in value] if isinstance(value, list) else value
