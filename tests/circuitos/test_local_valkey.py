"""The embedded Valkey, and its address for redis-py and for Celery."""

from __future__ import annotations

import time

import pytest
import redis
from kombu import Connection

from circuitos.env import celery_broker
from circuitos.local import home as homes
from circuitos.local.process import Process
from circuitos.local.valkey import Valkey


@pytest.fixture
def server(tmp_path):
    home = homes.prepare(tmp_path / "with a space")
    server = Valkey(home)
    process = Process(server.program(), log=home / "logs" / "valkey.log")
    process.start_alone()
    deadline = time.monotonic() + 20
    while not server.is_ready():
        assert process.is_running(), process.log.read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield server
    process.end()
    assert not server.is_ready()


class TestValkey:
    def test_serves_both_clients_on_its_private_socket(self, server):
        with redis.Redis.from_url(server.url) as client:
            assert client.config_get("save")["save"] == ""
            assert client.config_get("maxmemory")["maxmemory"] == str(32 * 1024 * 1024)
            assert client.config_get("port")["port"] == "0"
        with Connection(celery_broker(server.url)) as line, line.SimpleQueue("bells") as queue:
            queue.put({"lane": 7})
            assert queue.get(timeout=5).payload == {"lane": 7}

    def test_another_number_is_another_database_for_both(self):
        assert celery_broker("unix:///tmp/s?db=3") == "redis+socket:///tmp/s?virtual_host=3"
        assert celery_broker("redis://127.0.0.1:6379/2") == "redis://127.0.0.1:6379/2"
