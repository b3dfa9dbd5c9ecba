"""Choosing for a bulk replay: the executions a filter finds, each once, and a name for exactly that set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tenants.errors import CodedError
from triggers.choices import FINISHED, ExecutionStatus, Records

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from triggers.models import Execution

MOST = 10_000  # executions of one bulk replay


class BadToken(CodedError):
    """The token is none that a preview gave."""

    code = "triggers.bad-preview"


@dataclass(frozen=True)
class Choice:
    """The executions to replay, oldest first."""

    ids: tuple[int, ...]
    upto: int  # the newest execution looked at: what is made later is no part of it
    is_cut: bool  # more than ``MOST`` matched; these are the newest
    open: int  # matched, but have not ended yet
    covered: int  # matched, but are part or replay of another that matched: its events run once
    fine: int  # matched, but none of their records failed

    @property
    def token(self) -> str:
        """Names this very set: whoever starts with it starts what was previewed, or nothing."""
        said = ",".join(map(str, self.ids)).encode()
        return f"{self.upto}-{hashlib.sha256(said).hexdigest()[:24]}"


def choose(rows: QuerySet[Execution], *, records: str, token: str = "") -> Choice:
    """The executions among ``rows`` that can be replayed. Two queries at most, of bounded length.

    With the ``token`` of an earlier preview, those made since stay out. Raises ``BadToken``.
    """
    if token:
        rows = rows.filter(pk__lte=_upto(token))
    found = list(rows.order_by("-pk").values_list("pk", "parent_id", "replay_of_id", "status")[: MOST + 1])
    is_cut = len(found) > MOST
    found = found[:MOST]
    matched = {pk for pk, *_ in found}
    ids, unfinished, covered, fine = [], 0, 0, 0
    for pk, parent_id, replay_of_id, status in reversed(found):
        if status not in FINISHED:
            unfinished += 1
        elif parent_id in matched or replay_of_id in matched:
            covered += 1
        elif records == Records.FAILED and status in {ExecutionStatus.SUCCEEDED, ExecutionStatus.CANCELLED}:
            fine += 1
        else:
            ids.append(pk)
    # The bound of the first look stands, so that the same set keeps its name.
    upto = _upto(token) if token else max(matched, default=0)
    return Choice(tuple(ids), upto, is_cut, unfinished, covered, fine)


def _upto(token: str) -> int:
    number, _, digest = token.partition("-")
    if not (number.isascii() and number.isdigit() and len(number) < 19 and digest):
        raise BadToken("This token is not one that a preview gave.")
    return int(number)
