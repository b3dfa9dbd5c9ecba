"""The fields of each normalised object. Every one may be absent or None; a present one has its type."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

# pydantic reads typing's own TypedDict from Python 3.12 on only.
from typing_extensions import TypedDict

Text = str | None
Number = Annotated[int, Field(ge=-(2**63), lt=2**63)] | float | None
Flag = bool | None
Texts = list[str] | None
Items = list[Any] | None
Fields = dict[str, Any] | None  # by readable name (the tenant's field_map) or by the CRM's own id


class Contact(TypedDict, total=False):
    """A person: a lead or a customer."""

    name: Text
    first_name: Text
    last_name: Text
    email: Text
    phone: Text
    mobile_phone: Text
    company_name: Text
    job_title: Text
    industry: Text
    address1: Text
    city: Text
    state: Text
    postal_code: Text
    country: Text
    timezone: Text
    website: Text
    source: Text
    type: Text
    tags: Texts
    dnd: Flag
    dnd_settings: Fields
    date_of_birth: Text
    assigned_to: Text
    lifecycle_stage: Text
    lead_status: Text
    attachments: Items
    created_at: Text
    updated_at: Text
    custom_fields: Fields
    extra: Fields


class Opportunity(TypedDict, total=False):
    """A chance to sell: HighLevel's opportunity, HubSpot's deal."""

    name: Text
    status: Text  # open, won, lost, abandoned
    contact_id: Text
    assigned_to: Text
    monetary_value: Number
    pipeline_id: Text
    pipeline_stage_id: Text
    type: Text
    description: Text
    source: Text
    close_at: Text
    created_at: Text
    updated_at: Text
    custom_fields: Fields
    extra: Fields


class Appointment(TypedDict, total=False):
    """A time agreed with a contact."""

    title: Text
    address: Text
    calendar_id: Text
    contact_id: Text
    group_id: Text
    status: Text
    assigned_to: Text
    users: Texts
    notes: Text
    source: Text
    starts_at: Text
    ends_at: Text
    created_at: Text
    updated_at: Text
    custom_fields: Fields
    extra: Fields


class Message(TypedDict, total=False):
    """One message of a conversation, in or out: e-mail, SMS, call, chat, review."""

    contact_id: Text
    conversation_id: Text
    message_id: Text
    direction: Text  # inbound, outbound
    message_type: Text
    content_type: Text
    subject: Text
    body: Text
    sender: Text
    recipients: Items
    status: Text
    attachments: Items
    user_id: Text
    source: Text
    thread_id: Text
    call_duration: Number
    call_status: Text
    conversation_provider_id: Text
    created_at: Text
    custom_fields: Fields
    extra: Fields


class Task(TypedDict, total=False):
    """Something a person shall do."""

    title: Text
    body: Text
    contact_id: Text
    assigned_to: Text
    due_at: Text
    priority: Text
    completed: Flag
    created_at: Text
    updated_at: Text
    custom_fields: Fields
    extra: Fields


class Note(TypedDict, total=False):
    """A remark kept on a contact."""

    body: Text
    contact_id: Text
    user_id: Text
    created_at: Text
    updated_at: Text
    custom_fields: Fields
    extra: Fields


class Review(TypedDict, total=False):
    """What somebody said of the business in public."""

    contact_id: Text
    stars: Number
    rating: Number
    title: Text
    text: Text
    author: Text
    source: Text
    url: Text
    location_id: Text
    reply: Text
    is_answered: Flag
    reviewed_at: Text
    created_at: Text
    updated_at: Text
    custom_fields: Fields
    extra: Fields


class Campaign(TypedDict, total=False):
    """Messages sent to many."""

    name: Text
    status: Text
    state: Text
    type: Text
    subject: Text
    contact_id: Text
    budget: Number
    sent_count: Number
    starts_at: Text
    ends_at: Text
    created_at: Text
    updated_at: Text
    custom_fields: Fields
    extra: Fields


class Order(TypedDict, total=False):
    """What a contact bought."""

    number: Text
    name: Text
    status: Text
    state: Text
    contact_id: Text
    email: Text
    currency: Text
    amount: Number
    total: Number
    total_amount: Number
    items: Items
    source: Text
    ordered_at: Text
    paid_at: Text
    created_at: Text
    updated_at: Text
    custom_fields: Fields
    extra: Fields


class Invoice(TypedDict, total=False):
    """What a contact is asked to pay."""

    name: Text
    invoice_number: Text
    status: Text
    contact_id: Text
    contact_details: Fields
    currency: Text
    amount: Number
    amount_paid: Number
    amount_due: Number
    total: Number
    items: Items
    issue_date: Text
    due_date: Text
    paid_at: Text
    created_at: Text
    updated_at: Text
    custom_fields: Fields
    extra: Fields
