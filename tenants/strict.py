"""What a request's JSON must be: of the type the schema names, and nothing beside it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

_STRICT: tuple[tuple[type[serializers.Field[Any, Any, Any, Any]], type | tuple[type, ...], str], ...] = (
    (serializers.BooleanField, bool, "Write true or false."),
    (serializers.IntegerField, int, "Write a whole number."),
    (serializers.UUIDField, str, "Write the id as a text."),
    (serializers.DateTimeField, str, "Write an ISO 8601 time, such as 2026-03-02T12:00:00Z."),
    (serializers.ChoiceField, str, "Write one of the choices."),
    (serializers.SlugRelatedField, str, "Write a slug."),
    (serializers.CharField, str, "Write a text."),
)


class Strict(serializers.Serializer[Any]):
    """A request's body. DRF alone would take 1 for "1", and ignore what it does not know."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            faults = {name: ["There is no such field."] for name in data if name not in self.fields}
            for name, field in self.fields.items():
                given = None if field.read_only else data.get(name)
                if given is not None and (fault := _fault(field, given)):
                    faults[name] = fault
            if faults:
                raise serializers.ValidationError(faults)
        return super().to_internal_value(data)


def _fault(field: Any, value: Any) -> list[str]:
    for kind, wanted, sentence in _STRICT:
        if isinstance(field, kind):
            is_it = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
            return [] if is_it else [sentence]
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        faults = [fault for each in value for fault in _fault(field.child, each)]
        return faults[:1]
    return []
