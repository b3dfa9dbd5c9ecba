"""The one road out of a script: what the jail's socket and the testing kit's fake broker both are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable


class Channel(Protocol):
    """Carries requests to a broker. ``request`` may be called from several threads at once.

    ``limits`` is ``{name: [used, max]}``, brought up to date by every answer. A refused request raises what
    ``errors.from_wire`` makes of the broker's ``err``. ``at`` is the ``file:line`` of the script that asks,
    ``record`` the id of the record it is at.
    """

    limits: dict[str, list[float]]

    def request(self, op: str, args: dict[str, Any], *, at: str = "", record: str = "") -> Any:
        """Ask and wait for the answer."""

    def request_async(
        self, op: str, args: dict[str, Any], *, at: str = "", record: str = ""
    ) -> Awaitable[Any]:
        """Ask now; the awaitable gives the answer. Several may be under way."""
        ...

    def notify(self, kind: str, payload: dict[str, Any]) -> None:
        """Tell, without an answer. ``kind`` is ``"log"``: ``{"level", "message", "data", "at", "line"}``."""
