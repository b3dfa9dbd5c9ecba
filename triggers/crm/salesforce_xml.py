"""Salesforce's outbound messages: SOAP read by expat with everything switched off that XML is feared for.

No document type, so no entities, external or expanding ones, no processing instructions, UTF-8 alone, and
bounds on depth, elements and attributes. What is left is a tree of names and texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn
from xml.parsers import expat

import msgspec

from triggers.strict_json import MAX_DEPTH, MAX_NODES, Malformed

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_NOTIFICATIONS = 100
_MAX_ELEMENTS = 40_000  # of a whole message
_MAX_ATTRIBUTES = 20  # of one element
_SOAP = frozenset({"http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"})
_OUTBOUND = "http://soap.sforce.com/2005/09/outbound"
_TYPE = "http://www.w3.org/2001/XMLSchema-instance type"
_NIL = "http://www.w3.org/2001/XMLSchema-instance nil"

# What tells Salesforce that all notifications of a message are stored; without it, it sends them again.
ACK = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    f'<notificationsResponse xmlns="{_OUTBOUND}"><Ack>true</Ack></notificationsResponse>'
    "</soapenv:Body></soapenv:Envelope>"
)


class Notification(msgspec.Struct, frozen=True):
    """One record of a message: its type and fields as texts, None for those sent as nil."""

    id: str
    type: str
    fields: dict[str, Any]


class Message(msgspec.Struct, frozen=True):
    """An outbound message. Its session id is read past: nobody here shall act for the user."""

    organization_id: str
    action_id: str
    notifications: list[Notification]


class _Node:
    __slots__ = ("attributes", "children", "name", "text")

    def __init__(self, name: str, attributes: dict[str, str]) -> None:
        self.name = name
        self.attributes = attributes
        self.children: list[_Node] = []
        self.text: list[str] = []

    def said(self) -> str | None:
        if self.attributes.get(_NIL) in {"true", "1"}:
            return None
        return "".join(self.text)

    def under(self, *names: str) -> Iterator[_Node]:
        """The children that are called so, in whatever namespace."""
        return (child for child in self.children if _local(child.name) in names)


def parse(body: bytes) -> Message | None:
    """The message in ``body``; None when it is sound XML, but no outbound message. Raises ``Malformed``."""
    root = _tree(body)
    namespace, _, name = root.name.rpartition(" ")
    if name != "Envelope" or namespace not in _SOAP:
        return None
    found = [node for part in root.under("Body") for node in part.children]
    if len(found) != 1 or found[0].name != f"{_OUTBOUND} notifications":
        return None
    message = found[0]
    notifications = [_notification(node) for node in message.under("Notification")]
    if not 1 <= len(notifications) <= MAX_NOTIFICATIONS or None in notifications:
        return None
    return Message(
        _one(message, "OrganizationId"),
        _one(message, "ActionId"),
        [each for each in notifications if each is not None],
    )


def _notification(node: _Node) -> Notification | None:
    records = list(node.under("sObject"))
    if len(records) != 1:
        return None
    (record,) = records
    if len(record.children) > MAX_NODES:
        raise Malformed(f"A notification has more than {MAX_NODES} fields.")
    fields: dict[str, Any] = {}
    for child in record.children:
        name = _local(child.name)
        if name in fields:
            raise Malformed(f"The field {name[:80]!r} stands twice in one record.")
        fields[name] = child.said() if not child.children else _nested(child)
    return Notification(_one(node, "Id"), record.attributes.get(_TYPE, "").rpartition(":")[2], fields)


def _nested(node: _Node) -> dict[str, Any]:
    """A field that is a record of its own, such as an address; below that only texts."""
    return {_local(child.name): child.said() for child in node.children}


def _one(node: _Node, name: str) -> str:
    found = list(node.under(name))
    return (found[0].said() or "").strip() if len(found) == 1 else ""


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _tree(body: bytes) -> _Node:
    # The encoding is ours to say: a declaration of another one does not change how the bytes are read.
    parser = expat.ParserCreate("utf-8", namespace_separator=" ")
    parser.buffer_text = True
    open_nodes = [_Node("", {})]
    count = 0

    def refuse(what: str) -> NoReturn:
        raise Malformed(f"The XML has {what} (line {parser.CurrentLineNumber}).")

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > _MAX_ELEMENTS:
            refuse(f"more than {_MAX_ELEMENTS} elements")
        if len(open_nodes) > MAX_DEPTH:
            refuse(f"more than {MAX_DEPTH} levels")
        if len(attributes) > _MAX_ATTRIBUTES:
            refuse(f"more than {_MAX_ATTRIBUTES} attributes in one element")
        node = _Node(name, attributes)
        open_nodes[-1].children.append(node)
        open_nodes.append(node)

    def written(text: str) -> None:
        open_nodes[-1].text.append(text)

    def declared(version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in {"utf-8", "utf8"}:
            refuse("another encoding than UTF-8")

    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: open_nodes.pop()
    parser.CharacterDataHandler = written
    parser.XmlDeclHandler = declared
    parser.StartDoctypeDeclHandler = lambda *_: refuse("a document type")
    parser.EntityDeclHandler = lambda *_: refuse("an entity of its own")
    parser.UnparsedEntityDeclHandler = lambda *_: refuse("an entity of its own")
    parser.ExternalEntityRefHandler = lambda *_: refuse("an external entity")
    parser.ProcessingInstructionHandler = lambda *_: refuse("a processing instruction")
    try:
        parser.Parse(body, True)  # noqa: FBT003  # expat takes it by position
    except expat.ExpatError as error:
        raise Malformed(f"The body is no sound XML ({error}).") from None
    return open_nodes[0].children[0]
