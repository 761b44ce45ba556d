"""The server name and the protocols in a TLS ClientHello, before anybody answers it.

Sans-IO and strict about lengths; what is not a whole ClientHello has no name.  Source: RFC 8446, section 4.1.2 and
RFC 6066, section 3; RFC 7301, section 3.1.
"""

from collections.abc import Iterator
from typing import NamedTuple

HELLO_BYTES_MAX = 16 * 1024
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME, _ALPN = 22, 1, 0, 0, 16


class Cut(Exception):  # noqa: N818  it says what is the matter with the data
    """More must come."""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise Cut
        piece, self._at = self._data[self._at : end], end
        return piece

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int) -> "_Reader":
        return _Reader(self.take(self.number(width)))

    def rest(self) -> bytes:
        return self._data[self._at :]

    @property
    def is_empty(self) -> bool:
        return self._at >= len(self._data)


class Hello(NamedTuple):
    """What a connection begins with.

    Attributes:
        name: the one that a TLS client asks for, lower-case; empty: none.
        protocols: that it offers.
    """

    is_tls: bool
    name: bytes = b""
    protocols: tuple[bytes, ...] = ()


def read_hello(data: bytes) -> Hello | None:
    """Return what the connection is that begins with ``data``; None: more must come."""
    if not data:
        return None
    if data[:1] != bytes([_HANDSHAKE]):
        return Hello(is_tls=False)
    try:
        message = _handshake(data)
    except Cut:
        return None if len(data) < HELLO_BYTES_MAX else Hello(is_tls=True)
    try:
        return _said(_Reader(message))
    except Cut:
        return Hello(is_tls=True)  # Its own lengths disagree.


def _handshake(data: bytes) -> bytes:
    """Put the records together until they hold a whole handshake message."""
    reader, message = _Reader(data), b""
    while True:
        if reader.number(1) != _HANDSHAKE:
            return b""
        reader.take(2)
        message += reader.take(reader.number(2))
        if len(message) >= 4 and len(message) - 4 >= int.from_bytes(message[1:4], "big"):
            return message


def _said(reader: _Reader) -> Hello:
    name = b""
    protocols: tuple[bytes, ...] = ()
    if reader.number(1) != _CLIENT_HELLO:
        return Hello(is_tls=True)
    hello = reader.vector(3)
    hello.take(2 + 32)
    hello.vector(1)
    hello.vector(2)
    hello.vector(1)
    extensions = hello.vector(2)
    while not extensions.is_empty:
        kind, body = extensions.number(2), extensions.vector(2)
        if kind == _SERVER_NAME:
            name = name or _host_name(body.vector(2))
        elif kind == _ALPN:
            protocols = tuple(_protocols(body.vector(2)))
    return Hello(is_tls=True, name=name, protocols=protocols)


def _host_name(names: _Reader) -> bytes:
    while not names.is_empty:
        kind, name = names.number(1), names.vector(2)
        if kind == _HOST_NAME:
            return name.rest().lower()
    return b""


def _protocols(names: _Reader) -> Iterator[bytes]:
    while not names.is_empty:
        yield names.vector(1).rest()
