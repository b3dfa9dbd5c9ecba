"""Pipedrive's names and ours."""

from __future__ import annotations

OBJECTS = {
    "person": "Contact",
    "deal": "Opportunity",
    "organization": "Company",
    "activity": "Task",
}
_TIMES = {"add_time": "created_at", "update_time": "updated_at"}
NAMES: dict[str, dict[str, str]] = {
    "Contact": {
        "name": "name",
        "first_name": "first_name",
        "last_name": "last_name",
        "email": "email",
        "phone": "phone",
        "job_title": "job_title",
        "birthday": "date_of_birth",
        "org_name": "company_name",
        "owner_id": "assigned_to",
        "postal_value": "address1",
        "postal_locality": "city",
        "postal_admin_area_level_1": "state",
        "postal_postal_code": "postal_code",
        "postal_country": "country",
        **_TIMES,
    },
    "Opportunity": {
        "title": "name",
        "status": "status",
        "value": "monetary_value",
        "person_id": "contact_id",
        "owner_id": "assigned_to",
        "pipeline_id": "pipeline_id",
        "stage_id": "pipeline_stage_id",
        "expected_close_date": "close_at",
        "origin": "source",
        **_TIMES,
    },
    "Task": {
        "subject": "title",
        "note": "body",
        "person_id": "contact_id",
        "owner_id": "assigned_to",
        "user_id": "assigned_to",
        "due_date": "due_at",
        "done": "completed",
        "priority": "priority",
        **_TIMES,
    },
    "Note": {"content": "body", "person_id": "contact_id", "user_id": "user_id", **_TIMES},
}
ENVELOPE = frozenset({"id", "visible_to", "picture_id", "im"})
