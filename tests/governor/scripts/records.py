"""Handlers that read and change records."""

from __future__ import annotations

from circuitos import CircuitDB, CircuitLog, CircuitTrigger, trigger


class RecordTrigger(CircuitTrigger):
    @trigger("Contact", ["afterInsert"])
    def reads_its_own_writes(self, context):
        CircuitDB.update("Contact", [{"id": "c1", "score": 5, "custom_fields": {"b": 2}}])
        CircuitDB.delete("Contact", ["c2"])
        new = CircuitDB.insert("Note", [{"text": "made"}])[0].id
        CircuitLog.info(
            "get", {key: dict(row) for key, row in CircuitDB.get("Contact", ["c1", "c2"]).items()}
        )
        CircuitLog.info("query", [dict(row) for row in CircuitDB.query("Contact", order_by="name")])
        CircuitLog.info("new", CircuitDB.get("Note", new)["text"])

    @trigger("Contact", ["afterInsert"])
    def touches_twice(self, context):
        CircuitDB.update("Contact", [{"id": "c1", "score": 5, "custom_fields": {"a": 1}}])
        CircuitDB.update("Contact", [{"id": "c1", "name": "New", "custom_fields": {"b": 2}}])
        made = CircuitDB.insert("Note", [{"text": "never was"}])[0].id
        CircuitDB.delete("Note", [made])

    @trigger("Contact", ["afterInsert"])
    def names_strangers(self, context):
        saved = CircuitDB.update("Contact", [{"id": "c1", "score": 1}, {"id": "nobody", "score": 1}])
        saved += CircuitDB.delete("Contact", ["nobody"])
        saved += CircuitDB.upsert("Contact", [{"id": "new", "score": 1}])
        CircuitLog.info("saved", [[result.id, result.ok, result.errors] for result in saved])

    @trigger("Contact", ["afterInsert"])
    def finds(self, context):
        CircuitLog.info("found", sorted(row["name"] for row in CircuitDB.query("Contact")))

    @trigger("Contact", ["afterInsert"])
    def reads_slowly(self, context):
        CircuitDB.query("Contact", where={f"field{n}__ne": "x" for n in range(50)}, order_by="name")

    @trigger("Contact", ["afterInsert"])
    def asks_too_much(self, context):
        CircuitDB.query("Contact", where={f"field{n}": "x" for n in range(51)})

    @trigger("Contact", ["afterInsert"])
    def reads_all(self, context):
        CircuitDB.query("Contact", limit=10_000)

    @trigger("Contact", ["afterInsert"])
    def makes_a_task(self, context):
        CircuitDB.create_task("Call now", record_id="c1", priority="high")

    @trigger("Contact", ["afterInsert"])
    def writes_rubbish(self, context):
        from circuitos.script.session import current

        saved = current().channel.request(
            "records.update",
            {
                "object": "Contact",
                "rows": [
                    {"id": "c1", "score": float("nan")},
                    {"id": "c1", "name": "a\0b"},
                    {"id": "c1", "deep": {"a": b"bytes"}},
                    "row",
                    {"id": 5},
                ],
            },
        )
        CircuitLog.info("errors", [result["errors"] for result in saved])


class BeforeTrigger(CircuitTrigger):
    @trigger("Contact", ["beforeUpdate"])
    def stamps(self, context):
        for record in context.new_records:
            record.stamped = True
