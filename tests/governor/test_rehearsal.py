"""The execution that a zygote plays before it forks."""

from __future__ import annotations

from circuitos.agents.virtual_lpr import VirtualLPR
from governor.jail import rehearsal


class TestPlay:
    def test_goes_through_as_a_script_would(self):
        assert VirtualLPR  # loaded, so it is played as well

        done = rehearsal.play()

        assert done["error"] is None
        assert done["outcomes"] == {"rehearsal": ["ok", "", None]}
