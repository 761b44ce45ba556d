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
# What other proxies tell, and servers believe, beyond what is written here.
_HEARSAY = (
    b"x-forwarded-client-cert",
    b"x-forwarded-method",
    b"x-forwarded-prefix",
    b"x-forwarded-scheme",
    b"x-forwarded-ssl",
    b"x-forwarded-tls-client-cert",
    b"x-forwarded-tls-client-cert-info",
    b"x-forwarded-uri",
    b"x-scheme",
)
_CONTROL = (b"connection", b"content-length", b"transfer-encoding", b"upgrade")

# What the proxy reads or writes itself; every other field is passed on untouched.  Sets of names and not a
# table of roles: the look-up is made for each field of each message.
REQUEST_FIELDS = frozenset({*_HOP_BY_HOP, *_CONTROL, b"host", b"expect", b"via"})
RESPONSE_FIELDS = frozenset({*_HOP_BY_HOP, *_CONTROL})
FORWARDED_FIELDS = frozenset(_FORWARDED)
HEARSAY_FIELDS = frozenset(_HEARSAY)

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
        *_HEARSAY,
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
