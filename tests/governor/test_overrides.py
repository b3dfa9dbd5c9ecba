"""Overrides that are set at the same moment follow each other."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from django.db import connection

from governor import overrides
from governor.models import Override


def test_two_at_once_leave_one_that_holds(transactional_db, acme, globex):
    at = datetime.now(UTC)
    ready = threading.Barrier(6)
    failed: list[Exception] = []

    def run(value: int) -> None:
        try:
            ready.wait(timeout=30)
            overrides.put(name="api_calls", value=value, reason="a test", actor="a", at=at, tenant=acme)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(60 + n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert failed == []
    assert Override.objects.filter(tenant=acme).count() == 6
    assert Override.objects.filter(tenant=acme, ended_at=None).count() == 1
    assert not Override.objects.filter(tenant=globex).exists()
