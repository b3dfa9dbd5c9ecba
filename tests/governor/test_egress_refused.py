"""A hundred ways to a private machine, each through the client that scripts use, and none arrives."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from governor import egress
from governor.targets import HostNotAllowed, check_listed, check_url, host_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# Spellings of hosts that are, or may become, private. Each is tried with both schemes.
HOSTS = [
    # as numbers
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "017700000001", "0177.0.0.1", "0x7f000001", "0x7f.1",
    "0x7f.0x0.0x0.0x1", "0X7F.0.0.1", "127.0.0.01", "127.0.0.1.", "0", "0.0.0.0", "00.0.0.0", "4294967295",
    "10.0.0.1", "0xa000001", "10.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "192.168.257",
    "3232235777", "100.64.0.1", "100.100.100.200", "169.254.169.254", "169.254.43518", "2852039166",
    "0xa9fea9fe", "0251.0376.0251.0376", "168.63.129.16", "192.0.0.192", "198.18.0.1", "192.0.2.1",
    "224.0.0.1", "255.255.255.255",
    # IPv6, and IPv4 within it
    "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::ffff:0:127.0.0.1]",
    "[::127.0.0.1]", "[::ffff:169.254.169.254]", "[64:ff9b::7f00:1]", "[64:ff9b::169.254.169.254]",
    "[64:ff9b:1::a00:1]", "[2002:7f00:1::]", "[2002:a9fe:a9fe::1]", "[2001:0:7f00:1::1]",
    "[2001:470::5efe:7f00:1]", "[2001:470::200:5efe:a00:1]", "[fe80::1]", "[fe80::1%eth0]",
    "[fe80::1%25eth0]",
    "[fc00::1]", "[fd00:ec2::254]", "[fec0::1]", "[ff02::1]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]",
    "[100::1]", "[::1", "[v1.fe80]", "::1",
    # names
    "localhost", "LOCALHOST", "localhost.", "LocalHost.", "x.localhost", "printer.local", "db.internal",
    "metadata", "metadata.google.internal", "METADATA.GOOGLE.INTERNAL.",
    "kubernetes.default.svc.cluster.local",
    "router.lan", "nas.home.arpa", "instance-data",
    # letters and dots that somebody would rewrite
    "①②⑦.0.0.1", "１２７.0.0.1", "127。0。0。1", "127．0．0．1",
    "127｡0｡0｡1", "ｌｏｃａｌｈｏｓｔ", "ⓛocalhost", "loc\u00adalhost",
    "localhost\u200b", "127.0.0.1%2f", "%6c%6f%63%61lhost", "%31%32%37.0.0.1", "127%2e0%2e0%2e1",
    # who is the host here?
    "public.example@127.0.0.1", "user:pass@public.example", "127.0.0.1\\@public.example",
    "public.example\\127.0.0.1", "public.example\t@127.0.0.1", "127.0.0.1\n.public.example", "127.0.0.1 ",
    " 127.0.0.1", "127.0.0.1\x00.public.example", "..127.0.0.1", "public..example", ":80", "",
    "a." * 127 + "example",
]  # fmt: skip
URLS = [
    "ftp://public.example/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_FLUSHALL",
    "dict://127.0.0.1:11211/",
    "ldap://public.example/", "javascript:alert(1)", "data:text/plain,x", "unix:///run/x", "ws://public.example/",
    "http+unix://%2Frun%2Fdocker.sock/", "jar:http://public.example!/", "//public.example/", "/etc/passwd",
    "http:public.example", "http:/public.example",
    "http:\\\\127.0.0.1\\",
    "http:///public.example", " http://x.example/",
    "http://public.example:0/", "http://public.example:22/", "http://public.example:25/",
    "http://public.example:5432/", "http://public.example:6379/", "http://public.example:99999/",
    "http://public.example:-1/", "http://public.example:80:80/", "http://public.example:8o/",
    "http://public.example/\r\nHost: x", "http://public.example/\x00", "https://public.example:11211/",
    f"http://public.example/{'x' * 20_000}",
]  # fmt: skip


@contextmanager
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """A server on every address of this machine that answers "reached", and what it was asked."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(65_536))
                    connection.sendall(
                        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nConnection: close\r\n\r\nreached"
                    )

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listener.getsockname()[1], heard
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=10)


@pytest.fixture
def closed(settings):
    settings.EGRESS_ALLOW = []


