"""A hundred signed leads, one delivery each and as fast as they can be sent, are three executions at most."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.acceptance.installation import Installation

pytestmark = pytest.mark.timeout(240)
_runs = itertools.count(1)


class TestHundredLeads:
    @pytest.mark.parametrize("rate", [None, 100], ids=["as fast as possible", "evenly over a second"])
    def test_are_three_executions_at_most(self, installation: Installation, rate):
        prefix = f"rush-{next(_runs)}"
        # The workers are warm, as they are in the middle of a day, and then had nothing to do for a while.
        installation.send_all(installation.contacts([f"{prefix}-warm-{number}" for number in range(4)]))
        installation.wait_until_sent()
        idle = "SELECT bool_and(last_served_at < clock_timestamp() - interval '1.2 s') FROM triggers_lane"
        installation.wait(lambda: installation.query(idle) == [(True,)], "the lanes are quiet")
        bodies = installation.contacts([f"{prefix}-lead-{number}" for number in range(100)])

        installation.send_all(bodies, concurrency=8, rate=rate)
        installation.wait_until_sent()

        found = installation.query(
            "SELECT status, size FROM triggers_execution WHERE trigger = 'ContactTrigger.score_new_leads'"
            " AND record_ids[1] LIKE %s",
            f"{prefix}-lead-%",
        )
        assert sum(size for _, size in found) == 100
        assert len(found) <= 3
        assert {status for status, _ in found} == {"succeeded"}
