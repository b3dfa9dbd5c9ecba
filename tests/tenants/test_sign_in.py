"""The portal's sign-in: by password, by a mailed code, and a new password; strangers learn nothing."""

from __future__ import annotations

import re

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core import mail as outbox
from django.test import Client

from tenants import mail
from tenants.models import Membership

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey", "globex")]
HOSTS = pytest.mark.parametrize(
    ("host", "prefix"), [("acme.localhost", ""), ("testserver", "/t/acme")], ids=["host", "path"]
)


def mails() -> list[str]:
    mail.settle()
    return [message.body for message in outbox.outbox]


def browser(host: str = "acme.localhost") -> Client:
    return Client(HTTP_HOST=host)


def by_password(client: Client, name: str, password: str, prefix: str = ""):
    return client.post(f"{prefix}/sign-in/", {"username": name, "password": password})


def ask_code(client: Client, email: str, prefix: str = ""):
    return client.post(f"{prefix}/sign-in/code/", {"email": email})


def code_of(body: str) -> str:
    return re.search(r"^([A-Z0-9-]{6,})$", body, re.MULTILINE)[1]


class TestPassword:
    @HOSTS
    @pytest.mark.parametrize("name", ["owner", "owner@acme.test"])
    def test_takes_name_or_address(self, owner, host, prefix, name):
        answer = by_password(browser(host), name, "owner-password", prefix)

        assert (answer.status_code, answer["Location"]) == (302, f"{prefix}/")

    def test_a_stranger_is_told_what_a_wrong_password_is_told(self, owner, stranger):
        wrong = by_password(browser(), "stranger", "wrong")
        right = by_password(browser(), "stranger", "stranger-password")

        def told(answer):
            return re.findall(r'role="alert">([^<]+)<', answer.content.decode())

        assert told(wrong) == told(right) != []

    def test_a_strangers_right_password_counts_as_a_wrong_one(self, owner, stranger):
        from axes.models import AccessAttempt

        by_password(browser(), "stranger", "stranger-password")

        assert AccessAttempt.objects.get().failures_since_start == 1

    def test_an_operator_signs_in_at_the_console(self, acme, operator):
        client = browser()

        answer = by_password(client, "operator", "operator-password")

        assert answer["Location"] == "/admin/login/?next=%2F"
        assert "_auth_user_id" not in client.session


