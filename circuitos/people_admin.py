"""People in the console: who they are, their one role, and a lost second factor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account import admin as account_admin
from allauth.mfa import admin as mfa_admin
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as BaseGroupAdmin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.models import Group, User
from django.utils.timezone import now
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget

from tenants import audit, second_factor
from tenants.clock import time_column
from tenants.operators import HistoryAdmin, OperatorAdmin
from tenants.reauthentication import demand
from tenants.staff_roles import StaffRole, give_role, role_of_staff

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse

admin.site.unregister(User)
admin.site.unregister(Group)
# allauth's own pages would show sealed secrets, and let them be edited.
for theirs in (mfa_admin.Authenticator, account_admin.EmailAddress, account_admin.EmailConfirmation):
    if admin.site.is_registered(theirs):
        admin.site.unregister(theirs)


class PersonForm(UserChangeForm):  # type: ignore[misc]  # unfold ships no types
    role = forms.ChoiceField(
        choices=[("", "None: no console"), *StaffRole.choices], required=False, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        if self.instance.pk:
            self.initial["role"] = role_of_staff(self.instance)


@admin.register(User)
class PersonAdmin(BaseUserAdmin[User], OperatorAdmin):
    """People who sign in: operators and members of tenants. Only superusers touch superusers."""

    form = PersonForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    actions = ["reset_factor"]
    empty = "Nobody has an account yet. Add a person, then give them a role."
    list_display = ["username", "email", "role_told", "is_active", "seen"]
    seen = time_column("last_login", "Last sign-in")
    list_filter = ["is_staff", "groups", "is_active"]
    filter_horizontal = ()
    ordering = ["username"]
    fieldsets = [(None, {"fields": ["username", "password", "email", "role", "is_active"]})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        queryset: QuerySet[User] = super().get_queryset(request)
        return queryset.prefetch_related("groups")

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        found = super().get_fieldsets(request, obj)
        if obj is None or not request.user.is_superuser:
            return found
        return [*found, ("Superuser", {"fields": ["is_superuser"], "description": "May do all, unasked."})]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_above = obj is not None and obj.is_superuser and not request.user.is_superuser
        return not is_above and bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)  # others switch a person off

    def changeform_view(self, request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        asks = demand(request) if request.method == "POST" else None
        answer: HttpResponse = asks or super().changeform_view(request, *args, **more)
        return answer

    def user_change_password(self, request: HttpRequest, *args: Any, **more: Any) -> HttpResponse:
        return demand(request) or super().user_change_password(request, *args, **more)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001
        super().save_model(request, obj, form, change)
        fields = sorted(set(form.changed_data) - {"role"})
        if fields or not change:
            # Names of fields only: a password's must not come in here.
            audit.record(
                actor=request.user.get_username(),
                verb="changed" if change else "created",
                target=f"person {obj}",
                data={"fields": fields},
                at=now(),
            )
        if "role" in form.cleaned_data and change:
            give_role(obj, form.cleaned_data["role"], actor=request.user.get_username())

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        audit.record(actor=request.user.get_username(), verb="deleted", target=f"person {obj}", at=now())
        super().delete_model(request, obj)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        if "password" in str(message):
            audit.record(
                actor=request.user.get_username(),
                verb="set the password of",
                target=f"person {obj}",
                at=now(),
            )
        return super().log_change(request, obj, message)

    @admin.action(description="Reset the second factor, and lift lockouts", permissions=["change"])
    def reset_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> HttpResponse | None:
        if asks := demand(request):
            return asks
        people = [person for person in queryset if self.has_change_permission(request, person)]
        for person in people:
            second_factor.reset(person, actor=request.user.get_username())
        messages.success(request, f"{len(people)} people have no second factor now, and may try to sign in.")
        return None

    @admin.display(description="Role")
    def role_told(self, person: User) -> str:
        if person.is_superuser:
            return "Superuser"
        names = {group.name for group in person.groups.all()}
        return next((role.value.capitalize() for role in StaffRole if role.value in names), "–")


@admin.register(Group)
class RoleAdmin(HistoryAdmin, BaseGroupAdmin):
    """What each role may do, as ``tenants.staff_roles`` says; here it can be read."""

    empty = "The roles are made when the database is migrated."
