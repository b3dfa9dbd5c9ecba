"""The forms by which an owner links a CRM and changes a connection."""

from __future__ import annotations

from typing import Any

from django import forms

from tenants.choices import CRM
from tenants.connection_changes import ACCOUNTS, LONGEST_SECRET, SIGNED_WITH_SECRET

_NAMES = {"autocomplete": "off", "spellcheck": "false"}


class NewConnectionForm(forms.Form):
    """What must be known of a CRM account; the fields are those that the CRM needs."""

    name = forms.CharField(
        max_length=120,
        required=False,
        help_text="How you call it, such as the branch. You may leave it empty.",
    )
    account_id = forms.CharField(max_length=120)
    secret = forms.CharField(
        max_length=LONGEST_SECRET,
        required=False,
        widget=forms.PasswordInput(attrs={**_NAMES, "autocomplete": "new-password"}),
    )

    def __init__(self, crm: CRM, data: Any = None) -> None:
        super().__init__(data, auto_id="id_%s", use_required_attribute=True)
        account, secret = self.fields["account_id"], self.fields["secret"]
        if crm in ACCOUNTS:
            account.label = ACCOUNTS[crm][0].upper() + ACCOUNTS[crm][1:]
            account.help_text = _WHERE[crm]
        else:
            del self.fields["account_id"]
        if crm not in SIGNED_WITH_SECRET:
            del self.fields["secret"]
        elif crm == CRM.HUBSPOT:
            secret.label = "Client secret of your HubSpot app"
            secret.help_text = "HubSpot shows it under Auth in your app's settings. It is stored sealed."
        else:
            secret.label = "Signing secret, if the sender already has one"
            secret.help_text = "It begins with whsec_. Leave it empty, and one is made for you."


class SecretForm(forms.Form):
    """A secret that the CRM gave; empty: make one."""

    secret = forms.CharField(max_length=LONGEST_SECRET, required=False)


class TokenForm(forms.Form):
    """A token of the CRM's API."""

    token = forms.CharField(max_length=LONGEST_SECRET)


_WHERE = {
    CRM.GOHIGHLEVEL: "In GoHighLevel: Settings, Business Profile. It looks like ve9EPM428h8vShlRW1KT.",
    CRM.HUBSPOT: "In HubSpot: the number in the address bar, or under your account's name at the top right.",
}
