"""The forms by which an owner links a CRM and changes a connection."""

from __future__ import annotations

from typing import Any

from django import forms

from tenants.choices import CRM
from tenants.connection_changes import ACCOUNTS, LONGEST_SECRET

_NAMES = {"autocomplete": "off", "spellcheck": "false"}


class NewConnectionForm(forms.Form):
    """What must be known of a CRM account; the fields are those that the CRM needs."""

    name = forms.CharField(
        max_length=120,
        required=False,
        help_text="How you call it, such as the branch. You may leave it empty.",
    )
    account_id = forms.CharField(max_length=120)
    way = forms.ChoiceField(
        label="How it sends",
        choices=[
            ("app", "A marketplace app, signed by GoHighLevel"),
            ("workflow", "The Webhook action of a workflow, proven by a shared secret"),
        ],
        initial="app",
        required=False,
        help_text="An app is safer. A workflow needs no app: you add its Webhook action yourself.",
    )
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
        if crm == CRM.GOHIGHLEVEL:
            del self.fields["secret"]  # its own key signs, or we make one
        else:
            del self.fields["way"]
            secret.label, secret.help_text = _SECRETS[crm]


class SecretForm(forms.Form):
    """A secret that the CRM gave; empty: make one."""

    secret = forms.CharField(max_length=LONGEST_SECRET, required=False)


class TokenForm(forms.Form):
    """A token of the CRM's API."""

    token = forms.CharField(max_length=LONGEST_SECRET)


_WHERE = {
    CRM.GOHIGHLEVEL: "In GoHighLevel: Settings, Business Profile. It looks like ve9EPM428h8vShlRW1KT.",
    CRM.HUBSPOT: "In HubSpot: the number in the address bar, or under your account's name at the top right.",
    CRM.SALESFORCE: "In Salesforce: Setup, Company Information. It begins with 00D.",
    CRM.PIPEDRIVE: "In Pipedrive: Settings, Company settings; each webhook names it as company_id.",
    CRM.ZOHO: "A number of your choice, at most 18 digits: you give it to Zoho as channel_id.",
}
_OWN = "Leave it empty, and one is made for you."
_SECRETS = {
    CRM.HUBSPOT: (
        "Client secret of your HubSpot app",
        "HubSpot shows it under Auth in your app's settings. It is stored sealed.",
    ),
    CRM.SALESFORCE: (
        "Shared secret, if you have one",
        f"It goes into the address you give to Salesforce. {_OWN}",
    ),
    CRM.PIPEDRIVE: (
        "User name and password, with a colon between",
        f"For Pipedrive's HTTP Auth fields. {_OWN}",
    ),
    CRM.ZOHO: ("Token, if you have one", f"Zoho sends it back with every notification. {_OWN}"),
    CRM.STANDARD: (
        "Signing secret, if the sender already has one",
        f"It begins with whsec_. {_OWN}",
    ),
}
