"""Fields behind a body: which of them go on.

They come when a message has been judged already, so that none may say what a head says, and only those go on that
are known to be harmless there: the frontend's list, or the one below.  They stay behind the body and are never
merged into a head.

Sources: RFC 9110, sections 6.5, 6.6.2 and 10.1.4; RFC 9112, section 7.1.2; RFC 9530 (digests).
"""

import re
from collections.abc import Iterable

from fairlead.proxy.body import LAST_CHUNK
from fairlead.proxy.headers import PROTECTED, REQUEST_FIELDS, Fields, encode_fields

_FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")

USUAL = frozenset(
    {b"content-digest", b"repr-digest", b"server-timing"}
    | {b"grpc-status", b"grpc-message", b"grpc-status-details-bin"}
)
"""What goes on where a frontend has no list, and one of the sides speaks HTTP/1.1."""

# RFC 9110, section 6.5.1: framing, routing, modifiers of the request, authentication, control of the response, and
# what says how content is to be read.
_NEVER = (
    REQUEST_FIELDS
    | PROTECTED
    | {b"age", b"authentication-info", b"content-range", b"expires", b"if-match", b"if-modified-since"}
    | {b"if-none-match", b"if-range", b"if-unmodified-since", b"max-forwards", b"pragma", b"retry-after"}
    | {b"set-cookie2", b"warning", b"www-authenticate"}
)


def may_trail(name: bytes) -> bool:
    """Whether the field ``name`` (lower-case) may stand behind a body at all."""
    return name not in _NEVER and not name.startswith((b":", b"x-forwarded-", b"access-control-"))


def passed_on(fields: Fields, names: frozenset[bytes] | None) -> Fields:
    """Return those of ``fields`` that go on: in ``names`` (lower-case), or any for None, and never a forbidden one."""
    return [
        (name, value)
        for name, value in fields
        if (names is None or name.lower() in names)
        and may_trail(name.lower())
        and _FIELD.fullmatch(b"%b:%b" % (name, value))
    ]


def announcement(announced: Iterable[bytes], names: frozenset[bytes] | None) -> bytes:
    """Return the Trailer line for what was ``announced`` and goes on, or ``b""`` (RFC 9110, section 6.6.2)."""
    allowed = USUAL if names is None else names
    told = [name for name in announced if name in allowed and may_trail(name)]
    return b"Trailer: %b\r\n" % b", ".join(told) if told else b""


def last_chunk(trailers: Fields) -> bytes:
    """Return what ends a chunked body."""
    return b"0\r\n%b\r\n" % encode_fields(trailers) if trailers else LAST_CHUNK
