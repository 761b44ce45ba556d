"""A request head, from bytes to what may be forwarded: strict, because leniency is how requests are smuggled.

Every line of the head is matched whole against the grammar; what the lines mean together (one Host, one way to
find the end of the body, a target that agrees with Host) is decided here.  There is nothing that is repaired.

Sources: RFC 9110, sections 7 and 10.1.1; RFC 9112, sections 2 to 6.
"""

import re
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from fairlead.proxy.ambiguity import Ambiguity
from fairlead.proxy.body import Chunked, Counted, Decoder
from fairlead.proxy.config import Limits
from fairlead.proxy.errors import BadRequest, ProxyError
from fairlead.proxy.headers import (
    FORWARDED_FIELDS,
    HEARSAY_FIELDS,
    REQUEST_FIELDS,
    Fields,
    encode_fields,
    list_items,
    may_be_named,
    parse_length,
)
from fairlead.proxy.lines import (
    DROPPED,
    FORWARDED,
    PASSED,
    SPECIAL,
    Line,
    LineReader,
    MalformedLine,
    Role,
    as_fields,
)

_LINE = re.compile(rb"([A-Z][A-Z_-]*) ([!-~]+) HTTP/1\.([01])")
_OTHER_VERSION = re.compile(rb"[A-Z]+ [!-~]+ HTTP/(?!1\.[01])[0-9]\.[0-9]")
_OTHER_METHOD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+ [!-~]+ HTTP/1\.[01]")
HOST = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+?)\.?(?::([0-9]{1,5}))?")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?#]+)(.*)")
_IDEMPOTENT = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"})
_REFUSED_METHODS = frozenset({b"CONNECT", b"TRACE"})
CACHED_HOSTS_MAX = 4096


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


_PARTS = (
    "announced", "entrypoint", "expects_continue", "framing", "host", "host_field", "is_idempotent", "is_secure",
    "keep_alive", "length", "lines", "method", "minor", "passed", "path", "peer", "takes_trailers", "target",
    "upgrade", "via",
)  # fmt: skip


class Request:
    """What a request head says, once it has been found fit to forward.

    Attributes:
        host: lower-case, without port and trailing dot, for routing; ``b""`` in HTTP/1.0 without Host.
        host_field: Host as the client sent it, for forwarding.
        path: raw, without query, for routing; the same bytes are forwarded in ``target``.
        entrypoint: the id of the listener that it came to; is_secure: by TLS.  Both are set when it is planned.
        peer: the client's address as text, for routing; set when it is planned.
        fields: what is passed on, in order; ``forwarded`` and ``via`` are kept apart.
        upgrade: the one protocol asked for, lower-case, or ``b""``.
        takes_trailers: the client has said that it reads them.
        announced: names of the trailers that it will send, lower-case.
    """

    __slots__ = _PARTS

    passed: Fields | None
    lines: list[Line]
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
    is_idempotent: bool
    peer: bytes
    entrypoint: str
    is_secure: bool
    via: list[bytes]
    takes_trailers: bool
    announced: list[bytes]

    def copy(self) -> "Request":
        """Return one that may be changed; this one may be shared by many requests."""
        other = Request()
        for name in _PARTS:
            setattr(other, name, getattr(self, name))
        other.passed = list(self.fields)
        return other

    @property
    def fields(self) -> Fields:
        """What is passed on, in order.  Only that of a copy may be changed."""
        if self.passed is None:
            self.passed = as_fields(self.lines, PASSED)
        return self.passed

    def header_values(self, name: bytes) -> list[bytes]:
        """Return every value of the field ``name`` (lower-case)."""
        return [line.value for line in self.lines if line.name == name]

    @property
    def forwarded(self) -> Fields:
        """The fields of the X-Forwarded family."""
        return as_fields(self.lines, FORWARDED)

    @property
    def all_fields(self) -> Fields:
        """Every field as the client sent it."""
        return [(line.original_name, line.value) for line in self.lines]

    def passed_data(self) -> bytes:
        """Return the lines that are passed on."""
        if self.passed is not None:
            return encode_fields(self.passed)
        return b"".join([line.data for line in self.lines if not line.role])

    def header(self, name: bytes) -> bytes:
        """Return the first value of the field ``name`` (lower-case) as the client sent it, or ``b""``."""
        for line in self.lines:
            if line.name == name:
                return line.value
        return b""

    def decoder(self) -> Decoder | None:
        """Return what takes the body apart, or None without a body."""
        if self.framing is CHUNKED:
            return Chunked()
        return Counted(self.length) if self.length else None


