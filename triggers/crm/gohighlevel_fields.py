"""GoHighLevel's field names, as its webhook documentation lists them, and ours."""

from __future__ import annotations

# Keys that describe the delivery, not the record.
ENVELOPE = frozenset(
    {"type", "locationId", "id", "_id", "timestamp", "webhookId", "versionId", "appId", "data", "appointment"}
)

NAMES: dict[str, dict[str, str]] = {
    "Contact": {
        "name": "name",
        "firstName": "first_name",
        "lastName": "last_name",
        "email": "email",
        "phone": "phone",
        "companyName": "company_name",
        "address1": "address1",
        "city": "city",
        "state": "state",
        "postalCode": "postal_code",
        "country": "country",
        "website": "website",
        "source": "source",
        "tags": "tags",
        "dnd": "dnd",
        "dndSettings": "dnd_settings",
        "dateOfBirth": "date_of_birth",
        "assignedTo": "assigned_to",
        "attachments": "attachments",
        "timezone": "timezone",
        "dateAdded": "created_at",
        "dateUpdated": "updated_at",
    },
    "Opportunity": {
        "name": "name",
        "status": "status",
        "contactId": "contact_id",
        "assignedTo": "assigned_to",
        "monetaryValue": "monetary_value",
        "pipelineId": "pipeline_id",
        "pipelineStageId": "pipeline_stage_id",
        "source": "source",
        "dateAdded": "created_at",
        "dateUpdated": "updated_at",
    },
    "Appointment": {
        "title": "title",
        "address": "address",
        "calendarId": "calendar_id",
        "contactId": "contact_id",
        "groupId": "group_id",
        "appointmentStatus": "status",
        "assignedUserId": "assigned_to",
        "users": "users",
        "notes": "notes",
        "source": "source",
        "startTime": "starts_at",
        "endTime": "ends_at",
        "dateAdded": "created_at",
        "dateUpdated": "updated_at",
    },
    "Message": {
        "contactId": "contact_id",
        "conversationId": "conversation_id",
        "messageId": "message_id",
        "emailMessageId": "message_id",
        "direction": "direction",
        "messageType": "message_type",
        "contentType": "content_type",
        "subject": "subject",
        "body": "body",
        "message": "body",
        "html": "body",
        "from": "sender",
        "emailFrom": "sender",
        "to": "recipients",
        "emailTo": "recipients",
        "status": "status",
        "attachments": "attachments",
        "userId": "user_id",
        "source": "source",
        "threadId": "thread_id",
        "callDuration": "call_duration",
        "callStatus": "call_status",
        "conversationProviderId": "conversation_provider_id",
        "dateAdded": "created_at",
    },
    "Task": {
        "title": "title",
        "body": "body",
        "contactId": "contact_id",
        "assignedTo": "assigned_to",
        "dueDate": "due_at",
        "completed": "completed",
        "dateAdded": "created_at",
        "dateUpdated": "updated_at",
    },
    "Note": {
        "body": "body",
        "contactId": "contact_id",
        "userId": "user_id",
        "dateAdded": "created_at",
        "dateUpdated": "updated_at",
    },
}

# What a body without them says: these are empty. Fields that not every body carries stay as they are.
_SOMETIMES = frozenset({"timezone", "dndSettings", "dateUpdated"})
DOCUMENTED: dict[str, tuple[str, ...]] = {
    name: tuple(dict.fromkeys(field for key, field in names.items() if key not in _SOMETIMES))
    for name, names in NAMES.items()
}
