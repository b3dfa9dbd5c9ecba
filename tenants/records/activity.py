"""What the mirror holds about contacts: appointments, messages, mail statistics; for a batch at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg2 import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tenants.records.query import Cursor

OBJECTS = ("Appointment", "Message", "LCEmailStats")
MOST = 100  # newest records of one contact that are looked at
COLUMNS = (
    "subject",
    "object",
    "id",
    "created_at",
    "stored_at",
    "status",
    "direction",
    "message_type",
    "call_status",
    "mail_event",
    "mail_at",
)

# records_record_subject serves it: one step a contact, however large the mirror.
_ABOUT = """
SELECT wanted.subject, r.object, r.external_id, left(r.data->>'created_at', 40), r.created_at,
    left(r.data->>'status', 40), left(r.data->>'direction', 20), left(r.data->>'message_type', 40),
    left(r.data->>'call_status', 40), left(r.data#>>'{{webhook_payload,event}}', 40),
    left(r.data#>>'{{webhook_payload,timestamp}}', 40)
FROM unnest(%s::text[]) AS wanted (subject)
CROSS JOIN LATERAL (
    SELECT object, external_id, data, created_at FROM {schema}.records_record
    WHERE subject = wanted.subject AND object = ANY(%s) AND deleted_at IS NULL
    ORDER BY id DESC LIMIT %s
) r
"""


def about(cursor: Cursor, *, schema: str, subjects: Iterable[str]) -> list[dict[str, Any]]:
    """The newest records about each subject: a contact's id, or its e-mail address in small letters."""
    wanted = sorted({subject[:200] for subject in subjects if subject and "\x00" not in subject})
    if not wanted:
        return []
    statement = sql.SQL(_ABOUT).format(schema=sql.Identifier(schema))
    cursor.execute(statement, [wanted, list(OBJECTS), MOST])
    return [dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()]
