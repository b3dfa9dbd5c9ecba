"""The fake broker: counts what the real one counts, and answers what the test prepared."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

from circuitos.script.budget import exceeded
from circuitos.script.errors import CircuitError, LimitExceeded
from circuitos.script.testing import answers
from circuitos.script.testing.result import Callout, Change, LogLine, Question, Result
from circuitos.script.tokens import estimate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circuitos.script.testing.memory import Memory


class FakeBroker:
    """A ``Channel`` for one execution, with counters of its own. What it did stands in ``result``."""

    def __init__(
        self,
        maxima: Mapping[str, float],
        memory: Memory,
        *,
        api: Mapping[Any, Any],
        ai: Any,
        enrich: Mapping[str, Any],
    ) -> None:
        self.limits: dict[str, list[float]] = {name: [0, allowed] for name, allowed in maxima.items()}
        self.result = Result(usage=self.limits)
        self.unanswered: answers.NoAnswer | None = None
        self._memory = memory
        self._api = api
        self._ai = ai
        self._enrich = enrich
        self._exceeded: LimitExceeded | None = None
        self._created = 0
        self._began = time.monotonic()
        self._lock = threading.RLock()
        self._operations = {
            "records.query": self._query,
            "records.get": self._get,
            "records.insert": self._insert,
            "records.update": self._update,
            "records.upsert": self._upsert,
            "records.delete": self._delete,
            "task.create": self._create_task,
            "enrich": self._enrich_records,
            "http": self._callout,
            "ai.ask": self._ask,
            "monitor.alert": self._alert,
            "monitor.track": self._track,
        }

    def request(self, op: str, args: dict[str, Any], *, at: str = "", record: str = "") -> Any:
        """Answer one request, or raise what the real broker would make the script raise."""
        with self._lock:
            if self._exceeded is not None:
                raise self._exceeded
            self.measure("wall_ms", (time.monotonic() - self._began) * 1000)
            try:
                return self._operations[op](args)
            except answers.NoAnswer as missing:
                self.unanswered = self.unanswered or missing
                raise

    async def request_async(self, op: str, args: dict[str, Any], *, at: str = "", record: str = "") -> Any:
        """Answer after the other tasks had their turn, as an answer over a socket would come."""
        answer = self.request(op, args, at=at, record=record)
        await asyncio.sleep(0)
        return answer

    def notify(self, kind: str, payload: dict[str, Any]) -> None:
        """Keep a log line; those beyond the limit are dropped."""
        with self._lock:
            used = self.limits["log_lines"]
            used[0] += 1
            if used[0] <= used[1] + 1:
                line = LogLine(payload["level"], payload["message"], payload["data"], payload["line"])
                self.result.logs.append(line)

    def count(self, name: str, amount: float = 1) -> None:
        """Add to a counter. Raises ``LimitExceeded`` past its maximum, and from then on always."""
        pair = self.limits[name]
        pair[0] += amount
        self._hold(name)

    def measure(self, name: str, amount: float) -> None:
        """Set a gauge. Raises ``LimitExceeded`` past its maximum."""
        self.limits[name][0] = round(amount, 1)
        self._hold(name)

    def _hold(self, name: str) -> None:
        used, allowed = self.limits[name]
        if used > allowed and self._exceeded is None:
            self._exceeded = LimitExceeded(name, used, allowed, exceeded(name, used, allowed))
        if self._exceeded is not None:
            raise self._exceeded

    def _query(self, args: dict[str, Any]) -> Any:
        self.count("record_queries")
        rows = self._memory.query(args["object"], args["where"], args["order_by"], args["limit"])
        self.count("records_read", len(rows))
        return rows

    def _get(self, args: dict[str, Any]) -> Any:
        self.count("record_queries")
        rows = self._memory.get(args["object"], args["ids"])
        self.count("records_read", len(rows))
        return rows

    def _insert(self, args: dict[str, Any]) -> Any:
        self.count("records_written", len(args["rows"]))
        return [
            self._save("insert", args["object"], row.get("id") or self._new_id(), row) for row in args["rows"]
        ]

    def _upsert(self, args: dict[str, Any]) -> Any:
        self.count("records_written", len(args["rows"]))
        return [
            self._save("upsert", args["object"], row.get("id") or self._new_id(), row) for row in args["rows"]
        ]

    def _update(self, args: dict[str, Any]) -> Any:
        self.count("records_written", len(args["rows"]))
        return [self._save("update", args["object"], row["id"], row) for row in args["rows"]]

    def _delete(self, args: dict[str, Any]) -> Any:
        self.count("records_written", len(args["ids"]))
        return [self._save("delete", args["object"], key, None) for key in args["ids"]]

    def _save(self, operation: str, name: str, key: Any, row: dict[str, Any] | None) -> dict[str, Any]:
        key = str(key)
        if operation in {"update", "delete"} and not self._memory.has(name, key):
            return {"id": key, "ok": False, "errors": [f"records.unknown: there is no {name} {key}."]}
        fields = None if row is None else {field: value for field, value in row.items() if field != "id"}
        self._memory.change(name, key, fields)
        self.result.changes.append(Change(name, operation, key, fields or {}))
        return {"id": key, "ok": True, "errors": []}

    def _create_task(self, args: dict[str, Any]) -> Any:
        self.count("records_written")
        task = {"id": self._new_id(), **args}
        self.result.tasks.append(task)
        return {"id": task["id"]}

    def _enrich_records(self, args: dict[str, Any]) -> Any:
        self.count("record_queries" if args["source"] == answers.ACTIVITY else "api_calls")
        self.result.enrichments.append((args["source"], [record["id"] for record in args["records"]]))
        return answers.answer_enrichment(self._enrich, args["source"], args["records"])

    def _callout(self, args: dict[str, Any]) -> Any:
        self.count("api_calls")
        request = answers.asked(args)
        sent = Callout(*request, status=None)
        try:
            answer = answers.answer_callout(self._api, request)
        except (CircuitError, answers.NoAnswer):
            self.result.callouts.append(sent)
            raise
        self.result.callouts.append(sent._replace(status=answer["status"]))
        return answer

    def _ask(self, args: dict[str, Any]) -> Any:
        self.count("api_calls")
        number = len(self.result.questions)
        self.result.questions.append(Question(args["prompt"], args["data"], args["schema"], args["model"]))
        try:
            answer = answers.answer_question(self._ai, number, args)
        except CircuitError as error:
            if (
                error.code in answers.ASKED_AGAIN
                and self.limits["api_calls"][0] < self.limits["api_calls"][1]
            ):
                self.count("api_calls")
            raise
        said = f"{args['prompt']}{args['data'] or ''}{answer.get('text') or answer.get('object') or ''}"
        self.count("ai_tokens", estimate(said))
        return answer

    def _alert(self, args: dict[str, Any]) -> Any:
        self.result.alerts.append(args)
        return {}

    def _track(self, args: dict[str, Any]) -> Any:
        self.result.timings.append(args)
        return {}

    def _new_id(self) -> str:
        self._created += 1
        return f"new-{self._created}"
