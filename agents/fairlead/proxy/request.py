"""A request head, from bytes to what may be forwarded: strict, because leniency is how requests are smuggled.

httptools (llhttp) checks field syntax, line ends, and that Content-Length and Transfer-Encoding do not
contradict. What it lets through is caught here: other protocol versions, a missing or second Host, codings
other than ``chunked``, Transfer-Encoding in HTTP/1.0, an absolute target that contradicts Host, heads
without bound.

Sources: RFC 9110, sections 7 and 10.1.1; RFC 9112, sections 2 to 6.
"""

import re
from enum import Enum, auto
from typing import Final

import httptools

from fairlead.proxy.body import Chunked, Counted, Decoder
from fairlead.proxy.config import Limits
from fairlead.proxy.errors import BadRequest, ProxyError
from fairlead.proxy.headers import (
    FORWARDED_FIELDS,
    REQUEST_FIELDS,
    Fields,
    drop_named,
    list_items,
    parse_length,
)

_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/1\.([01])\r\n")
_OTHER_VERSION = re.compile(rb"[A-Z]+ [!-~]+ HTTP/(?!1\.[01])[0-9]\.[0-9]\r\n")
_HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+?)\.?(?::([0-9]{1,5}))?")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp]://([^/?#]+)(.*)")
_IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"})
_REFUSED_METHODS = frozenset({b"CONNECT", b"TRACE"})


class Framing(Enum):
    """How the body of a message is delimited."""

    NONE = auto()
    LENGTH = auto()
    CHUNKED = auto()
    UNTIL_CLOSE = auto()


# Looking a member up in its class takes Python 3.11 half a microsecond, a global name a tenth of that.
NO_BODY: Final = Framing.NONE
BY_LENGTH: Final = Framing.LENGTH
CHUNKED: Final = Framing.CHUNKED
UNTIL_CLOSE: Final = Framing.UNTIL_CLOSE


class Request:
    """What a request head says, once it has been found fit to forward.

    Attributes:
        host: lower-case, without port and trailing dot, for routing; ``b""`` in HTTP/1.0 without Host.
        host_field: Host as the client sent it, for forwarding.
        path: raw, without query, for routing; the same bytes are forwarded in ``target``.
        peer: the client's address as text, for routing; set when it is planned.
        fields: what is passed on, in order; ``forwarded`` and ``via`` are kept apart.
        upgrade: the one protocol asked for, lower-case, or ``b""``.
    """

    __slots__ = (
        "all_fields", "expects_continue", "fields", "forwarded", "framing", "host", "host_field",
        "keep_alive", "length", "method", "minor", "path", "peer", "target", "upgrade", "via",
    )  # fmt: skip

    method: bytes
    target: bytes
    path: bytes
    host: bytes
    host_field: bytes
    minor: int
    framing: Framing
    length: int
    keep_alive: bool
    expects_continue: bool
    upgrade: bytes
    fields: Fields
    forwarded: Fields
    via: list[bytes]
    all_fields: Fields
    peer: bytes

    def copy(self) -> "Request":
        """Return one that may be changed; this one may be shared by many requests."""
        other = Request()
        for name in Request.__slots__:
            setattr(other, name, getattr(self, name))
        other.fields = list(self.fields)
        return other

    def header(self, name: bytes) -> bytes:
        """Return the first value of the field ``name`` (lower-case), or ``b""``."""
        for each, value in self.all_fields:
            if each.lower() == name:
                return value
        return b""

    def header_values(self, name: bytes) -> list[bytes]:
        """Return every value of the field ``name`` (lower-case)."""
        return [value for each, value in self.all_fields if each.lower() == name]

    @property
    def is_idempotent(self) -> bool:
        """Whether sending it twice does no more than sending it once (RFC 9110, section 9.2.2)."""
        return self.method in _IDEMPOTENT

    def decoder(self) -> Decoder | None:
        """Return what takes the body apart, or None without a body."""
        if self.framing is CHUNKED:
            return Chunked()
        return Counted(self.length) if self.length else None


class _Events:
    """Collects what llhttp reports about one head."""

    __slots__ = ("fields", "is_complete", "is_reusable", "llhttp")

    def __init__(self) -> None:
        self.fields: Fields = []
        self.is_complete = False
        self.is_reusable = False  # whether the parser takes another message after this one
        self.llhttp = httptools.HttpRequestParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        self.is_complete = True

    def on_message_complete(self) -> None:
        self.is_reusable = self.llhttp.should_keep_alive()


