"""Shipped agents as a tenant steers them: switched on and off, with the settings they understand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q

from circuitos.script.errors import CircuitError
from tenants import audit
from tenants.errors import CodedError
from tenants.models import Tenant
from triggers.models import TriggerConfig
from triggers.registry import ScriptsDoNotLoad, registry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Agent:
    """A set of triggers that do one thing for a tenant."""

    name: str
    title: str
    text: str
    does: tuple[str, ...]
    triggers: tuple[str, ...]
    has_settings: bool = False


AGENTS = (
    Agent(
        name="lead-scoring",
        title="Lead scoring",
        text="Scores every new contact from 0 to 100 by fit, intent and timing, and says why.",
        does=(
            "Scores a contact when it is new, and again when something that matters changes",
            "Makes a task to call at once when a lead turns hot",
            "Keeps every reason with the score",
        ),
        triggers=("ContactTrigger.score_new_leads", "ContactTrigger.rescore_on_intent_change"),
        has_settings=True,
    ),
    Agent(
        name="outcomes",
        title="Won and lost",
        text="Notes which opportunities were won or lost beside the score their contact had.",
        does=(
            "Writes one outcome for each opportunity that ends",
            "Keeps the score that the contact had at that moment",
        ),
        triggers=("OpportunityTrigger.record_outcome",),
    ),
)


class NoAgent(CodedError):
    """There is no such agent here."""

    code = "triggers.no-agent"
    status = 404


class AgentOff(CodedError):
    """The operator has switched the agent off for all."""

    code = "triggers.agent-off"
    status = 409


class BadAgentSettings(CodedError):
    """The agent cannot work with these settings."""

    code = "triggers.bad-agent-settings"


@dataclass(frozen=True, slots=True)
class Standing:
    """An agent as it stands for a tenant."""

    agent: Agent
    is_on: bool
    is_off_for_all: bool
    pause_reason: str  # "" = not paused


def there_are() -> list[Agent]:
    """The agents whose triggers are all registered."""
    try:
        current = registry()
    except ScriptsDoNotLoad:
        return []  # the operator's console says why
    return [agent for agent in AGENTS if all(name in current for name in agent.triggers)]


def agent_of(name: str) -> Agent:
    """The agent of that name. Raises ``NoAgent``."""
    found = next((agent for agent in there_are() if agent.name == name), None)
    if found is None:
        raise NoAgent("There is no such agent.")
    return found


def standings(tenant: Tenant, *, at: datetime) -> list[Standing]:
    """How each agent stands for the tenant: one query."""
    agents = there_are()
    names = [name for agent in agents for name in agent.triggers]
    rows = TriggerConfig.objects.filter(Q(tenant=None) | Q(tenant=tenant), trigger__in=names)
    of_all: dict[str, TriggerConfig] = {}
    own: dict[str, TriggerConfig] = {}
    for row in rows:
        (of_all if row.tenant_id is None else own)[row.trigger] = row
    found = []
    for agent in agents:
        configs = [own.get(name) or of_all.get(name) for name in agent.triggers]
        pauses = [
            config
            for rows_of in (own, of_all)
            for name in agent.triggers
            if (config := rows_of.get(name)) and config.paused_until and config.paused_until > at
        ]
        found.append(
            Standing(
                agent=agent,
                is_on=any(config is None or config.is_enabled for config in configs),
                is_off_for_all=all(
                    name in of_all and not of_all[name].is_enabled and name not in own
                    for name in agent.triggers
                ),
                pause_reason=(pauses[0].pause_reason or "no reason was given") if pauses else "",
            )
        )
    return found


def is_any_on(tenant: Tenant) -> bool:
    """Whether an agent runs for the tenant, as far as switches go: one query, and no script is looked at."""
    names = {name for agent in AGENTS for name in agent.triggers}
    rows = TriggerConfig.objects.filter(Q(tenant=None) | Q(tenant=tenant), trigger__in=names)
    switches = {row.trigger: row.is_enabled for row in sorted(rows, key=lambda row: row.tenant_id or 0)}
    return any(switches.get(name, True) for name in names)


def switch(*, agent: Agent, tenant: Tenant, is_on: bool, actor: str, at: datetime) -> None:
    """Run the agent's triggers for the tenant, or no longer. Raises ``AgentOff``."""
    standing = next(each for each in standings(tenant, at=at) if each.agent.name == agent.name)
    if is_on and standing.is_off_for_all:
        raise AgentOff(f"{agent.title} is not available just now; ask your service team.")
    with transaction.atomic():
        for name in agent.triggers:
            # Order, pause and settings stay as somebody has set them.
            TriggerConfig.objects.update_or_create(
                tenant=tenant, trigger=name, defaults={"is_enabled": is_on}
            )
        audit.record(
            actor=actor,
            verb="switched on" if is_on else "switched off",
            target=f"agent {agent.name}",
            tenant=tenant,
            data={"triggers": list(agent.triggers)},
            at=at,
        )


def set_scoring(
    *, tenant: Tenant, facts: Mapping[str, Any], lpr: Mapping[str, Any], actor: str, at: datetime
) -> None:
    """Change settings of lead scoring: ``None`` takes one out, what is not named stays.

    Raises ``BadAgentSettings`` with a sentence for people.
    """
    # numpy comes with it: who never saves here does without.
    from circuitos.agents.virtual_lpr.weights import weights_of

    with transaction.atomic():
        row = Tenant.objects.select_for_update(of=("self",)).get(pk=tenant.pk)
        settings = dict(row.settings) if isinstance(row.settings, dict) else {}
        own = settings.get("lpr")
        before = {"lpr": own, **{name: settings.get(name) for name in facts}}
        settings = _merged(settings, facts)
        settings = _merged(settings, {"lpr": _merged(own if isinstance(own, dict) else {}, lpr) or None})
        try:
            weights_of(settings, timezone=row.timezone)
        except CircuitError as error:
            raise BadAgentSettings(_plain(error.detail)) from error
        row.settings = settings
        row.save(update_fields=["settings"])
        after = {"lpr": settings.get("lpr"), **{name: settings.get(name) for name in facts}}
        audit.record(
            actor=actor,
            verb="changed the settings of",
            target="agent lead-scoring",
            tenant=row,
            data={"before": before, "after": after},
            at=at,
        )


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**old, **new}.items() if value is not None}


def _plain(sentence: str) -> str:
    """A sentence about a setting without the path it has in the file."""
    for name, said in (("lpr.thresholds: ", ""), ("lpr.thresholds.", ""), ("lpr.", "")):
        sentence = sentence.replace(name, said)
    return sentence[:1].upper() + sentence[1:]
