"""More CRMs; who may send to a connection, and what a workflow sends."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tenants", "0007_apps")]

    operations = [
        migrations.AddField(
            model_name="connection",
            name="is_workflow",
            field=models.BooleanField(default=False, db_default=False, verbose_name="sent by a workflow"),
        ),
        migrations.AddField(
            model_name="connection",
            name="allowed_senders",
            field=models.JSONField(blank=True, default=list, db_default=models.Value([], models.JSONField())),
        ),
        migrations.AlterField(
            model_name="connection",
            name="crm",
            field=models.CharField(
                choices=[
                    ("gohighlevel", "GoHighLevel"),
                    ("hubspot", "HubSpot"),
                    ("salesforce", "Salesforce"),
                    ("pipedrive", "Pipedrive"),
                    ("zoho", "Zoho CRM"),
                    ("standard", "Standard Webhooks"),
                ],
                max_length=20,
            ),
        ),
    ]
