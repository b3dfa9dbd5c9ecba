"""The operators' forms of a tenant: a new one with its owner and template, and one that stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from tenants.choices import Role
from tenants.errors import CodedError
from tenants.models import Domain, Membership, Tenant
from tenants.provision import check_slug, check_timezone

if TYPE_CHECKING:
    from collections.abc import Callable


class TenantForm(forms.ModelForm[Tenant]):
    """A tenant that stands."""

    def clean_slug(self) -> str:
        return _checked(check_slug, self.cleaned_data["slug"])

    def clean_timezone(self) -> str:
        return _checked(check_timezone, self.cleaned_data["timezone"])


class NewTenantForm(TenantForm):
    """A tenant to open."""

    owner = forms.EmailField(
        required=False,
        max_length=150,
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "off"}),
        help_text="Gets an invitation by e-mail; the link is shown to you once as well.",
    )
    template = forms.ModelChoiceField(
        Tenant.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        empty_label="None",
        help_text="Its settings and its triggers' switches are copied; no people, connections or secrets.",
    )
    host = forms.CharField(
        required=False,
        max_length=253,
        widget=UnfoldAdminTextInputWidget,
        help_text="A host name of its own for the portal. Empty: the slug below the base domain.",
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["template"].queryset = Tenant.objects.order_by("slug")  # type: ignore[attr-defined]

    def clean_host(self) -> str:
        host = str(self.cleaned_data["host"]).strip().lower()
        if host and Domain.objects.filter(domain=host).exists():
            raise forms.ValidationError("Another tenant has this host name.")
        return host


class MembersFormSet(forms.BaseInlineFormSet[Membership, Tenant, forms.ModelForm[Membership]]):
    """The people of a tenant: one that has an owner keeps one."""

    def clean(self) -> None:
        super().clean()
        # As the portal does before it changes members: of two who demote one another, one is told no.
        Tenant.objects.select_for_update().get(pk=self.instance.pk)
        if not self.instance.memberships.filter(role=Role.OWNER).exists():
            return
        said = [form.cleaned_data for form in self.forms if form.is_valid()]
        if not any(row.get("role") == Role.OWNER and not row.get("DELETE") for row in said):
            raise forms.ValidationError("The last owner stays. Make somebody else an owner first.")


def _checked(check: Callable[[str], None], value: str) -> str:
    try:
        check(value)
    except CodedError as error:
        raise forms.ValidationError(str(error)) from error
    return value
