"""Addresses of the portal's people: sign-in, members, look (``circuitos.portal_urls`` has all)."""

from __future__ import annotations

from django.urls import path

from tenants import (
    confirm,
    invitation_views,
    members_views,
    password_views,
    portal_keys,
    settings_views,
    sign_in_views,
)

urlpatterns = [
    path("sign-in/", sign_in_views.SignIn.as_view(), name="portal-sign-in"),
    path("sign-in/code/", sign_in_views.ask_code, name="portal-ask-code"),
    path("sign-in/code/enter/", sign_in_views.enter_code, name="portal-enter-code"),
    path("sign-in/done/", sign_in_views.after_code, name="portal-landing"),
    path("sign-out/", sign_in_views.sign_out, name="portal-sign-out"),
    path("password/", password_views.ask_reset, name="portal-reset"),
    path("password/sent/", password_views.reset_sent, name="portal-reset-sent"),
    path("password/<str:uid>/<str:key>/", password_views.reset_key, name="portal-reset-key"),
    path("invitation/<str:token>/", invitation_views.invitation, name="portal-invitation"),
    path("join/", invitation_views.join, name="portal-join"),
    path("left/", invitation_views.left, name="portal-left"),
    path("members/", members_views.members, name="portal-members"),
    path("members/invite/", members_views.invite, name="portal-invite"),
    path("members/<int:member>/role/", members_views.change_role, name="portal-member-role"),
    path("members/<int:member>/remove/", members_views.remove, name="portal-member-remove"),
    path("invitations/<uuid:code>/resend/", members_views.resend, name="portal-invitation-resend"),
    path("invitations/<uuid:code>/withdraw/", members_views.withdraw, name="portal-invitation-withdraw"),
    path("settings/", settings_views.look, name="portal-settings"),
    path("brand/<str:accent>.css", settings_views.stylesheet, name="portal-brand"),
    path("brand/logo-<str:digest>", settings_views.logo, name="portal-logo"),
    path("confirm/", confirm.portal, name="portal-confirm"),
    path("keys/", portal_keys.api_keys, name="portal-keys"),
    path("keys/new/", portal_keys.create, name="portal-key-new"),
    path("keys/<uuid:code>/revoke/", portal_keys.revoke, name="portal-key-revoke"),
]
