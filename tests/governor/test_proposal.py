"""Proposals: what would be in force, before anything is stored."""

from __future__ import annotations

import pytest
from django.db import connection
from django.utils.timezone import now

from governor import overrides, policy
from governor.models import Override
from governor.proposal import Proposal, value_in

pytestmark = pytest.mark.django_db


def would_be(proposal, tenant_id=0):
    with connection.cursor() as cursor:
        found = policy.load(cursor, tenant_id) if tenant_id else policy.of_scope(cursor, tier=proposal.tier)
    return value_in(proposal.over(found), proposal.name, trigger=proposal.trigger)


class TestProposal:
    @pytest.mark.parametrize(
        ("scope", "of"),
        [
            ({}, "for the platform"),
            ({"tier": "free"}, "for tier free"),
            ({"trigger": "A.b"}, "for trigger A.b"),
        ],
    )
    def test_is_told_as_if_it_were_in_force(self, acme, scope, of):
        found = would_be(Proposal("api_calls", 80, actor="op", reason="a sale", **scope))

        assert found.value == 80
        assert found.sentence == f"50 from the platform, raised to 80 {of} by op because a sale."

    @pytest.mark.parametrize("trigger", ["", "A.b"])
    def test_is_what_comes_of_it(self, acme, globex, trigger):
        overrides.put(name="api_calls", value=60, tenant=acme, reason="so far", actor="op", at=now())
        proposal = Proposal("api_calls", 80, tenant="acme", trigger=trigger, actor="op", reason="a sale")

        told = would_be(proposal, acme.pk)
        overrides.put(
            name="api_calls", value=80, tenant=acme, trigger=trigger, reason="a sale", actor="op", at=now()
        )
        with connection.cursor() as cursor:
            real = policy.load(cursor, acme.pk).limits(trigger)["api_calls"]

        assert (told.value, told.sentence) == (real.value, real.sentence)

    def test_something_more_special_still_rules(self, acme, globex):
        overrides.put(name="weight", value=7, tier=acme.tier, reason="so far", actor="op", at=now())

        found = would_be(Proposal("weight", 3, tier="paid"))

        assert found.value == 3
        assert Override.objects.count() == 1

    def test_says_for_whom(self):
        assert Proposal("api_calls", 1).scope == "the platform"
        assert Proposal("api_calls", 1, tier="free").scope == "tier free"
        assert Proposal("api_calls", 1, tenant="acme").scope == "tenant acme"
        assert Proposal("api_calls", 1, tenant="acme", trigger="A.b").scope == "trigger A.b of acme"
        assert Proposal("api_calls", 1, trigger="A.b").scope == "trigger A.b of all tenants"
