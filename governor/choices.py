"""Enumerations of quotas and upgrades."""

from __future__ import annotations

from django.db.models import TextChoices


class Period(TextChoices):
    """Over which stretch of the tenant's calendar usage is summed."""

    DAY = "d", "Day"
    MONTH = "m", "Month"


class Charge(TextChoices):
    """What a line of the ledger was charged for."""

    EXECUTION = "execution", "Execution"  # a live attempt: its requests, and once the execution itself
    OUTBOX = "outbox", "CRM write"  # one request of the outbox


class RequestStatus(TextChoices):
    """Where an upgrade request stands."""

    OPEN = "open", "Open"  # an operator has to decide
    APPROVED = "approved", "Approved"  # the tenant has the tier
    DECLINED = "declined", "Declined"  # it has not; the answer says why
