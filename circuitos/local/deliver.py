"""Sending signed webhooks as a CRM does: one keep-alive connection a thread, each delivery timed."""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

TIMEOUT = 30.0  # seconds; HubSpot waits 5, we want to see how slow it was


@dataclass(frozen=True)
class Answer:
    """What came back for one delivery."""

    status: int  # 0 = no answer at all
    body: Mapping[str, Any]
    seconds: float
    request_id: str

    @property
    def outcome(self) -> str:
        """``accepted``, ``duplicate``, or the code of the refusal."""
        if self.status == 202:
            return "accepted"
        if self.status == 200:
            return "duplicate"
        return str(self.body.get("code") or f"http-{self.status}") if self.status else "no-answer"


@dataclass
class Results:
    """The answers of one run."""

    answers: list[Answer] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def outcomes(self) -> Counter[str]:
        """How many ended how."""
        return Counter(answer.outcome for answer in self.answers)

    @property
    def event_ids(self) -> list[str]:
        """The ids of all events, in order."""
        return [code for answer in self.answers for code in answer.body.get("event_ids", ())]

    def percentile(self, share: float) -> float:
        """Seconds within which ``share`` of the answers came; 0 without any."""
        times = sorted(answer.seconds for answer in self.answers if answer.status)
        return times[min(len(times) - 1, int(len(times) * share))] if times else 0.0


class Signer:
    """Signs bodies for one hook of ``demo.json``."""

    def __init__(self, hook: Mapping[str, Any]) -> None:
        self.url = str(hook["url"])
        self._sign = {
            "ed25519": self._ed25519,
            "hubspot-v3": self._hubspot,
            "standard-webhooks": self._standard,
            "shared-secret": self._shared,
            "basic": self._basic,
            "token": self._token,
        }[hook["signing"]]
        self._secret = str(hook.get("secret", ""))
        self._key: Any = None
        if "private_key" in hook:
            from cryptography.hazmat.primitives.serialization import load_pem_private_key

            self._key = load_pem_private_key(hook["private_key"].encode(), password=None)

    def headers(self, body: bytes, *, now: float, message_id: str) -> dict[str, str]:
        """All headers of a delivery sent at ``now`` (seconds since the epoch)."""
        kind = "text/xml; charset=utf-8" if body.lstrip().startswith(b"<") else "application/json"
        headers = {"Content-Type": kind, "User-Agent": "circuitos-send"}
        return headers | self._sign(body, now, message_id)

    def _ed25519(self, body: bytes, now: float, message_id: str) -> dict[str, str]:
        return {"X-GHL-Signature": base64.b64encode(self._key.sign(body)).decode()}

    def _hubspot(self, body: bytes, now: float, message_id: str) -> dict[str, str]:
        sent = str(int(now * 1000))
        message = b"POST" + self.url.encode() + body + sent.encode()
        digest = hmac.digest(self._secret.encode(), message, "sha256")
        signature = base64.b64encode(digest).decode()
        return {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": sent}

    def _standard(self, body: bytes, now: float, message_id: str) -> dict[str, str]:
        sent = str(int(now))
        key = base64.b64decode(self._secret.removeprefix("whsec_"))
        digest = hmac.digest(key, f"{message_id}.{sent}.".encode() + body, "sha256")
        signature = "v1," + base64.b64encode(digest).decode()
        return {"webhook-id": message_id, "webhook-timestamp": sent, "webhook-signature": signature}

    def _shared(self, body: bytes, now: float, message_id: str) -> dict[str, str]:
        return {"X-CircuitOS-Secret": self._secret}

    def _basic(self, body: bytes, now: float, message_id: str) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(self._secret.encode()).decode()}

    def _token(self, body: bytes, now: float, message_id: str) -> dict[str, str]:
        return {}  # the sample holds it


def deliver(
    signer: Signer,
    bodies: Iterable[bytes],
    *,
    concurrency: int = 1,
    rate: float | None = None,
    done: Callable[[Answer], None] = lambda answer: None,
    message_id: str = "",
) -> Results:
    """Send every body; ``rate`` is deliveries a second at most. ``done`` hears each answer.

    ``message_id`` makes every Standard Webhooks delivery carry that id instead of one of its own.
    """
    results = Results()
    lock = threading.Lock()
    queue = iter(bodies)
    started = time.monotonic()
    sent = 0

    def work() -> None:
        nonlocal sent
        line: http.client.HTTPConnection | None = None
        while True:
            with lock:
                body = next(queue, None)
                number, sent = sent, sent + 1
            if body is None:
                break
            if rate:
                time.sleep(max(0.0, started + number / rate - time.monotonic()))
            line = line or _connect(signer.url)
            answer = _post(line, signer, body, message_id or f"msg_{uuid.uuid4().hex}")
            if not answer.status:
                line.close()
                line = None
            with lock:
                results.answers.append(answer)
                done(answer)
        if line is not None:
            line.close()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(max(1, concurrency))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.seconds = time.monotonic() - started
    return results


def _connect(url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=TIMEOUT)


def _post(line: http.client.HTTPConnection, signer: Signer, body: bytes, message_id: str) -> Answer:
    parts = urlsplit(signer.url)
    headers = signer.headers(body, now=time.time(), message_id=message_id)
    started = time.perf_counter()
    try:
        line.request("POST", parts.path + (f"?{parts.query}" if parts.query else ""), body, headers)
        response = line.getresponse()
        said = response.read()
    except (OSError, http.client.HTTPException):
        return Answer(0, {}, time.perf_counter() - started, message_id)
    seconds = time.perf_counter() - started
    try:
        document = json.loads(said)
    except ValueError:
        document = {}
    return Answer(response.status, document if isinstance(document, dict) else {}, seconds, message_id)
