"""Linking CRM accounts, and rotating what proves their webhooks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tenants.connections import (
    BadConnection,
    api_token,
    connect,
    rotate_secret,
    set_credentials,
    signing_secrets,
)
from tenants.models import Connection
from tenants.secrets import Undecryptable

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


class TestConnect:
    def test_keys_are_unguessable_and_secrets_are_sealed(self, acme):
        first, second = (connect(tenant=acme, crm="standard", secrets=["hush"]) for _ in range(2))

        assert first.key != second.key
        assert len(first.key) == 32
        assert b"hush" not in bytes(first.sealed_secrets)

    def test_reads_back_from_the_database(self, acme):
        made = connect(tenant=acme, crm="hubspot", account_id=4242, secrets=["new", "old"])

        found = Connection.objects.get(pk=made.pk)
        assert (found.account_id, signing_secrets(found, at=AT)) == ("4242", ["new", "old"])

    def test_none_is_none(self, acme):
        assert signing_secrets(connect(tenant=acme, crm="gohighlevel"), at=AT) == []

    def test_refuses_a_crm_it_does_not_speak(self, acme):
        with pytest.raises(BadConnection, match="gohighlevel, hubspot, salesforce"):
            connect(tenant=acme, crm="sugarcrm")

    def test_sealed_secrets_of_another_connection_do_not_open(self, acme, globex):
        ours, theirs = (connect(tenant=tenant, crm="standard", secrets=["x"]) for tenant in (acme, globex))
        ours.sealed_secrets = theirs.sealed_secrets

        with pytest.raises(Exception, match="belong elsewhere"):
            signing_secrets(ours, at=AT)


class TestRotateSecret:
    def test_both_verify_during_the_overlap_and_then_the_new_one_only(self, acme_hubspot):
        (old,) = signing_secrets(acme_hubspot, at=AT)

        new = rotate_secret(connection=acme_hubspot, overlap=timedelta(hours=1), at=AT)

        found = Connection.objects.get(pk=acme_hubspot.pk)
        assert signing_secrets(found, at=AT + timedelta(minutes=59)) == [new, old]
        assert signing_secrets(found, at=AT + timedelta(minutes=60)) == [new]

    def test_rotating_again_does_not_lengthen_an_overlap(self, acme_hubspot):
        (old,) = signing_secrets(acme_hubspot, at=AT)
        first = rotate_secret(connection=acme_hubspot, overlap=timedelta(hours=1), at=AT)

        second = rotate_secret(
            connection=acme_hubspot, overlap=timedelta(hours=24), at=AT + timedelta(minutes=30)
        )

        assert signing_secrets(acme_hubspot, at=AT + timedelta(minutes=45)) == [second, first, old]
        assert signing_secrets(acme_hubspot, at=AT + timedelta(minutes=90)) == [second, first]

    def test_takes_the_secret_the_crm_gave(self, acme_hubspot):
        assert rotate_secret(connection=acme_hubspot, new="theirs", at=AT) == "theirs"
        assert signing_secrets(acme_hubspot, at=AT)[0] == "theirs"

    def test_a_standard_webhooks_secret_has_its_form(self, acme_standard):
        assert rotate_secret(connection=acme_standard, at=AT).startswith("whsec_")


class TestCredentials:
    def test_are_sealed_and_come_back(self, acme_hubspot):
        set_credentials(acme_hubspot, token="pat-na1-secret")

        found = Connection.objects.get(pk=acme_hubspot.pk)
        assert api_token(found) == "pat-na1-secret"
        assert b"pat-na1" not in bytes(found.sealed_credentials)

    def test_are_forgotten(self, acme_hubspot):
        set_credentials(acme_hubspot, token="pat-na1-secret")
        set_credentials(acme_hubspot, token=None)

        assert api_token(Connection.objects.get(pk=acme_hubspot.pk)) is None

    def test_of_another_connection_do_not_open(self, acme_hubspot, globex_hubspot):
        set_credentials(acme_hubspot, token="pat-na1-secret")
        globex_hubspot.sealed_credentials = acme_hubspot.sealed_credentials

        with pytest.raises(Undecryptable):
            api_token(globex_hubspot)
