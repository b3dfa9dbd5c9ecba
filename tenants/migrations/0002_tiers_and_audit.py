"""The two tiers every installation starts with, and the promise that audit rows are not rewritten."""

from django.db import migrations

TIERS = [("free", "Free", 100, 1_000), ("paid", "Paid", 10_000, 100_000)]

APPEND_ONLY = """
CREATE FUNCTION tenants_auditevent_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Deleting a tenant takes its id off the row; the hash does not cover that column.
    IF TG_OP = 'UPDATE' AND NEW.tenant_id IS NULL AND to_jsonb(NEW) - 'tenant_id' = to_jsonb(OLD) - 'tenant_id' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'The audit log is append-only.' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER tenants_auditevent_append_only BEFORE UPDATE OR DELETE ON tenants_auditevent
    FOR EACH ROW EXECUTE FUNCTION tenants_auditevent_append_only();
"""

REWRITABLE = """
DROP TRIGGER tenants_auditevent_append_only ON tenants_auditevent;
DROP FUNCTION tenants_auditevent_append_only();
"""


def create_tiers(apps, schema_editor):
    Tier = apps.get_model("tenants", "Tier")
    for slug, name, executions, api_calls in TIERS:
        Tier.objects.get_or_create(
            slug=slug, defaults={"name": name, "executions_per_day": executions, "api_calls_per_day": api_calls}
        )


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [
        migrations.RunPython(create_tiers, migrations.RunPython.noop),
        migrations.RunSQL(APPEND_ONLY, REWRITABLE),
    ]
