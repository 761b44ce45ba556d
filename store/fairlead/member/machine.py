"""The replicated state machine: what each committed command does to the state.

Every member applies the same commands in the same order, so nothing here may depend on a clock, on chance
or on this member alone.  Two exceptions are harmless and marked: the deadline of a lease, which only the
leader acts on, and the size of this member's database file, which only decides whether a client is *told*
that the quota is reached (as in etcd); what is written is the same everywhere.
"""

import struct
from collections.abc import Callable
from typing import Any

from fairlead.lease import LeaseTable
from fairlead.member.cluster import Cluster
from fairlead.member.errors import CorruptClusterError, NoSpaceError
from fairlead.member.responses import Headers
from fairlead.member.txn import Writer, check_path, check_put_applies, choose_path
from fairlead.mvcc import Backend, Store
from fairlead.proto import command_pb2
from fairlead.proto import rpc_pb2 as pb

_Apply = Callable[[Any], bytes]

# Numbers of the fields of fairleadpb.Command.
PUT, DELETE_RANGE, TXN, COMPACTION, LEASE_GRANT, LEASE_REVOKE, ALARM, ATTRIBUTES, URLS = range(2, 11)

_LEASES = "lease"
_ALARMS = "alarm"
# What a write adds to the database beside its key and value (etcd's figure).
KV_OVERHEAD_BYTES = 256
LEASE_OVERHEAD_BYTES = 64


def cost_of(kind: int, request: Any) -> int:
    """Return the bytes by which a request may grow the database; 0 for one that cannot."""
    if kind == PUT:
        return KV_OVERHEAD_BYTES + len(request.key) + len(request.value)
    if kind == TXN:
        return max(_cost_of_ops(request.success), _cost_of_ops(request.failure))
    return LEASE_OVERHEAD_BYTES if kind == LEASE_GRANT else 0


def _cost_of_ops(ops: Any) -> int:
    return sum(cost_of(PUT, op.request_put) for op in ops if op.HasField("request_put"))


