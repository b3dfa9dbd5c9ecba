"""What proves a delivery, adapter by adapter: the one right delivery, and dozens that are almost right."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tenants.errors import CodedError
from tests.factories import STRANGER_KEY, sign_gohighlevel, sign_hubspot, sign_standard
from tests.triggers.speakers import AT, SPEAKERS, URI, Speaker
from triggers.crm import gohighlevel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Case = tuple[str, bool, dict[str, Any]]  # name, whether it is taken, and what differs from the right one

# What becomes of the text that proves, in a header or in the body.
SPOILT: dict[str, Callable[[str], str]] = {
    "empty": lambda text: "",
    "blank": lambda text: "   ",
    "N/A": lambda text: "N/A",
    "null": lambda text: "null",
    "unicode": lambda text: "ä→\u202e" + text,
    "lone surrogate": lambda text: "\udc80" + text,
    "first character": lambda text: ("A" if text[0] != "A" else "B") + text[1:],
    "middle character": lambda text: text[:9] + ("A" if text[9] != "A" else "B") + text[10:],
    "last but two": lambda text: text[:-3] + ("A" if text[-3] != "A" else "B") + text[-2:],
    "truncated by one": lambda text: text[:-1],
    "truncated to one": lambda text: text[:1],
    "one more": lambda text: text + "A",
    "other case": str.swapcase,
    "backwards": lambda text: text[::-1],
    "duplicated header": lambda text: f"{text},{text}",
    "duplicated, joined with a blank": lambda text: f"{text}, {text}",
    "quoted": lambda text: f'"{text}"',
    "with NUL": lambda text: text + "\0",
    "newline inside": lambda text: text[:5] + "\r\n" + text[5:],
    "percent-encoded": lambda text: "".join(f"%{ord(each):02X}" for each in text),
    "ten thousand more": lambda text: text + "A" * 10_000,
    "a wildcard": lambda text: "*",
    "hashed": lambda text: hashlib.sha256(text.encode()).hexdigest(),
}


def spoil_body(body: bytes) -> Iterator[tuple[str, bytes]]:
    for place in (0, 1, len(body) // 3, len(body) // 2, len(body) - 2, len(body) - 1):
        for bit in (1, 32):
            yield f"body bit {bit} at {place}", body[:place] + bytes([body[place] ^ bit]) + body[place + 1 :]
    yield "body empty", b""
    yield "body truncated", body[: len(body) // 2]
    yield "body with a blank", body + b" "
    yield "body with a newline less", body.rstrip()[:-1]
    yield "body with a byte order mark", b"\xef\xbb\xbf" + body
    yield "body twice", body + body


def common(speaker: Speaker) -> Iterator[Case]:
    """What every adapter must tell apart."""
    right, body = speaker.sign(speaker.body, speaker.secret, AT), speaker.body
    yield "right", True, {}
    if speaker.signature:
        yield "missing", False, {"headers": {k: v for k, v in right.items() if k != speaker.signature}}
        for name, spoil in SPOILT.items():
            changed = spoil(right[speaker.signature])
            # Standard Webhooks parts several signatures by blanks, and one of these is right.
            is_list = speaker.name == "standard" and name == "duplicated, joined with a blank"
            yield name, is_list, {"headers": {**right, speaker.signature: changed}}
    else:
        for name, spoil in SPOILT.items():
            spoilt = spoil(speaker.secret).encode("utf-8", "backslashreplace")
            changed_body = body.replace(speaker.secret.encode(), spoilt)
            yield name, False, {"body": changed_body}
        yield "missing", False, {"body": body.replace(b'"token"', b'"taken"')}
        yield (
            "no text",
            False,
            {"body": body.replace(b'"token-for-the-samples"', b'["token-for-the-samples"]')},
        )
    if speaker.secret:
        yield "another tenant's secret", False, {"secrets": (speaker.other,)}
        yield "second of two while one rotates", True, {"secrets": (speaker.other, speaker.secret)}
        yield "first of two", True, {"secrets": (speaker.secret, speaker.other)}
        yield "an empty secret beside it", True, {"secrets": ("", speaker.secret)}
        yield "rotated out", False, {"secrets": (speaker.other, f"{speaker.other}x")}
        yield "no secret", False, {"secrets": ()}
        yield "only an empty secret", False, {"secrets": ("",)}
        yield "a longer secret", False, {"secrets": (speaker.secret[:-1],)}
        yield "a shorter secret", False, {"secrets": (speaker.secret[:8] + "A" + speaker.secret[8:],)}
        yield (
            "signed with the other's",
            False,
            {"headers": speaker.sign(body, speaker.other, AT)}
            if (speaker.signature)
            else {"body": body.replace(speaker.secret.encode(), speaker.other.encode())},
        )
    yield "no headers at all", False, {"headers": {}} if speaker.signature else {"body": b"{}"}
    if speaker.is_signed:
        for name, changed in spoil_body(body):
            yield name, False, {"body": changed}
    if speaker.has_time:
        for seconds, is_taken in ((299, True), (301, False), (3600, False), (86_400 * 400, False)):
            yield f"{seconds} s old", is_taken, {"at": AT + timedelta(seconds=seconds)}
            yield f"{seconds} s ahead", is_taken, {"at": AT - timedelta(seconds=seconds)}


def gohighlevel_cases() -> Iterator[Case]:
    body = SPEAKERS[0].body
    stranger = sign_gohighlevel(body, key=STRANGER_KEY)["X-GHL-Signature"]
    right = SPEAKERS[0].sign(body, "", AT)["x-ghl-signature"]
    rsa = base64.b64encode(b"r" * 512).decode()
    yield "signed by a stranger", False, {"headers": {"x-ghl-signature": stranger}}
    yield "in the retired header", False, {"headers": {"x-wh-signature": right}}
    yield "RSA in length", False, {"headers": {"x-ghl-signature": rsa}}
    yield "the published key", False, {"public_keys": ()}
    yield "second of two keys", True, {"public_keys": (gohighlevel.PUBLISHED_KEY, *SPEAKERS[0].public_keys)}
    yield "no key at all", False, {"public_keys": ("", "no key")}
    yield "a workflow's secret", False, {"headers": {"x-circuitos-secret": "s"}, "secrets": ("s",)}
    signed_hmac = base64.b64encode(hmac.digest(b"s", body, "sha256")).decode()
    yield "HMAC", False, {"headers": {"x-ghl-signature": signed_hmac}, "secrets": ("s",)}
    by_key = hmac.digest(SPEAKERS[0].public_keys[0].encode(), body, "sha512")
    yield (
        "HMAC with the public key",
        False,
        {"headers": {"x-ghl-signature": base64.b64encode(by_key).decode()}},
    )


def hubspot_cases() -> Iterator[Case]:
    speaker = SPEAKERS[1]
    body, secret = speaker.body, speaker.secret.encode()
    right = speaker.sign(body, speaker.secret, AT)
    sent = right["x-hubspot-request-timestamp"]
    source = b"POST" + URI.encode() + body + sent.encode()

    def signed(signature: str) -> dict[str, Any]:
        return {"headers": {**right, "x-hubspot-signature-v3": signature}}

    yield "hex", False, signed(hmac.new(secret, source, "sha256").hexdigest())
    for algorithm in ("md5", "sha1", "sha512"):
        yield algorithm, False, signed(base64.b64encode(hmac.digest(secret, source, algorithm)).decode())
    yield "no HMAC", False, signed(base64.b64encode(hashlib.sha256(secret + source).digest()).decode())
    yield "url-safe base64", False, signed("-_" + right["x-hubspot-signature-v3"][2:])
    first = hashlib.sha256(secret + body).hexdigest()
    second = hashlib.sha256(secret + b"POST" + URI.encode() + body).hexdigest()
    yield "version 1", False, {"headers": {"x-hubspot-signature": first}}
    yield "version 2", False, {"headers": {"x-hubspot-signature": second}}
    yield "version 1 as version 3", False, signed(first)
    yield "version 2 as version 3", False, signed(second)
    for name, uri in {
        "another path": URI + "x",
        "a query": URI + "?a=1",
        "plain http": URI.replace("https", "http"),
        "another host": URI.replace("crm", "xrm"),
        "no slash": URI[:-1],
    }.items():
        yield name, False, {"uris": (uri,)}
    yield "no address", False, {"uris": ()}
    yield "either address", True, {"uris": (URI + "x", URI)}
    yield "another method", False, {"method": "PUT"}
    for name, other in {
        "time changed": str(int(sent) + 1),
        "time in seconds": sent[:-3],
        "time missing": "",
        "time negative": f"-{sent}",
        "time with a fraction": f"{sent}.0",
        "time in Arabic figures": sent.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
        "time twice": f"{sent},{sent}",
        "time without end": "9" * 400,
    }.items():
        yield name, False, {"headers": {**right, "x-hubspot-request-timestamp": other}}
    old = sign_hubspot(body, uri=URI, secret=speaker.secret, at=AT - timedelta(minutes=6))
    yield "signed six minutes ago", False, {"headers": {name.lower(): value for name, value in old.items()}}


def standard_cases() -> Iterator[Case]:
    speaker = SPEAKERS[2]
    body = speaker.body
    right = speaker.sign(body, speaker.secret, AT)
    signature, key = right["webhook-signature"], base64.b64decode(speaker.secret.removeprefix("whsec_"))
    source = f"msg_1.{right['webhook-timestamp']}.".encode() + body

    def signed(text: str) -> dict[str, Any]:
        return {"headers": {**right, "webhook-signature": text}}

    yield "after others", True, signed(f"v1,AAAA v2,BBBB {signature}")
    yield "before others", True, signed(f"{signature} v1,AAAA")
    yield "twenty before it", False, signed("v1,AAAA " * 20 + signature)
    yield "version 2", False, signed(signature.replace("v1,", "v2,"))
    yield "asymmetric version", False, signed(signature.replace("v1,", "v1a,"))
    yield "no version", False, signed(signature.removeprefix("v1,"))
    yield "hex", False, signed("v1," + hmac.new(key, source, "sha256").hexdigest())
    for algorithm in ("md5", "sha1", "sha512"):
        text = base64.b64encode(hmac.digest(key, source, algorithm)).decode()
        yield algorithm, False, signed(f"v1,{text}")
    raw_key = base64.b64encode(hmac.digest(speaker.secret.encode(), source, "sha256")).decode()
    yield "with the secret as it is written", False, signed(f"v1,{raw_key}")
    sent = right["webhook-timestamp"]
    for name, header, value in [
        ("another id", "webhook-id", "msg_2"),
        ("no id", "webhook-id", ""),
        ("id with a dot", "webhook-id", f"msg_1.{sent}"),
        ("time changed", "webhook-timestamp", str(int(sent) + 1)),
        ("time missing", "webhook-timestamp", ""),
        ("time in milliseconds", "webhook-timestamp", f"{sent}000"),
        ("time negative", "webhook-timestamp", f"-{sent}"),
        ("time with a fraction", "webhook-timestamp", f"{sent}.0"),
        ("time with a blank", "webhook-timestamp", f" {sent}"),
        ("time without end", "webhook-timestamp", "9" * 400),
    ]:
        yield name, False, {"headers": {**right, header: value}}
    old = sign_standard(body, secret=speaker.secret, message_id="msg_1", at=AT - timedelta(minutes=6))
    yield "signed six minutes ago", False, {"headers": old}


def shared_cases(speaker: Speaker) -> Iterator[Case]:
    """Salesforce, and a GoHighLevel workflow: the secret may stand in several places."""
    secret = speaker.secret
    yield "in the address", True, {"headers": {":query": f"a=1&secret={secret}"}}
    yield "in the address twice", False, {"headers": {":query": f"secret={secret}&secret={secret}"}}
    yield "in the address, called otherwise", False, {"headers": {":query": f"Secret={secret}"}}
    yield "among a thousand parameters", False, {"headers": {":query": "a=1&" * 999 + f"secret={secret}"}}
    yield "in the header", True, {"headers": {"x-circuitos-secret": secret}}
    yield "in the header with a blank", False, {"headers": {"x-circuitos-secret": f" {secret}"}}
    yield "wrong in the header", False, {"headers": {"x-circuitos-secret": "no"}}
    yield "Basic", False, {"headers": {"authorization": f"Basic {secret}"}}
    yield "Bearer without a scheme", False, {"headers": {"authorization": secret}}


def salesforce_cases(speaker: Speaker) -> Iterator[Case]:
    yield from shared_cases(speaker)
    secret = speaker.secret
    yield "Bearer", True, {"headers": {"authorization": f"Bearer {secret}"}}
    yield "bearer", True, {"headers": {"authorization": f"bearer {secret}"}}
    yield "wrong Bearer", False, {"headers": {"authorization": f"Bearer {secret}x"}}
    yield "a listed sender in place of a secret", True, {"headers": {":peer": "192.0.2.1"}, "secrets": ()}
    yield "a listed sender without the secret", False, {"headers": {":peer": "192.0.2.1"}}


def pipedrive_cases(speaker: Speaker) -> Iterator[Case]:
    user, _, password = speaker.secret.partition(":")

    def basic(text: str, scheme: str = "Basic") -> dict[str, Any]:
        return {"headers": {"authorization": f"{scheme} {base64.b64encode(text.encode()).decode()}"}}

    yield "scheme in small letters", True, basic(speaker.secret, "basic")
    yield "Bearer", False, basic(speaker.secret, "Bearer")
    yield "Digest", False, basic(speaker.secret, "Digest")
    yield "no base64", False, {"headers": {"authorization": f"Basic {speaker.secret}"}}
    yield "another user", False, basic(f"admin:{password}")
    yield "no user", False, basic(f":{password}")
    yield "no password", False, basic(f"{user}:")
    yield "password alone", False, basic(password)
    yield "colon twice", False, basic(f"{user}::{password}")
    yield "no UTF-8", False, {"headers": {"authorization": "Basic " + base64.b64encode(b"\xff:x").decode()}}


def zoho_cases(speaker: Speaker) -> Iterator[Case]:
    body = speaker.body
    yield "token twice", False, {"body": body.replace(b'"token"', b'"token": "x", "token"')}
    yield "token deeper", False, {"body": b'{"data":' + body + b"}"}
    yield "an array around it", False, {"body": b"[" + body + b"]"}
    yield "in a header alone", False, {"body": b"{}", "headers": {"x-circuitos-secret": speaker.secret}}
    yield "null in its place", False, {"body": body.replace(b'"token-for-the-samples"', b"null")}
    yield "number", False, {"body": body.replace(b'"token-for-the-samples"', b"5")}
    yield "true", False, {"body": body.replace(b'"token-for-the-samples"', b"true")}


def workflow_cases(speaker: Speaker) -> Iterator[Case]:
    wrong = speaker.body.replace(b"set-by-the-installer", b"wrong")
    for name, is_taken, changed in shared_cases(speaker):
        yield name, is_taken, {**changed, "body": wrong}
    signed = sign_gohighlevel(wrong)["X-GHL-Signature"]
    yield "in customData", True, {"headers": {}}
    yield "wrong in customData", False, {"headers": {}, "body": wrong}
    yield "right in the header, wrong in customData", True, {"body": wrong}
    yield "wrong in the header, right in customData", False, {"headers": {"x-circuitos-secret": "no"}}
    yield "a signature in place of a secret", False, {"headers": {"x-ghl-signature": signed}, "body": wrong}
    yield "no JSON and no header", False, {"headers": {}, "body": b"<a/>"}
    yield "twin keys and no header", False, {"headers": {}, "body": b'{"customData":1,"customData":2}'}


OWN: dict[str, Callable[[Speaker], Iterator[Case]]] = {
    "gohighlevel": lambda _: gohighlevel_cases(),
    "hubspot": lambda _: hubspot_cases(),
    "standard": lambda _: standard_cases(),
    "salesforce": salesforce_cases,
    "pipedrive": pipedrive_cases,
    "zoho": zoho_cases,
    "gohighlevel-workflow": workflow_cases,
}
EVERY = [
    (speaker, f"{speaker.name}{number}: {name}", is_taken, changed)
    for number, speaker in enumerate(SPEAKERS)
    for name, is_taken, changed in (*common(speaker), *OWN[speaker.name](speaker))
    # A workflow falls back on its body, so an absent header is no refusal there.
    if not (speaker.name == "gohighlevel-workflow" and name in {"missing", "no headers at all", "empty"})
]


@pytest.mark.parametrize(
    ("speaker", "is_taken", "changed"),
    [(speaker, is_taken, changed) for speaker, _, is_taken, changed in EVERY],
    ids=[name for _, name, *_ in EVERY],
)
def test_is_proven_or_refused(speaker: Speaker, is_taken: bool, changed: dict[str, Any]) -> None:
    right = {"body": speaker.body, "headers": speaker.sign(speaker.body, speaker.secret, AT)}

    if is_taken:
        speaker.verify(**{**right, **changed})
        return
    with pytest.raises(CodedError) as refused:
        speaker.verify(**{**right, **changed})
    assert refused.value.status in {400, 401}
    assert speaker.secret == "" or speaker.secret not in str(refused.value)


def test_every_adapter_has_forty_cases_of_its_own() -> None:
    counted = Counter(name.partition(":")[0] for _, name, *_ in EVERY)

    assert len(counted) == len(SPEAKERS)
    assert min(counted.values()) >= 40
    assert len({name for _, name, *_ in EVERY}) == len(EVERY)
