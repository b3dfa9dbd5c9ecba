"""How many deliveries were refused, kept ones included: a flood keeps no bodies."""

from __future__ import annotations

from django.db import models


class RefusedCount(models.Model):
    """The refused deliveries of one connection on one day (UTC), by reason."""

    pk = models.CompositePrimaryKey("connection_id", "refused_on", "error_code")
    connection_id = models.BigIntegerField()
    refused_on = models.DateField()
    error_code = models.CharField(max_length=60)
    count = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.count} {self.error_code} on {self.refused_on}"
