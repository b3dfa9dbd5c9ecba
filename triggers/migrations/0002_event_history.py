"""The history of events in day partitions, the view over live and past, and the hot table's storage."""

from django.db import migrations

COLUMNS = (
    "id, code, tenant_id, connection_id, lane_id, crm, object, operation, record_id, kind, occurred_at, received_at, "
    "delivery, position, body, status, reason, error, pending, attempts, next_attempt_at, before, old_known, origin, "
    "depth, finished_at"
)

FORWARD = f"""
ALTER TABLE triggers_liveevent SET (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0
);
ALTER TABLE triggers_lane SET (fillfactor = 50);

CREATE TABLE triggers_event_past (LIKE triggers_liveevent) PARTITION BY RANGE (received_at);
ALTER TABLE triggers_event_past ADD PRIMARY KEY (id, received_at);
CREATE INDEX triggers_past_code ON triggers_event_past (code);
CREATE INDEX triggers_past_recent ON triggers_event_past (tenant_id, id DESC);
CREATE INDEX triggers_past_record ON triggers_event_past (tenant_id, record_id, id DESC);
CREATE INDEX triggers_past_trouble ON triggers_event_past (tenant_id, status, id DESC)
    WHERE status IN ('failed', 'quarantined');
-- So that a row never fails for want of a partition; logs.partitions keeps it empty.
CREATE TABLE triggers_event_past_default PARTITION OF triggers_event_past DEFAULT;

CREATE VIEW triggers_event AS
    SELECT {COLUMNS} FROM triggers_liveevent
    UNION ALL
    SELECT {COLUMNS} FROM triggers_event_past;
"""

BACKWARD = """
DROP VIEW triggers_event;
DROP TABLE triggers_event_past;
"""


class Migration(migrations.Migration):
    dependencies = [("triggers", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
