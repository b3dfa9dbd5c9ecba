"""Virtual LPR: scores leads 0 to 100 by fit, intent and timing, and accounts for every point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circuitos.agents.virtual_lpr.score import Scores, score
from circuitos.agents.virtual_lpr.signals import changed_signals
from circuitos.agents.virtual_lpr.weights import NOT_ENOUGH, BadSettings
from circuitos.script import session
from circuitos.script.aliases import camel_case
from circuitos.script.errors import NoExecution

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["NOT_ENOUGH", "BadSettings", "Scores", "VirtualLPR", "changed_signals", "score"]


@camel_case
class VirtualLPR:
    """The scoring agent. It asks nobody for anything: no API call, no record query."""

    @staticmethod
    def score_leads(records: Sequence[Mapping[str, Any]], enriched: Mapping[str, Any] | None = None) -> Any:
        """Score ``records`` with the tenant's weights, as of ``context.now``.

        Gives the rows for ``CircuitDB.update("Contact", …)``; in an ``async`` handler an awaitable of them.
        ``enriched`` is what ``CircuitDB.batch_enrich(records, ["census", "activity"])`` gave, or None. Raises
        ``BadSettings`` when the tenant's scoring settings cannot be used.
        """

        def plain() -> list[dict[str, Any]]:
            context = session.current().context
            if context is None:
                raise NoExecution("No batch is running; call score() with settings and now.")
            tenant = context.tenant
            return score(
                records, enriched, settings=tenant.settings, now=context.now, timezone=tenant.timezone
            ).rows

        async def awaitable() -> list[dict[str, Any]]:
            return plain()

        return session.compose(plain, awaitable, what="VirtualLPR.score_leads")
