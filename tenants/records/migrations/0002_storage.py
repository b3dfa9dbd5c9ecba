"""Room on the page for the next version of a row: the mirror is mostly updated in place."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("records", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE records_record SET (fillfactor = 80)",
            "ALTER TABLE records_record RESET (fillfactor)",
        ),
    ]
