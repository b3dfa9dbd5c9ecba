from django.db import migrations, models


class Migration(migrations.Migration):
    """Whether the CRM still lets us in."""

    dependencies = [("tenants", "0005_people")]

    operations = [
        migrations.AddField("connection", "reconnect_since", models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.AddField(
            "connection",
            "reconnect_reason",
            models.CharField(blank=True, default="", editable=False, max_length=200),
        ),
        migrations.AddField(
            "connection", "is_held", models.BooleanField(db_default=False, default=False, editable=False)
        ),
        migrations.AddIndex(
            "connection",
            models.Index(condition=models.Q(("is_held", True)), fields=["id"], name="tenants_connection_held"),
        ),
    ]
