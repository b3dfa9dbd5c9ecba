"""runtrigger: a trigger in the real jail over records of a file, writing nothing."""

from __future__ import annotations

import io
import json
import textwrap

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from governor.models import JournalEntry
from tenants.scope import every_tenant
from triggers.dry_run import BadRecords, read_records

AS_PRINTED = """
    from typing import Optional

    from pydantic import BaseModel
    from circuitos import CircuitDB, CircuitLog, CircuitTrigger, VirtualLPR, trigger

    class ContactSchema(BaseModel):
        id: str
        email: str
        phone: Optional[str] = None

    class ContactTrigger(CircuitTrigger):
        @trigger("Contact", ["afterInsert"], batch_size=200, schema=ContactSchema)
        async def score_new_leads(self, context):
            enriched = await CircuitDB.batch_enrich(context.new_records, ["census"])
            scores = await VirtualLPR.score_leads(context.new_records, enriched)
            await CircuitDB.update("Contact", scores)
"""

OTHERS = """
    from circuitos import CircuitDB, CircuitLog, CircuitTrigger, trigger

    class Other(CircuitTrigger):
        @trigger("Contact", ["afterUpdate", "beforeUpdate"], batch_size=2, limits={"record_queries": 3})
        def many(self, context):
            if context.is_before:
                context.new_record.city = "Plano"
            elif context.changed(context.new_record, "city"):
                context.new_record.fail("moved")
                print("moved")
                CircuitDB.update("Contact", [{"id": "c2", "seen": True}])

        @trigger("Contact", ["afterInsert"])
        async def forgets(self, context):
            CircuitDB.query("Contact")

        @trigger("Contact", ["afterInsert"], limits={"record_queries": 3})
        def greedy(self, context):
            try:
                for _ in range(9):
                    CircuitDB.query("Contact")
            except BaseException:
                CircuitLog.info("swallowed")
"""


@pytest.fixture
def rehearse(tmp_path, acme):
    """Runs the command as an operator does; gives its exit code and its JSON."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    (folder / "contact_script.py").write_text(textwrap.dedent(AS_PRINTED))
    (folder / "other_script.py").write_text(textwrap.dedent(OTHERS))

    def rehearse(name, records, *more, as_text=False):
        file = tmp_path / "records.json"
        file.write_text(records if isinstance(records, str) else json.dumps(records))
        told = io.StringIO()
        arguments = ["--file", str(file), "--scripts", str(folder), "--tenant", "acme", *more]
        code = 0
        try:
            call_command("runtrigger", name, *arguments, *([] if as_text else ["--json"]), stdout=told)
        except SystemExit as ended:
            code = ended.code
        return code, told.getvalue() if as_text else json.loads(told.getvalue())

    return rehearse


@pytest.mark.django_db
class TestRunTrigger:
    def test_runs_the_contracts_example_in_the_jail(self, rehearse, acme):
        code, document = rehearse(
            "ContactTrigger.score_new_leads",
            [{"id": "c1", "email": "a@b.test", "postal_code": "75024"}, {"id": "c2"}],
        )

        assert (code, document["error"]) == (0, None)
        assert document["outcomes"]["c1"] == ["ok", "", None]
        assert document["outcomes"]["c2"][:2] == ["quarantined", "schema"]
        assert [change["id"] for change in document["changes"]] == ["c1"]
        assert document["usage"]["records_written"] == [1, 10_000]

    def test_keeps_nothing(self, rehearse, acme):
        rehearse(
            "ContactTrigger.score_new_leads", [{"id": "c1", "email": "a@b.test", "postal_code": "75024"}]
        )

        with connection.cursor() as cursor, every_tenant():
            cursor.execute(f"SELECT count(*) FROM {acme.schema_name}.records_record")
            assert cursor.fetchone() == (0,)
            assert not JournalEntry.objects.exists()

    def test_gives_old_images_and_fails_single_records(self, rehearse):
        records = {
            "records": [{"id": "c1", "city": "Plano"}, {"id": "c2"}],
            "old": [{"city": "Dallas"}, None],
        }

        code, document = rehearse("Other.many", records)

        assert code == 0
        assert document["outcomes"]["c1"] == ["failed", "moved", None]
        assert [line["message"] for line in document["logs"]] == ["moved"]

    def test_a_before_event_gives_the_changed_fields(self, rehearse):
        _, document = rehearse("Other.many", {"id": "c1"}, "--event", "beforeUpdate")

        assert document["fields"] == {"c1": {"city": "Plano"}}

    def test_a_forgotten_await_fails_and_names_the_line(self, rehearse):
        code, document = rehearse("Other.forgets", [{"id": "c1"}])

        assert code == 1
        assert document["error"]["code"] == "script.not-awaited"
        assert document["error"]["at"] == "other_script.py:16"

    def test_an_exceeded_limit_is_told_for_people(self, rehearse):
        code, told = rehearse("Other.greedy", [{"id": "c1"}], as_text=True)

        assert code == 1
        assert "Other.greedy failed: governor.limit-exceeded at other_script.py:22" in told
        assert "swallowed" in told
        assert "record_queries" in told

    def test_success_is_told_for_people(self, rehearse):
        code, told = rehearse("Other.many", [{"id": "c1", "city": "Plano"}, {"id": "c2"}], as_text=True)

        assert code == 0
        assert "Other.many succeeded: 1 failed, 1 ok" in told
        assert "failed c1: moved" in told
        assert "would be" in told

    @pytest.mark.parametrize(
        ("name", "records", "more", "said"),
        [
            ("Nobody.here", [], [], "No trigger is named"),
            ("Other.many", [{}], ["--event", "afterInsert"], "not on afterInsert"),
            ("Other.many", [{}, {}, {}], [], "more than the 2"),
            ("Other.many", [{}], ["--tenant", "nobody"], "no tenant 'nobody'"),
        ],
    )
    def test_refuses_what_cannot_be_run(self, rehearse, name, records, more, said):
        with pytest.raises(CommandError, match=said):
            rehearse(name, records, *more)


class TestReadRecords:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{", "is no JSON"),
            ("[1]", "must hold a list of records"),
            ('{"records": 3}', "must hold a list of records"),
            ('{"records": [{}], "old": []}', "an image"),
            ('[{"id": "a"}, {"id": "a"}]', "two records of one id"),
        ],
    )
    def test_says_what_is_wrong(self, tmp_path, text, said):
        file = tmp_path / "records.json"
        file.write_text(text)

        with pytest.raises(BadRecords, match=said):
            read_records(file)

    def test_a_missing_file_is_told(self, tmp_path):
        with pytest.raises(BadRecords, match="cannot be read"):
            read_records(tmp_path / "nowhere.json")
