"""Whom a record is about, as a column of its own: an index on the document itself would cost every update.

PostgreSQL updates a row in place only while no indexed column changes; a record's document changes each time,
whom it is about never. Cut to 200 characters, the most an id may have: an index entry has its limits.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("records", "0002_storage")]

    operations = [
        migrations.RunSQL(
            """
            ALTER TABLE records_record ADD COLUMN subject text GENERATED ALWAYS AS (
                CASE object
                    WHEN 'LCEmailStats' THEN left(lower(data#>>'{webhook_payload,recipient}'), 200)
                    WHEN 'Appointment' THEN left(data->>'contact_id', 200)
                    WHEN 'Message' THEN left(data->>'contact_id', 200)
                END
            ) STORED
            """,
            "ALTER TABLE records_record DROP COLUMN subject",
        ),
        # For tenants.records.activity.about().
        migrations.RunSQL(
            "CREATE INDEX records_record_subject ON records_record (subject, id) WHERE subject IS NOT NULL",
            "DROP INDEX records_record_subject",
        ),
    ]
