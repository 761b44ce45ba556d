"""A response head, from a server's bytes to what the client gets.

Sources: RFC 9110, section 15; RFC 9112, sections 4 and 6.3 (which of the ways the body is delimited).
"""

import re

import httptools

from fairlead.proxy.body import Chunked, Counted, Decoder, UntilClose
from fairlead.proxy.config import Limits
from fairlead.proxy.errors import BadResponse, ProxyError
from fairlead.proxy.headers import (
    RESPONSE_FIELDS,
    TOKEN,
    Fields,
    drop_named,
    encode_fields,
    list_items,
    parse_length,
)
from fairlead.proxy.request import BY_LENGTH, CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, Special

_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n")


class Response:
    """What a response head says.

    Attributes:
        head: status line and fields for the client, each with its CR LF; framing, Connection and the empty
            line are still to come.
        length: of the body, with Framing.LENGTH.
        upgrade: with 101, the protocol, lower-case; else ``b""``.
        announced_length: a Content-Length that is passed on although no body follows (HEAD, 304), or None.
    """

    __slots__ = (
        "announced_length",
        "framing",
        "head",
        "keep_alive",
        "length",
        "status",
        "upgrade",
        "usual_head",
    )

    def __init__(self, *, status: int, head: bytes, framing: Framing) -> None:
        self.status = status
        self.head = head
        self.framing = framing
        self.length = 0
        self.announced_length: int | None = None
        self.keep_alive = True
        self.upgrade = b""
        self.usual_head = b""

    @property
    def is_of_unknown_length(self) -> bool:
        """Whether the client has to be told by other means than a length where the body ends."""
        return self.framing is CHUNKED or self.framing is UNTIL_CLOSE

    def head_for(self, *, minor: int, keep_alive: bool) -> bytes:
        """Return the whole head for a client that speaks HTTP/1.``minor``."""
        is_usual = minor == 1 and keep_alive
        if is_usual and self.usual_head:
            return self.usual_head
        parts = [self.head]
        if self.framing is BY_LENGTH or self.announced_length is not None:
            length = self.length if self.announced_length is None else self.announced_length
            parts.append(b"Content-Length: %d\r\n" % length)
        elif self.is_of_unknown_length and minor == 1:
            parts.append(b"Transfer-Encoding: chunked\r\n")
        if not keep_alive:
            parts.append(b"Connection: close\r\n")
        elif minor == 0:
            parts.append(b"Connection: keep-alive\r\n")
        parts.append(b"\r\n")
        head = b"".join(parts)
        if is_usual:
            self.usual_head = head
        return head

    def decoder(self) -> Decoder | None:
        """Return what takes the body apart, or None when none follows."""
        if self.framing is CHUNKED:
            return Chunked()
        if self.framing is UNTIL_CLOSE:
            return UntilClose()
        return Counted(self.length) if self.length else None


class ResponseParser:
    """Parses one head at a time, for all connections."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._fields: Fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field from llhttp."""
        self._fields.append((name, value))

    def parse(self, head: bytes, *, is_head: bool) -> Response:
        """Read ``head``, which ends with its empty line; ``is_head``: it answers a HEAD request.

        Raises:
            BadResponse: it may not be forwarded.
        """
        line = _LINE.match(head)
        if line is None:
            raise BadResponse("malformed status line")
        self._fields = []
        try:
            httptools.HttpResponseParser(self).feed_data(head)
        except httptools.HttpParserUpgrade:
            pass  # What follows the head is told apart by the caller.
        except httptools.HttpParserError as error:
            raise BadResponse(str(error)) from error
        if len(self._fields) > self._limits.fields_max:
            raise BadResponse("too many header fields")
        return _read(line, self._fields, is_head=is_head)


def _read(line: re.Match[bytes], received: Fields, *, is_head: bool) -> Response:
    special: Special = {}
    fields: Fields = []
    for field in received:
        name = field[0].lower()
        if name in RESPONSE_FIELDS:
            special.setdefault(name, []).append(field[1].strip(b" \t"))
        else:
            fields.append(field)
    connection = list_items(special[b"connection"]) if b"connection" in special else []
    minor, status = int(line[1]), int(line[2])
    start = b"HTTP/1.1 %d %b\r\n" % (status, line[3] or b"")
    response = Response(
        status=status,
        head=start + encode_fields(drop_named(fields, connection)),
        framing=NO_BODY,
    )
    _read_framing(response, special, minor=minor, is_head=is_head)
    response.keep_alive = (
        b"close" not in connection
        and (minor == 1 or b"keep-alive" in connection)
        and response.framing is not UNTIL_CLOSE
    )
    if status == 101:
        upgrades = list_items(special.get(b"upgrade", ()))
        if len(upgrades) != 1 or TOKEN.fullmatch(upgrades[0].replace(b"/", b"")) is None:
            raise BadResponse("101 without one Upgrade")
        response.upgrade = upgrades[0]
    return response


def _read_framing(response: Response, special: Special, *, minor: int, is_head: bool) -> None:
    codings, lengths = special.get(b"transfer-encoding"), special.get(b"content-length")
    if codings and (lengths or len(codings) > 1 or codings[0].lower() != b"chunked" or minor == 0):
        raise BadResponse("unacceptable Transfer-Encoding")
    length: int | None = None
    if lengths:
        if len(lengths) > 1:
            raise BadResponse("more than one Content-Length")
        try:
            length = parse_length(lengths[0])
        except ProxyError as error:
            raise BadResponse(str(error)) from error
    if is_head or response.status in {204, 304} or response.status < 200:
        # RFC 9110, section 8.6: 1xx and 204 have no length either; 304 and HEAD tell that of the real thing.
        if is_head or response.status == 304:
            response.announced_length = length
        return
    if codings:
        response.framing = CHUNKED
    elif length is not None:
        response.framing, response.length = BY_LENGTH, length
    else:
        response.framing = UNTIL_CLOSE
