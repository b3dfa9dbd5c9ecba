"""Group commit: many requests share one insert and one commit, and each answers only after its own."""

from __future__ import annotations

import logging
import os
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import psycopg2

from tenants.errors import CodedError
from triggers import bells, delivery_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg2.extensions import connection as Connection  # noqa: N812
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

    from triggers.delivery_store import Row

logger = logging.getLogger(__name__)

MAX_ROWS = 500  # of one statement
MAX_WAITING = 5_000  # rows in the queue; more are refused at once
ANSWER_WITHIN_S = 10.0
TOUCH_EVERY_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0


class Unavailable(CodedError):
    """Nothing can be stored just now; the sender shall come again."""

    code = "triggers.unavailable"
    status = 429

    def __init__(self, detail: str = "Events cannot be stored just now; send again soon.") -> None:
        super().__init__(detail, headers={"Retry-After": "5"})


class _Entry:
    """What one request waits for: its rows, or a question to the database. The lock opens when it is done."""

    __slots__ = ("ask", "error", "is_done", "lock", "result", "rows")

    def __init__(self, rows: Sequence[Row] = (), ask: Callable[[Cursor], Any] | None = None) -> None:
        self.rows = rows
        self.ask = ask
        self.result: Any = None
        self.error: Exception | None = None
        self.is_done = False
        self.lock = threading.Lock()
        self.lock.acquire()

    def finish(self, result: Any = None, error: Exception | None = None) -> None:
        self.result, self.error, self.is_done = result, error, True
        self.lock.release()


