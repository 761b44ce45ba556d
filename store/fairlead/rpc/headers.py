"""Header blocks: from their bytes to a checked request, and from fields to literals.

A client repeats the same few blocks on every stream.  A block that leaves the dynamic table as it was means
the same until the table next changes, so its decoded, checked and resolved head is remembered under its
bytes.  What we send never enters the client's dynamic table: every block of ours is literals, encoded once.

Source: RFC 7541 (HPACK); RFC 9113, sections 8.2 and 8.3 (what makes a request malformed).
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, Self, TypeVar

from fairlead.rpc.errors import StreamFault
from fairlead.rpc.fields import Field, FieldDecoder
from fairlead.rpc.frames import ErrorCode
from fairlead.rpc.limits import Limits

Key = TypeVar("Key")

EMPTY_TABLE: Final = b"\x20"
"""At the start of a block: our dynamic table has size 0 from here on (RFC 7541, section 6.3)."""
TABLE_BYTES_DEFAULT: Final = 4096

_TIMEOUT: Final = b"grpc-timeout"
_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_BAD_VALUE: Final = re.compile(rb"[\x00\r\n]|\A[ \t]|[ \t]\Z")
_PSEUDO: Final = frozenset({b":method", b":scheme", b":authority", b":path"})
_CONNECTION_SPECIFIC: Final = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"}
)
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
# RFC 9113, section 6.5.2: the size of a field is its name, its value and 32 bytes.
_FIELD_OVERHEAD: Final = 32
# An HPACK decoder cannot go on after it refused a list; ours refuses far beyond the limit we state.
_HARD_LIMIT_FACTOR: Final = 4


class RequestHead:
    """A request's pseudo-header and header fields, checked.

    Shared by every stream that sent the same block: nothing changes it after ``open`` is set.
    """

    __slots__ = ("authority", "content_length", "fields", "list_bytes", "method", "open", "path", "scheme")

    def __init__(self, pseudo: dict[bytes, bytes], fields: dict[str, str], *, list_bytes: int) -> None:
        self.method = pseudo.get(b":method", b"").decode("latin-1")
        self.scheme = pseudo.get(b":scheme", b"").decode("latin-1")
        self.path = pseudo.get(b":path", b"").decode("latin-1")
        # Whatever the client calls us: clientv3 sends "#initially=[host:2379;host2:2379]".
        self.authority = pseudo.get(b":authority", b"").decode("latin-1")
        self.fields = fields
        self.list_bytes = list_bytes
        length = fields.get("content-length")
        self.content_length = None if length is None else int(length)
        self.open: Callable[..., Any]
        """Makes the stream that answers this request, from the connection and the stream id."""

    def __repr__(self) -> str:
        return f"<RequestHead {self.method} {self.path}>"

    def with_timeout(self, value: bytes) -> Self:
        """Return a copy that differs in its grpc-timeout only."""
        head = type(self).__new__(type(self))
        head.method = self.method
        head.scheme = self.scheme
        head.path = self.path
        head.authority = self.authority
        head.content_length = self.content_length
        head.fields = {**self.fields, "grpc-timeout": value.decode("latin-1")}
        head.list_bytes = self.list_bytes + len(value) - len(self.fields["grpc-timeout"])
        return head


class HeaderReader:
    """The receiving end of one connection: blocks in, heads out, each checked once if that can be."""

    __slots__ = ("_alike", "_decoder", "_heads_max", "known")

    def __init__(self, limits: Limits) -> None:
        self._decoder = FieldDecoder(limits.header_bytes_max * _HARD_LIMIT_FACTOR)
        self._heads_max = limits.known_heads_max
        self._alike: dict[tuple[Field, ...], RequestHead] = {}  # By all fields but grpc-timeout.
        self.known: dict[bytes, RequestHead] = {}
        """Heads by block, each valid for the dynamic table as it is."""

    def fields(self, block: bytes) -> list[Field]:
        """Decode ``block``, keeping the table in step with the peer's.

        Raises:
            ConnectionFault: the block cannot be decoded; the table is lost, and the connection with it.
        """
        fields = self._decoder.decode(block)
        if self._decoder.has_changed:
            self.known.clear()
        return fields

    def head(self, block: bytes, stream_id: int) -> RequestHead:
        """Return the request in ``block``.

        Raises:
            ConnectionFault: as for ``fields``.
            StreamFault: the request is malformed.
        """
        fields = self.fields(block)
        same = tuple([field for field in fields if field[0] != _TIMEOUT])
        if len(same) + 1 != len(fields):
            return request_head(fields, stream_id)
        # What a client changes from call to call is the time that is left; the rest was checked before.
        alike = self._alike.get(same)
        at = next(at for at, field in enumerate(fields) if field[0] == _TIMEOUT)
        value = fields[at][1]
        is_in_place = at + 1 == len(fields) or fields[at + 1][0][:1] != b":"
        if alike is not None and is_in_place and not _BAD_VALUE.search(value):
            return alike.with_timeout(value)
        head = request_head(fields, stream_id)
        _keep(self._alike, same, head, self._heads_max)
        return head

    def remember(self, block: bytes, head: RequestHead) -> None:
        """Keep ``head`` for the next stream that sends ``block``, where that is sound."""
        if not self._decoder.has_changed:
            _keep(self.known, block, head, self._heads_max)


def _keep(heads: dict[Key, RequestHead], key: Key, head: RequestHead, heads_max: int) -> None:
    if len(heads) >= heads_max:
        heads.clear()
    heads[key] = head


def request_head(fields: list[Field], stream_id: int) -> RequestHead:
    """Return the request that ``fields`` describe.

    Raises:
        StreamFault: the request is malformed (RFC 9113, section 8.1.1).
    """
    pseudo: dict[bytes, bytes] = {}
    regular: list[Field] = []
    list_bytes = 0
    for name, value in fields:
        list_bytes += len(name) + len(value) + _FIELD_OVERHEAD
        if name[:1] != b":":
            regular.append((name, value))
        elif regular:
            # "All pseudo-header fields MUST appear in a field block before all regular field lines" (8.3).
            raise _malformed(stream_id, "pseudo-header field after a regular one")
        elif name not in _PSEUDO or name in pseudo or _BAD_VALUE.search(value):
            raise _malformed(stream_id, "unknown, repeated or unreadable pseudo-header field")
        else:
            pseudo[name] = value
    _check_pseudo(pseudo, stream_id)
    merged = _regular_fields(regular, stream_id)
    if b":authority" in pseudo and merged.get("host", pseudo[b":authority"].decode("latin-1")) != pseudo[
        b":authority"
    ].decode("latin-1"):
        # "... a Host header field that identifies an entity that differs" (8.3.1).
        raise _malformed(stream_id, "host differs from :authority")
    return RequestHead(pseudo, merged, list_bytes=list_bytes)


def check_trailers(fields: list[Field], stream_id: int) -> None:
    """Refuse trailers that are malformed; what they say is not used.

    Raises:
        StreamFault: "Pseudo-header fields MUST NOT appear in a trailer section" (8.1), or as for a head.
    """
    if any(name[:1] == b":" for name, _ in fields):
        raise _malformed(stream_id, "pseudo-header field in trailers")
    _regular_fields(fields, stream_id)


def _check_pseudo(pseudo: dict[bytes, bytes], stream_id: int) -> None:
    method = pseudo.get(b":method")
    if not method:
        raise _malformed(stream_id, "no :method")
    if method == b"CONNECT":
        # Section 8.5: CONNECT names an authority and nothing else.
        if b":path" in pseudo or b":scheme" in pseudo or not pseudo.get(b":authority"):
            raise _malformed(stream_id, "CONNECT with :path or :scheme, or without :authority")
        return
    if not pseudo.get(b":scheme"):
        raise _malformed(stream_id, "no :scheme")
    path = pseudo.get(b":path", b"")
    if not path.startswith(b"/") and not (path == b"*" and method == b"OPTIONS"):
        raise _malformed(stream_id, "no :path, or one that does not begin with a slash")


def _regular_fields(fields: list[Field], stream_id: int) -> dict[str, str]:
    """Return checked fields by name; repeated ones are joined as RFC 9110, section 5.2 allows."""
    merged: dict[str, str] = {}
    for raw_name, raw_value in fields:
        if not _NAME.fullmatch(raw_name) or _BAD_VALUE.search(raw_value):
            raise _malformed(stream_id, "field name or value with characters that HTTP/2 refuses")
        if raw_name in _CONNECTION_SPECIFIC or (raw_name == b"te" and raw_value != b"trailers"):
            raise _malformed(stream_id, "connection-specific field")
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name not in merged:
            merged[name] = value
        elif name in {"content-length", "host"} and merged[name] != value:
            raise _malformed(stream_id, f"two different values of {name}")
        elif name not in {"content-length", "host"}:
            # Section 8.2.3: cookies may come in pieces.
            merged[name] += ("; " if name == "cookie" else ",") + value
    if "content-length" in merged and not _DIGITS.fullmatch(merged["content-length"]):
        raise _malformed(stream_id, "content-length is not a number")
    return merged


def _malformed(stream_id: int, reason: str) -> StreamFault:
    return StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, reason)


def encoded(fields: Iterable[Field]) -> bytes:
    """Return ``fields`` as literals that no table keeps (RFC 7541, section 6.2.2)."""
    return b"".join([b"\0" + _string(name) + _string(value) for name, value in fields])


def _string(text: bytes) -> bytes:
    """Return a string literal without Huffman code (RFC 7541, sections 5.1 and 5.2)."""
    length = len(text)
    if length < 0x7F:
        return bytes((length,)) + text
    prefix = bytearray(b"\x7f")
    length -= 0x7F
    while length >= 0x80:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + text