@pytest.mark.usefixtures("closed")
class TestRefused:
    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize("host", HOSTS)
    def test_a_private_host_however_it_is_written(self, host, scheme):
        with pytest.raises(egress.EgressRefused):
            egress.send("GET", f"{scheme}://{host}/", timeout=1)

    @pytest.mark.parametrize("url", URLS)
    def test_another_scheme_form_or_port(self, url):
        with pytest.raises(egress.EgressRefused):
            egress.send("GET", url, timeout=1)

    @pytest.mark.parametrize("method", ["CONNECT", "TRACK", "get", "GET /x HTTP/1.1\r\nX:", ""])
    def test_another_method(self, method):
        with pytest.raises(egress.EgressRefused):
            egress.send(method, "http://public.example/")

    @pytest.mark.parametrize(
        "answers",
        [
            ["127.0.0.1"],
            ["10.0.0.1"],
            ["8.8.8.8", "127.0.0.1"],
            ["127.0.0.1", "8.8.8.8"],
            ["2606:4700:4700::1111", "::1"],
            ["::ffff:10.0.0.1"],
            ["64:ff9b::a9fe:a9fe"],
            ["2002:a00:1::1"],
            ["fe80::1%1"],
        ],
    )
    def test_a_public_name_with_any_private_address(self, answers):
        client = egress.new_client(allowed=(), resolve=lambda host, port: answers)

        with pytest.raises(egress.EgressRefused, match="private address"):
            egress.send("GET", "http://public.example/", client=client)

    def test_a_private_name_with_a_public_address(self):
        client = egress.new_client(allowed=(), resolve=lambda host, port: ["8.8.8.8"])

        with pytest.raises(egress.EgressRefused):
            egress.send("GET", "http://metadata.google.internal/", client=client)


class TestRebinding:
    def test_the_address_that_was_checked_is_the_one_connected_to(self):
        asked = []

        def resolve(host: str, port: int) -> list[str]:
            asked.append(host)
            return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

        with listening() as (port, heard):
            client = egress.new_client(allowed=["127.0.0.1/32"], resolve=resolve)
            first = egress.send("GET", f"http://turning.example:{port}/", client=client)
            with pytest.raises(egress.EgressRefused):
                egress.send("GET", f"http://turning.example:{port}/", client=client)

        assert first.body == b"reached"
        assert len(heard) == 1
        assert heard[0].startswith(b"GET / HTTP/1.1\r\nHost: turning.example:")
        assert len(asked) == 2  # once a connection: never between the check and it


class TestAllowed:
    @pytest.mark.parametrize("allowed", [["127.0.0.1"], ["127.0.0.0/8"], ["localhost"], ["localhost:{port}"]])
    def test_a_private_host_that_the_operator_opened(self, settings, allowed):
        with listening() as (port, heard):
            settings.EGRESS_ALLOW = [entry.format(port=port) for entry in allowed]
            host = "localhost" if "localhost" in allowed[0] else "127.0.0.1"
            answer = egress.send("GET", f"http://{host}:{port}/a?b=c#d")

        assert answer.body == b"reached"
        assert heard[0].startswith(b"GET /a?b=c HTTP/1.1\r\n")

    @pytest.mark.parametrize(
        ("url", "host"),
        [
            ("https://Api.Example.com/x", "api.example.com:443"),
            ("http://api.example.com.:8080/", "api.example.com:8080"),
            ("https://münchen.de/ü?q=a b", "xn--mnchen-3ya.de:443"),
            ("HTTPS://8.8.8.8/", "8.8.8.8:443"),
            ("http://[2606:4700:4700::1111]/", "2606:4700:4700::1111:80"),
            ("https://a_b.example.com:8443", "a_b.example.com:8443"),
        ],
    )
    def test_a_public_address_is_known_by_its_host_and_port(self, url, host):
        assert host_of(check_url("GET", url)) == host


class TestTenantsList:
    @pytest.mark.parametrize(
        "patterns",
        [None, [], "", ["api.example.com"], ["*.example.com"], ["API.example.com"], [" api.example.com "],
         ["api.example.com:443"], ["other.example", "*.example.com:443"], ("api.example.com",)],
    )  # fmt: skip
    def test_lets_through_what_it_names(self, patterns):
        check_listed(check_url("GET", "https://api.example.com./x"), patterns)

    @pytest.mark.parametrize(
        "patterns",
        [
            ["example.com"], ["*.api.example.com"], ["api.example.com:80"], ["evil-api.example.com"],
            ["*"], ["*.*"], ["*.com"], ["*.com.*"], ["api.*"], ["*example.com"], ["https://api.example.com"],
            ["api.example.com/x"], [""], [None], [7], [["api.example.com"]], [".*"], ["*."], [".example.com"],
            "api.example.com", {"api.example.com": True}, 7, True, ["api.example.com:"],
            ["api.example.com:x"],
        ],
    )  # fmt: skip
    def test_refuses_all_else_and_what_it_cannot_read(self, patterns):
        with pytest.raises(HostNotAllowed, match=r"api\.example\.com .*egress_hosts") as refused:
            check_listed(check_url("GET", "https://api.example.com/x"), patterns)
        assert refused.value.code == "governor.host-not-allowed"

    def test_a_wildcard_does_not_name_the_bare_domain_or_a_lookalike(self):
        for host in ("example.com", "badexample.com", "example.com.evil.test"):
            with pytest.raises(HostNotAllowed):
                check_listed(check_url("GET", f"https://{host}/"), ["*.example.com"])
