"""The contract's example trigger, put into a folder of scripts as it is printed, runs in the real engine."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from tests.circuitos.script.test_contract import AS_PRINTED, IN_CAMEL_CASE, OLD_VALIDATORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.acceptance.installation import Installation

pytestmark = pytest.mark.timeout(240)
_numbers = itertools.count(1)


@pytest.fixture
def install(installation: Installation) -> Iterator[Callable[[str], str]]:
    """``install(text)``: make it a script; gives a prefix for the ids of records that are only its."""
    script = installation.scripts / "contact_script.py"

    def write(text: str) -> str:
        script.write_text(text)
        return f"printed-{next(_numbers)}"

    yield write
    installation.wait_until_sent()
    script.unlink()


class TestContractExample:
    @pytest.mark.parametrize("text", [AS_PRINTED, IN_CAMEL_CASE], ids=["as printed", "camelCase"])
    def test_scores_what_fits_and_quarantines_what_does_not(self, installation, install, text):
        prefix = install(text)
        good, bad = installation.contacts(
            [f"{prefix}-good", f"{prefix}-bad"], postalCode="75024", country="US"
        )
        bad = bad.replace(b'"email":', b'"ignored":')

        good_event, bad_event = installation.send_signed("gohighlevel", [good, bad])

        ran = installation.executions_of(good_event)
        assert [row["trigger"] for row in ran] == ["ContactTrigger.score_new_leads"]
        assert installation.record("Contact", f"{prefix}-good")["lpr_score"] > 0
        installation.executions_of(bad_event)
        _, event = installation.rest(f"events/{bad_event}/")
        assert event["status"] == "quarantined"
        assert "email" in str(event["error"])
        assert "lpr_score" not in installation.record("Contact", f"{prefix}-bad")

    def test_with_pydantics_old_validators_logs_the_errors_and_returns(self, installation, install):
        prefix = install(OLD_VALIDATORS)
        (body,) = installation.contacts([f"{prefix}-1"], email="no-address")

        (event,) = installation.send_signed("gohighlevel", [body])

        validated = next(
            row for row in installation.executions_of(event) if row["trigger"] == "ContactTrigger.validate"
        )
        _, trace = installation.rest(f"executions/{validated['id']}/trace/")
        assert validated["status"] in {"succeeded", "succeeded with errors"}
        assert "Invalid contacts" in [entry["message"] for entry in trace["entries"]]
