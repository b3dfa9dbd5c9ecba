"""The installation's pulse: what ran in each five minutes, and the minutes in which all parts worked."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Pulse(models.Model):
    """Five minutes of all tenants together. Kept for days; the executions themselves stay the truth."""

    at = models.DateTimeField(primary_key=True)  # its beginning, UTC
    executions = models.IntegerField(db_default=0)  # begun in it
    failed = models.IntegerField(db_default=0)  # of them, partly failed ones included
    records = models.IntegerField(db_default=0)  # that succeeded
    # Counts by length of time, see ``triggers.pulse.STEPS``: of executions, and from webhook to result.
    ran = ArrayField(models.IntegerField(), default=list)
    answered = ArrayField(models.IntegerField(), default=list)
    # A bit for each of its minutes in which somebody looked, and in which all parts worked.
    looked = models.SmallIntegerField(db_default=0)
    well = models.SmallIntegerField(db_default=0)

    def __str__(self) -> str:
        return f"{self.at:%F %T}"
