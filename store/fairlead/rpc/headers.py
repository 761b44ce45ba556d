"""Header blocks: from HPACK to a checked request, and from fields to literals.

A client repeats the same few blocks on every stream.  A block that leaves the dynamic table as it was means
the same until the table next changes, so its decoded, checked and resolved head is remembered under its
bytes.  What we send never enters the client's dynamic table: every block of ours is literals, encoded once.

Source: RFC 7541 (HPACK); RFC 9113, sections 8.2 and 8.3 (what makes a request malformed).
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from hpack import Decoder, HPACKError, OversizedHeaderListError
from hpack.table import HeaderTable

from fairlead.rpc.errors import ConnectionFault, StreamFault
from fairlead.rpc.frames import ErrorCode
from fairlead.rpc.limits import Limits

Field = tuple[bytes, bytes]

EMPTY_TABLE: Final = b"\x20"
"""At the start of a block: our dynamic table has size 0 from here on (RFC 7541, section 6.3)."""
TABLE_BYTES_DEFAULT: Final = 4096

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


class HeaderReader:
    """The receiving end of one connection's header compression."""

    __slots__ = ("_decoder", "_heads_max", "_table", "known")

    def __init__(self, limits: Limits) -> None:
        self._table = _WatchedTable()
        self._decoder = Decoder(max_header_list_size=limits.header_bytes_max * _HARD_LIMIT_FACTOR)
        self._decoder.header_table = self._table
        self._heads_max = limits.known_heads_max
        self.known: dict[bytes, RequestHead] = {}
        """Heads by block, each valid for the dynamic table as it is."""

    def fields(self, block: bytes) -> list[Field]:
        """Decode ``block``, keeping the table in step with the peer's.

        Raises:
            ConnectionFault: the block cannot be decoded; the table is lost, and the connection with it.
        """
        self._table.has_changed = False
        try:
            fields: list[Field] = [*self._decoder.decode(block, raw=True)]
        except OversizedHeaderListError as error:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "header list too large") from error
        except (HPACKError, IndexError) as error:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, "header block cannot be decoded") from error
        if self._table.has_changed:
            self.known.clear()
        return fields

    def remember(self, block: bytes, head: RequestHead) -> None:
        """Keep ``head`` for the next stream that sends ``block``, where that is sound."""
        if not self._table.has_changed:
            if len(self.known) >= self._heads_max:
                self.known.clear()
            self.known[block] = head


class _WatchedTable(HeaderTable):
    """HPACK's table, which tells when it is no longer what it was."""

    def __init__(self) -> None:
        super().__init__()
        self.has_changed = False

    def add(self, name: bytes, value: bytes) -> None:
        self.has_changed = True
        super().add(name, value)

    @property
    def maxsize(self) -> int:
        return self._maxsize

    @maxsize.setter
    def maxsize(self, newmax: int) -> None:
        self.has_changed = True
        HeaderTable.maxsize.fset(self, newmax)  # type: ignore[attr-defined]


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
