"""The base of the console's pages on which operators change something: each change is audited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Model
from django.utils.timezone import now

from tenants import audit
from tenants.models import Tenant
from tenants.operators import OperatorAdmin

if TYPE_CHECKING:
    from django import forms
    from django.http import HttpRequest


class AuditedAdmin(OperatorAdmin):
    """Each change by an operator leaves a row in the audit log: which fields, and of some the values."""

    audited: tuple[str, ...] = ()  # fields whose old and new values are noted

    def save_model(self, request: HttpRequest, obj: Model, form: forms.ModelForm[Any], change: bool) -> None:  # noqa: FBT001
        self.store(request, obj, form, is_new=not change)
        changed = [name for name in self.audited if change and name in form.changed_data]
        values = (
            {
                "before": {name: _plain(form.initial.get(name)) for name in changed},
                "after": {name: _plain(form.cleaned_data.get(name)) for name in changed},
            }
            if changed
            else {}
        )
        fields = sorted(form.changed_data)
        self.note(request, obj, "changed" if change else "created", fields=fields, **values)

    def store(self, request: HttpRequest, obj: Any, form: forms.ModelForm[Any], *, is_new: bool) -> None:
        obj.save()

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        self.note(request, obj, "deleted")
        super().delete_model(request, obj)

    def note(self, request: HttpRequest, obj: Any, verb: str, **data: Any) -> None:
        tenant = obj if isinstance(obj, Tenant) else getattr(obj, "tenant", None)
        audit.record(
            actor=request.user.get_username(),
            verb=verb,
            target=f"{self.opts.model_name} {obj}",
            tenant=tenant,
            data=data,
            at=now(),
        )


def _plain(value: Any) -> Any:
    return value.pk if isinstance(value, Model) else value
