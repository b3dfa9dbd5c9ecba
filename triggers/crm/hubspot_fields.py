"""HubSpot's default property names and ours; any other property is a custom field."""

from __future__ import annotations

NAMES: dict[str, dict[str, str]] = {
    "Contact": {
        "firstname": "first_name",
        "lastname": "last_name",
        "email": "email",
        "phone": "phone",
        "mobilephone": "mobile_phone",
        "company": "company_name",
        "jobtitle": "job_title",
        "industry": "industry",
        "address": "address1",
        "city": "city",
        "state": "state",
        "zip": "postal_code",
        "country": "country",
        "hs_timezone": "timezone",
        "website": "website",
        "hs_analytics_source": "source",
        "date_of_birth": "date_of_birth",
        "hubspot_owner_id": "assigned_to",
        "hs_email_optout": "dnd",
        "lifecyclestage": "lifecycle_stage",
        "hs_lead_status": "lead_status",
        "createdate": "created_at",
        "lastmodifieddate": "updated_at",
    },
    "Opportunity": {
        "dealname": "name",
        "dealstage": "pipeline_stage_id",
        "pipeline": "pipeline_id",
        "amount": "monetary_value",
        "dealtype": "type",
        "description": "description",
        "hs_analytics_source": "source",
        "hubspot_owner_id": "assigned_to",
        "closedate": "close_at",
        "createdate": "created_at",
        "hs_lastmodifieddate": "updated_at",
    },
    "Task": {
        "hs_task_subject": "title",
        "hs_task_body": "body",
        "hs_timestamp": "due_at",
        "hs_task_priority": "priority",
        "hs_task_status": "completed",
        "hubspot_owner_id": "assigned_to",
        "hs_createdate": "created_at",
        "hs_lastmodifieddate": "updated_at",
    },
    "Note": {
        "hs_note_body": "body",
        "hubspot_owner_id": "user_id",
        "hs_createdate": "created_at",
        "hs_lastmodifieddate": "updated_at",
    },
    "Appointment": {
        "hs_meeting_title": "title",
        "hs_meeting_location": "address",
        "hs_meeting_outcome": "status",
        "hs_meeting_body": "notes",
        "hs_meeting_start_time": "starts_at",
        "hs_meeting_end_time": "ends_at",
        "hubspot_owner_id": "assigned_to",
        "hs_createdate": "created_at",
        "hs_lastmodifieddate": "updated_at",
    },
}
FLAGS = frozenset({"dnd", "completed"})
NUMBERS = frozenset({"monetary_value"})
TIMES = frozenset({"created_at", "updated_at", "close_at", "date_of_birth", "due_at", "starts_at", "ends_at"})