class Quota:
    """How large the database may grow, and how large it is: measured at each commit, estimated in between.

    Args:
        bytes_max: below 0 it may grow for ever.

    Attributes:
        is_exceeded: a write that was on its way has been applied beyond the quota; the alarm is due.
    """

    __slots__ = ("bytes_max", "is_exceeded", "used_bytes")

    def __init__(self, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.used_bytes = 0
        self.is_exceeded = False

    def has_room(self, cost: int) -> bool:
        """Whether ``cost`` more bytes fit."""
        return self.bytes_max < 0 or self.used_bytes + cost < self.bytes_max

    def add(self, cost: int) -> None:
        """Count a write that the file does not have yet."""
        self.used_bytes += cost


class Machine:
    """Store, leases, alarms and the members' own data, and the one way to change them."""

    __slots__ = (
        "_apply", "alarms", "backend", "cluster", "headers", "leases", "now_s", "on_compacted", "quota", "store",
    )  # fmt: skip

    def __init__(
        self,
        *,
        store: Store,
        backend: Backend,
        leases: LeaseTable,
        cluster: Cluster,
        headers: Headers,
        quota: Quota,
    ) -> None:
        self.cluster = cluster
        self.store = store
        self.backend = backend
        self.leases = leases
        self.headers = headers
        self.quota = quota
        self.now_s = 0.0
        """This member's clock, set by its owner before each batch; only leases look at it."""
        self.alarms: set[tuple[int, int]] = set()
        """(member id, alarm type) of every alarm that is raised."""
        self.on_compacted: Callable[[int], None] = lambda _: None
        """Called with the revision of each compaction that is applied."""
        self._apply: dict[int, _Apply] = {
            PUT: self._put,
            DELETE_RANGE: self._delete_range,
            TXN: self._txn,
            COMPACTION: self._compaction,
            LEASE_GRANT: self._lease_grant,
            LEASE_REVOKE: self._lease_revoke,
            ALARM: self._alarm,
            ATTRIBUTES: self._attributes,
            URLS: self._urls,
        }

    def load(self) -> None:
        """Read leases, alarms and members back; the store must be open."""
        self.cluster.load(self.backend)
        self.alarms.clear()
        for key, value in self.backend.items(_ALARMS):
            del value
            self.alarms.add(struct.unpack(">QB", key))
        for key, value in self.backend.items(_LEASES):
            grant = pb.LeaseGrantRequest.FromString(value)
            self.leases.grant(int.from_bytes(key, signed=True), grant.TTL, now_s=self.now_s)
        for user_key, lease_id in self.store.leased_keys():
            self.leases.attach(user_key, lease_id)

    def adopt(self, backend: Backend, store: Store) -> None:
        """Go on with a state that another member has made; watchers stay."""
        store.adopt(self.store.hub)
        self.store, self.backend = store, backend
        self.quota.used_bytes = backend.size_bytes
        self.leases.clear()
        self.load()

    def apply(self, kind: int, request: Any) -> bytes:
        """Apply one committed command; return its response, encoded.

        Raises:
            MemberError, MvccError, LeaseError: the command was refused and changed nothing; every member
                refuses it alike.
        """
        if self.alarms:
            self._check_alarms(kind, request)
        return self._apply[kind](request)

    def has_alarm(self, alarm: int) -> bool:
        """Whether any member has raised ``alarm``."""
        return any(raised == alarm for _, raised in self.alarms)

    def _check_alarms(self, kind: int, request: Any) -> None:
        if kind != ALARM and self.has_alarm(pb.CORRUPT):
            raise CorruptClusterError
        if self.has_alarm(pb.NOSPACE) and cost_of(kind, request) > 0:
            raise NoSpaceError

    def _put(self, request: pb.PutRequest) -> bytes:
        store = self.store
        if request.lease or request.ignore_value or request.ignore_lease:
            check_put_applies(store, request, has_lease=self.leases.__contains__, lease_first=True)
        cost = cost_of(PUT, request)
        has_room = self.quota.has_room(cost)
        self.quota.add(cost)
        txn = store.begin()
        body = Writer(store, txn, self.leases).put(request)
        revision = txn.end()
        if not has_room:
            # The write stands; its client learns that the next one will not.
            self.quota.is_exceeded = True
            raise NoSpaceError
        return self.headers.at(revision) + body

    def _delete_range(self, request: pb.DeleteRangeRequest) -> bytes:
        store = self.store
        txn = store.begin()
        body = Writer(store, txn, self.leases).delete_range(request)
        return self.headers.at(txn.end()) + body

    def _txn(self, request: pb.TxnRequest) -> bytes:
        store = self.store
        path = choose_path(store, request)
        check_path(store, path, has_lease=self.leases.__contains__)
        cost = cost_of(TXN, request)
        has_room = self.quota.has_room(cost)
        self.quota.add(cost)
        txn = store.begin()
        body = Writer(store, txn, self.leases).run(path)
        revision = txn.end()
        if not has_room:
            self.quota.is_exceeded = True
            raise NoSpaceError
        return self.headers.at(revision) + body

    def _compaction(self, request: pb.CompactionRequest) -> bytes:
        self.store.compact(request.revision)
        self.on_compacted(request.revision)
        return self.headers.at(self.store.revision)

    def _lease_grant(self, request: pb.LeaseGrantRequest) -> bytes:
        ttl_s = self.leases.grant(request.ID, request.TTL, now_s=self.now_s)
        record = pb.LeaseGrantRequest(ID=request.ID, TTL=ttl_s).SerializeToString()
        self.backend.put(_LEASES, _lease_key(request.ID), record)
        body = pb.LeaseGrantResponse(ID=request.ID, TTL=ttl_s).SerializeToString()
        return self.headers.at(self.store.revision) + body

    def _lease_revoke(self, request: pb.LeaseRevokeRequest) -> bytes:
        keys = self.leases.revoke(request.ID)
        self.backend.delete(_LEASES, _lease_key(request.ID))
        if keys:
            # One revision for all, in key order: every member must hash the same.
            txn = self.store.begin()
            for key in keys:
                txn.delete_range(key, b"")
            txn.end()
        return self.headers.at(self.store.revision)

    def _alarm(self, request: pb.AlarmRequest) -> bytes:
        alarm = (request.memberID, request.alarm)
        if request.action == pb.AlarmRequest.GET:
            changed = {a for a in self.alarms if request.alarm in {pb.NONE, a[1]}}
        elif request.action == pb.AlarmRequest.ACTIVATE and request.alarm != pb.NONE:
            self.alarms.add(alarm)
            self.backend.put(_ALARMS, struct.pack(">QB", *alarm), b"")
            changed = {alarm}
        else:
            changed = self._disarm(request)
        members = [
            pb.AlarmMember(memberID=member, alarm=pb.AlarmType.Name(pb.AlarmType.ValueType(kind)))
            for member, kind in sorted(changed)
        ]
        return self.headers.at(self.store.revision) + pb.AlarmResponse(alarms=members).SerializeToString()

    def _attributes(self, request: command_pb2.MemberAttributes) -> bytes:
        self.cluster.set_attributes(request.member_id, name=request.name, client_urls=request.client_urls)
        return b""

    def _urls(self, request: command_pb2.MemberUrls) -> bytes:
        self.cluster.set_urls(request.member_id, request.peer_urls)
        return b""

    def _disarm(self, request: pb.AlarmRequest) -> set[tuple[int, int]]:
        """Take back one alarm; return it, or nothing when it was not raised."""
        alarm = (request.memberID, request.alarm)
        if alarm not in self.alarms:
            return set()
        self.alarms.discard(alarm)
        self.backend.delete(_ALARMS, struct.pack(">QB", *alarm))
        return {alarm}


def _lease_key(lease_id: int) -> bytes:
    return lease_id.to_bytes(8, signed=True)