class RequestParser:
    """Parses one head at a time.  One serves all connections."""

    def __init__(self, limits: Limits, ambiguity: Ambiguity | None = None) -> None:
        self._limits = limits
        self._ambiguity = ambiguity or Ambiguity()
        self._reader = LineReader(_role_of)

    def parse(self, head: bytes) -> Request:
        """Read ``head``, which ends with its empty line.

        Raises:
            BadRequest: with the status to answer.
        """
        lines = head[:-4].split(b"\r\n")
        line = _LINE.fullmatch(lines[0])
        if line is None:
            raise _bad_line(lines[0])
        if len(lines[0]) > self._limits.request_line_bytes_max:
            raise BadRequest(414, "request target too long")
        if len(lines) - 1 > self._limits.fields_max:
            raise BadRequest(431, "too many header fields")
        request = Request()
        method, request.target, minor = line.groups()
        if method in _REFUSED_METHODS:
            raise BadRequest(405, "method not allowed")
        request.method = method
        request.is_idempotent = method in _IDEMPOTENT
        request.minor = 1 if minor == b"1" else 0
        del lines[0]
        try:
            request.lines = self._reader.read(lines)
        except MalformedLine:
            raise BadRequest(400, "malformed header field") from None
        request.passed = None
        request.peer, request.entrypoint, request.is_secure = b"", "", False
        _read_special(request)
        if refused := self._ambiguity.in_path(request.path):
            raise BadRequest(400, f"{refused.decode()} in a path is not taken here")
        path = self._ambiguity.cleaned(request.path)
        if path != request.path:
            request.target = path + request.target[len(request.path) :]
            request.path = path
        return request


def _bad_line(line: bytes) -> BadRequest:
    if _OTHER_VERSION.fullmatch(line):
        return BadRequest(505, "only HTTP/1.0 and HTTP/1.1 are spoken here")
    if _OTHER_METHOD.fullmatch(line):
        return BadRequest(501, "method not implemented")
    return BadRequest(400, "malformed request line")


def _role_of(name: bytes) -> Role:
    if name in REQUEST_FIELDS:
        return SPECIAL
    if name in FORWARDED_FIELDS or name in HEARSAY_FIELDS:
        return FORWARDED
    # CGI and its heirs cannot tell _ from -, so that X_Forwarded_For would pass for the real one.
    return DROPPED if b"_" in name else PASSED


Special = dict[bytes, list[bytes]]
"""The values of the fields that the proxy reads itself, by lower-case name."""


def _read_special(request: Request) -> None:
    """Decide from the fields that the proxy reads itself."""
    read = [line for line in request.lines if line.role == SPECIAL]
    if len(read) == 1 and read[0].name == b"host" and request.minor:
        # The common case: nothing is said about the connection, and there is no body.
        request.framing, request.length, request.keep_alive = NO_BODY, 0, True
        request.upgrade, request.expects_continue, request.via = b"", False, []
        request.takes_trailers, request.announced = False, []
        _read_target(request, [read[0].value])
        return
    special: Special = {}
    for line in read:
        special.setdefault(line.name, []).append(line.value)
    connection = list_items(special[b"connection"]) if b"connection" in special else []
    if any(may_be_named(item) for item in connection):
        request.passed = [
            (line.original_name, line.value)
            for line in request.lines
            if line.role == PASSED and not (line.name in connection and may_be_named(line.name))
        ]
    request.via = special.get(b"via", [])
    request.takes_trailers = request.minor == 1 and b"trailers" in list_items(special.get(b"te", ()))
    request.announced = list_items(special.get(b"trailer", ()))
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
    request.host, port = split_host(hosts[0]) if hosts else (b"", b"")
    target = request.target
    if target.startswith(b"/"):
        pass
    elif found := _ABSOLUTE.fullmatch(target):
        # RFC 9112, section 3.2.2 lets the target win; a client that says two things is not to be guessed at.
        host, target_port = split_host(found[1])
        if hosts and (host, target_port or b"80") != (request.host, port or b"80"):
            raise BadRequest(400, "Host and the request target disagree")
        request.host, request.host_field = host, found[1]
        target = found[2] if found[2].startswith(b"/") else b"/" + found[2]
    elif target != b"*" or request.method != b"OPTIONS":
        raise BadRequest(400, "malformed request target")
    if b"#" in target:
        raise BadRequest(400, "malformed request target")
    request.target = target
    request.path = target.partition(b"?")[0] if b"?" in target else target


@lru_cache(CACHED_HOSTS_MAX)
def split_host(field: bytes) -> tuple[bytes, bytes]:
    """Return the lower-case host and the port (``b""`` when there is none).

    Raises:
        BadRequest: it is no host.
    """
    found = HOST.fullmatch(field)
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
