"""The broker: runs one execution in the jail, and is all that its script can reach."""

from __future__ import annotations

import logging
import select
import time
from typing import TYPE_CHECKING, Any

from governor import callouts
from governor.door import Door
from governor.jail.wire import Done, Frames, Log, Req, WireError, pack, read_message, unpack
from governor.job import DRY, LIVE, RECORDED, Job, RunError, RunResult
from governor.logbook import LEVELS, MESSAGE_CHARACTERS, Logbook
from governor.meter import Meter
from governor.recorder import Recorder
from governor.verdict import LEASE_LOST, THREADS, Ending, judge, outcomes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from governor.jail.supervisor import Runner, Zygote

__all__ = ["DRY", "LIVE", "RECORDED", "Job", "RunError", "RunResult", "run"]

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.05
HEARTBEAT_SECONDS = 5.0
# A lease checked this long ago may have been lost: check it again before anything is sent.
FRESH_SECONDS = 1.0
# For the script to log and unwind after a limit was exceeded, before it is killed.
GRACE_SECONDS = 1.0
# Memory holds a script to fewer, unless it makes their stacks tiny.
MOST_THREADS = 128
# A megabyte of empty lists would become 60 in our memory.
MOST_DATA = 256 * 1024
_CHUNK = 256 * 1024


def run(job: Job, *, zygote: Zygote, heartbeat: Callable[[], bool]) -> RunResult:
    """Run one execution to its end, whatever it does. Only the calling thread uses the database.

    ``heartbeat`` renews the worker's lease; when it says False, the runner is killed, and the error is
    ``triggers.lease-lost``. Never raises for what a script does; raises ``JailBroken`` when there is no jail.
    """
    return _Run(job, heartbeat).through(zygote)


