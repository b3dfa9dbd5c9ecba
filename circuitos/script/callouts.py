"""``http``: callouts. The broker makes and counts them and holds the secrets; the script sees the answer."""

from __future__ import annotations

import json as _json
from typing import TYPE_CHECKING, Any

from circuitos.script.errors import CalloutError
from circuitos.script.plain import strict
from circuitos.script.session import call

if TYPE_CHECKING:
    from collections.abc import Mapping


class Response:
    """An answer: ``status``, ``headers`` (lower-case names), ``body`` (bytes), ``text``, ``json()``."""

    __slots__ = ("body", "headers", "method", "status", "url")

    def __init__(
        self, status: int, headers: Mapping[str, str], body: bytes, *, method: str = "", url: str = ""
    ) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.body = body
        self.method = method
        self.url = url

    @property
    def status_code(self) -> int:
        return self.status

    @property
    def content(self) -> bytes:
        return self.body

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status < 400

    @property
    def text(self) -> str:
        """The body as UTF-8; bytes that are none become �."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body as JSON. Raises ``CalloutError`` when it is none."""
        try:
            return _json.loads(self.body)
        except ValueError as error:
            raise CalloutError(
                f"{self.method} {self.url} answered {self.status} with a body that is no JSON.",
                status=self.status,
            ) from error

    def raise_for_status(self) -> Response:
        """The response itself, or ``CalloutError`` when the status is 400 or more."""
        if not self.ok:
            raise CalloutError(f"{self.method} {self.url} answered {self.status}.", status=self.status)
        return self

    def __repr__(self) -> str:
        return f"<Response {self.status} of {self.method} {self.url}>"


class Http:
    """Callouts over HTTP; each costs 1 API call. Await them in async code.

    Any status is an answer; ``response.raise_for_status()`` makes one of 400 and more a ``CalloutError``.
    Raises ``CalloutError`` when there is no answer within ``timeout`` seconds, and ``JudgmentBlocked`` for an
    address scripts may not reach. ``{{secret:NAME}}`` in a header is filled in by the broker; the script
    never sees it.

    A redirect is an answer; with ``follow=True`` up to 5 are followed, each at the cost of 1 API call and
    never to an address scripts may not reach. A reading request that found nobody or a gateway's error is
    made once again (``retries``, 0 to 3; each costs 1 API call); a writing one only when you ask for it,
    and only when it certainly never left or the host said when to come back.
    """

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        body: bytes | str | None = None,
        timeout: float = 10.0,
        follow: bool = False,
        retries: int | None = None,
    ) -> Any:
        """Send a request; gives a ``Response``. ``json`` is sent as a JSON body, ``body`` as it is."""
        method, url = method.upper(), str(url)
        args: dict[str, Any] = {
            "method": method,
            "url": url,
            "headers": {str(name): str(value) for name, value in (headers or {}).items()},
            "params": strict(params, "params") if params else {},
            "json": strict(json, "json"),
            "body": body.encode() if isinstance(body, str) else body,
            "timeout": float(timeout),
        }
        # Only when given: the journal knows a request by its arguments.
        if follow:
            args["follow"] = True
        if retries is not None:
            args["retries"] = int(retries)
        return call(
            "http",
            args,
            what=f"http.{method.lower()}",
            then=lambda answer: Response(
                answer["status"],
                dict(answer["headers"]),
                answer["body"] or b"",
                method=method,
                url=answer.get("url", url),
            ),
        )

    def get(self, url: str, **more: Any) -> Any:
        return self.request("GET", url, **more)

    def post(self, url: str, **more: Any) -> Any:
        return self.request("POST", url, **more)

    def put(self, url: str, **more: Any) -> Any:
        return self.request("PUT", url, **more)

    def patch(self, url: str, **more: Any) -> Any:
        return self.request("PATCH", url, **more)

    def delete(self, url: str, **more: Any) -> Any:
        return self.request("DELETE", url, **more)

    def transport(self) -> Any:
        """A transport for SDKs built on httpx, sync or async: ``Client(transport=http.transport())``."""
        from circuitos.script.transport import make

        return make(self)


http = Http()