class RequestParser:
    """Parses one head at a time.  One serves all connections, since no call leaves anything behind."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._events = _Events()

    def parse(self, head: bytes) -> Request:
        """Read ``head``, which ends with its empty line.

        Raises:
            BadRequest: with the status to answer.
        """
        line = _LINE.match(head)
        if line is None:
            if _OTHER_VERSION.match(head):
                raise BadRequest(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
            raise BadRequest(400, "malformed request line")
        if len(line[0]) > self._limits.request_line_bytes_max:
            raise BadRequest(414, "request target too long")
        if line[1] in _REFUSED_METHODS:
            raise BadRequest(405, "method not allowed")
        request = Request()
        request.method, request.target, request.minor = line[1], line[2], int(line[3])
        request.all_fields = self._fields(head)
        if len(request.all_fields) > self._limits.fields_max:
            raise BadRequest(431, "too many header fields")
        _sort_fields(request)
        return request

    def _fields(self, head: bytes) -> Fields:
        events = self._events
        events.fields, events.is_complete, events.is_reusable = [], False, False
        try:
            events.llhttp.feed_data(head)
        except httptools.HttpParserUpgrade:
            events.is_reusable = False
        except httptools.HttpParserInvalidMethodError as error:
            raise BadRequest(501, "method not implemented") from error
        except httptools.HttpParserError as error:
            raise BadRequest(400, "malformed request") from error
        finally:
            if not events.is_reusable:
                # It is broken, or waits for a body (not its business here), or for nothing more at all.
                events.llhttp = httptools.HttpRequestParser(events)
        if not events.is_complete:
            raise BadRequest(400, "malformed request")
        return events.fields


Special = dict[bytes, list[bytes]]
"""The values of the fields that the proxy reads itself, by lower-case name."""


def _sort_fields(request: Request) -> None:
    """Take out what the proxy reads itself, and decide from it; the rest is passed on."""
    special: Special = {}
    fields: Fields = []
    forwarded: Fields = []
    for field in request.all_fields:
        name = field[0].lower()
        if name in REQUEST_FIELDS:
            special.setdefault(name, []).append(field[1].strip(b" \t"))
        elif name in FORWARDED_FIELDS:
            forwarded.append(field)
        elif b"_" not in name:
            # CGI and its heirs cannot tell _ from -, so that X_Forwarded_For would pass for the real one.
            fields.append(field)
    connection = list_items(special[b"connection"]) if b"connection" in special else []
    request.fields = drop_named(fields, connection) if connection else fields
    request.forwarded = forwarded
    request.via = special.get(b"via", [])
    _read_framing(request, special)
    _read_target(request, special.get(b"host", []))
    _read_connection(request, connection, special)


def _read_framing(request: Request, special: Special) -> None:
    codings, lengths = special.get(b"transfer-encoding"), special.get(b"content-length")
    request.framing, request.length = NO_BODY, 0
    if codings:
        # RFC 9112, section 6.1: a server that gets it with HTTP/1.0 must treat the framing as faulty.
        if lengths or len(codings) > 1 or codings[0].lower() != b"chunked" or request.minor == 0:
            raise BadRequest(400, "unacceptable Transfer-Encoding")
        request.framing = CHUNKED
    elif lengths:
        if len(lengths) > 1:
            raise BadRequest(400, "more than one Content-Length")
        try:
            request.length = parse_length(lengths[0])
        except ProxyError as error:
            raise BadRequest(400, "malformed Content-Length") from error
        request.framing = BY_LENGTH


def _read_target(request: Request, hosts: list[bytes]) -> None:
    if len(hosts) > 1 or (not hosts and request.minor == 1):
        raise BadRequest(400, "exactly one Host is required")
    request.host_field = hosts[0] if hosts else b""
    request.host, port = _split_host(hosts[0]) if hosts else (b"", b"")
    target = request.target
    if target.startswith(b"/"):
        pass
    elif found := _ABSOLUTE.fullmatch(target):
        # RFC 9112, section 3.2.2 lets the target win; a client that says two things is not to be guessed at.
        host, target_port = _split_host(found[1])
        if hosts and (host, target_port or b"80") != (request.host, port or b"80"):
            raise BadRequest(400, "Host and the request target disagree")
        request.host, request.host_field = host, found[1]
        target = found[2] if found[2].startswith(b"/") else b"/" + found[2]
    elif target != b"*" or request.method != b"OPTIONS":
        raise BadRequest(400, "malformed request target")
    if b"#" in target:
        raise BadRequest(400, "malformed request target")
    request.target = target
    request.path = target.partition(b"?")[0]


def _split_host(field: bytes) -> tuple[bytes, bytes]:
    """Return the lower-case host and the port (``b""`` when there is none)."""
    found = _HOST.fullmatch(field)
    if found is None or (found[2] is not None and int(found[2]) > 65535):
        raise BadRequest(400, "malformed Host")
    return found[1].lower(), found[2] or b""


def _read_connection(request: Request, connection: list[bytes], special: Special) -> None:
    request.keep_alive = b"close" not in connection and (request.minor == 1 or b"keep-alive" in connection)
    request.upgrade = b""
    has_body = request.framing is not NO_BODY
    if b"upgrade" in connection and request.minor == 1 and not has_body:
        upgrades = list_items(special.get(b"upgrade", ()))
        # h2c would turn the rest of the connection into something that no rule of this proxy sees.
        if len(upgrades) == 1 and upgrades[0] not in {b"h2c", b"h2"}:
            request.upgrade = upgrades[0]
    request.expects_continue = False
    for value in special.get(b"expect", ()) if request.minor == 1 else ():
        # RFC 9110, section 10.1.1: ignored in HTTP/1.0, and 417 is for what is not known.
        if value.lower() != b"100-continue":
            raise BadRequest(417, "unknown expectation")
        request.expects_continue = has_body
