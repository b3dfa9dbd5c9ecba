"""Only public addresses are called, however they are written, and no answer takes longer than it may."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from governor import egress
from governor.addresses import is_allowed

PRIVATE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1",
    "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "fec0::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1",
    "2002:7f00:1::", "2002:a00:1::1", "2001:0:7f00:1::1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "2606:4700:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]


class TestAddresses:
    @pytest.mark.parametrize("address", PRIVATE)
    def test_private_ones_are_refused(self, address):
        assert not is_allowed(address, "example.com", port=443, allowed=())

    @pytest.mark.parametrize("address", PUBLIC)
    def test_public_ones_are_not(self, address):
        assert is_allowed(address, "example.com", port=443, allowed=())

    @pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.0/8", "localhost", "localhost:8001"])
    def test_a_list_lets_private_ones_through(self, entry):
        assert is_allowed("127.0.0.1", "localhost", port=8001, allowed=[entry])

    def test_another_port_is_not_on_the_list(self):
        assert not is_allowed("127.0.0.1", "localhost", port=5432, allowed=["localhost:8001"])


class TestRequests:
    @pytest.mark.parametrize(
        "url",
        [
            "ftp://example.com/", "file:///etc/passwd", "gopher://example.com", "http://",
            "//example.com", "",
            "http://user:pass@example.com/", "javascript:alert(1)", "unix:///run/x", "http://[::1",
        ],
    )  # fmt: skip
    def test_other_forms_are_refused(self, url):
        with pytest.raises(egress.EgressRefused):
            egress.send("GET", url)

    @pytest.mark.parametrize(
        "host",
        [
            "127.0.0.1",
            "localhost",
            "2130706433",
            "0x7f000001",
            "017700000001",
            "127.1",
            "[::1]",
            "[::ffff:7f00:1]",
        ],
    )
    def test_loopback_is_refused_however_it_is_written(self, host, settings):
        settings.EGRESS_ALLOW = []

        with pytest.raises((egress.EgressRefused, egress.CalloutFailed)) as refused:
            egress.send("GET", f"http://{host}:9/")
        assert refused.type is egress.EgressRefused or not refused.value.is_sent

    def test_unknown_methods_are_refused(self):
        with pytest.raises(egress.EgressRefused):
            egress.send("CONNECT", "http://example.com/")

    def test_headers_cannot_be_split(self, settings, httpserver):
        settings.EGRESS_ALLOW = ["127.0.0.1"]

        with pytest.raises((egress.EgressRefused, egress.CalloutFailed)):
            egress.send("GET", httpserver.url_for("/"), headers={"x": "a\r\nHost: evil"})
        assert httpserver.log == []

    def test_a_dripping_answer_ends_with_its_deadline(self, settings):
        settings.EGRESS_ALLOW = ["127.0.0.1"]
        listener = socket.create_server(("127.0.0.1", 0))
        done = threading.Event()

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not done.wait(0.05):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        with pytest.raises(egress.CalloutFailed) as failed:
            egress.send("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.4)
        took = time.monotonic() - began
        done.set()
        thread.join()
        listener.close()

        assert failed.value.code == "governor.timeout"
        assert failed.value.is_sent
        assert took < 5

    def test_a_closed_port_was_certainly_not_reached(self, settings):
        settings.EGRESS_ALLOW = ["127.0.0.1"]
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]

        with pytest.raises(egress.CalloutFailed) as failed:
            egress.send("POST", f"http://127.0.0.1:{port}/")
        assert not failed.value.is_sent

    def test_cookies_are_not_kept_for_whoever_asks_next(self, settings, httpserver):
        settings.EGRESS_ALLOW = ["127.0.0.1", "localhost"]
        cookie = {"Set-Cookie": "session=of-one-tenant; Path=/"}
        httpserver.expect_request("/login").respond_with_data("in", headers=cookie)
        httpserver.expect_request("/me").respond_with_data("you")

        answer = egress.send("GET", httpserver.url_for("/login"))
        egress.send("GET", httpserver.url_for("/me"))
        egress.send("GET", httpserver.url_for("/me"), headers={"Cookie": "session=mine"})

        assert answer.headers["set-cookie"] == cookie["Set-Cookie"]
        sent = [request.headers.get("Cookie") for request, _ in httpserver.log]
        assert sent == [None, None, "session=mine"]

    def test_the_proxies_of_the_environment_are_not_asked(self, settings, httpserver, monkeypatch):
        settings.EGRESS_ALLOW = ["127.0.0.1"]
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
        httpserver.expect_request("/").respond_with_data("direct")

        assert egress.send("GET", httpserver.url_for("/")).body == b"direct"
