"""The one HTTP client: it connects to an address it has checked, follows nothing, and gives up in time."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

import httpcore2
import httpx2
from django.conf import settings

from governor.addresses import is_allowed
from governor.targets import METHODS, SAFE_METHODS, EgressRefused, check_url, is_private_name

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Resolve = Callable[[str, int], Iterable[str]]

__all__ = [
    "METHODS",
    "SAFE_METHODS",
    "Answer",
    "CalloutFailed",
    "CheckedBackend",
    "EgressRefused",
    "check_url",
    "client_for_operators",
    "new_client",
    "send",
]

MOST_BODY = 5 * 1024 * 1024
MOST_SECONDS = 30.0
CONNECT_SECONDS = 5.0
USER_AGENT = "CircuitOS/0.1"
MOST_CONNECTIONS = 64
LOOK_SECONDS = 0.25  # while it waits for an answer, how often it looks whether anybody else still does


# It would write whole addresses, and with them what stands in their queries, into our logs.
logging.getLogger("httpx2").setLevel(logging.WARNING)


class CalloutFailed(OSError):
    """No complete answer came. ``is_sent`` is False when the request certainly never left."""

    def __init__(self, code: str, detail: str, *, is_sent: bool) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.is_sent = is_sent


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said; header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes


def send(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    json: Any = None,
    body: bytes | None = None,
    timeout: float = 10.0,
    is_operators: bool = False,
    client: httpx2.Client | None = None,
) -> Answer:
    """One request, one answer, whatever its status. May be called from any thread.

    ``is_operators`` says that the address comes from the operator's configuration, not from a script or a
    tenant: it may then be a private one. ``client`` is one made by ``new_client``, instead of the process's
    own. Raises ``EgressRefused`` and ``CalloutFailed``.
    """
    target = check_url(method, url, allowed=settings.EGRESS_ALLOW, is_operators=is_operators)
    seconds = max(0.001, min(timeout, MOST_SECONDS))
    client = client or _client(is_operators=is_operators)
    try:
        request = client.build_request(
            method,
            target,
            params=dict(params) if params else None,
            headers={"user-agent": USER_AGENT, "accept-encoding": "identity", **(headers or {})},
            json=json,
            content=body,
            timeout=httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS), pool=seconds),
        )
    except (ValueError, TypeError, httpx2.InvalidURL) as error:
        raise EgressRefused(f"This is no request: {error}") from None
    _now.deadline = time.monotonic() + seconds
    try:
        response = client.send(request, stream=True)
        try:
            content = _bounded(response.iter_bytes(65_536))
        finally:
            response.close()
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise CalloutFailed(
            "governor.unreachable", f"{target.host} cannot be reached: {error}", is_sent=False
        ) from None
    except httpx2.TimeoutException:
        raise CalloutFailed(
            "governor.timeout", f"{target.host} did not answer in {seconds:.1f} s.", is_sent=True
        ) from None
    except httpx2.LocalProtocolError:
        # Its text quotes the header that is at fault, and a secret may stand in it.
        raise CalloutFailed(
            "governor.bad-request",
            "A header cannot be sent as it is: it holds a character that HTTP does not allow.",
            is_sent=False,
        ) from None
    except httpx2.HTTPError as error:
        raise CalloutFailed("governor.broken-answer", f"{target.host}: {error}", is_sent=True) from None
    finally:
        _now.deadline = None
    return Answer(
        response.status_code, {name.lower(): value for name, value in response.headers.items()}, content
    )


def new_client(*, allowed: Iterable[str] | None, resolve: Resolve | None = None) -> httpx2.Client:
    """A client with connections of its own and no cookies: what one tenant is given, another would send.

    ``allowed`` names the private hosts it may reach, None: all, as the operator's own hosts may be private.
    ``resolve`` gives the IP addresses of a name.
    """
    return httpx2.Client(
        transport=_Transport(allowed, resolve=resolve),
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        follow_redirects=False,
        trust_env=False,
    )


def client_for_operators() -> httpx2.Client:
    """The client for libraries that bring their own requests to an address the operator configured."""
    return _client(is_operators=True)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Whatever this thread sends by our clients meanwhile ends in ``seconds``, however it drips."""
    _now.deadline = time.monotonic() + seconds
    try:
        yield
    finally:
        _now.deadline = None


