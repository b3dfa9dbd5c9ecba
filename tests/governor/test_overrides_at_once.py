"""Overrides: two operators at the same moment take turns."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, connections
from django.utils.timezone import now

from governor import overrides
from governor.models import Override
from tenants import audit

pytestmark = pytest.mark.django_db(transaction=True)


class TestTwoAtOnce:
    def test_the_later_one_takes_the_place_of_the_other(self, acme, globex):
        ready = threading.Barrier(8)

        def press(value):
            ready.wait(timeout=20)
            overrides.put(name="api_calls", value=value, tenant=acme, reason="a click", actor="op", at=now())
            connections.close_all()

        threads = [threading.Thread(target=press, args=(60 + n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=30)

        assert Override.objects.filter(ended_at=None).count() == 1
        assert Override.objects.count() == 8
        assert audit.first_break() is None
        connection.close()
