"""Surveys of the demo shop: a script that calls out for each answer meets the limit of 50 calls."""

from __future__ import annotations

from circuitos import CircuitLog, CircuitTrigger, http, trigger

ANSWERS = 60


class SurveyTrigger(CircuitTrigger):
    """Looks every answer up one by one, as a careless script would."""

    @trigger("Survey", ["afterInsert"])
    def look_up_each_answer(self, context):
        address = context.tenant.settings["demo_url"]
        for number in range(1, ANSWERS + 1):
            CircuitLog.debug("looking up", answer=number)
            http.get(f"{address}/healthz", params={"answer": number})
