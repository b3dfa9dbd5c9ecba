"""The suite's own flush: a process that still writes when a test ends does not fail that test."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from django.core.management.color import no_style
from django.db import connection
from psycopg2 import sql

pytestmark = pytest.mark.django_db(transaction=True)

# In this order the flush takes them; the writer takes them in the other.
TABLES = ["tenants_apikey", "triggers_refuseddelivery"]
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
PATIENCE = 10  # seconds


def write_the_other_way(began: threading.Event) -> None:
    with psycopg2.connect(**connection.get_connection_params()) as writer, writer.cursor() as cursor:
        lock(cursor, TABLES[1])
        began.set()
        wait_for_the_flush(cursor)
        lock(cursor, TABLES[0])


def lock(cursor: psycopg2.extensions.cursor, table: str) -> None:
    cursor.execute(sql.SQL("LOCK TABLE {} IN ROW EXCLUSIVE MODE").format(sql.Identifier(table)))


def wait_for_the_flush(cursor: psycopg2.extensions.cursor) -> None:
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        cursor.execute(WAITING, [TABLES[1]])
        row = cursor.fetchone()
        if row and row[0]:
            return
    raise AssertionError("the flush never met the writer")


class TestFlush:
    def test_is_tried_again_when_it_met_a_writer(self, acme):
        flush = connection.ops.sql_flush(no_style(), TABLES, allow_cascade=True)

        with ThreadPoolExecutor() as pool:
            began = threading.Event()
            writer = pool.submit(write_the_other_way, began)
            assert began.wait(PATIENCE)
            connection.ops.execute_sql_flush(flush)
            writer.result()
