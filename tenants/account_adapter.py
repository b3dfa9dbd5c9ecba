"""allauth in the portal: its mails go out in the tenant's look, and its steps end where we want them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpResponseRedirect
from django.urls import reverse

from tenants import mail
from tenants.sign_in import may_sign_in

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpRequest, HttpResponse

    from tenants.models import Tenant

_MAILS = {
    "account/email/login_code": ("code", "{code} is your code for {tenant}"),
    "account/email/password_reset_key": ("reset", "A new password for {tenant}"),
}


class PortalAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth is typed in parts
    """Outside of a portal it is allauth's own."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "too_many_login_attempts": "Too many tries. Wait some minutes, then try again.",
        "incorrect_code": "This is not the code. Look at the newest mail.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        tenant = self._tenant()
        if tenant is None or template_prefix not in _MAILS:
            super().send_mail(template_prefix, email, context)
            return
        template, subject = _MAILS[template_prefix]
        message = mail.compose(
            tenant,
            to=email,
            subject=subject.format(code=context.get("code", ""), tenant=tenant.name),
            template=template,
            code=context.get("code", ""),
            url=context.get("password_reset_url", ""),
        )
        mail.send_later(message)

    def get_reset_password_from_key_url(self, key: str) -> str:
        uid, _, token = key.partition("-")
        return str(self.request.build_absolute_uri(reverse("portal-reset-key", args=[uid, token])))

    def add_message(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        if self._tenant() is None:
            super().add_message(request, *args, **kwargs)  # the portal's pages say it themselves

    def get_login_stages(self) -> list[str]:
        # Whoever has a second factor signs in at the console (``may_sign_in``).
        if self._tenant() is not None:
            return ["allauth.account.stages.LoginByCodeStage"]
        return list(super().get_login_stages())

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        tenant = self._tenant()
        # As it is now: between a code and its use, they may have been removed.
        if tenant is not None and not may_sign_in(user, tenant):
            return HttpResponseRedirect(reverse("portal-sign-in"))
        answer: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return answer

    def _tenant(self) -> Tenant | None:
        return getattr(self.request, "tenant", None)
