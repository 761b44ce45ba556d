"""What a Range answers: fetch, filter, sort, cut, strip, in etcd's order (``etcdserver/txn/range.go``)."""

from collections.abc import Callable
from typing import Protocol

from fairlead.member.responses import range_body
from fairlead.mvcc import Range
from fairlead.proto import kv_pb2
from fairlead.proto import rpc_pb2 as pb

_KEY = pb.RangeRequest.KEY
_NONE = pb.RangeRequest.NONE
_DESCEND = pb.RangeRequest.DESCEND

_SORT_KEY: dict[int, Callable[[kv_pb2.KeyValue], bytes | int]] = {
    pb.RangeRequest.KEY: lambda kv: kv.key,
    pb.RangeRequest.VERSION: lambda kv: kv.version,
    pb.RangeRequest.CREATE: lambda kv: kv.create_revision,
    pb.RangeRequest.MOD: lambda kv: kv.mod_revision,
    pb.RangeRequest.VALUE: lambda kv: kv.value,
}


class Reader(Protocol):
    """What is read from: the store, or a transaction that sees its own writes."""

    def latest(self, key: bytes) -> bytes | None:
        """Return the encoded KeyValue of a live key."""

    def range(
        self,
        key: bytes,
        range_end: bytes = b"",
        *,
        revision: int = 0,
        limit: int = 0,
        count_only: bool = False,
    ) -> Range:
        """Return the encoded KeyValues of a range, in key order."""


def answer_range(reader: Reader, request: pb.RangeRequest) -> bytes:
    """Return the RangeResponse of a checked request, without its header.

    Raises:
        CompactedError: the revision asked for is gone.
        FutureRevisionError: it has not come yet.
    """
    # What is set differs from request to request, what is read for each is paid by all: the plain
    # single-key get, by far the most frequent, asks for nothing but its key.
    is_plain = not (request.range_end or request.revision > 0 or request.count_only or request.keys_only)
    if is_plain and not _is_filtered(request):
        kv = reader.latest(request.key)
        return b"" if kv is None else range_body((kv,), more=False, count=1)
    return _answer_many(reader, request)


def _is_filtered(request: pb.RangeRequest) -> bool:
    return bool(
        request.min_mod_revision
        or request.max_mod_revision
        or request.min_create_revision
        or request.max_create_revision
    )


def _answer_many(reader: Reader, request: pb.RangeRequest) -> bytes:
    order, target = request.sort_order, request.sort_target
    filtered = _is_filtered(request)
    # One more than the limit tells whether there is more; a sort or a filter needs all of them first.
    limit = request.limit + 1 if request.limit > 0 and order == _NONE and not filtered else 0
    found = reader.range(
        request.key,
        request.range_end,
        revision=max(request.revision, 0),
        limit=limit,
        count_only=request.count_only,
    )
    kvs = found.kvs
    if filtered:
        kvs = _filtered(kvs, request)
    # A target without an order is sorted ascending, and only what the limit let through.
    if target != _KEY or order == _DESCEND:
        kvs = _sorted(kvs, target, descending=order == _DESCEND)
    more = 0 < request.limit < len(kvs)
    if more:
        kvs = kvs[: request.limit]
    if request.keys_only:
        kvs = [_without_value(kv) for kv in kvs]
    return range_body(kvs, more=more, count=found.count)


def _filtered(kvs: list[bytes], request: pb.RangeRequest) -> list[bytes]:
    mod_min, mod_max = request.min_mod_revision, request.max_mod_revision
    create_min, create_max = request.min_create_revision, request.max_create_revision

    def passes(encoded: bytes) -> bool:
        kv = kv_pb2.KeyValue.FromString(encoded)
        return (
            not (mod_max and kv.mod_revision > mod_max)
            and not (mod_min and kv.mod_revision < mod_min)
            and not (create_max and kv.create_revision > create_max)
            and not (create_min and kv.create_revision < create_min)
        )

    return [kv for kv in kvs if passes(kv)]


def _sorted(kvs: list[bytes], target: int, *, descending: bool) -> list[bytes]:
    key_of = _SORT_KEY[target]
    return sorted(kvs, key=lambda encoded: key_of(kv_pb2.KeyValue.FromString(encoded)), reverse=descending)


def _without_value(encoded: bytes) -> bytes:
    kv = kv_pb2.KeyValue.FromString(encoded)
    kv.ClearField("value")
    return kv.SerializeToString()