@contextmanager
def until(is_over: Callable[[], bool]) -> Iterator[None]:
    """This thread waits for no answer any more once ``is_over`` says so."""
    _now.is_over = is_over
    try:
        yield
    finally:
        _now.is_over = None


class CheckedBackend(httpcore2.SyncBackend):
    """Connects to the IP address it looked at, so that a name cannot resolve differently the second time."""

    def __init__(self, allowed: Iterable[str] | None, *, resolve: Resolve | None = None) -> None:
        self._allowed = None if allowed is None else tuple(allowed)
        self._resolve = resolve or _resolve

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.NetworkStream:
        problem: Exception = httpcore2.ConnectError(f"{host} has no address")
        for address in self._addresses(host, port):
            if _is_over():
                break
            try:
                stream = super().connect_tcp(
                    address, port, _left(timeout), local_address, socket_options or []
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                problem = error
            else:
                return _TimedStream(stream)
        raise problem

    def connect_unix_socket(self, path: str, timeout: float | None = None, socket_options: Any = None) -> Any:
        raise httpcore2.ConnectError("Callouts do not go to sockets of this machine.")

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            addresses = list(dict.fromkeys(self._resolve(host, port)))
        except (OSError, UnicodeError) as error:
            if self._allowed is not None and is_private_name(host):
                raise EgressRefused(f"{host} is a private name; callouts go to public ones.") from None
            if isinstance(error, UnicodeError) or error.errno == socket.EAI_NONAME:
                detail = f"There is no host {host}."
                raise CalloutFailed("governor.unknown-host", detail, is_sent=False) from None
            raise httpcore2.ConnectError(f"{host} cannot be looked up: {error}") from None
        if self._allowed is not None:
            for address in addresses:
                if not is_allowed(address, host.rstrip("."), port=port, allowed=self._allowed):
                    raise EgressRefused(f"{host} is a private address; callouts go to public ones.")
        return addresses


class _TimedStream(httpcore2.NetworkStream):
    """Ends with the request's deadline: a time-out a read alone lets a slow server drip for hours."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _left(None if end is None else end - time.monotonic())
            if left is not None and left <= 0:
                raise httpcore2.ReadTimeout("the answer did not end in time")
            if _is_over():
                raise httpcore2.ReadError("nobody waits for the answer any more")
            try:
                return self._stream.read(max_bytes, LOOK_SECONDS if left is None else min(left, LOOK_SECONDS))
            except httpcore2.ReadTimeout:
                continue  # the time left says whether it is one

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _TimedStream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Transport(httpx2.HTTPTransport):
    def __init__(self, allowed: Iterable[str] | None, *, resolve: Resolve | None = None) -> None:
        # Not by the parent's constructor, which knows no network backend.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(trust_env=False),
            max_connections=MOST_CONNECTIONS,
            max_keepalive_connections=MOST_CONNECTIONS // 2,
            keepalive_expiry=20,
            network_backend=CheckedBackend(allowed, resolve=resolve),
        )


# Of the request that this thread is making: its deadline, and who says that nobody waits for it.
_now = threading.local()


def _left(timeout: float | None) -> float | None:
    deadline: float | None = getattr(_now, "deadline", None)
    if deadline is None:
        return timeout
    left = max(0.001, deadline - time.monotonic()) if deadline > time.monotonic() else 0
    return left if timeout is None else min(left, timeout)


def _is_over() -> bool:
    is_over: Callable[[], bool] | None = getattr(_now, "is_over", None)
    return is_over is not None and is_over()


def _bounded(chunks: Iterator[bytes]) -> bytes:
    whole = bytearray()
    for chunk in chunks:
        whole += chunk
        if len(whole) > MOST_BODY:
            detail = f"The answer has more than {MOST_BODY:,} bytes."
            raise CalloutFailed("governor.answer-too-large", detail, is_sent=True)
    return bytes(whole)


def _client(*, is_operators: bool) -> httpx2.Client:
    # By process: connections must not be shared with a parent; by setting: tests change it.
    allowed = None if is_operators else tuple(settings.EGRESS_ALLOW)
    return _new_client(os.getpid(), allowed)


@cache
def _new_client(_process: int, allowed: tuple[str, ...] | None) -> httpx2.Client:
    return new_client(allowed=allowed)


def _resolve(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