class _Run:
    def __init__(self, job: Job, heartbeat: Callable[[], bool]) -> None:
        self.job = job
        self.meter = Meter(job.limits, depth=job.depth)
        self.recorder = Recorder()
        self.logbook = Logbook(int(self.meter.max["log_lines"]))
        self.mailbox = callouts.mailbox()
        self.ending = Ending()
        self._heartbeat = heartbeat
        self._beat_at = time.monotonic()
        self._frames = Frames()
        self._out = bytearray()
        self._door = Door(job, self.meter, self.recorder, self.mailbox, seconds_left=self._seconds_left)

    def through(self, zygote: Zygote) -> RunResult:
        """From fork to verdict."""
        try:
            frame = pack(self._start())
        except WireError as error:
            return RunResult(
                error=RunError(code="governor.batch-too-large", detail=str(error)), usage=self.meter.pairs()
            )
        if not self.meter.measured("depth", self.job.depth):
            return RunResult(error=judge(self.ending, self.meter), usage=self.meter.pairs())
        # Starting the jail is our time, not the script's.
        zygote.start()
        span = self.recorder.open("fork", "jail")
        self._began = time.monotonic()
        self._deadline = self._began + self.meter.max["wall_ms"] / 1000
        runner = zygote.fork()
        self.recorder.close(span)
        self._door.parent = len(self.recorder.spans)
        span = self.recorder.open("handler", "phase")
        try:
            runner.sock.setblocking(False)  # noqa: FBT003
            self._out += frame
            self._serve(runner)
        finally:
            # Also when the database went away under us: no runner outlives its broker's attention.
            self.mailbox.close()
            if self.ending.done is None or self.ending.fault:
                runner.kill()
            wall_ms = (time.monotonic() - self._began) * 1000
            self.ending.exit = runner.end()
        return self._result(span, wall_ms, runner)

    def _serve(self, runner: Runner) -> None:
        poll = select.poll()
        poll.register(self.mailbox.fd, select.POLLIN)
        socket_fd = runner.sock.fileno()
        tick_at = self._began + TICK_SECONDS
        while self.ending.is_open:
            self._flush(runner)
            poll.register(socket_fd, select.POLLIN | (select.POLLOUT if self._out else 0))
            wait = min(tick_at, self._deadline) - time.monotonic()
            ready = dict(poll.poll(max(0, wait * 1000)))
            if ready.get(socket_fd, 0) & ~select.POLLOUT:
                self._hear(runner)
            if self.mailbox.fd in ready:
                self._answer(self._door.collect())
            self._send_callouts()
            now = time.monotonic()
            if now >= tick_at:
                self._watch(runner)
                tick_at = time.monotonic() + TICK_SECONDS
            if now >= self._deadline and self.ending.is_open:
                self.meter.exceed("wall_ms", (now - self._began) * 1000, at=self._place(runner))
                self.ending.is_open = False

    def _hear(self, runner: Runner) -> None:
        try:
            data = runner.sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.ending.is_open = False
            return
        try:
            for payload in self._frames.feed(data):
                self._take(read_message(payload), len(payload))
        except WireError as error:
            self.ending.fault = str(error)
            self.ending.is_open = False

    def _take(self, message: Req | Log | Done, size: int) -> None:
        if self.ending.done is not None:
            raise WireError("A frame came after the last one.")
        if isinstance(message, Log):
            self._log(message, size)
        elif isinstance(message, Req):
            self._answer(self._door.ask(message))
        else:
            self.ending.outcomes = outcomes_of(message, self.job)
            if message.error is not None:
                self._door.note(str(message.error.get("record") or ""))
            self.ending.done = message
            self.ending.is_open = False

    def _log(self, message: Log, size: int) -> None:
        self.meter.note("log_lines")
        entry = {
            "level": message.level if message.level in LEVELS else "info",
            "message": message.message[:MESSAGE_CHARACTERS],
            "data": unpack(message.data)
            if len(message.data) <= MOST_DATA
            else f"<{len(message.data):,} bytes>",
            "at": message.at,
            "line": message.line,
        }
        self.logbook.add(entry, size)

    def _answer(self, frames: list[dict[str, Any]]) -> None:
        if not frames:
            return
        for frame in frames:
            if changes := self.meter.changes():
                frame["limits"] = changes
            try:
                self._out += pack(frame)
            except WireError as error:
                refusal = callouts.error(
                    "script.answer-too-large", f"The answer cannot be given: {error}", kind="record"
                )
                self._out += pack({"t": "res", "id": frame["id"], **refusal})
        if self.meter.breach is not None:
            self._deadline = min(self._deadline, time.monotonic() + GRACE_SECONDS)

    def _send_callouts(self) -> None:
        if not self._door.has_waiting or not self.ending.is_open:
            return
        if time.monotonic() - self._beat_at > FRESH_SECONDS and not self._is_ours():
            return
        self._answer(self._door.send())

    def _is_ours(self) -> bool:
        self._beat_at = time.monotonic()
        if self._heartbeat():
            return True
        self.ending.fault = LEASE_LOST
        self.ending.is_open = False
        return False

    def _watch(self, runner: Runner) -> None:
        """Measure from outside; what is over its limit ends here."""
        grown_mb = runner.grown_bytes() / 1_048_576
        cpu_ms = runner.cpu_ms()
        is_over = grown_mb > self.meter.max["memory_mb"] or cpu_ms > self.meter.max["cpu_ms"]
        at = self._place(runner) if is_over and self.meter.breach is None else ""
        within = self.meter.measured("memory_mb", grown_mb, at=at)
        within = self.meter.measured("cpu_ms", cpu_ms, at=at) and within
        if (
            not within
            and self.meter.breach is not None
            and self.meter.breach.limit in {"memory_mb", "cpu_ms"}
        ):
            self.ending.is_open = False
        elif runner.thread_count() > MOST_THREADS:
            self.ending.fault = THREADS
            self.ending.is_open = False
        elif time.monotonic() - self._beat_at >= HEARTBEAT_SECONDS:
            self._is_ours()

    def _place(self, runner: Runner) -> str:
        """Where it is, just before it is stopped from outside; else where it last asked for something."""
        line, record = runner.place()
        if line or record:
            self._door.note(record)
        return line or self._door.last_line

    def _flush(self, runner: Runner) -> None:
        while self._out:
            try:
                sent = runner.sock.send(self._out)
            except BlockingIOError:
                return
            except OSError:
                self._out.clear()  # it is gone; reading tells
                return
            del self._out[:sent]

    def _seconds_left(self) -> float:
        return max(0.0, self._deadline - time.monotonic())

    def _start(self) -> dict[str, Any]:
        job, spec = self.job, self.job.spec
        return {
            "t": "start",
            "trigger": spec.name,
            "module": spec.module,
            "cls": spec.class_name,
            "method": spec.method,
            "execution_id": str(job.execution),
            "object": job.object,
            "operation": job.operation,
            "timing": job.timing,
            "mode": job.mode,
            "depth": job.depth,
            "seed": job.seed,
            "now": job.now.isoformat(),
            "error_rate": job.error_rate,
            "tenant": job.tenant,
            "records": job.records,
            "olds": job.olds,
            "old_known": job.old_known,
            "limits": self.meter.pairs(),
            "settings": job.settings,
            "ended_by": job.ended_by,
        }

    def _result(self, span: dict[str, Any], wall_ms: float, runner: Runner) -> RunResult:
        ended = self.ending
        assert ended.exit is not None
        self.meter.used["wall_ms"] = max(self.meter.used["wall_ms"], round(wall_ms, 1))
        if ended.exit.cpu_ms is not None:
            self.meter.used["cpu_ms"] = max(self.meter.used["cpu_ms"], ended.exit.cpu_ms)
        if ended.exit.peak_bytes is not None and self.meter.used["memory_mb"] == 0:
            # Too short for the watcher: the kernel's peak, which counts code pages too.
            grown = max(0, ended.exit.peak_bytes - runner.warm_bytes) / 1_048_576
            self.meter.used["memory_mb"] = min(grown, self.meter.max["memory_mb"])
        error = self._door.excuse(judge(ended, self.meter))
        self._door.abandon()
        self.recorder.close(span, is_ok=error is None, note=error.code if error else "")
        if error is not None and error.code != "script.raised":
            logger.info("Execution %s failed: %s %s", self.job.execution, error.code, error.limit)
        entries = self.logbook.entries()
        return RunResult(
            error=error,
            outcomes=ended.outcomes,
            changes=[] if error else self._door.records.changes.as_list(),
            fields={} if error or ended.done is None else ended.done.fields,
            entries=entries,
            spans=self.recorder.spans,
            effects=self.recorder.told_effects(),
            judgments=self.recorder.judgments,
            usage=self.meter.pairs(),
            wall_ms=round(wall_ms, 1),
            cpu_ms=round(self.meter.used["cpu_ms"], 1),
            memory_mb=round(self.meter.used["memory_mb"], 1),
            with_errors=error is None and self.logbook.has_errors,
            ai_tokens_in=self._door.questions.tokens_in,
            ai_tokens_out=self._door.questions.tokens_out,
            ai_cost_micros=self._door.questions.cost_micros,
            has_recovered=self._door.watch.has_recovered,
        )
