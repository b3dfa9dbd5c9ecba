"""The examples of the contract and of the brief run as printed."""

from __future__ import annotations

import pytest

from circuitos.script.testing import run

AS_PRINTED = """
from typing import Optional

from pydantic import BaseModel
from circuitos import CircuitDB, CircuitLog, CircuitTrigger, VirtualLPR, trigger

class ContactSchema(BaseModel):
    id: str
    email: str
    phone: Optional[str] = None

class ContactTrigger(CircuitTrigger):
    @trigger("Contact", ["afterInsert"], batch_size=200, schema=ContactSchema)
    async def score_new_leads(self, context):
        enriched = await CircuitDB.batch_enrich(context.new_records, ["census"])
        scores = await VirtualLPR.score_leads(context.new_records, enriched)
        await CircuitDB.update("Contact", scores)
"""

IN_CAMEL_CASE = (
    AS_PRINTED.replace("batch_size", "batchSize")
    .replace("new_records", "newRecords")
    .replace("batch_enrich", "batchEnrich")
    .replace("score_leads(", "scoreLeads(")
)

OLD_VALIDATORS = """
import time
from typing import Optional

from pydantic import BaseModel, ValidationError, validator
from circuitos import CircuitLog, CircuitMonitor, CircuitTrigger, trigger

class ContactSchema(BaseModel):
    id: str
    email: str
    phone: Optional[str]

    @validator("email")
    def email_has_an_at(cls, value):
        if "@" not in value:
            raise ValueError("no @ in it")
        return value.lower()

class ContactTrigger(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    async def validate(self, context):
        began = time.time()
        if context.errorRate > 0.05:
            CircuitMonitor.alertOnError("too many errors", context)
        try:
            contacts = [ContactSchema(**r) for r in context.newRecords]
        except ValidationError as e:
            CircuitLog.error("Invalid contacts", e.errors())
            spent = (time.time() - began) * 1000
            CircuitMonitor.trackPerformance(executionTimeMs=spent, triggerName="validate")
            return
        CircuitLog.info("valid", [contact.dict() for contact in contacts])
"""


class TestContractExample:
    @pytest.mark.parametrize("text", [AS_PRINTED, IN_CAMEL_CASE], ids=["as printed", "camelCase"])
    def test_scores_what_fits_and_quarantines_what_does_not(self, folder, text):
        trigger = folder.load("contact_script.py", text).ContactTrigger

        result = run(
            trigger,
            [{"id": "c1", "email": "a@b.test", "postal_code": "75024"}, {"id": "c2"}],
            enrich={"census": {"75024": {"median_income": 120_000, "affluence": "high"}}},
        ).check()

        assert result.outcomes["c1"] == ("ok", "", None)
        assert result.outcomes["c2"].status == "quarantined"
        assert result.outcomes["c2"].detail == [
            {"field": "email", "reason": "Input should be a valid string"}
        ]
        assert list(result.changed("Contact")) == ["c1"]
        assert result.enrichments == [("census", ["c1"])]
        assert result.usage["api_calls"] == [1, 50]


class TestOldValidators:
    def test_a_schema_built_by_hand_is_validated_and_its_errors_are_logged(self, folder):
        trigger = folder.load("contact_script.py", OLD_VALIDATORS).ContactTrigger

        result = run(trigger, [{"email": "nobody"}], error_rate=0.2).check()

        (line,) = result.logs
        assert (line.level, line.message) == ("error", "Invalid contacts")
        assert line.data[0]["loc"] == ["email"]
        assert "no @ in it" in line.data[0]["msg"]
        assert result.outcomes["r1"].status == "ok"
        assert result.alerts[0]["message"] == "too many errors"
        assert result.timings[0]["trigger"] == "validate"

    def test_absent_optional_fields_are_given_as_none(self, folder):
        trigger = folder.load("contact_script.py", OLD_VALIDATORS).ContactTrigger

        result = run(trigger, [{"email": "A@B.test"}]).check()

        assert result.logs[0].data == [{"id": "r1", "email": "a@b.test", "phone": None}]
