"""What is wrong with a request by itself, before anything is proposed.

The rules and their order are those of etcd's front (``api/v3rpc/key.go``), since clients see which of
several mistakes is named first.
"""

from collections.abc import Sequence

from fairlead.member.errors import (
    DuplicateKeyError,
    EmptyKeyError,
    InvalidSortOptionError,
    KeyMissingError,
    LeaseProvidedError,
    TooManyOpsError,
    ValueProvidedError,
)
from fairlead.proto import rpc_pb2 as pb

_SORT_ORDERS = frozenset(pb.RangeRequest.SortOrder.values())
_SORT_TARGETS = frozenset(pb.RangeRequest.SortTarget.values())

# A range of keys: first, and first past.
Interval = tuple[bytes, bytes]


def check_range(request: pb.RangeRequest) -> None:
    """Refuse a range without a key or with an unknown sort option."""
    if not request.key:
        raise EmptyKeyError
    if request.sort_order not in _SORT_ORDERS or request.sort_target not in _SORT_TARGETS:
        raise InvalidSortOptionError


def check_put(request: pb.PutRequest) -> None:
    """Refuse a put without a key, or one that gives what it asks to ignore."""
    if not request.key:
        raise EmptyKeyError
    if request.ignore_value and request.value:
        raise ValueProvidedError
    if request.ignore_lease and request.lease:
        raise LeaseProvidedError


def check_delete_range(request: pb.DeleteRangeRequest) -> None:
    """Refuse a deletion without a key."""
    if not request.key:
        raise EmptyKeyError


def check_txn(request: pb.TxnRequest, *, ops_max: int) -> None:
    """Refuse a transaction with too many operations, a bad one, or two writes to one key."""
    _check_ops(request, ops_max)
    _collect_writes(request.success)
    _collect_writes(request.failure)


def _check_ops(request: pb.TxnRequest, ops_left: int) -> None:
    ops = max(len(request.compare), len(request.success), len(request.failure))
    if ops > ops_left:
        raise TooManyOpsError
    for compare in request.compare:
        if not compare.key:
            raise EmptyKeyError
    for op in (*request.success, *request.failure):
        _check_op(op, ops_left - ops)


def _check_op(op: pb.RequestOp, ops_left: int) -> None:
    kind = op.WhichOneof("request")
    if kind == "request_range":
        check_range(op.request_range)
    elif kind == "request_put":
        check_put(op.request_put)
    elif kind == "request_delete_range":
        check_delete_range(op.request_delete_range)
    elif kind == "request_txn":
        _check_ops(op.request_txn, ops_left)
    else:
        # etcd's answer to an operation that says nothing.
        raise KeyMissingError


def _interval(request: pb.DeleteRangeRequest) -> Interval:
    # The open end (one zero byte) is taken literally here, so it covers nothing: etcd does the same, and a
    # transaction that deletes all from a key on and puts one of them back works there.
    return request.key, request.range_end or request.key + b"\0"


def _covers(deletes: Sequence[Interval], key: bytes) -> bool:
    return any(first <= key < end for first, end in deletes)


def _collect_writes(ops: Sequence[pb.RequestOp]) -> tuple[set[bytes], list[Interval]]:
    """Return the keys put and the ranges deleted by one branch.

    Raises:
        DuplicateKeyError: one key would be put twice, or put and deleted.  The two branches of a nested
            transaction exclude each other, so both may put the same key; ranges deleted may overlap.
    """
    deletes = [_interval(op.request_delete_range) for op in ops if op.HasField("request_delete_range")]
    puts: set[bytes] = set()
    for op in ops:
        if not op.HasField("request_txn"):
            continue
        then_puts, then_deletes = _collect_writes(op.request_txn.success)
        else_puts, else_deletes = _collect_writes(op.request_txn.failure)
        nested_puts = then_puts | else_puts
        if nested_puts & puts or any(_covers(deletes, key) for key in nested_puts):
            raise DuplicateKeyError
        puts |= nested_puts
        # As in etcd, nested deletions count against what comes after them only.
        deletes += then_deletes + else_deletes
    for op in ops:
        if not op.HasField("request_put"):
            continue
        key = op.request_put.key
        if key in puts or _covers(deletes, key):
            raise DuplicateKeyError
        puts.add(key)
    return puts, deletes
