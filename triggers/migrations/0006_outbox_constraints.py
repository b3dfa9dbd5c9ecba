"""Outbox rows are no longer checked against tenants and connections one by one."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0003_api_credentials'),
        ('triggers', '0005_outbox_sending'),
    ]

    operations = [
        migrations.AlterField(
            model_name='outboxwrite',
            name='connection',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='tenants.connection'),
        ),
        migrations.AlterField(
            model_name='outboxwrite',
            name='tenant',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant'),
        ),
    ]
