"""What the store says, as plain values: pairs, events and results.

Keys and values are bytes.  They are made from protobuf messages here and nowhere else, so that agents never
hold a message of the wire.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fairlead.proto import kv_pb2, rpc_pb2

FROM_KEY = b"\x00"
"""As a ``range_end``: every key from the first on (etcd's convention)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyValue:
    """A key and what it held at ``mod_revision``.  ``lease`` 0 is none."""

    key: bytes
    value: bytes
    create_revision: int
    mod_revision: int
    version: int
    lease: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One key at one revision.  For a deletion ``kv`` carries only key and mod_revision."""

    kv: KeyValue
    is_delete: bool = False
    prev_kv: KeyValue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GetResult:
    """A range at one revision.  ``count`` is of the whole range, whatever the limit."""

    kvs: tuple[KeyValue, ...]
    count: int
    more: bool
    revision: int
    cluster_id: int = 0

    @property
    def kv(self) -> KeyValue | None:
        """The first pair, or None when there is none."""
        return self.kvs[0] if self.kvs else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """Where the write went."""

    revision: int
    prev_kv: KeyValue | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteResult:
    """How many keys went."""

    deleted: int
    revision: int
    prev_kvs: tuple[KeyValue, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TxnResult:
    """Which branch was taken, and the answer of each of its operations in order."""

    succeeded: bool
    revision: int
    responses: tuple["GetResult | PutResult | DeleteResult | TxnResult", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchBatch:
    """Events of whole revisions, in order; none for a mere progress notice.

    ``revision`` is the last revision that the batch completes.
    """

    revision: int
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One member's account of itself.  Sizes are in bytes."""

    endpoint: str
    cluster_id: int
    member_id: int
    leader_id: int
    version: str
    revision: int
    raft_term: int
    raft_index: int
    raft_applied_index: int
    db_size_bytes: int
    db_size_in_use_bytes: int
    is_learner: bool
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of the cluster; without a name it has not started yet."""

    member_id: int
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    is_learner: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that a member complains of: ``NOSPACE`` or ``CORRUPT``."""

    member_id: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseInfo:
    """A lease as it stands.  ``ttl_s`` -1: it is gone."""

    lease_id: int
    ttl_s: int
    granted_ttl_s: int
    keys: tuple[bytes, ...] = ()


def to_bytes(text: bytes | str) -> bytes:
    """Return a key or a value as the store keeps it; text becomes UTF-8."""
    return text.encode() if isinstance(text, str) else text


def prefix_end(prefix: bytes) -> bytes:
    """Return the first key after all that start with ``prefix``; ``FROM_KEY`` when there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else FROM_KEY


def key_range(key: bytes | str, *, range_end: bytes | str, prefix: bool) -> tuple[bytes, bytes]:
    """Return ``key`` and ``range_end`` for the wire; an empty prefix is every key."""
    first = to_bytes(key)
    if not prefix:
        return first, to_bytes(range_end)
    if range_end:
        raise ValueError("give range_end or prefix, not both")
    return first or FROM_KEY, prefix_end(first)


def key_value(message: kv_pb2.KeyValue) -> KeyValue:
    """Return the pair of a message."""
    return KeyValue(
        key=message.key,
        value=message.value,
        create_revision=message.create_revision,
        mod_revision=message.mod_revision,
        version=message.version,
        lease=message.lease,
    )


def event(message: kv_pb2.Event) -> Event:
    """Return the event of a message."""
    return Event(
        kv=key_value(message.kv),
        is_delete=message.type == kv_pb2.Event.DELETE,
        prev_kv=key_value(message.prev_kv) if message.HasField("prev_kv") else None,
    )


def get_result(message: rpc_pb2.RangeResponse) -> GetResult:
    """Return the range of a response."""
    return GetResult(
        kvs=tuple(key_value(kv) for kv in message.kvs),
        count=message.count,
        more=message.more,
        revision=message.header.revision,
        cluster_id=message.header.cluster_id,
    )


def put_result(message: rpc_pb2.PutResponse) -> PutResult:
    """Return the outcome of a put."""
    prev_kv = key_value(message.prev_kv) if message.HasField("prev_kv") else None
    return PutResult(revision=message.header.revision, prev_kv=prev_kv)


def delete_result(message: rpc_pb2.DeleteRangeResponse) -> DeleteResult:
    """Return the outcome of a deletion."""
    return DeleteResult(
        deleted=message.deleted,
        revision=message.header.revision,
        prev_kvs=tuple(key_value(kv) for kv in message.prev_kvs),
    )


def txn_result(message: rpc_pb2.TxnResponse) -> TxnResult:
    """Return the outcome of a transaction."""
    return TxnResult(
        succeeded=message.succeeded,
        revision=message.header.revision,
        responses=tuple(_responses(message.responses)),
    )


def _responses(
    messages: Iterable[rpc_pb2.ResponseOp],
) -> Iterable[GetResult | PutResult | DeleteResult | TxnResult]:
    for message in messages:
        match message.WhichOneof("response"):
            case "response_range":
                yield get_result(message.response_range)
            case "response_put":
                yield put_result(message.response_put)
            case "response_delete_range":
                yield delete_result(message.response_delete_range)
            case "response_txn":
                yield txn_result(message.response_txn)
            case _:
                continue  # a kind of operation that this client never sends


def status(message: rpc_pb2.StatusResponse, *, endpoint: str) -> Status:
    """Return a member's account of itself."""
    return Status(
        endpoint=endpoint,
        cluster_id=message.header.cluster_id,
        member_id=message.header.member_id,
        leader_id=message.leader,
        version=message.version,
        revision=message.header.revision,
        raft_term=message.raftTerm,
        raft_index=message.raftIndex,
        raft_applied_index=message.raftAppliedIndex,
        db_size_bytes=message.dbSize,
        db_size_in_use_bytes=message.dbSizeInUse,
        is_learner=message.isLearner,
        errors=tuple(message.errors),
    )


def member(message: rpc_pb2.Member) -> Member:
    """Return a member of the cluster."""
    return Member(
        member_id=message.ID,
        name=message.name,
        peer_urls=tuple(message.peerURLs),
        client_urls=tuple(message.clientURLs),
        is_learner=message.isLearner,
    )
