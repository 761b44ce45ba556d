"""The server name in a TLS ClientHello, before anybody answers it.

Sans-IO and strict about lengths; what is not a whole ClientHello has no name.  Source: RFC 8446, section 4.1.2 and
RFC 6066, section 3.
"""

from typing import NamedTuple

HELLO_BYTES_MAX = 16 * 1024
_HANDSHAKE, _CLIENT_HELLO, _SERVER_NAME, _HOST_NAME = 22, 1, 0, 0


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
    """What a connection begins with."""

    is_tls: bool
    name: bytes = b""


def read_hello(data: bytes) -> Hello | None:
    """Return what the connection is that begins with ``data``; None: more must come."""
    name = server_name(data)
    return Hello(data[:1] == bytes([_HANDSHAKE]), name) if name is not None else None


def server_name(data: bytes) -> bytes | None:
    """Return the name that the ClientHello at the start of ``data`` asks for, lower-case.

    ``b""``: it asks for none, or this is no ClientHello.  None: more must come.
    """
    if data[:1] != bytes([_HANDSHAKE]):
        return b"" if data else None
    try:
        hello = _handshake(data)
    except Cut:
        return None if len(data) < HELLO_BYTES_MAX else b""
    try:
        return _name(_Reader(hello))
    except Cut:
        return b""  # Its own lengths disagree.


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


def _name(reader: _Reader) -> bytes:
    if reader.number(1) != _CLIENT_HELLO:
        return b""
    hello = reader.vector(3)
    hello.take(2 + 32)
    hello.vector(1)
    hello.vector(2)
    hello.vector(1)
    extensions = hello.vector(2)
    while not extensions.is_empty:
        kind, body = extensions.number(2), extensions.vector(2)
        if kind != _SERVER_NAME:
            continue
        names = body.vector(2)
        while not names.is_empty:
            name_kind, name = names.number(1), names.vector(2)
            if name_kind == _HOST_NAME:
                return name.rest().lower()
    return b""
