"""Events, lanes, executions and trigger configuration. All in the public schema, tenant first."""

from __future__ import annotations

from triggers.models.agency import Agency
from triggers.models.approval import Approval
from triggers.models.backfill import ArrivedDay, Backfill, BackfillState, Reconciliation
from triggers.models.budget import RateBudget
from triggers.models.config import TriggerConfig
from triggers.models.crm_fields import CrmFields
from triggers.models.dead_letter import DeadLetterGroup, DeadLetterTenant
from triggers.models.erasure import Erasure
from triggers.models.event import Dedup, Event, LiveEvent, PastEvent, RefusedDelivery
from triggers.models.execution import Execution
from triggers.models.lane import Lane
from triggers.models.outbox import OutboxLane, OutboxWrite
from triggers.models.pulse import Pulse
from triggers.models.refused import RefusedCount
from triggers.models.replay import Replay, ReplayItem
from triggers.models.saved_view import SavedView
from triggers.models.unclaimed import AppRefusal, UnclaimedAccount, UnclaimedEvent

__all__ = [
    "Agency",
    "AppRefusal",
    "Approval",
    "ArrivedDay",
    "Backfill",
    "BackfillState",
    "CrmFields",
    "DeadLetterGroup",
    "DeadLetterTenant",
    "Dedup",
    "Erasure",
    "Event",
    "Execution",
    "Lane",
    "LiveEvent",
    "OutboxLane",
    "OutboxWrite",
    "PastEvent",
    "Pulse",
    "RateBudget",
    "Reconciliation",
    "RefusedCount",
    "RefusedDelivery",
    "Replay",
    "ReplayItem",
    "SavedView",
    "TriggerConfig",
    "UnclaimedAccount",
    "UnclaimedEvent",
]
