"""Webhooks in over HTTP: from a request to one call of ingest, and its outcome to an answer."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from django.http import HttpResponse
from rest_framework.views import APIView

from circuitos.env import env
from tenants.errors import CodedError
from triggers import app_ingest, delivery_connections, ingest
from triggers.crm.proof import PEER, QUERY
from triggers.group_commit import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

logger = logging.getLogger(__name__)

PREFIX = "/hooks/"
APP = "app/"  # then the CRM: a marketplace app's one address
_UTF_8 = frozenset({"charset=utf-8", "charset=utf8"})
_encode = msgspec.json.Encoder().encode


class NotAllowed(CodedError):
    """Webhooks are posted."""

    code = "triggers.method-not-allowed"
    status = 405


class WrongMediaType(CodedError):
    """The body is not declared as plain UTF-8 JSON."""

    code = "triggers.wrong-media-type"
    status = 415


class TooLarge(CodedError):
    """The body is larger than we take."""

    code = "triggers.too-large"
    status = 413


class HookView(APIView):
    """Takes a CRM's webhook, answers 202 once it is stored, and runs nothing itself."""

    authentication_classes = []
    permission_classes = []
    schema = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer without DRF's request, negotiation and response: the sender's bytes are what counts."""
        try:
            return self._receive(request, kwargs["key"] if "key" in kwargs else APP + kwargs["crm"])
        except CodedError as error:
            return _refusal(error)
        except Exception:
            # Whatever went wrong is ours to mend, and the sender's event must come again: all re-send on 429.
            logger.exception("A delivery could not be taken")
            return _refusal(Unavailable())

    def _receive(self, request: HttpRequest, key: str) -> HttpResponse:
        if request.method != "POST":
            raise NotAllowed("Webhooks are sent with POST.", headers={"Allow": "POST"})
        at = datetime.now(UTC)
        if key.startswith(APP):
            return self._receive_app(request, key.removeprefix(APP), at)
        hook = delivery_connections.find(key, at=at)
        environ = request.META
        adapter = hook.adapter
        media_type, body = read_body(environ, adapter.MEDIA_TYPES)
        headers = _headers(environ, adapter.HEADERS)
        if hook.senders:
            headers[PEER] = environ.get("REMOTE_ADDR", "")
        receipt = ingest.receive(
            hook=hook,
            body=body,
            headers=headers,
            method="POST",
            uris=_addresses(request) if adapter.SIGNS_ADDRESS else (),
            at=at,
        )
        if said := adapter.MEDIA_TYPES[media_type]:
            # In the sender's own form it takes no other status for a yes.
            return HttpResponse(said, headers={"Content-Type": media_type, "Content-Length": str(len(said))})
        return _answer(receipt, 202 if receipt.accepted else 200)

    def _receive_app(self, request: HttpRequest, crm: str, at: datetime) -> HttpResponse:
        adapter = app_ingest.app_of(crm).adapter
        _, body = read_body(request.META, adapter.MEDIA_TYPES)
        headers = _headers(request.META, adapter.HEADERS)
        # Everybody knows this address: what stands behind it says nothing of the event.
        headers.pop(QUERY, None)
        receipt = app_ingest.receive(
            crm=crm,
            body=body,
            headers=headers,
            uris=_addresses(request) if adapter.SIGNS_ADDRESS else (),
            at=at,
        )
        return _answer(receipt, 202 if receipt.accepted else 200)


class HooksFirst:
    """Middleware, to stand near first: webhooks go straight to their view, past sessions and log-ins."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._view = HookView.as_view()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path = request.path_info
        if path.startswith(PREFIX):
            # What holds another slash is no key either, and told so.
            return self._view(request, key=path.removeprefix(PREFIX).removesuffix("/"))
        return self._get_response(request)


def _answer(document: object, status: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
    content = _encode(document)
    # Its own length: the middleware that would add it stands further down.
    lines = {"Content-Type": "application/json", "Content-Length": str(len(content)), **(headers or {})}
    return HttpResponse(content, status=status, headers=lines)


def _refusal(error: CodedError) -> HttpResponse:
    return _answer({"code": error.code, "detail": str(error), **error.extra}, error.status, error.headers)


def read_body(environ: dict[str, Any], taken: Mapping[str, str]) -> tuple[str, bytes]:
    """Level 1: the media type and the raw body, when it is one of ``taken`` and no larger than we take."""
    return _check_media_type(environ, taken), _read(environ)


def _check_media_type(environ: dict[str, Any], taken: Mapping[str, str]) -> str:
    """The declared media type, one of ``taken``. Raises ``WrongMediaType``."""
    declared = environ.get("CONTENT_TYPE", "")
    media_type: str = declared
    if declared not in taken:
        media_type, _, parameters = declared.lower().partition(";")
        media_type = media_type.strip()
        parts = [part.strip().replace('"', "") for part in parameters.split(";")]
        is_odd = any(part.startswith("charset") and part not in _UTF_8 for part in parts)
        if media_type not in taken or is_odd:
            raise WrongMediaType(f"The media type must be {' or '.join(taken)}, in UTF-8.")
    if environ.get("HTTP_CONTENT_ENCODING", "identity") not in {"identity", ""}:
        raise WrongMediaType("Compressed bodies are not taken.")
    return media_type


def _read(environ: dict[str, Any]) -> bytes:
    """The raw body, never more of it than we take."""
    declared = environ.get("CONTENT_LENGTH", "")
    stream = environ["wsgi.input"]
    if declared.isascii() and declared.isdigit():
        length = int(declared[:12])
        if length > ingest.MAX_BODY:
            raise TooLarge(f"The body is over {ingest.MAX_BODY} bytes.")
        body: bytes = stream.read(length)
        return body
    # In chunks, of a length nobody told.
    parts, total = [], 0
    while total <= ingest.MAX_BODY and (part := stream.read(ingest.MAX_BODY + 1 - total)):
        parts.append(part)
        total += len(part)
    if total > ingest.MAX_BODY:
        raise TooLarge(f"The body is over {ingest.MAX_BODY} bytes.")
    return b"".join(parts)


def _headers(environ: dict[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    return {
        name: value for name, variable in _variables(names) if (value := environ.get(variable)) is not None
    }


@cache
def _variables(names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Header names with their names in a WSGI environment."""
    odd = {QUERY: "QUERY_STRING"}
    return tuple((name, odd.get(name) or "HTTP_" + name.upper().replace("-", "_")) for name in names)


def _addresses(request: HttpRequest) -> list[str]:
    """This request's public address: as configured, and as the sender may have called us."""
    environ = request.META
    query = environ.get("QUERY_STRING", "")
    path = request.path + ("?" + query if query else "")
    addresses = [env().public_url + path] if env().public_url else []
    if host := environ.get("HTTP_HOST"):
        # Behind a trusted proxy these are what the proxy was asked for.
        addresses.append(f"{environ.get('wsgi.url_scheme', 'http')}://{host}{path}")
    return addresses
