"""What a transaction does: compare everything first, check everything next, then write.

After the first write nothing can fail, so a transaction is applied whole or not at all
(etcd's ``etcdserver/txn/txn.go``, and its issue 18667 for the ranges).
"""

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fairlead.lease import LeaseNotFoundError, LeaseTable
from fairlead.member.errors import KeyMissingError
from fairlead.member.ranges import Reader, answer_range
from fairlead.member.responses import bare_header, delete_body, delimited, put_body, txn_body
from fairlead.mvcc import CompactedError, FutureRevisionError, Store, Transaction
from fairlead.proto import kv_pb2
from fairlead.proto import rpc_pb2 as pb

_COMPARE: dict[int, Callable[[bytes | int, bytes | int], bool]] = {
    pb.Compare.EQUAL: operator.eq,
    pb.Compare.NOT_EQUAL: operator.ne,
    pb.Compare.GREATER: operator.gt,
    pb.Compare.LESS: operator.lt,
}
_TARGET: dict[int, tuple[Callable[[kv_pb2.KeyValue], bytes | int], str]] = {
    pb.Compare.VERSION: (lambda kv: kv.version, "version"),
    pb.Compare.CREATE: (lambda kv: kv.create_revision, "create_revision"),
    pb.Compare.MOD: (lambda kv: kv.mod_revision, "mod_revision"),
    pb.Compare.VALUE: (lambda kv: kv.value, "value"),
    pb.Compare.LEASE: (lambda kv: kv.lease, "lease"),
}
_ABSENT = kv_pb2.KeyValue()


@dataclass(frozen=True, slots=True)
class Path:
    """The branch that the comparisons chose, and those of the transactions nested in it, in order."""

    succeeded: bool
    ops: tuple[pb.RequestOp, ...]
    nested: tuple["Path", ...]


def is_read_only(request: pb.TxnRequest) -> bool:
    """Whether the transaction only reads, and so need not go through the log."""
    return all(op.HasField("request_range") for op in (*request.success, *request.failure))


def is_serializable(request: pb.TxnRequest) -> bool:
    """Whether every read of a read-only transaction may be answered from local state.

    One without any operation still compares, so it is answered linearizably.
    """
    ops = (*request.success, *request.failure)
    return bool(ops) and all(op.request_range.serializable for op in ops)


def choose_path(reader: Reader, request: pb.TxnRequest) -> Path:
    """Evaluate every comparison, nested ones too, against the state before any write."""
    succeeded = all(_holds(reader, compare) for compare in request.compare)
    ops = tuple(request.success if succeeded else request.failure)
    nested = tuple(choose_path(reader, op.request_txn) for op in ops if op.HasField("request_txn"))
    return Path(succeeded, ops, nested)


def _holds(reader: Reader, compare: pb.Compare) -> bool:
    if compare.range_end:
        found = [kv_pb2.KeyValue.FromString(kv) for kv in reader.range(compare.key, compare.range_end).kvs]
    else:
        encoded = reader.latest(compare.key)
        found = [] if encoded is None else [kv_pb2.KeyValue.FromString(encoded)]
    if not found:
        # A missing key has no value to compare with, not even an unequal one; all else counts as zero.
        if compare.target == pb.Compare.VALUE:
            return False
        found = [_ABSENT]
    if compare.target not in _TARGET or compare.result not in _COMPARE:
        return True
    value_of, field = _TARGET[compare.target]
    wanted = getattr(compare, field)
    holds = _COMPARE[compare.result]
    return all(holds(value_of(kv), wanted) for kv in found)


def check_path(store: Store, path: Path, *, has_lease: Callable[[int], bool]) -> None:
    """Refuse what could fail after a write: a lost lease, an ignored field of no key, a bad revision."""
    for op in _leaves(path):
        if op.HasField("request_put"):
            check_put_applies(store, op.request_put, has_lease=has_lease)
        elif op.HasField("request_range"):
            _check_revision(store, op.request_range.revision)


