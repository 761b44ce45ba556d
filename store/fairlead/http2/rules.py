"""What makes a message malformed, whoever sends it.

Source: RFC 9113, sections 8.1 to 8.5; the number behind each rule is its section.
"""

import re
from collections.abc import Iterable
from typing import Final

from fairlead.http2.errors import StreamFault
from fairlead.http2.fields import Field
from fairlead.http2.frames import ErrorCode

FIELD_OVERHEAD: Final = 32
"""6.5.2: the size of a field in a list is its name, its value and this."""

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_BAD_VALUE: Final = re.compile(rb"[\x00\r\n]|\A[ \t]|[ \t]\Z")
_REQUEST_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path"})
_CONNECTION_SPECIFIC: Final = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
)
_DIGITS: Final = re.compile(rb"[0-9]{1,18}")
_STATUS: Final = re.compile(rb"[1-5][0-9][0-9]")


def malformed(stream_id: int, reason: str) -> StreamFault:
    """Return what a malformed message is (8.1.1)."""
    return StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, reason)


def check_field(name: bytes, value: bytes, stream_id: int) -> None:
    """Judge a field that is no pseudo-header field (8.2.1 and 8.2.2).

    Raises:
        StreamFault: it has no place in HTTP/2.
    """
    if not _NAME.fullmatch(name) or _BAD_VALUE.search(value):
        raise malformed(stream_id, "field name or value with characters that HTTP/2 refuses")
    if name in _CONNECTION_SPECIFIC or (name == b"te" and value != b"trailers"):
        raise malformed(stream_id, "connection-specific field")


def request_pseudo(fields: Iterable[Field], stream_id: int) -> tuple[dict[bytes, bytes], list[Field]]:
    """Return the pseudo-header fields of a request, judged, and the other fields, not judged (8.3.1).

    Raises:
        StreamFault: the request is malformed.
    """
    pseudo: dict[bytes, bytes] = {}
    regular: list[Field] = []
    for field in fields:
        name, value = field
        if name[:1] != b":":
            regular.append(field)
        elif regular:
            # "All pseudo-header fields MUST appear in a field block before all regular field lines" (8.3).
            raise malformed(stream_id, "pseudo-header field after a regular one")
        elif name not in _REQUEST_PSEUDO or name in pseudo or _BAD_VALUE.search(value):
            raise malformed(stream_id, "unknown, repeated or unreadable pseudo-header field")
        else:
            pseudo[name] = value
    _check_request(pseudo, stream_id)
    return pseudo, regular


def _check_request(pseudo: dict[bytes, bytes], stream_id: int) -> None:
    method = pseudo.get(b":method")
    if not method:
        raise malformed(stream_id, "no :method")
    if method == b"CONNECT":
        # 8.5: CONNECT names an authority and nothing else.
        if b":path" in pseudo or b":scheme" in pseudo or not pseudo.get(b":authority"):
            raise malformed(stream_id, "CONNECT with :path or :scheme, or without :authority")
        return
    if not pseudo.get(b":scheme"):
        raise malformed(stream_id, "no :scheme")
    path = pseudo.get(b":path", b"")
    if not path.startswith(b"/") and not (path == b"*" and method == b"OPTIONS"):
        raise malformed(stream_id, "no :path, or one that does not begin with a slash")


def response_status(fields: list[Field], stream_id: int) -> int:
    """Return the status of a response, whose fields are all judged (8.3.2).

    Raises:
        StreamFault: the response is malformed.
    """
    if not fields or fields[0][0] != b":status" or not _STATUS.fullmatch(fields[0][1]):
        raise malformed(stream_id, "an answer that does not begin with :status")
    for name, value in fields[1:]:
        check_field(name, value, stream_id)
    status = int(fields[0][1])
    if status == 101:  # 8.6
        raise malformed(stream_id, "101 over HTTP/2")
    return status


def check_trailers(fields: Iterable[Field], stream_id: int) -> None:
    """Judge trailers: "Pseudo-header fields MUST NOT appear in a trailer section" (8.1), which no name allows.

    Raises:
        StreamFault: they are malformed.
    """
    for name, value in fields:
        check_field(name, value, stream_id)


def content_length(fields: Iterable[Field], stream_id: int) -> int | None:
    """Return the Content-Length of a message; None: it has none.  Repeating the same is let pass.

    Raises:
        StreamFault: it is not one number (8.1.1).
    """
    values = {value for name, value in fields if name == b"content-length"}
    if not values:
        return None
    value = values.pop()
    if values:
        raise malformed(stream_id, "two different values of content-length")
    if not _DIGITS.fullmatch(value):
        raise malformed(stream_id, "content-length is not a number")
    return int(value)
