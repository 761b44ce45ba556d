"""Whom a request is from when other proxies stand before this one, and what servers are told of it.

Anybody can write X-Forwarded-For.  So what came with a request is believed of peers in named networks alone, and of
one field, the one that those proxies write: the other may be what a client sent through them.  It is read from the
right, where they wrote last; the first address that is not one of theirs is the client's, and whatever stands to the
left of it is hearsay.  Where nothing can be read the client is the last one that could be.

Sans-IO.  Sources: RFC 7239; nginx, ngx_http_realip_module (real_ip_recursive); the de-facto X-Forwarded-*.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fairlead.agent import Networks, address_of
from fairlead.proxy.headers import HEARSAY_FIELDS, Fields, encode_fields

X_FORWARDED_FOR: Final = b"x-forwarded-for"
FORWARDED: Final = b"forwarded"
TRUSTED_HEADERS: Final = (X_FORWARDED_FOR, FORWARDED)
HOPS_MAX: Final = 100
"""What is to the left of so many addresses is not read."""
_NODE_BYTES_MAX = 64
_NODES_KEPT_MAX = 8192
_SCHEMES = {b"http": b"http", b"ws": b"http", b"https": b"https", b"wss": b"https"}
_PORT = rb"(?::[0-9]{1,5})?"
_IN_BRACKETS = re.compile(rb"\[([0-9A-Fa-f:.]+)\]" + _PORT)
_WITH_PORT = re.compile(rb"([0-9.]+)" + _PORT)
# RFC 7239, section 6.3: what hides an address.
_HIDDEN = re.compile(rb"(?:unknown|_[0-9A-Za-z._-]+)" + _PORT, re.IGNORECASE)
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = rb'"(?:[^"\\]|\\.)*"'
_PAIR = re.compile(rb"(%b)=(%b|%b)" % (_TOKEN, _TOKEN, _QUOTED))
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sender:
    """What is believed of what came with a request.

    Attributes:
        address: the client's, as text; real_ip: what X-Real-IP says.
        scheme: that the client spoke, http or https; ``b""``: nobody said.
        proto, host, port: for X-Forwarded-Proto, -Host and -Port; ``b""``: nobody said.
        hops: for X-Forwarded-For, before the peer.
        elements: for Forwarded, before our own.
        others: what goes on as it came.
    """

    address: bytes
    real_ip: bytes
    scheme: bytes = b""
    proto: bytes = b""
    host: bytes = b""
    port: bytes = b""
    hops: tuple[bytes, ...] = ()
    elements: tuple[bytes, ...] = ()
    others: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """Whose word is taken, and what is passed on.

    Attributes:
        proxies: networks of the proxies whose word is taken; None: nobody has said, and the frontends decide
            (vulcand's TrustForwardHeader).
        header: where those proxies write whom a request is from, one of ``TRUSTED_HEADERS``.
        writes_forwarded: servers get Forwarded too.
    """

    proxies: Networks | None = None
    header: bytes = X_FORWARDED_FOR
    writes_forwarded: bool = False

    def believes(self, peer: str) -> bool:
        """Whether the word of ``peer`` is taken."""
        return self.proxies is not None and peer in self.proxies

    def sender(self, received: Fields, *, peer: bytes) -> Sender:
        """Return what ``peer``, which is believed, says; ``received`` are the fields of the family."""
        return (self._from_forwarded if self.header == FORWARDED else self._from_x_forwarded)(received, peer)

    def _from_x_forwarded(self, received: Fields, peer: bytes) -> Sender:
        nodes, found = hops_in(received), _by_name(received)
        address, _ = self._client(nodes, peer)
        proto = found.get(b"x-forwarded-proto", b"")
        return Sender(
            address,
            real_ip=address,
            scheme=_SCHEMES.get(proto.lower(), b""),
            proto=proto,
            host=found.get(b"x-forwarded-host", b""),
            port=found.get(b"x-forwarded-port", b""),
            hops=nodes,
            elements=tuple(map(_element, nodes[-HOPS_MAX:])) if self.writes_forwarded else (),
            others=_others(received),
        )

    def _from_forwarded(self, received: Fields, peer: bytes) -> Sender:
        elements = _elements(value for name, value in received if name.lower() == FORWARDED)
        nodes = tuple(said.get(b"for", b"unknown") for _, said in elements)
        address, place = self._client(nodes, peer)
        # What the client came to is what the first of our proxies saw; those after it saw one another.
        said = elements[place][1] if place < len(elements) else {}
        return Sender(
            address,
            real_ip=address,
            scheme=_SCHEMES.get(said.get(b"proto", b"").lower(), b""),
            proto=said.get(b"proto", b""),
            host=said.get(b"host", b""),
            hops=tuple(read_node(node) or b"unknown" for node in nodes),
            elements=tuple(text for text, _ in elements),
        )

    def _client(self, nodes: tuple[bytes, ...], peer: bytes) -> tuple[bytes, int]:
        """Return the address of the client, and where in ``nodes`` it is; beyond them when it is the peer."""
        assert self.proxies is not None
        client, place = peer, len(nodes)
        for node in reversed(nodes[-HOPS_MAX:]):
            address = read_node(node)
            if address is None:
                break
            client, place = address, place - 1
            if address.decode() not in self.proxies:
                break
        return client, place


def as_received(received: Fields, *, peer: bytes) -> Sender:
    """Return all that came, unread, as vulcand's TrustForwardHeader lets it through; the client is the peer.

    Of fields that came several times vulcand passes the first on, but for the lists of hops.
    """
    found = _by_name(received[::-1])
    return Sender(
        peer,
        real_ip=found.get(b"x-real-ip", peer),
        proto=found.get(b"x-forwarded-proto", b""),
        host=found.get(b"x-forwarded-host", b""),
        port=found.get(b"x-forwarded-port", b""),
        hops=hops_in(received),
        elements=tuple(value for name, value in received if name.lower() == FORWARDED),
        others=_others(received),
    )


def forwarding_lines(
    sender: Sender,
    *,
    peer: bytes,
    host: bytes,
    port: bytes,
    scheme: bytes,
    server_name: str = "",
    writes_forwarded: bool = False,
) -> bytes:
    """Return the lines that tell a server whom it is really talking to.

    Args:
        sender: what is believed of what came.
        peer: the address of this hop's client, as text.
        host: the Host of the request.
        port: the one that the peer connected to.
        scheme: that it spoke, http or https.
        server_name: for X-Forwarded-Server; empty leaves it out.
        writes_forwarded: add this hop to Forwarded.
    """
    elements, extra = sender.elements, b""
    if writes_forwarded:
        elements = (*elements, b'%b;host="%b";proto=%b' % (_element(peer), host, scheme))
    if elements:
        extra = b"Forwarded: %b\r\n" % b", ".join(elements)
    if server_name:
        extra += b"X-Forwarded-Server: %b\r\n" % server_name.encode()
    if sender.others:
        extra += encode_fields(list(sender.others))
    return (
        b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n"
        b"X-Forwarded-Port: %b\r\nX-Real-IP: %b\r\n%b"
        % (
            b", ".join([*sender.hops, peer]),
            sender.proto or scheme,
            sender.host or host,
            sender.port or port,
            sender.real_ip,
            extra,
        )
    )


@lru_cache(_NODES_KEPT_MAX)
def read_node(node: bytes) -> bytes | None:
    """Return the address in ``node`` as the system writes it, without port and brackets; None: there is none.

    RFC 7239, section 6, and the addresses without brackets that X-Forwarded-For has.
    """
    if len(node) > _NODE_BYTES_MAX:
        return None
    found = _IN_BRACKETS.fullmatch(node) or _WITH_PORT.fullmatch(node)
    text = found[1] if found is not None else node
    try:
        if b"%" in text:
            return None  # A zone means something on one host only.
        return str(address_of(text.decode("ascii"))).encode()
    except ValueError:
        return None


def _element(node: bytes) -> bytes:
    """Return how Forwarded says what X-Forwarded-For calls ``node``."""
    address = read_node(node)
    if address is None:
        return b"for=%b" % node if _HIDDEN.fullmatch(node) else b"for=unknown"
    return b'for="[%b]"' % address if b":" in address else b"for=%b" % address


def hops_in(received: Fields) -> tuple[bytes, ...]:
    """Return what X-Forwarded-For names, from the client on."""
    values = [value for name, value in received if name.lower() == X_FORWARDED_FOR]
    return tuple(node for each in b",".join(values).split(b",") if (node := each.strip(b" \t")))


def _others(received: Fields) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(field for field in received if field[0].lower() in HEARSAY_FIELDS)


def _by_name(received: Fields) -> dict[bytes, bytes]:
    return {name.lower(): value for name, value in received}


def _elements(values: Iterable[bytes]) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """Return the elements of Forwarded, as text and taken apart, from the last malformed one on.

    They are read from the right, since a client may have sent an open quotation mark that swallows what our proxies
    wrote behind it.
    """
    found: list[tuple[bytes, dict[bytes, bytes]]] = []
    for value in reversed(list(values)):
        pieces = value.split(b",")
        while pieces and len(found) < HOPS_MAX:
            text = pieces.pop()
            while (text.count(b'"') - text.count(b'\\"')) % 2 and pieces:
                text = pieces.pop() + b"," + text
            text = text.strip(b" \t")
            if not text:
                continue  # RFC 9110, section 5.6.1: lists may have empty elements.
            said = _read_element(text)
            if said is None:
                return found[::-1]
            found.append((text, said))
    return found[::-1]


def _read_element(text: bytes) -> dict[bytes, bytes] | None:
    """Return the values by lower-case name, or None for what is no forwarded-element (RFC 7239, section 4)."""
    said: dict[bytes, bytes] = {}
    at = 0
    while at <= len(text):
        found = _PAIR.match(text, at)
        if found is None or found[1].lower() in said:
            return None
        value = found[2]
        said[found[1].lower()] = _ESCAPED.sub(rb"\1", value[1:-1]) if value.startswith(b'"') else value
        at = found.end() + 1
        if text[found.end() : at] not in (b";", b""):
            return None
    return said