class TestCode:
    @HOSTS
    def test_signs_a_member_in(self, owner, host, prefix):
        client = browser(host)

        assert ask_code(client, "Owner@acme.test", prefix)["Location"] == f"{prefix}/sign-in/code/enter/"
        (body,) = mails()
        answer = client.post(f"{prefix}/sign-in/code/enter/", {"code": code_of(body).lower()})

        assert answer["Location"] == f"{prefix}/sign-in/done/"
        assert client.get(answer["Location"])["Location"] == f"{prefix}/"
        assert client.get(f"{prefix}/").status_code == 200

    @pytest.mark.parametrize("email", ["nobody@acme.test", "stranger@globex.test", "operator@circuitos.test"])
    def test_an_address_without_business_here_is_answered_the_same_and_gets_no_mail(
        self, owner, stranger, operator, email
    ):
        pages = []
        for address in ("owner@acme.test", email):
            client = browser()
            answer = ask_code(client, address)
            page = client.get(answer["Location"]).content.decode()
            pages.append((answer["Location"], re.sub(r'value="\w+"', "", page.replace(address, "…"))))

        assert pages[0] == pages[1]
        assert len(mails()) == 1

    def test_an_unknown_address_has_no_code_that_works(self, owner):
        client = browser()
        ask_code(client, "nobody@acme.test")

        for code in ("", "None", "000000"):
            client.post("/sign-in/code/enter/", {"code": code})

        assert "_auth_user_id" not in client.session

    def test_three_wrong_codes_end_it(self, owner):
        client = browser()
        ask_code(client, "owner@acme.test")
        (body,) = mails()

        answers = [client.post("/sign-in/code/enter/", {"code": "wrong-1"}) for _ in range(3)]
        late = client.post("/sign-in/code/enter/", {"code": code_of(body)})

        assert [answer.status_code for answer in answers] == [200, 200, 302]
        assert late["Location"] == "/sign-in/code/"
        assert "_auth_user_id" not in client.session

    def test_ten_minutes_end_it(self, owner):
        client = browser()
        with time_machine.travel("2026-03-02T12:00:00Z", tick=False):
            ask_code(client, "owner@acme.test")
        (body,) = mails()

        with time_machine.travel("2026-03-02T12:10:01Z", tick=False):
            answer = client.post("/sign-in/code/enter/", {"code": code_of(body)})

        assert answer["Location"] == "/sign-in/code/"

    def test_does_not_let_in_who_was_removed_meanwhile(self, owner, member):
        client = browser()
        ask_code(client, "member@acme.test")
        (body,) = mails()
        Membership.objects.filter(user=member).delete()

        client.post("/sign-in/code/enter/", {"code": code_of(body)})

        assert "_auth_user_id" not in client.session

    @pytest.mark.parametrize("email", ["owner@acme.test", "nobody@acme.test"])
    def test_too_many_requests_are_refused_for_all_alike(self, owner, email):
        answers = [ask_code(browser(), email) for _ in range(4)]

        assert [answer.status_code for answer in answers] == [302, 302, 302, 200]
        assert "Too many tries" in answers[-1].content.decode()

    def test_another_tenants_portal_takes_no_code_of_this_one(self, owner, stranger):
        client = browser()
        ask_code(client, "owner@acme.test")
        (body,) = mails()

        client.cookies["sessionid"]["domain"] = ""
        client.defaults["HTTP_HOST"] = "globex.localhost"
        client.post("/sign-in/code/enter/", {"code": code_of(body)})

        assert "_auth_user_id" not in client.session

    def test_without_redis_it_says_so(self, owner, monkeypatch):
        import redis
        from django.core.cache import cache

        def away(*_, **__):
            raise redis.ConnectionError

        monkeypatch.setattr(type(cache._connections[cache._alias]), "add", away)
        answer = ask_code(browser(), "owner@acme.test")

        assert answer["Location"] == "/sign-in/"


class TestNewPassword:
    @HOSTS
    def test_a_link_sets_it_once(self, owner, host, prefix):
        client = browser(host)
        client.post(f"{prefix}/password/", {"email": "owner@acme.test"})
        (body,) = mails()
        link = re.search(rf"http://{host}({prefix}/password/\S+)", body)[1]

        form = client.get(link)
        assert form["Location"].endswith("/set-password/")
        new = {"password1": "a-fresh-password", "password2": "a-fresh-password"}
        answer = client.post(form["Location"], new)

        assert answer["Location"] == f"{prefix}/sign-in/"
        assert User.objects.get(pk=owner.pk).check_password("a-fresh-password")
        assert browser(host).get(link).status_code == 404

    def test_a_weak_one_is_refused(self, owner):
        client = browser()
        client.post("/password/", {"email": "owner@acme.test"})
        link = re.search(r"http://acme.localhost(/password/\S+)", mails()[0])[1]

        answer = client.post(client.get(link)["Location"], {"password1": "short", "password2": "short"})

        assert "at least 10" in answer.content.decode()

    @pytest.mark.parametrize("email", ["nobody@acme.test", "stranger@globex.test", "operator@circuitos.test"])
    def test_nobody_else_gets_a_link(self, owner, stranger, operator, email):
        answer = browser().post("/password/", {"email": email})

        assert answer["Location"] == "/password/sent/"
        assert mails() == []

    @pytest.mark.parametrize("link", ["x/y/", "1/set-password/", "zzzzzzzzzzzzzzzzzzzz/a-b/"])
    def test_garbage_is_a_404(self, owner, link):
        assert browser().get(f"/password/{link}").status_code == 404