class GroupCommit:
    """One thread with one connection of its own stores what all request threads hand it."""

    def __init__(
        self,
        *,
        connect: Callable[[], Connection] = delivery_store.connect,
        ring: Callable[[Iterable[int]], None] = bells.ring,
    ) -> None:
        self._line = delivery_store.Line(connect)
        self._ring = ring
        self._queue: SimpleQueue[_Entry | None] = SimpleQueue()
        self._seen: dict[int, datetime] = {}
        self._touched_at = time.monotonic()
        self.is_down = False
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="group-commit", daemon=True)
        self._thread.start()

    def store(self, rows: Sequence[Row]) -> list[tuple[UUID, bool]]:
        """For each row its event, and whether that is new: on disk by now. Raises ``Unavailable``."""
        answer: list[tuple[UUID, bool]] = self._wait(_Entry(rows))
        return answer

    def ask(self, question: Callable[[Cursor], Any]) -> Any:
        """What ``question`` reads with the thread's cursor, between two commits. Raises ``Unavailable``."""
        return self._wait(_Entry(ask=question))

    def close(self) -> None:
        """Finish what waits, and let the connection go."""
        self._is_stopping = True
        self._queue.put(None)
        self._thread.join(timeout=ANSWER_WITHIN_S)

    def _wait(self, entry: _Entry) -> Any:
        # While the database is away nobody queues: the refusal costs the sender, and us, nothing.
        if self.is_down or self._is_stopping or self._queue.qsize() > MAX_WAITING:
            raise Unavailable
        self._queue.put(entry)
        if not entry.lock.acquire(timeout=ANSWER_WITHIN_S):
            # It may still be stored; then the sender's next try is a duplicate.
            raise Unavailable
        if entry.error is not None:
            raise entry.error
        return entry.result

    # --- the thread ---

    def _run(self) -> None:
        while not self._is_stopping:
            try:
                self._serve(self._take())
                self._touch()
            except Exception:
                logger.exception("Group commit stumbled; its requests were refused")
        for entry in self._drain():
            entry.finish(error=Unavailable())
        self._line.drop()

    def _take(self) -> list[_Entry]:
        """Everything that waits, at least one entry, up to a statement's worth of rows."""
        try:
            first = self._queue.get(timeout=TOUCH_EVERY_S)
        except Empty:
            return []
        taken = [] if first is None else [first]
        rows = len(first.rows) if first else 0
        for _ in range(self._queue.qsize()):
            entry = self._queue.get_nowait()
            if entry is None:
                break
            taken.append(entry)
            rows += len(entry.rows)
            if rows >= MAX_ROWS:
                break
        return taken

    def _drain(self) -> list[_Entry]:
        waiting = [self._queue.get_nowait() for _ in range(self._queue.qsize())]
        return [entry for entry in waiting if entry is not None]

    def _serve(self, entries: list[_Entry]) -> None:
        # A connection may have died unnoticed while idle: a new one is tried before anybody is refused.
        # Storing twice is safe, for the second time finds the keys of the first.
        for is_last_try in (False, True):
            try:
                self._attempt(entries)
            except Exception as error:
                is_broken = self._line.is_broken(error)
                if not is_broken:
                    logger.exception("Group commit failed")
                self._line.drop()
                entries = [entry for entry in entries if not entry.is_done]
                if is_last_try or not is_broken:
                    for entry in entries:
                        entry.finish(error=Unavailable())
                    if is_broken:
                        self._recover()
                    return
            else:
                return

    def _attempt(self, entries: Sequence[_Entry]) -> None:
        cursor = self._line.cursor()
        for entry in entries:
            if entry.ask is not None:
                self._answer(cursor, entry)
        waiting = [entry for entry in entries if not entry.is_done]
        if not waiting:
            return
        try:
            lanes = self._store(cursor, waiting)
        except (psycopg2.Error, Unavailable) as error:
            if self._line.is_broken(error):
                raise
            lanes = self._store_apart(cursor, waiting)
        self._ring(lanes)

    def _answer(self, cursor: Cursor, entry: _Entry) -> None:
        assert entry.ask is not None
        try:
            result = entry.ask(cursor)
        except Exception as error:
            if self._line.is_broken(error):
                raise
            entry.finish(error=error)
        else:
            entry.finish(result)

    def _store(self, cursor: Cursor, entries: Sequence[_Entry]) -> set[int]:
        """One statement for all rows; then every entry is answered. The lanes that have work."""
        rows: dict[tuple[int, str], Row] = {}
        for entry in entries:
            for row in entry.rows:
                rows.setdefault((row.connection_id, row.key), row)
        stored = delivery_store.insert(cursor, list(rows.values()))
        known = {key: row.code for key, row in rows.items() if row.code in stored}
        if len(known) < len(rows):
            # A statement of its own: the first one cannot see keys that others committed while it ran.
            known |= delivery_store.firsts(cursor, rows.keys() - known.keys())
            if len(known) < len(rows):
                raise Unavailable
        for entry in entries:
            result: list[tuple[UUID, bool]] = []
            for row in entry.rows:
                code = known[row.connection_id, row.key]
                result.append((code, code == row.code))
                self._seen[row.connection_id] = row.received_at
            entry.finish(result)
        return {lane for lane in stored.values() if lane is not None}

    def _store_apart(self, cursor: Cursor, entries: Sequence[_Entry]) -> set[int]:
        """Each row alone, so that a failing one fails no other. The lanes that have work."""
        lanes: set[int] = set()
        for entry in entries:
            results: list[tuple[UUID, bool]] = []
            for row in entry.rows:
                single = _Entry([row])
                try:
                    lanes |= self._store(cursor, [single])
                except (psycopg2.Error, Unavailable) as error:
                    if self._line.is_broken(error):
                        raise
                    logger.warning(
                        "An event could not be stored: %s", getattr(error, "pgcode", None) or error
                    )
                else:
                    results += single.result
            if len(results) == len(entry.rows):
                entry.finish(results)
            else:
                entry.finish(error=Unavailable())
        return lanes

    def _recover(self) -> None:
        """Refuse at once whoever comes, and try again with growing pauses until the database is back."""
        self.is_down = True
        logger.error("The database is away; webhooks are refused with 429 until it is back")
        pause, next_try = FIRST_PAUSE_S, time.monotonic() + FIRST_PAUSE_S
        while not self._is_stopping:
            try:
                entry = self._queue.get(timeout=max(0.0, next_try - time.monotonic()))
            except Empty:
                pass
            else:
                if entry is not None:
                    entry.finish(error=Unavailable())
                continue
            try:
                self._line.cursor()
            except Exception as error:
                logger.debug("Still away: %s", error)
                pause = min(pause * 2, LONGEST_PAUSE_S)
                next_try = time.monotonic() + pause
            else:
                break
        self.is_down = False
        logger.warning("The database is back; webhooks are taken again")

    def _touch(self) -> None:
        """Note the connections' last events, now and then: it is worth no write for each."""
        now = time.monotonic()
        if not self._seen or now - self._touched_at < TOUCH_EVERY_S:
            return
        self._touched_at = now
        seen, self._seen = self._seen, {}
        try:
            delivery_store.touch(self._line.cursor(), seen)
        except psycopg2.Error:
            logger.warning("The time of the last events could not be noted")


_started: GroupCommit | None = None
_start = threading.Lock()


def committer() -> GroupCommit:
    """The process's group commit, started on first use: a thread does not survive a fork."""
    global _started  # noqa: PLW0603  # one for the process
    if _started is None:
        with _start:
            if _started is None:
                _started = GroupCommit()
    return _started


def stop() -> None:
    """Store what waits and end the thread; the next delivery starts another."""
    global _started  # noqa: PLW0603
    with _start:
        if _started is not None:
            _started.close()
        _started = None


def _forget() -> None:
    global _started, _start
    _started, _start = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
