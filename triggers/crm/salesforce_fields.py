"""Salesforce's standard fields and ours; what ends in ``__c`` is a custom field."""

from __future__ import annotations

OBJECTS = {
    "Lead": "Contact",
    "Account": "Company",
    "Event": "Appointment",
    "ContentNote": "Note",
    "EmailMessage": "Message",
}
_TIMES = {"CreatedDate": "created_at", "LastModifiedDate": "updated_at"}
_PERSON = {
    "Name": "name",
    "FirstName": "first_name",
    "LastName": "last_name",
    "Email": "email",
    "Phone": "phone",
    "MobilePhone": "mobile_phone",
    "Title": "job_title",
    "LeadSource": "source",
    "OwnerId": "assigned_to",
    "DoNotCall": "dnd",
    "Industry": "industry",
    "Website": "website",
    **_TIMES,
}
NAMES: dict[str, dict[str, str]] = {
    "Contact": {
        **_PERSON,
        "Birthdate": "date_of_birth",
        "MailingStreet": "address1",
        "MailingCity": "city",
        "MailingState": "state",
        "MailingPostalCode": "postal_code",
        "MailingCountry": "country",
    },
    "Lead": {
        **_PERSON,
        "Company": "company_name",
        "Status": "lead_status",
        "Street": "address1",
        "City": "city",
        "State": "state",
        "PostalCode": "postal_code",
        "Country": "country",
    },
    "Opportunity": {
        "Name": "name",
        "StageName": "pipeline_stage_id",
        "Amount": "monetary_value",
        "CloseDate": "close_at",
        "Type": "type",
        "Description": "description",
        "LeadSource": "source",
        "OwnerId": "assigned_to",
        "ContactId": "contact_id",
        **_TIMES,
    },
    "Task": {
        "Subject": "title",
        "Description": "body",
        "WhoId": "contact_id",
        "OwnerId": "assigned_to",
        "ActivityDate": "due_at",
        "Priority": "priority",
        **_TIMES,
    },
    "Event": {
        "Subject": "title",
        "Location": "address",
        "Description": "notes",
        "WhoId": "contact_id",
        "OwnerId": "assigned_to",
        "StartDateTime": "starts_at",
        "EndDateTime": "ends_at",
        **_TIMES,
    },
    "Note": {"Body": "body", "ParentId": "contact_id", "OwnerId": "user_id", **_TIMES},
    "EmailMessage": {
        "Subject": "subject",
        "TextBody": "body",
        "FromAddress": "sender",
        "CreatedDate": "created_at",
    },
}
# Compound fields of change events, and what stands before the names of their parts.
COMPOUND = {"Name": "", "MailingAddress": "Mailing", "OtherAddress": "Other", "Address": ""}
# Of the record as a whole: nothing a script would read.
ENVELOPE = frozenset({"Id", "attributes", "ChangeEventHeader", "SystemModstamp", "IsDeleted"})
