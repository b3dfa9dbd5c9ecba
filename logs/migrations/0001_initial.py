"""Traces in day partitions, without foreign keys."""

from django.db import migrations, models

FORWARD = """
CREATE TABLE logs_trace (
    execution uuid NOT NULL,
    started_at timestamptz NOT NULL,
    tenant_id bigint NOT NULL,
    release varchar(60) NOT NULL,
    spans jsonb NOT NULL,
    entries jsonb NOT NULL,
    usage jsonb NOT NULL,
    effects jsonb NOT NULL,
    judgments jsonb NOT NULL,
    outcomes jsonb NOT NULL,
    error jsonb,
    is_cut boolean NOT NULL,
    expires_on date NOT NULL,
    PRIMARY KEY (execution, started_at)
) PARTITION BY RANGE (started_at);
-- So that a row never fails for want of a partition; logs.partitions keeps it empty.
CREATE TABLE logs_trace_default PARTITION OF logs_trace DEFAULT;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.RunSQL(FORWARD, "DROP TABLE logs_trace;"),
        migrations.CreateModel(
            name='Trace',
            fields=[
                ('pk', models.CompositePrimaryKey('execution', 'started_at', blank=True, editable=False, primary_key=True, serialize=False)),
                ('execution', models.UUIDField()),
                ('started_at', models.DateTimeField()),
                ('tenant_id', models.BigIntegerField()),
                ('release', models.CharField(max_length=60)),
                ('spans', models.JSONField()),
                ('entries', models.JSONField()),
                ('usage', models.JSONField()),
                ('effects', models.JSONField()),
                ('judgments', models.JSONField()),
                ('outcomes', models.JSONField()),
                ('error', models.JSONField(null=True)),
                ('is_cut', models.BooleanField(default=False)),
                ('expires_on', models.DateField()),
            ],
            options={
                'db_table': 'logs_trace',
                'managed': False,
            },
        ),
    ]
