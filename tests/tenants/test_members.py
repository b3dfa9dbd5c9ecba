"""The members page and its verbs; a tenant always keeps an owner."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Barrier, Thread

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from tenants import roles
from tenants.models import AuditEvent, Membership
from tests.query_counts import counted

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def browser(person, host="acme.localhost"):
    client = Client(HTTP_HOST=host)
    client.force_login(person)
    return client


def place(person) -> int:
    return person.memberships.get().pk


@pytest.mark.django_db
class TestPage:
    def test_lists_this_tenants_people_only(self, owner, member, stranger):
        page = browser(member).get("/members/").content.decode()

        assert "owner@acme.test" in page
        assert "stranger" not in page
        assert "Remove" not in page

    def test_costs_the_same_with_many_members(self, acme, globex, owner):
        client = browser(owner)
        client.get("/members/")
        with counted("portal.members"):
            client.get("/members/")
        people = User.objects.bulk_create([User(username=f"p{n}", email=f"p{n}@x.test") for n in range(50)])
        Membership.objects.bulk_create([Membership(tenant=acme, user=user) for user in people])

        with counted("portal.members"):
            page = client.get("/members/").content.decode()

        assert "51 members" in page


@pytest.mark.django_db
class TestVerbs:
    def test_an_owner_gives_and_takes_roles(self, acme, owner, member):
        client = browser(owner)

        client.post(f"/members/{place(member)}/role/", {"role": "owner"})
        assert member.memberships.get().role == "owner"
        client.post(f"/members/{place(owner)}/remove/")

        assert not owner.memberships.exists()
        assert client.get("/members/").status_code == 404
        assert [event.verb for event in AuditEvent.objects.order_by("id")] == [
            "changed the role of",
            "removed",
        ]
        assert AuditEvent.objects.order_by("id").first().data["after"] == "owner"

    @pytest.mark.parametrize("verb", ["role", "remove"])
    def test_the_last_owner_stays(self, acme, owner, member, verb):
        client = browser(owner)

        client.post(f"/members/{place(owner)}/{verb}/", {"role": "member"})

        assert owner.memberships.get().role == "owner"
        assert "is the last owner" in client.get("/members/").content.decode()

    def test_a_closed_account_is_no_owner_to_rely_on(self, acme, owner, member):
        Membership.objects.filter(user=member).update(role="owner")
        User.objects.filter(pk=member.pk).update(is_active=False)

        browser(owner).post(f"/members/{place(owner)}/remove/")

        assert owner.memberships.exists()

    @pytest.mark.parametrize("verb", ["role", "remove"])
    def test_members_and_other_tenants_owners_may_not(self, owner, member, stranger, verb):
        address = f"/members/{place(owner)}/{verb}/"

        assert browser(member).post(address, {"role": "member"}).status_code == 403
        assert browser(stranger).post(address, {"role": "member"}).status_code == 404
        assert browser(stranger, "globex.localhost").post(address, {"role": "member"}).status_code == 404
        assert browser(owner).get(address).status_code == 405
        assert owner.memberships.get().role == "owner"


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_demote_each_other_at_once_leave_one(acme, globex, owner, member):
    Membership.objects.filter(user=member).update(role="owner")
    barrier = Barrier(2)
    refused = []

    def demote(place: int) -> None:
        barrier.wait()
        try:
            roles.change(tenant=acme, member_id=place, role="member", actor="x", at=NOW)
        except roles.LastOwner:
            refused.append(place)
        finally:
            connection.close()

    threads = [Thread(target=demote, args=[place(person)]) for person in (owner, member)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(refused) == 1
    assert acme.memberships.filter(role="owner").count() == 1
