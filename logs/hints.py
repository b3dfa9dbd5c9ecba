"""What to do about an error: one sentence for every code that can end an execution or fail a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_RETRY = "It is tried again by itself; replay it when that host answers again."
_ASK = "Nothing is wrong with the script: check the model's key and status, then replay."
_OURS = "This is the platform's fault: look at the worker's log for this time, then replay."
_ANSWER = "Have the script catch CalloutError and go on without the answer, or ask for less; then replay."

# code -> what to do
HINTS: dict[str, str] = {
    "governor.ai-failed": _ASK,
    "governor.ai-incomplete": "Ask for a shorter answer, or give the model more room for it; then replay.",
    "governor.ai-malformed": "Ask with a schema, or a simpler one, and say in the prompt what to answer.",
    "governor.ai-rate-limited": "Wait a minute and replay, or ask the model less often: many "
    "records a question.",
    "governor.ai-refused": "Read the data that was asked about: the model would not answer. "
    "Rephrase the prompt.",
    "governor.ai-timeout": "Ask for less at once, or earlier in the script: the model took the "
    "time that was left.",
    "governor.answer-too-large": "Ask the API for fewer fields or a smaller page; then replay.",
    "governor.bad-request": "Mend the request the script makes: its address, headers or body cannot be sent.",
    "governor.bad-wire": "The script broke out of the SDK's way of asking: look for code that writes to file "
    "descriptors, or uses a module that does.",
    "governor.batch-too-large": "Lower the trigger's batch_size: the records do not fit into one message.",
    "governor.broken-answer": "The host answered something that is no HTTP: check the address, "
    "and its status page.",
    "governor.callout-broken": _OURS,
    "governor.circuit-open": f"The host failed repeatedly and is left alone for a while. {_RETRY}",
    "governor.egress-refused": "The address lies inside a network or is no public one: scripts "
    "may not call it.",
    "governor.host-not-allowed": "Add the host to the tenant's egress_hosts, or call one that is listed.",
    "governor.jail-broken": "Run `manage.py doctor` on the worker's machine: the jail could not be started.",
    "governor.jail-unsafe": "Open the Jail page: an escape succeeded on this machine, so no "
    "script runs here.",
    "governor.limit-exceeded": "Use less of it in one execution, or raise the limit for this trigger.",
    "governor.not-recorded": "The script asked for something the earlier run did not: replay it "
    "live or dry instead.",
    "governor.over-quota": "It waits for the tenant's quota and runs by itself; raise the quota "
    "to run it now.",
    "governor.provider-down": f"The provider is down; the lane waits, nothing is lost. {_RETRY}",
    "governor.rate-limited": f"The host asks for fewer calls: fetch many records a call. {_RETRY}",
    "governor.runner-died": "The script's process ended by itself: look for sys.exit, os._exit "
    "or a crashing library.",
    "governor.timeout": "Give the call less to do, or catch CalloutError and go on without it; then replay.",
    "governor.too-many-redirects": "Call the final address: the host sends the call from one "
    "place to the next.",
    "governor.too-many-threads": "Start fewer threads: the SDK's calls run beside each other when they "
    "are awaited together.",
    "governor.unknown-host": "Check the host's name: there is none like it.",
    "governor.unknown-source": "Name a source there is: census, or an @enricher of these scripts.",
    "governor.unreachable": f"Nobody answered at that address. {_RETRY}",
    "judgment.blocked": "Read the judgments below: a request or answer broke a rule. Change what is sent.",
    "judgment.effects-stopped": "The kill switch is thrown (Limits & quotas, effects): it runs by itself "
    "once effects may leave again.",
    "judgment.output-refused": "The model wrote an address, a number or markup that it was not given: look "
    "at what it was told to write.",
    "judgment.prompt-leaked": "Somebody's text tried to steer the model: give it as data=, never "
    "in the prompt.",
    "records.unknown": "Check that the record is still there before changing it: query or get it first.",
    "script.answer-does-not-fit": "Loosen the schema, or say in the prompt what each field must hold.",
    "script.answer-too-large": "Query fewer records at once: use limit= and narrower conditions.",
    "script.bad-model": "Name a model that the operator has set up, or none.",
    "script.bad-record": "Mend the record request: its object, a field or a value cannot be stored.",
    "script.bad-request": "Hand over plain values only: text, numbers, lists, dictionaries.",
    "script.bad-schema": "Use a plain pydantic model as the schema: a field of it cannot be told "
    "to the model.",
    "script.bad-settings": "Mend the trigger's settings for this tenant: they do not fit its form.",
    "script.callout-failed": f"The API answered with an error: read its answer under Effects. {_ANSWER}",
    "script.cannot-send": "Hand over plain values only: something the script asked with cannot be sent.",
    "script.does-not-load": "Mend the script at the line named: it cannot be loaded. `manage.py "
    "runtrigger` shows it.",
    "script.duplicate-trigger": "Rename one of the two triggers: each name is there once.",
    "script.error": "The script raised it on purpose: read its sentence, and its line.",
    "script.no-execution": "Use the SDK inside the handler only, not at import nor in a thread "
    "that outlives it.",
    "script.no-httpx": "Install httpx2 where the scripts run, or use http.get and its like.",
    "script.not-awaited": "Write await before the call at that line: it never happened.",
    "script.raised": "Mend the script at that line, make a test from this execution, then replay it.",
    "script.unknown-request": "Use the SDK's functions: the script asked for something there is not.",
    "script.unknown-trigger": "Load the script that declares the trigger, or let its events be skipped.",
    "tenants.too-much-data": "Query fewer records at once: use limit= and narrower conditions.",
    "tenants.undecryptable": "The key it was sealed with is gone: put it back into "
    "FIELD_ENCRYPTION_KEYS, then replay.",
    "tenants.unknown-lookup": "Use one of the lookups there are: gt, gte, lt, lte, in, ne, contains.",
    "triggers.account-missing": "The CRM sent no account: check the app's settings there.",
    "triggers.bad-signature": "Mend the connection's secret; the delivery is kept and can be verified again.",
    "triggers.bisect-exhausted": "Too many records fail for different reasons: read the smallest "
    "part's error.",
    "triggers.bisect-given-up": "Both halves came to the same limit: it is the script, not a record. "
    "Raise the limit or use less.",
    "triggers.duplicate-trigger": "Rename one of the two triggers: each name is there once.",
    "triggers.lease-lost": "Another worker took over and ran it: look at the newer execution of "
    "these records.",
    "triggers.misfit": "Compare the body with the object's documented fields; mend the mapping, then replay.",
    "triggers.not-an-event": "The CRM sent something that is no event we know: check which "
    "webhooks it sends.",
    "triggers.record-failed": "The script failed these records itself: read the reasons below.",
    "triggers.record-missing": "The CRM sent no record id: check the webhook's fields there.",
    "triggers.schema-misfit": "The records do not fit the trigger's schema: mend them in the CRM, or "
    "loosen the schema, then replay the failed ones.",
    "triggers.scripts-do-not-load": "Mend the script that is named: until then none of them runs.",
    "triggers.unknown-trigger": "The release has no such trigger any more: put it back, then replay.",
    "triggers.unreadable": f"The body could not be read. {_OURS}",
    "triggers.unstorable": "The script changed a record to something that cannot be stored: look "
    "at the values.",
    "triggers.worker-lost": "Two workers died while they ran it: look at their memory and the "
    "script's, then replay.",
}

# limit -> what to do, where it is what ended the execution
OF_LIMITS: dict[str, str] = {
    "api_calls": "Ask for many records in one call, lower batch_size, or raise the limit for this trigger.",
    "wall_ms": "Await calls together instead of one after the other, lower batch_size, or raise the limit.",
    "cpu_ms": "Compute less per record, lower batch_size, or raise the limit for this trigger.",
    "memory_mb": "Hold less at once: work record by record, lower batch_size, or raise the limit.",
    "record_queries": "Query once for the whole batch instead of once a record.",
    "records_read": "Narrow the query, or use its limit=.",
    "records_written": "Write only what changed, or lower batch_size.",
    "ai_tokens": "Send the model less, ask about many records at once, or raise the limit.",
    "log_lines": "Log once for the batch instead of once a record.",
    "depth": "A change causes an event that causes the change again: write only what differs.",
}
UNKNOWN = "Read the error and its line below, mend the script or the record, then replay."


def hint(document: Mapping[str, Any]) -> str:
    """What to do about how the execution ended; "" where nothing has to be done."""
    error = document["error"] or {}
    limit = str(document["limit_name"] or error.get("limit") or "")
    if limit and limit in OF_LIMITS:
        return OF_LIMITS[limit]
    code = str(document["error_code"] or error.get("code") or "")
    if code:
        return HINTS.get(code, UNKNOWN)
    if document["with_errors"]:
        return "Read the log's errors: the script caught them and went on."
    return UNKNOWN if document["status"] in {"failed", "partial"} else ""
