"""Responses as bytes: what is already encoded is spliced, not encoded again.

A protobuf message is its fields one after the other, so a RangeResponse is a header, the stored
KeyValues each behind a tag and a length, and a count.  The slow and rare responses go through protobuf's
own classes; these few functions serve the hot ones.
"""

from collections.abc import Iterable

from fairlead.member.identity import Identity

# Field tags, as (number << 3 | wire type): 0 is a varint, 2 is length-delimited.
_HEADER = b"\x0a"
_KVS = b"\x12"
_MORE = b"\x18\x01"
_COUNT = b"\x20"
_PREV_KV = b"\x12"
_DELETED = b"\x10"
_PREV_KVS = b"\x1a"


def varint(value: int) -> bytes:
    """Encode ``value`` (0 or more) as a base-128 varint."""
    if value < 0x80:
        return value.to_bytes(1)
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def delimited(tag: bytes, payload: bytes) -> bytes:
    """Encode a length-delimited field."""
    return b"".join((tag, varint(len(payload)), payload))


def bare_header(revision: int) -> bytes:
    """Return the header of a response inside a transaction: only the revision is set."""
    return delimited(_HEADER, b"\x18" + varint(revision) if revision else b"")


class Headers:
    """Response headers of one member, the latest kept encoded."""

    __slots__ = ("_cached", "_member", "_revision", "_term", "_term_field")

    def __init__(self, identity: Identity, term: int) -> None:
        self._member = b"\x08" + varint(identity.cluster_id) + b"\x10" + varint(identity.member_id)
        self.set_term(term)

    def set_term(self, term: int) -> None:
        """From now on headers carry this Raft term."""
        self._term = term
        self._term_field = b"\x20" + varint(term) if term else b""
        self._revision = -1
        self._cached = b""

    def at(self, revision: int) -> bytes:
        """Return the encoded header field of a response at ``revision`` (0: none is told)."""
        if revision != self._revision:
            told = b"\x18" + varint(revision) if revision else b""
            self._cached = delimited(_HEADER, self._member + told + self._term_field)
            self._revision = revision
        return self._cached


def range_body(kvs: Iterable[bytes], *, more: bool, count: int) -> bytes:
    """Return a RangeResponse without its header."""
    parts: list[bytes] = []
    for kv in kvs:
        parts += (_KVS, varint(len(kv)), kv)
    if more:
        parts.append(_MORE)
    if count:
        parts += (_COUNT, varint(count))
    return b"".join(parts)


def put_body(prev_kv: bytes | None) -> bytes:
    """Return a PutResponse without its header."""
    return b"" if prev_kv is None else delimited(_PREV_KV, prev_kv)


def delete_body(deleted: int, prev_kvs: Iterable[bytes]) -> bytes:
    """Return a DeleteRangeResponse without its header."""
    head = _DELETED + varint(deleted) if deleted else b""
    return head + b"".join(delimited(_PREV_KVS, kv) for kv in prev_kvs)


def txn_body(*, succeeded: bool, responses: Iterable[bytes]) -> bytes:
    """Return a TxnResponse without its header; each response is an encoded ResponseOp."""
    head = b"\x10\x01" if succeeded else b""
    return head + b"".join(delimited(b"\x1a", response) for response in responses)
