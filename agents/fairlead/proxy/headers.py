"""Header fields: which stay behind at this hop, and which this hop adds.

Sources: RFC 9110, section 7.6 (Connection, Via); RFC 9112, section 6; RFC 6455 (Upgrade); the de-facto
X-Forwarded-*.
"""

import re
from collections.abc import Iterable

from fairlead.proxy.errors import ProxyError

Fields = list[tuple[bytes, bytes]]
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


_HOP_BY_HOP = (
    b"keep-alive",
    b"proxy",  # not a field of HTTP at all, but CGI programs take it for a setting ("httpoxy")
    b"proxy-authenticate",
    b"proxy-authentication-info",
    b"proxy-authorization",
    b"proxy-connection",
    b"http2-settings",
    # Whether trailers are welcome, and which will come, is said anew at each hop; see ``trailers``.
    b"te",
    b"trailer",
)
_FORWARDED = (
    b"forwarded",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-proto",
    b"x-forwarded-server",
    b"x-real-ip",
)
_CONTROL = (b"connection", b"content-length", b"transfer-encoding", b"upgrade")

# What the proxy reads or writes itself; every other field is passed on untouched.  Sets of names and not a
# table of roles: the look-up is made for each field of each message.
REQUEST_FIELDS = frozenset({*_HOP_BY_HOP, *_CONTROL, b"host", b"expect", b"via"})
RESPONSE_FIELDS = frozenset({*_HOP_BY_HOP, *_CONTROL})
FORWARDED_FIELDS = frozenset(_FORWARDED)

# What a client must not be able to take off a request by naming it in Connection ("hop-by-hop abuse").
PROTECTED = frozenset(
    {
        *(b"accept", b"authorization", b"cache-control", b"content-encoding", b"content-type", b"cookie"),
        *(
            b"set-cookie",
            b"location",
            b"vary",
            b"date",
            b"via",
            b"host",
            b"content-length",
            b"origin",
            b"range",
        ),
        *_FORWARDED,
    }
)


def list_items(values: Iterable[bytes]) -> list[bytes]:
    """Return the lower-case items of a comma-separated field, empty ones left out."""
    return [item for value in values for each in value.split(b",") if (item := each.strip(b" \t").lower())]


def may_be_named(name: bytes) -> bool:
    """Whether Connection may take the field ``name`` (lower-case) off a message."""
    return name not in {b"close", b"keep-alive", b"upgrade"} and name not in PROTECTED


def drop_named(fields: Fields, connection: list[bytes]) -> Fields:
    """Return ``fields`` without those that Connection names, except what it has no business to name."""
    named = {item for item in connection if may_be_named(item)}
    if not named:
        return fields
    return [field for field in fields if field[0].lower() not in named]


def encode_fields(fields: Fields) -> bytes:
    """Return the fields as lines."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


def parse_length(value: bytes) -> int:
    """Return a Content-Length.

    Raises:
        ProxyError: not 1*DIGIT, or beyond what any body has.
    """
    # int() would take signs, spaces and underscores; isdigit() of bytes is ASCII digits alone.
    if not value.isdigit() or len(value) > 18:
        raise ProxyError("Content-Length is not a number")
    return int(value)


def forwarding_fields(
    received: Fields,
    *,
    peer: bytes,
    host: bytes,
    port: bytes,
    scheme: bytes,
    server_name: str,
    is_trusted: bool,
) -> bytes:
    """Return the lines that tell a server whom it is really talking to.

    Args:
        received: the fields of this family that came with the request.
        peer: the client's address as text.
        host: the Host of the request.
        port: the port that the client asked for.
        scheme: that the client spoke, http or https.
        server_name: for X-Forwarded-Server; empty leaves it out.
        is_trusted: believe what was received and add to it; else it is dropped (anyone can write it).
    """
    addresses, proto, real_ip, extra = peer, scheme, peer, b""
    if is_trusted and received:
        trusted = {name.lower(): value for name, value in received}
        before = [value for name, value in received if name.lower() == b"x-forwarded-for"]
        addresses = b", ".join([*before, peer])
        proto = trusted.get(b"x-forwarded-proto", proto)
        host = trusted.get(b"x-forwarded-host", host)
        port = trusted.get(b"x-forwarded-port", port)
        real_ip = trusted.get(b"x-real-ip", real_ip)
        if b"forwarded" in trusted:
            extra = b"Forwarded: %b\r\n" % trusted[b"forwarded"]
    if server_name:
        extra += b"X-Forwarded-Server: %b\r\n" % server_name.encode()
    return (
        b"X-Forwarded-For: %b\r\nX-Forwarded-Proto: %b\r\nX-Forwarded-Host: %b\r\n"
        b"X-Forwarded-Port: %b\r\nX-Real-IP: %b\r\n%b" % (addresses, proto, host, port, real_ip, extra)
    )
