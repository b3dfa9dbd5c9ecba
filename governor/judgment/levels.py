"""The Judgment Protocol: its 17 levels, in the order they are passed. The one place that lists them.

Levels 1–5 stand at the door (``triggers``), before a body is believed; 6–14 look at each record when it is
run, and at what a model is to read; 15–17 at what would leave. A check is named ``module:function``, because
the lower parts of the project may not import the door.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCKED = "judgment.blocked"  # what a question to a model is refused with
INGEST, RUN, EFFECTS = "ingest", "run", "effects"


@dataclass(frozen=True, slots=True)
class Level:
    """One level: what it guards, the check itself, what a finding does, and the risks it answers."""

    number: int
    name: str
    stage: str
    check: str  # module:function
    checks: str  # for people
    on_finding: str
    serves: str
    codes: tuple[str, ...] = ()  # of the refusals it makes

    @property
    def function(self) -> Callable[..., Any]:
        """The plain function."""
        module, _, name = self.check.partition(":")
        found: Callable[..., Any] = getattr(import_module(module), name)
        return found


LEVELS: tuple[Level, ...] = (
    Level(
        1, "Transport and size", INGEST, "triggers.api:read_body",
        "POST, a media type of the CRM, UTF-8, not compressed, at most 1 MiB",
        "refused before it is parsed", "API4, API8; CWE-770, CWE-409",
        ("triggers.method-not-allowed", "triggers.wrong-media-type", "triggers.too-large"),
    ),
    Level(
        2, "Signature", INGEST, "triggers.ingest:verify",
        "the connection's own scheme, over the raw bytes, pinned keys, constant time; none is a bad one",
        "401, kept as a refused delivery", "API2; CWE-347, CWE-208",
        ("triggers.bad-signature",),
    ),
    Level(
        3, "Freshness and replay", INGEST, "triggers.delivery_store:insert",
        "a signed sending time within 5 minutes, where the CRM signs one; an id that was seen is a duplicate",
        "stale: 401; a duplicate: 200 and nothing happens", "Standard Webhooks; CWE-294",
    ),
    Level(
        4, "Tenant binding", INGEST, "triggers.ingest:bind",
        "the account in the body is the connection's; the connection is known and switched on",
        "401 for another's account; an event without one is quarantined", "API1, API5; CWE-639",
        ("triggers.wrong-account", "triggers.account-missing", "triggers.unknown-key"),
    ),
    Level(
        5, "Rate and quota", INGEST, "triggers.delivery_admission:admit",
        "events a second, and how many may wait",
        "429 with Retry-After; over the quota events wait", "API4, API6; LLM10",
        ("triggers.rate-exceeded", "triggers.lot-full"),
    ),
    Level(
        6, "Shape and schema", RUN, "governor.judgment.shape:findings",
        "strict JSON of bounded depth and size; the object's fields and types; unknown ones kept apart",
        "the record is quarantined, the others go on", "API3, API10; CWE-20, CWE-674, CWE-915",
        ("triggers.malformed", "triggers.misfit", "triggers.not-an-event", "triggers.record-missing"),
    ),
    Level(
        7, "Unicode canonical form", RUN, "governor.judgment.unicode_form:canonical",
        "invisible characters, direction overrides, tag characters, look-alikes",
        "stripped, and counted as risk", "CWE-176; LLM01",
    ),
    Level(
        8, "Encoded payloads", RUN, "governor.judgment.encoded:decoded",
        "base64, hex, percent, entities, ROT13, spaced letters: decoded twice at most, and judged again",
        "as what was found in it", "LLM01; CWE-174",
    ),
    Level(
        9, "Code injection", RUN, "governor.judgment.code_injection:findings",
        "HTML and scripts, SQL, templates, shell, line breaks, formulas, schemes of addresses",
        "the value stays, and is escaped where it is shown",
        "CWE-79, CWE-89, CWE-94, CWE-78, CWE-93, CWE-1236; LLM05",
    ),
    Level(
        10, "Instruction override", RUN, "governor.judgment.overrides:findings",
        "“ignore the instructions above”, in many languages", "risk .55", "LLM01",
    ),
    Level(
        11, "Role play and jailbreak", RUN, "governor.judgment.personas:findings",
        "personas, developer mode, frames of fiction", "risk .40", "LLM01",
    ),
    Level(
        12, "Context escape", RUN, "governor.judgment.context_escape:stripped",
        "tokens of chat templates, forged roles and tool calls, our own marks",
        "stripped, risk .60", "LLM01; CWE-74",
    ),
    Level(
        13, "Extraction and secrets", RUN, "governor.judgment.extraction:findings",
        "asks for prompts, keys or others' data; secrets are masked wherever they are shown",
        "risk .50", "LLM02, LLM07; CWE-200, CWE-532",
    ),
    Level(
        14, "Decision tampering, combined risk", RUN, "governor.judgment.judge:judge_record",
        "texts aimed at the score; instructions in names and tags, or split over fields; all risks together,"
        " with a small classifier",
        "noted, quarantined or blocked by the tenant's thresholds", "LLM01, LLM04",
        ("judgment.quarantined", "judgment.blocked"),
    ),
    Level(
        15, "Isolation and least power", EFFECTS, "governor.judgment.asking:judge",
        "a model reads strangers' texts only between marks drawn for the call, and has no tools; callouts go"
        " to listed public hosts",
        "the call is refused", "LLM06, LLM10; API7; CWE-918",
        ("governor.egress-refused", "governor.host-not-allowed"),
    ),
    Level(
        16, "Output contract and leakage", EFFECTS, "governor.judgment.output:leaks",
        "the answer fits its schema, and holds no secret, mark, person, link or markup that was not asked"
        " about; rules of review replies",
        "asked once more, then the record is quarantined", "LLM02, LLM05, LLM07, LLM09",
        ("judgment.prompt-leaked", "judgment.output-refused"),
    ),
    Level(
        17, "Authority, consent, audit", EFFECTS, "governor.judgment.authority:may_message",
        "consent, opt-outs, quiet hours, caps, approvals, allowed fields, loops; the kill switch; the audit"
        " log's chain",
        "it waits, or is refused", "LLM06; API6; CWE-778",
        ("judgment.effects-stopped",),
    ),
)  # fmt: skip
_BY_CODE = {code: level for level in LEVELS for code in level.codes}


def of_code(code: str) -> Level | None:
    """The level that makes refusals with this code."""
    return _BY_CODE.get(code)
