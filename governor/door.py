"""The door between a script and the world: each request is counted, done or refused, and recorded."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import DataError, connection

from circuitos.env import env
from governor import activity, ai, callouts, egress, enrichment, questions, targets
from governor.host_watch import HostWatch, Stopped
from governor.job import DRY, LIVE, RECORDED
from governor.journal import Journal, place_of
from governor.judgment import asking, authority, levels
from governor.ops import LimitReached, Records
from governor.questions import Questions
from governor.tickets import Ticket, checked_enrichment, checked_http
from governor.trips import Trip
from tenants.errors import CodedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from governor.callouts import Mailbox, Reply
    from governor.jail.wire import Req
    from governor.job import Job, RunError
    from governor.journal import Intent
    from governor.meter import Meter
    from governor.recorder import Recorder

# The SDK's own time-out for a callout; a script may ask for less or, up to the egress client's, more.
CALLOUT_SECONDS = 10.0
LEAST_SECONDS = 0.05  # with less it is not worth sending
_NOTICES = frozenset({"monitor.alert", "monitor.track"})

Answer = dict[str, Any]


class Door:
    """Answers the requests of one execution. Used from the thread that owns the database."""

    def __init__(
        self,
        job: Job,
        meter: Meter,
        recorder: Recorder,
        mailbox: Mailbox,
        *,
        seconds_left: Callable[[], float],
    ) -> None:
        self.records = Records(job, meter, seconds_left=seconds_left)
        self.questions = Questions(meter)
        self.parent: int | None = None
        self.last_line = ""
        self._listed = (job.tenant.get("settings") or {}).get("egress_hosts")
        self.watch = HostWatch(job.tenant_id, listed=self._listed)
        self._job = job
        self._meter = meter
        self._ids = {str(record["id"]) for record in job.records}
        meter.record = next(iter(self._ids)) if len(self._ids) == 1 else ""
        self._recorder = recorder
        self._mailbox = mailbox
        self._seconds_left = seconds_left
        self._journal = Journal(tenant_id=job.tenant_id, root=job.root, execution=job.execution)
        self._waiting: list[Ticket] = []
        self._was_stopped = False
        self._callouts: dict[str, Callable[[Req, dict[str, Any]], Answer | None]] = {
            "http": self._http,
            "ai.ask": self._ask_model,
            "enrich": self._enrich,
        }

    def _name(self, op: str, request: Req, asked: dict[str, Any]) -> Intent:
        record = request.record if request.record in self._ids else ""
        intent = self._journal.name(op, request.args, record=record)
        # So that a reader of the trace finds the exact answer in the journal.
        asked["effect"]["journal"] = place_of(intent.fingerprint, intent.occurrence)
        return intent

    def note(self, record_id: str) -> None:
        """The script is at this record, it says; what is none of its batch's is not believed."""
        if record_id in self._ids:
            self._meter.record = record_id
        elif len(self._ids) > 1:
            self._meter.record = ""

    @property
    def has_waiting(self) -> bool:
        """Whether callouts were asked for and not sent yet."""
        return bool(self._waiting)

    def ask(self, request: Req) -> list[Answer]:
        """Answer a request, or take it in: then its answer comes from ``send`` or ``collect``."""
        self.last_line = request.at[:300]
        self.note(request.record)
        asked = self._recorder.ask(request.op[:60], request.args, self.last_line, parent=self.parent)
        if self._meter.breach is not None:
            return [self._refuse(request.id, asked)]
        try:
            if request.op in self.records.ops:
                answer = self.records.ops[request.op](request.args, self.last_line)
                writes = request.op.rpartition(".")[2] not in {"query", "get"}
                state = "planned" if writes and self._job.mode != "live" else "done"
                return [self._told(request.id, asked, {"ok": answer}, state=state)]
            if request.op in self._callouts and self._job.is_stopped and self._job.mode == LIVE:
                self._was_stopped = True
                ruling = authority.switch(is_stopped=True)
                stopped = callouts.error(authority.EFFECTS_STOPPED, ruling.sentence, kind="judgment")
                return [self._told(request.id, asked, stopped, state="refused")]
            if request.op in self._callouts:
                made = self._callouts[request.op](request, asked)
                return [] if made is None else [made]
            if request.op in _NOTICES:
                return [self._told(request.id, asked, {"ok": {}}, state="done")]
        except LimitReached:
            return [self._refuse(request.id, asked)]
        except CodedError as error:
            kind = "callout" if request.op in self._callouts else "record"
            if isinstance(error, egress.EgressRefused):
                kind = "judgment"
            return [
                self._told(
                    request.id, asked, callouts.error(error.code, str(error), kind=kind, **error.extra)
                )
            ]
        except (TypeError, ValueError, OverflowError, RecursionError, DataError) as error:
            # The SDK sends plain values only; these came from elsewhere.
            said = f"The request holds something that is no plain value ({type(error).__name__})."
            return [self._told(request.id, asked, callouts.error("script.bad-request", said, kind="error"))]
        unknown = callouts.error(
            "script.unknown-request", f"There is no request {request.op[:60]!r}.", kind="error"
        )
        return [self._told(request.id, asked, unknown)]

    def send(self) -> list[Answer]:
        """Commit the intents of what is waiting, and send it."""
        tickets, self._waiting = self._waiting, []
        if self._meter.breach is not None:
            self._release_probes(tickets)
            return [self._refuse(ticket.id, ticket.asked) for ticket in tickets]
        self._journal.intend([ticket.intent for ticket in tickets])
        for ticket in tickets:
            callouts.start(partial(self._work, ticket), ticket=ticket, mailbox=self._mailbox)
        return []

    def _work(self, ticket: Ticket) -> Reply:
        # In a thread, which it may have waited for: what is left of the time counts from now.
        if ticket.wait:
            self._mailbox.wait(ticket.wait)
        left = self._seconds_left() - (ai.MARGIN_SECONDS if ticket.asking else 0)
        if left < LEAST_SECONDS:
            code = "governor.ai-timeout" if ticket.asking else "governor.timeout"
            return callouts.Reply(callouts.error(code, "No time was left to send it."))
        return ticket.work(seconds=min(ticket.seconds, left))

    def collect(self) -> list[Answer]:
        """Commit the answers that came, then hand them out."""
        taken: list[tuple[Ticket, Reply]] = [
            (ticket, reply)
            for ticket, reply in self._mailbox.take()
            if not self._is_asked_again(ticket, reply)
        ]
        if not taken:
            return []
        ended = [(ticket, reply) for ticket, reply in taken if not self._goes_on(ticket, reply)]
        if ended:
            self._journal.answer([(ticket.intent, reply.body) for ticket, reply in ended])
        return [self._settle(ticket, reply) for ticket, reply in ended]

    def _goes_on(self, ticket: Ticket, reply: Reply) -> bool:
        """Note what the request told of its host. True: another one follows before the script is answered."""
        trip = ticket.trip
        if trip is None:
            return False
        self.note(ticket.record)
        if reply.tried is not None:
            self.watch.saw(reply.tried, is_probe=ticket.is_probe)
        elif ticket.is_probe:
            self.watch.gave_up(trip.host)
        if trip.requests > 1:
            ticket.asked["effect"]["attempts"] = trip.requests
        is_hop = trip.is_hop
        wait = trip.goes_on(reply.tried, seconds_left=self._seconds_left())
        if wait is None or (not is_hop and self._meter.left("api_calls") < 1):
            return False
        if is_hop and not self._meter.count("api_calls", at=ticket.at):
            assert self._meter.breach is not None
            reply.body = {"err": self._meter.breach.for_wire()}
            return False
        passed = self.watch.admit(trip.host, seconds_left=self._seconds_left())
        if isinstance(passed, Stopped):
            if is_hop:
                reply.body = callouts.error(passed.code, passed.detail, **passed.data)
            return False
        if not is_hop:
            self._meter.count("api_calls", at=ticket.at)
            trip.retried()
        ticket.wait, ticket.is_probe = max(wait, passed.wait), passed.is_probe
        self._waiting.append(ticket)
        return True

    def excuse(self, error: RunError | None) -> RunError | None:
        """The error of a run; one that a host, or the kill switch, is to blame for may be tried again."""
        if self._was_stopped and error is not None and error.code == authority.EFFECTS_STOPPED:
            return replace(error, is_retryable=True)
        return self.watch.excuse(error)

    def abandon(self) -> None:
        """The run is over: what was not sent never will be."""
        self._release_probes(self._waiting)
        for ticket in self._waiting:
            self._recorder.told(ticket.asked, state="refused")
        self.questions.abandon()

    def _release_probes(self, tickets: list[Ticket]) -> None:
        """Of what is not sent after all, another worker may send its probe at once."""
        for ticket in tickets:
            if ticket.trip is not None and ticket.is_probe:
                self.watch.gave_up(ticket.trip.host)

    def _is_asked_again(self, ticket: Ticket, reply: Reply) -> bool:
        if ticket.asking is None:
            return False
        self.note(ticket.record)
        self.questions.took(ticket.asking, reply, at=ticket.at)
        self._judged(reply.body.get("err"), ticket.at, verdict="quarantine")
        if not self.questions.ask_again(
            ticket.asking, reply, at=ticket.at, seconds_left=self._seconds_left()
        ):
            return False
        self._waiting.append(ticket)
        return True

    def _settle(self, ticket: Ticket, reply: Reply) -> Answer:
        if ticket.source and reply.learned:
            with connection.cursor() as cursor:
                enrichment.keep(cursor, ticket.source, reply.learned, at=self._job.now)
        self.note(ticket.record)
        if ticket.asking is not None and self._meter.breach is not None:
            return self._refuse(ticket.id, ticket.asked)
        state = "in-doubt" if reply.is_in_doubt else ""
        return self._told(ticket.id, ticket.asked, reply.body, state=state, note=reply.note)

    def _http(self, request: Req, asked: dict[str, Any]) -> Answer | None:
        args = request.args
        method = checked_http(args)
        target = egress.check_url(method, args["url"], allowed=settings.EGRESS_ALLOW)
        targets.check_headers(args.get("headers") or {})
        intent = self._name("http", request, asked)
        if (known := self._known(request, asked, intent)) is not None:
            return known
        targets.check_listed(target, self._listed)
        if self._job.mode == DRY and method not in egress.SAFE_METHODS:
            self._count_call(self.last_line)
            answer = {"status": 200, "headers": {}, "body": b"{}"}
            return self._told(
                request.id, asked, {"ok": answer}, state="planned", note="not sent in a dry run"
            )
        trip = Trip(
            args,
            secrets=callouts.secrets_for(args, tenant_id=self._job.tenant_id),
            key=intent.key,
            seconds=float(args.get("timeout") or CALLOUT_SECONDS),
            listed=self._listed,
        )
        if self._meter.left("api_calls") < 1:
            self._count_call(self.last_line)
        passed = self.watch.admit(trip.host, seconds_left=self._seconds_left())
        if isinstance(passed, Stopped):
            stopped = callouts.error(passed.code, passed.detail, **passed.data)
            return self._told(request.id, asked, stopped, state="refused")
        self._count_call(self.last_line)
        ticket = self._ticket(request, asked, trip.attempt, seconds=egress.MOST_SECONDS, intent=intent)
        ticket.trip, ticket.wait, ticket.is_probe = trip, passed.wait, passed.is_probe
        self._waiting.append(ticket)
        return None

    def _ask_model(self, request: Req, asked: dict[str, Any]) -> Answer | None:
        args = request.args
        self.questions.check(args)
        put = asking.judge(args, records=self._job.records, thresholds=self._job.thresholds)
        for found in put.findings:
            self._recorder.judged(**found)
        if put.sentence:
            refused = callouts.error(levels.BLOCKED, put.sentence, kind="judgment", level=put.level)
            return self._told(request.id, asked, refused, state="refused")
        args = put.args
        intent = self._name("ai.ask", request, asked)
        is_recorded = (intent.fingerprint, intent.occurrence) in (self._job.recorded or {})
        if ai.is_offline() and not is_recorded:
            reply = questions.ask(args)
            return self._told(request.id, asked, reply.body, note=reply.note)
        if (known := self._known(request, asked, intent)) is not None:
            return known
        question = self.questions.admit(args, at=self.last_line, seconds_left=self._seconds_left())
        ticket = self._ticket(request, asked, question.ask, seconds=ai.MOST_SECONDS, intent=intent)
        ticket.asking = question
        self._waiting.append(ticket)
        return None

    def _enrich(self, request: Req, asked: dict[str, Any]) -> Answer | None:
        source, zips = checked_enrichment(request.args)
        if source == activity.SOURCE:
            return self._told(
                request.id, asked, {"ok": self.records.activity(zips, self.last_line)}, state="done"
            )
        enrichment.check(source)
        wanted = sorted({code for code in zips.values() if code})
        key = env().census_api_key
        known: dict[str, dict[str, Any] | None] = {}
        if key:
            with connection.cursor() as cursor:
                known = enrichment.cached(cursor, source, wanted, at=self._job.now)
        missing = [code for code in wanted if code not in known] if key else []
        if not missing:
            reply = callouts.look_up(zips, known, missing=[], seconds=0)
            return self._told(request.id, asked, reply.body, note=reply.note)
        intent = self._name("enrich", request, asked)
        if (earlier := self._known(request, asked, intent)) is not None:
            return earlier
        self._count_call(self.last_line, -(-len(missing) // enrichment.ZIPS_A_CALL))
        work = partial(callouts.look_up, zips, known, missing=missing)
        self._waiting.append(
            self._ticket(request, asked, work, seconds=CALLOUT_SECONDS, intent=intent, source=source)
        )
        return None

    def _ticket(
        self,
        request: Req,
        asked: dict[str, Any],
        work: Callable[..., Reply],
        *,
        seconds: float,
        intent: Intent,
        source: str = "",
    ) -> Ticket:
        record = self._meter.record
        return Ticket(request.id, self.last_line, asked, work, seconds, intent, source, record=record)

    def _known(self, request: Req, asked: dict[str, Any], intent: Intent) -> Answer | None:
        """The answer to a callout that need not be made, or by the mode must not."""
        if self._job.mode == RECORDED:
            recorded = (self._job.recorded or {}).get((intent.fingerprint, intent.occurrence))
            if recorded is None:
                missing = callouts.error("governor.not-recorded", "The recorded run made no such callout.")
                return self._told(request.id, asked, missing, state="refused")
            return self._told(request.id, asked, dict(recorded), state="reused")
        earlier = self._journal.earlier_answer(intent)
        if earlier is None:
            return None
        asked["effect"]["reused"] = True
        return self._told(request.id, asked, earlier, state="reused")

    def _judged(self, error: dict[str, Any] | None, place: str, *, verdict: str) -> None:
        """Note what a level of the protocol refused; of an answer that is refused, another may follow."""
        level = levels.of_code(error.get("code", "")) if error else None
        if error is None or level is None or error["code"] == levels.BLOCKED:
            return
        rules = (error.get("data") or {}).get("rules") or [error["code"].partition(".")[2]]
        for rule in rules:
            verdict = {16: "quarantine", 17: "hold"}.get(level.number, verdict)
            self._recorder.judged(level=level.number, rule=rule, verdict=verdict, place=place)

    def _count_call(self, at: str, calls: int = 1) -> None:
        if not self._meter.count("api_calls", calls, at=at):
            raise LimitReached

    def _refuse(self, number: int, asked: dict[str, Any]) -> Answer:
        assert self._meter.breach is not None
        return self._told(number, asked, {"err": self._meter.breach.for_wire()}, state="refused")

    def _told(
        self, number: int, asked: dict[str, Any], body: Answer, *, state: str = "", note: str = ""
    ) -> Answer:
        error = body.get("err")
        self._judged(error, self.last_line, verdict="block")
        state = state or ("done" if error is None else "failed")
        self._recorder.told(asked, state=state, answer=body.get("ok"), error=error, note=note)
        return {"t": "res", "id": number, **body}
