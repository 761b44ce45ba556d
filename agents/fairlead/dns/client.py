"""Who asks, and how to reach them."""

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol


class Transport(Enum):
    """What a query came by."""

    UDP = "udp"
    TCP = "tcp"
    TLS = "tls"
    HTTPS = "https"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a question comes from, as far as is known.

    Attributes:
        address: 4 or 16 bytes, those beyond ``prefix`` bits zero.
        prefix: 0 to 8 times the bytes of ``address``.
        is_told: a resolver told of its client's subnet (RFC 7871); else it is the sender itself.
    """

    address: bytes
    prefix: int
    is_told: bool = False

    @classmethod
    def of_ip(cls, ip: str) -> "Origin":
        """Return the origin of a sender, ``ip`` in text; a zone (``%eth0``) makes no difference."""
        packed = ipaddress.ip_address(ip.partition("%")[0]).packed
        return cls(packed, 8 * len(packed))

    @classmethod
    def of_subnet(cls, option: bytes) -> "Origin | None":
        """Return the origin that the data of a client subnet option gives; None when it gives none.

        Raises:
            ValueError: it is malformed (RFC 7871, section 6).
        """
        if len(option) < 4:
            raise ValueError("a client subnet is cut short")
        family, prefix, scope, address = *struct.unpack_from("!HBB", option), option[4:]
        size = {1: 4, 2: 16}.get(family, 0)
        if not size or prefix > 8 * size or scope or len(address) != (prefix + 7) // 8:
            raise ValueError("no client subnet")
        if prefix % 8 and address[-1] & 0xFF >> prefix % 8:
            raise ValueError("a client subnet has bits beyond its prefix")
        return cls(address.ljust(size, b"\0"), prefix, is_told=True) if prefix else None


LATER: Final = b""
"""In place of a response: it will be sent by the client's own ``send``, or ``abandon`` says that none will be."""


class Answerer(Protocol):
    """Who answers packets: the responder, as servers see it."""

    def from_table(self, packet: bytes, /) -> bytes | None:
        """Return the response to a UDP packet if it is at hand."""

    def from_table_whole(self, packet: bytes, /) -> bytes | None:
        """Return the response to a packet on a stream if it is at hand."""

    def respond(self, packet: bytes, client: "Client", /) -> bytes | None:
        """Return the response to any packet; None for none, LATER for one that ``client`` will be sent."""


class Client(Protocol):
    """One client, for as long as its query lives.  A client that has gone takes what it is sent in silence."""

    @property
    def ip(self) -> str:
        """Its address, without a port."""

    @property
    def transport(self) -> Transport:
        """What the query came by."""

    @property
    def reserved_bytes(self) -> int:
        """How much of each message is not for the answer: what signs it."""

    def send(self, response: bytes) -> None:
        """Send a response for which `LATER` stood; once for each."""

    def abandon(self) -> None:
        """Give up a response for which `LATER` stood."""

    def stream(self, messages: Iterator[bytes]) -> None:
        """Send several messages in answer to one query, each made when the client can take it.  TCP and TLS only."""
