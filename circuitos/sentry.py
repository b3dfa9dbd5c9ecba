"""Error reports: to Sentry when SENTRY_DSN names one, masked as traces and logs are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from circuitos.log_lines import without_addresses
from governor.judgment.masking import mask

if TYPE_CHECKING:
    from sentry_sdk.types import Breadcrumb, Event, Hint

# What of a request tells of people, and of no fault.
_DROPPED = ("data", "cookies", "env")


def start(dsn: str, *, environment: str, transport: Any = None) -> None:
    """Send what goes wrong to Sentry: no bodies, no local variables, and the rest masked.

    It follows nobody: the integration with the standard library writes into the environment of each child
    process, a jail's too, and into the headers of requests to whoever a script calls.
    """
    import sentry_sdk
    from sentry_sdk.integrations.stdlib import StdlibIntegration

    sentry_sdk.init(
        dsn=dsn,
        environment=environment,
        include_local_variables=False,
        max_request_body_size="never",
        before_send=scrub,
        before_send_transaction=scrub,
        before_breadcrumb=scrub_crumb,
        disabled_integrations=[StdlibIntegration()],
        trace_propagation_targets=[],
        transport=transport,
    )


def scrub(event: Event, hint: Hint) -> Event:
    """The report without people and secrets."""
    request = event.get("request")
    if isinstance(request, dict):
        for name in _DROPPED:
            request.pop(name, None)
    return cast("Event", _masked(event))


def scrub_crumb(crumb: Breadcrumb, hint: Hint) -> Breadcrumb:
    """A step on the way to the fault, likewise."""
    return cast("Breadcrumb", _masked(crumb))


def _masked(report: Any) -> Any:
    return _deep(mask(report))


def _deep(value: Any) -> Any:
    if isinstance(value, str):
        return without_addresses(value)
    if isinstance(value, dict):
        return {name: _deep(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_deep(item) for item in value]
    return value