def check_put_applies(
    reader: Reader, request: pb.PutRequest, *, has_lease: Callable[[int], bool], lease_first: bool = False
) -> None:
    """Refuse a put on a lease or on a key that is not there (any more).

    When both are missing, a put by itself names the lease (``lease_first``), one in a transaction the key.

    Raises:
        KeyMissingError: it ignores the value or the lease of a key that does not exist.
        LeaseNotFoundError: its lease does not exist.
    """
    no_lease = request.lease and not has_lease(request.lease)
    if no_lease and lease_first:
        raise LeaseNotFoundError(request.lease)
    if (request.ignore_value or request.ignore_lease) and reader.latest(request.key) is None:
        raise KeyMissingError
    if no_lease:
        raise LeaseNotFoundError(request.lease)


def _leaves(path: Path) -> Iterator[pb.RequestOp]:
    nested = iter(path.nested)
    for op in path.ops:
        if op.HasField("request_txn"):
            yield from _leaves(next(nested))
        else:
            yield op


def _check_revision(store: Store, revision: int) -> None:
    if revision > store.revision:
        raise FutureRevisionError(revision, store.revision)
    if 0 < revision < store.compact_revision:
        raise CompactedError(revision, store.compact_revision)


class Writer:
    """One write transaction: the store's, with the leases that its keys live on."""

    __slots__ = ("_leases", "_store", "_txn")

    def __init__(self, store: Store, txn: Transaction, leases: LeaseTable) -> None:
        self._store = store
        self._txn = txn
        self._leases = leases

    @property
    def _revision(self) -> int:
        """The revision that an operation reports: the transaction's own once it has written."""
        return self._store.revision + (self._txn.changes > 0)

    def put(self, request: pb.PutRequest) -> bytes:
        """Write one pair; return the PutResponse without its header."""
        key, value, lease = request.key, request.value, request.lease
        previous: bytes | None = None
        if request.prev_kv or request.ignore_value or request.ignore_lease:
            previous = self._txn.latest(key)
            if previous is not None and (request.ignore_value or request.ignore_lease):
                kept = kv_pb2.KeyValue.FromString(previous)
                value = kept.value if request.ignore_value else value
                lease = kept.lease if request.ignore_lease else lease
        self._txn.put(key, value, lease)
        if lease:
            self._leases.attach(key, lease)
        else:
            self._leases.detach(key)
        return put_body(previous if request.prev_kv else None)

    def delete_range(self, request: pb.DeleteRangeRequest) -> bytes:
        """Delete a range; return the DeleteRangeResponse without its header."""
        deleted = self._txn.delete_range(request.key, request.range_end, prev_kv=request.prev_kv)
        if self._leases:
            for key in deleted.keys:
                self._leases.detach(key)
        return delete_body(len(deleted.keys), deleted.kvs)

    def run(self, path: Path) -> bytes:
        """Do the operations of a chosen path; return the TxnResponse without its header."""
        nested = iter(path.nested)
        return txn_body(succeeded=path.succeeded, responses=[self._do(op, nested) for op in path.ops])

    def _do(self, op: pb.RequestOp, nested: Iterator[Path]) -> bytes:
        if op.HasField("request_range"):
            body = answer_range(self._txn, op.request_range)
            return delimited(b"\x0a", bare_header(self._revision) + body)
        if op.HasField("request_put"):
            body = self.put(op.request_put)
            return delimited(b"\x12", bare_header(self._revision) + body)
        if op.HasField("request_delete_range"):
            body = self.delete_range(op.request_delete_range)
            return delimited(b"\x1a", bare_header(self._revision) + body)
        # As in etcd, the header of a nested transaction is there and empty.
        return delimited(b"\x22", bare_header(0) + self.run(next(nested)))


def read_only_body(store: Store, request: pb.TxnRequest) -> bytes:
    """Answer a transaction that only reads; return the TxnResponse without its header.

    Raises:
        CompactedError, FutureRevisionError: one of its ranges asks for a revision that is not there.
    """
    path = choose_path(store, request)
    for op in path.ops:
        _check_revision(store, op.request_range.revision)
    responses = [
        delimited(b"\x0a", bare_header(store.revision) + answer_range(store, op.request_range))
        for op in path.ops
    ]
    return txn_body(succeeded=path.succeeded, responses=responses)
