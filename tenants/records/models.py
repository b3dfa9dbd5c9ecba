"""Records: the mirror of a tenant's CRM records, and the agents' own objects; a table in each schema."""

from __future__ import annotations

from django.db import models


class Record(models.Model):
    """The newest known state of one CRM record, or one of the tenant's own objects."""

    object = models.CharField(max_length=60)
    external_id = models.CharField(max_length=200)
    data = models.JSONField(default=dict)
    # Newest change (the CRM's clock) that replaced the whole record; an older one never overwrites it.
    watermark = models.DateTimeField(null=True)
    # ISO time -> fields whose newest change of their own was then: of a CRM that sends one property an event,
    # or of a script.
    marks = models.JSONField(default=dict)
    source = models.CharField(max_length=20)  # the CRM's name, or "circuitos" for the tenant's own objects
    deleted_at = models.DateTimeField(null=True)
    # When a script last changed it: with an unchanged incoming event this makes an echo (10 minutes).
    written_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["object", "external_id"], name="records_record_once"),
        ]

    def __str__(self) -> str:
        return f"{self.object} {self.external_id}"
