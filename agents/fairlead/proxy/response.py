"""A response head, from a server's bytes to what the client gets.

Sources: RFC 9110, section 15; RFC 9112, sections 4 and 6.3 (which of the ways the body is delimited).
"""

import re

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
    may_be_named,
    parse_length,
)
from fairlead.proxy.lines import (
    PASSED,
    SPECIAL,
    Line,
    LineReader,
    MalformedLine,
    Role,
    as_fields,
    passed_data,
)
from fairlead.proxy.request import BY_LENGTH, CHUNKED, NO_BODY, UNTIL_CLOSE, Framing, Special

_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?")


class Response:
    """What a response head says, and how it goes on to clients.

    Attributes:
        reason: the phrase of the status line.
        length: of the body, with Framing.LENGTH.
        keep_alive: whether the server's connection takes another request.
        upgrade: with 101, the protocol, lower-case; else ``b""``.
        announced_length: a Content-Length that is passed on although no body follows (HEAD, 304), or None.
        announced: names of the trailers that will come, lower-case.
        block: the header block that HTTP/2 makes of it, once one was made.
    """

    __slots__ = (
        "_fields", "_lines", "_usual_head", "announced", "announced_length", "block", "framing", "keep_alive", "length", "reason",
        "status", "upgrade",
    )  # fmt: skip

    def __init__(
        self,
        *,
        status: int,
        reason: bytes,
        fields: Fields | None = None,
        lines: list[Line] | None = None,
        framing: Framing = NO_BODY,
    ) -> None:
        """Take what is passed on from ``fields``, or else from ``lines``."""
        self.status = status
        self.reason = reason
        self._fields = fields
        self._lines = lines or []
        self.framing = framing
        self.length = 0
        self.announced_length: int | None = None
        self.announced: list[bytes] = []
        self.keep_alive = True
        self.upgrade = b""
        self._usual_head = b""
        self.block = b""

    @property
    def fields(self) -> Fields:
        """What is passed on; framing and Connection are not among them.  Only that of a copy may be changed."""
        if self._fields is None:
            self._fields = as_fields(self._lines, PASSED)
        return self._fields

    @fields.setter
    def fields(self, fields: Fields) -> None:
        self._fields = fields

    @property
    def is_of_unknown_length(self) -> bool:
        """Whether the client has to be told by other means than a length where the body ends."""
        return self.framing is CHUNKED or self.framing is UNTIL_CLOSE

    def copy(self) -> "Response":
        """Return one that may be changed; this one may be shared by many requests."""
        other = Response(
            status=self.status, reason=self.reason, fields=list(self.fields), framing=self.framing
        )
        other.length = self.length
        other.announced_length = self.announced_length
        other.announced = self.announced
        other.keep_alive = self.keep_alive
        other.upgrade = self.upgrade
        return other

    def forget_length(self) -> None:
        """The body will be another one, of a length that nobody knows yet."""
        self.announced_length = None
        if self.framing is BY_LENGTH:
            self.framing = CHUNKED

    def without_body(self) -> None:
        """Keep the length and send no body (RFC 9110, section 9.3.2)."""
        self.announced_length = None if self.status == 204 else self.length
        self.framing, self.length = NO_BODY, 0

    def header(self, name: bytes) -> bytes:
        """Return the first value of the field ``name`` (lower-case), or ``b""``."""
        for each, value in self.fields:
            if each.lower() == name:
                return value
        return b""

    def start(self) -> bytes:
        """Return the status line and the fields that are passed on, without the empty line."""
        data = passed_data(self._lines) if self._fields is None else encode_fields(self._fields)
        return b"HTTP/1.1 %d %b\r\n%b" % (self.status, self.reason, data)

    def head_for(self, *, minor: int, keep_alive: bool, added: bytes = b"") -> bytes:
        """Return the whole head for a client that speaks HTTP/1.``minor``; ``added`` are lines."""
        is_usual = minor == 1 and keep_alive and not added
        if is_usual and self._usual_head:
            return self._usual_head
        parts = [self.start(), added]
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
            self._usual_head = head
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
        self._reader = LineReader(_role_of)

    def parse(self, head: bytes, *, is_head: bool) -> Response:
        """Read ``head``, which ends with its empty line; ``is_head``: it answers a HEAD request.

        Raises:
            BadResponse: it may not be forwarded.
        """
        lines = head[:-4].split(b"\r\n")
        start = _LINE.fullmatch(lines[0])
        if start is None:
            raise BadResponse("malformed status line")
        if len(lines) - 1 > self._limits.fields_max:
            raise BadResponse("too many header fields")
        del lines[0]
        try:
            return _read(start, self._reader.read(lines), is_head=is_head)
        except MalformedLine:
            raise BadResponse("malformed header field") from None


def _role_of(name: bytes) -> Role:
    return SPECIAL if name in RESPONSE_FIELDS else PASSED


def _read(line: re.Match[bytes], received: list[Line], *, is_head: bool) -> Response:
    special: Special = {}
    for each in received:
        if each.role:
            special.setdefault(each.name, []).append(each.value)
    connection = list_items(special[b"connection"]) if b"connection" in special else []
    minor, status = int(line[1]), int(line[2])
    response = Response(status=status, reason=line[3] or b"", lines=received)
    if any(may_be_named(item) for item in connection):
        response.fields = drop_named(response.fields, connection)
    _read_framing(response, special, minor=minor, is_head=is_head)
    response.keep_alive = (
        b"close" not in connection
        and (minor == 1 or b"keep-alive" in connection)
        and response.framing is not UNTIL_CLOSE
    )
    if b"trailer" in special:
        response.announced = list_items(special[b"trailer"])
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
