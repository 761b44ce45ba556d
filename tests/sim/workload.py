"""What clients ask for: requests of the etcd v3 API, drawn at random over few keys.

Few keys and many clients, so that operations meet; every value is written once, so that a read tells which write
it saw.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from fairlead.member.machine import COMPACTION, DELETE_RANGE, LEASE_GRANT, LEASE_REVOKE, PUT, TXN
from fairlead.proto import rpc_pb2 as pb


class Mode(Enum):
    """By which way a request is answered."""

    WRITE = "write"
    READ = "read"
    SERIALIZABLE = "serializable"
    KEEP_ALIVE = "keep-alive"


@dataclass(frozen=True, slots=True)
class Request:
    """One request.

    Attributes:
        name: for the trace.
        mode: how it is answered.
        kind: the number of a command; 0 for what is none.
        message: the protobuf request.
    """

    name: str
    mode: Mode
    kind: int
    message: Any


_WEIGHTS = {
    "put": 26, "get": 14, "get-serializable": 8, "range": 8, "range-serializable": 4, "delete": 7, "delete-range": 2,
    "cas": 12, "txn": 7, "get-past": 4, "grant": 3, "put-leased": 5, "keep-alive": 8, "revoke": 1,
}  # fmt: skip


@dataclass(slots=True)
class Memory:
    """What one client remembers, to ask for something that makes sense.

    Attributes:
        revisions: key to the last mod revision seen; 0 for a key that is not there.
        leases: ids that were granted and, as far as it knows, live.
        revision: the newest revision seen.
    """

    revisions: dict[bytes, int] = field(default_factory=dict)
    leases: list[int] = field(default_factory=list)
    revision: int = 1


class Workload:
    """Draws the requests of one client.

    Args:
        number: of the client; its values and leases bear it.
        keys: how many keys all clients share.
    """

    def __init__(self, number: int, *, rng: random.Random, keys: int) -> None:
        self._number = number
        self._rng = rng
        self._keys = [b"k%d" % index for index in range(keys)]
        self._count = 0
        self.memory = Memory()
        self._names = list(_WEIGHTS)
        self._weights = list(_WEIGHTS.values())

    def next(self) -> Request:
        """Draw a request."""
        name = self._rng.choices(self._names, self._weights)[0]
        if name in {"put-leased", "keep-alive", "revoke"} and not self.memory.leases:
            name = "grant"
        return _MAKERS[name](self)

    def next_read(self) -> Request:
        """Draw a linearizable read."""
        return self.get() if self._rng.random() < 0.7 else self.range()

    def value(self) -> bytes:
        """Return a value that nobody has written."""
        self._count += 1
        return b"%d.%d" % (self._number, self._count)

    def _key(self) -> bytes:
        return self._rng.choice(self._keys)

    def put(self) -> Request:
        """Set a key."""
        return Request("put", Mode.WRITE, PUT, pb.PutRequest(key=self._key(), value=self.value()))

    def get(self, *, mode: Mode = Mode.READ) -> Request:
        """Read a key."""
        message = pb.RangeRequest(key=self._key(), serializable=mode is Mode.SERIALIZABLE)
        return Request("get", mode, 0, message)

    def get_past(self) -> Request:
        """Read a key as of a past revision."""
        revision = max(1, self.memory.revision - self._rng.randrange(0, 12))
        is_serializable = self._rng.random() < 0.5
        mode = Mode.SERIALIZABLE if is_serializable else Mode.READ
        message = pb.RangeRequest(key=self._key(), revision=revision, serializable=is_serializable)
        return Request("get-past", mode, 0, message)

    def range(self, *, mode: Mode = Mode.READ) -> Request:
        """Read all keys."""
        message = pb.RangeRequest(key=b"k", range_end=b"l", serializable=mode is Mode.SERIALIZABLE)
        return Request("range", mode, 0, message)

    def delete(self) -> Request:
        """Delete a key."""
        return Request("delete", Mode.WRITE, DELETE_RANGE, pb.DeleteRangeRequest(key=self._key()))

    def delete_range(self) -> Request:
        """Delete all keys from one on."""
        message = pb.DeleteRangeRequest(key=self._key(), range_end=b"l")
        return Request("delete-range", Mode.WRITE, DELETE_RANGE, message)

    def cas(self) -> Request:
        """Set a key if it is as this client saw it last, else read it."""
        key = self._key()
        compare = pb.Compare(
            result=pb.Compare.EQUAL,
            target=pb.Compare.MOD,
            key=key,
            mod_revision=self.memory.revisions.get(key, 0),
        )
        put = pb.RequestOp(request_put=pb.PutRequest(key=key, value=self.value()))
        get = pb.RequestOp(request_range=pb.RangeRequest(key=key))
        message = pb.TxnRequest(compare=[compare], success=[put], failure=[get])
        return Request("cas", Mode.WRITE, TXN, message)

    def txn(self) -> Request:
        """Write two keys at one revision, or read one of them."""
        first, second = self._rng.sample(self._keys, 2)
        compare = pb.Compare(
            result=pb.Compare.GREATER, target=pb.Compare.CREATE, key=first, create_revision=0
        )
        both = [
            pb.RequestOp(request_put=pb.PutRequest(key=first, value=self.value())),
            pb.RequestOp(request_put=pb.PutRequest(key=second, value=self.value())),
        ]
        other = [
            pb.RequestOp(request_put=pb.PutRequest(key=first, value=self.value())),
            pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=second)),
        ]
        message = pb.TxnRequest(compare=[compare], success=both, failure=other)
        return Request("txn", Mode.WRITE, TXN, message)

    def grant(self) -> Request:
        """Ask for a lease."""
        self._count += 1
        lease_id = self._number * 1_000_000 + self._count
        message = pb.LeaseGrantRequest(ID=lease_id, TTL=self._rng.choice((2, 2, 3, 4)))
        return Request("grant", Mode.WRITE, LEASE_GRANT, message)

    def put_leased(self) -> Request:
        """Set a key that dies with a lease."""
        lease_id = self._rng.choice(self.memory.leases)
        message = pb.PutRequest(key=self._key(), value=self.value(), lease=lease_id)
        return Request("put-leased", Mode.WRITE, PUT, message)

    def keep_alive(self) -> Request:
        """Renew a lease."""
        message = pb.LeaseKeepAliveRequest(ID=self._rng.choice(self.memory.leases))
        return Request("keep-alive", Mode.KEEP_ALIVE, 0, message)

    def revoke(self) -> Request:
        """End a lease."""
        lease_id = self._rng.choice(self.memory.leases)
        self.memory.leases.remove(lease_id)
        return Request("revoke", Mode.WRITE, LEASE_REVOKE, pb.LeaseRevokeRequest(ID=lease_id))

    def compaction(self, *, lag_max: int) -> Request:
        """Give up history but for the last few revisions that this client knows."""
        revision = max(1, self.memory.revision - self._rng.randrange(lag_max))
        return Request("compact", Mode.WRITE, COMPACTION, pb.CompactionRequest(revision=revision))

    def learn(self, request: Request, response: Any) -> None:
        """Remember what an answer told."""
        memory, message = self.memory, request.message
        memory.revision = max(memory.revision, response.header.revision)
        match request.name:
            case "put" | "put-leased":
                memory.revisions[message.key] = response.header.revision
            case "get" | "get-past":
                memory.revisions[message.key] = response.kvs[0].mod_revision if response.kvs else 0
            case "range":
                memory.revisions = {kv.key: kv.mod_revision for kv in response.kvs}
            case "cas":
                self._learn_cas(message, response)
            case "grant":
                memory.leases = [*memory.leases[-3:], response.ID]
            case "keep-alive" if response.TTL <= 0:
                memory.leases = [lease for lease in memory.leases if lease != message.ID]

    def _learn_cas(self, message: pb.TxnRequest, response: pb.TxnResponse) -> None:
        key = message.compare[0].key
        if response.succeeded:
            self.memory.revisions[key] = response.header.revision
        else:
            kvs = response.responses[0].response_range.kvs
            self.memory.revisions[key] = kvs[0].mod_revision if kvs else 0

    def learn_refusal(self, request: Request) -> None:
        """Remember what a refusal told: its lease is gone."""
        lease_id = getattr(request.message, "lease", 0)
        if lease_id in self.memory.leases:
            self.memory.leases.remove(lease_id)


_MAKERS: dict[str, Callable[[Workload], Request]] = {
    "put": Workload.put,
    "get": Workload.get,
    "get-serializable": lambda workload: workload.get(mode=Mode.SERIALIZABLE),
    "range": Workload.range,
    "range-serializable": lambda workload: workload.range(mode=Mode.SERIALIZABLE),
    "delete": Workload.delete,
    "delete-range": Workload.delete_range,
    "cas": Workload.cas,
    "txn": Workload.txn,
    "get-past": Workload.get_past,
    "grant": Workload.grant,
    "put-leased": Workload.put_leased,
    "keep-alive": Workload.keep_alive,
    "revoke": Workload.revoke,
}
