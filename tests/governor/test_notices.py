"""Notices: said once, kept in the portal, and e-mailed where there is a mail server."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from django.core import mail
from django.db import connection

from governor import notices
from governor.models import Notice
from tenants.models import Branding
from tenants.scope import every_tenant

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)


def tell(tenant, key="k"):
    with connection.cursor() as cursor:
        return notices.tell(
            cursor, tenant_id=tenant.pk, key=key, kind="threshold", subject="80 %", text="Soon.", at=AT
        )


def of(tenant):
    with every_tenant():
        return Notice.objects.get(tenant=tenant)


class TestTell:
    def test_the_same_news_is_told_once_to_each(self, acme, globex):
        assert [tell(acme), tell(acme), tell(globex)] == [True, False, True]


class TestSend:
    @pytest.mark.usefixtures("member", "stranger")
    def test_goes_to_the_owners_of_the_tenant_alone(self, acme, owner, settings):
        settings.NOTICES_BY_EMAIL = True
        tell(acme)

        assert notices.send(at=AT) == 1

        (message,) = mail.outbox
        assert message.to == [owner.email]
        assert message.subject == "Acme: 80 %"
        assert "/t/acme/" in message.body
        assert of(acme).sent_at is not None
        assert notices.send(at=AT) == 0

    def test_comes_from_the_tenants_sender(self, acme, globex, owner, settings):
        settings.NOTICES_BY_EMAIL = True
        Branding.objects.create(tenant=acme, sender_name="Acme Care", reply_to="care@acme.test")
        Branding.objects.create(tenant=globex, sender_name="Globex")
        tell(acme)

        notices.send(at=AT)

        (message,) = mail.outbox
        assert message.from_email.startswith("Acme Care <")
        assert message.reply_to == ["care@acme.test"]

    def test_without_a_mail_server_it_says_so_and_stays(self, acme, owner):
        tell(acme)

        assert notices.send(at=AT) == 0

        assert of(acme).problem == "No mail server is set (EMAIL_URL)."
        assert mail.outbox == []

    def test_without_an_owner_it_says_so(self, acme, settings):
        settings.NOTICES_BY_EMAIL = True
        tell(acme)

        notices.send(at=AT)

        assert of(acme).problem == "No owner has an e-mail address."

    def test_a_server_that_is_down_is_tried_again_but_not_for_ever(self, acme, owner, settings):
        settings.NOTICES_BY_EMAIL = True
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
        tell(acme)

        for number in range(notices.MOST_ATTEMPTS + 2):
            for _ in range(2):
                assert notices.send(at=AT + number * notices.AGAIN_AFTER) == 0

        found = of(acme)
        assert (found.attempts, found.problem) == (notices.MOST_ATTEMPTS, "The mail server did not take it.")

    def test_a_name_of_two_lines_is_one_in_the_subject(self, acme, owner, settings):
        settings.NOTICES_BY_EMAIL = True
        acme.name = "Acme\nBcc: all"
        acme.save()
        tell(acme)

        assert notices.send(at=AT) == 1
        assert mail.outbox[0].subject == "Acme Bcc: all: 80 %"

    def test_two_workers_send_it_once(self, transactional_db, acme, owner, settings):
        settings.NOTICES_BY_EMAIL = True
        for number in range(10):
            tell(acme, key=str(number))
        ready = threading.Barrier(2)

        def send() -> None:
            ready.wait(timeout=30)
            notices.send(at=AT)
            connection.close()

        threads = [threading.Thread(target=send) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)

        assert len(mail.outbox) == 10
