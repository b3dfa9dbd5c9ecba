"""An httpx transport whose requests are callouts, so that an SDK built on httpx runs in the jail, counted."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from circuitos.script.errors import CircuitError

if TYPE_CHECKING:
    from circuitos.script.callouts import Http, Response

# What is about the connection or the encoding, not about the message: the broker has undone these already.
_HOP = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection", "keep-alive"})
_LIBRARIES = ("httpx2", "httpx")


def make(http: Http) -> Any:
    """A transport for the httpx that the script uses. Raises ``CircuitError`` when none is installed."""
    library: Any = _library()

    class Transport(library.BaseTransport, library.AsyncBaseTransport):  # type: ignore[misc]
        def handle_request(self, request: Any) -> Any:
            request.read()
            return self._answer(request, http.request(**self._ask(request)))

        async def handle_async_request(self, request: Any) -> Any:
            await request.aread()
            return self._answer(request, await http.request(**self._ask(request)))

        @staticmethod
        def _ask(request: Any) -> dict[str, Any]:
            timeouts = [value for value in request.extensions.get("timeout", {}).values() if value]
            headers = {
                name: value for name, value in request.headers.items() if name.lower() not in {"host", *_HOP}
            }
            return {
                "method": request.method,
                "url": str(request.url),
                "headers": headers,
                "body": request.content or None,
                "timeout": max(timeouts, default=10.0),
            }

        @staticmethod
        def _answer(request: Any, response: Response) -> Any:
            headers = {name: value for name, value in response.headers.items() if name not in _HOP}
            return library.Response(response.status, headers=headers, content=response.body, request=request)

    return Transport()


def _library() -> Any:
    for name in sorted(_LIBRARIES, key=lambda name: name not in sys.modules):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise CircuitError("http.transport() needs httpx2 or httpx installed.", code="script.no-httpx")
