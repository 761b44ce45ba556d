"""One message in both versions: heads of HTTP/2 as HTTP/1.1 says them, and the other way round.

A request is held against the same rules as one over HTTP/1.1: its fields are written as a head, and that head is
read by the same parser.  Nothing that HTTP/1.1 refuses comes in by this door.
"""

import re
from collections.abc import Iterable

from fairlead import http2
from fairlead.proxy.errors import MalformedRequest
from fairlead.proxy.headers import RESPONSE_FIELDS, Fields
from fairlead.proxy.request import BY_LENGTH, UNTIL_CLOSE
from fairlead.proxy.response import Response

_SPACE = re.compile(rb"[\0-\x20\x7f]")
_DROPPED = frozenset({b"host", b"connection", b"transfer-encoding", b"upgrade", b"expect", b"te"})
_WITHOUT_BODY = frozenset({204, 304})


def head_of(fields: Iterable[http2.Field], *, has_body: bool) -> bytes:
    """Return the head that says the same in HTTP/1.1.

    Raises:
        MalformedRequest: it cannot be said there (RFC 9113, sections 8.2.1 and 8.3.1).
    """
    try:
        pseudo, regular = http2.request_pseudo(fields, 0)
        for name, value in regular:
            http2.check_field(name, value, 0)
    except http2.StreamFault as fault:
        raise MalformedRequest(fault.reason) from fault
    authority, method = pseudo.get(b":authority"), pseudo[b":method"]
    target = pseudo.get(b":path", authority or b"")
    if _SPACE.search(target) or _SPACE.search(method):
        raise MalformedRequest("malformed request target")
    lines = [b"host: %b\r\n" % authority] if authority is not None else []
    cookies: list[bytes] = []
    has_length = False
    for name, value in regular:
        if name == b"cookie":
            cookies.append(value)  # Section 8.2.3: they may come in pieces.
        elif name == b"host" and authority is not None:
            if value.lower() != authority.lower():
                raise MalformedRequest("Host and :authority disagree")
        else:
            has_length = has_length or name == b"content-length"
            lines.append(b"%b: %b\r\n" % (name, value))
    if cookies:
        lines.append(b"cookie: %b\r\n" % b"; ".join(cookies))
    if has_body and not has_length:
        lines.append(b"transfer-encoding: chunked\r\n")
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, b"".join(lines))


def fields_of(head: bytes) -> Fields:
    """Return our own request head as fields of HTTP/2."""
    line, *lines = head[:-4].split(b"\r\n")
    method, target, _ = line.split(b" ")
    fields = [(b":method", method), (b":scheme", b"http"), (b":path", target)]
    others: Fields = []
    for each in lines:
        name, _, value = each.partition(b": ")
        name = name.lower()
        if name == b"host":
            fields.append((b":authority", value))
        elif name not in _DROPPED:
            others.append((name, value))
    return [*fields, *others, (b"te", b"trailers")]


def block_of(response: Response, added: bytes = b"") -> bytes:
    """Return the header block of ``response``; ``added`` are lines of HTTP/1.1."""
    fields = [(b":status", b"%d" % response.status)]
    fields += [(name.lower(), value) for name, value in response.fields]
    if added:
        lines = (line.partition(b": ") for line in added.split(b"\r\n") if line)
        fields += [(name.lower(), value) for name, _, value in lines]
    length = response.length if response.framing is BY_LENGTH else response.announced_length
    if length is not None:
        fields.append((b"content-length", b"%d" % length))
    return http2.encoded(fields)


def response_of(status: int, fields: Fields, *, is_head: bool, is_end: bool) -> Response:
    """Return the response that ``fields`` describe, which have been judged."""
    passed: Fields = []
    length: int | None = None
    for field in fields:
        name = field[0]
        if name == b"content-length":
            length = int(field[1])
        elif name not in RESPONSE_FIELDS and name != b":status":
            passed.append(field)
    response = Response(status=status, reason=b"", fields=passed)
    if is_head or status in _WITHOUT_BODY or status < 200:
        response.announced_length = length if is_head or status == 304 else None
    elif is_end:
        response.framing, response.length = BY_LENGTH, 0
    elif length is not None:
        response.framing, response.length = BY_LENGTH, length
    else:
        response.framing = UNTIL_CLOSE
    return response
