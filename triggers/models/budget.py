"""The rate budget of a connection: how many requests its CRM takes of us, shared by all workers."""

from __future__ import annotations

from django.db import models

from tenants.models import Connection


class RateBudget(models.Model):
    """A token bucket and the day's count; one row a connection that calls its CRM."""

    connection = models.OneToOneField(Connection, models.CASCADE, primary_key=True, related_name="+")
    tokens = models.FloatField()
    filled_at = models.DateTimeField()  # the database's clock, as are the others
    held_until = models.DateTimeField(null=True)  # the CRM asked us to wait
    day = models.DateField()  # UTC
    used_today = models.IntegerField(default=0)

    def __str__(self) -> str:
        return f"budget of connection {self.connection_id}"
