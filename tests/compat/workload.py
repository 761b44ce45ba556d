"""A seeded stream of API requests that seeks the corners: few keys, odd ranges, revisions around the edges.

At most twelve keys exist at a time.  Up to that many etcd's sort is stable; beyond, equal values come in any order.
"""

import random
from collections.abc import Iterator
from itertools import count

from google.protobuf.message import Message

from fairlead.proto import rpc_pb2 as pb

Request = tuple[str, Message]

_KEYS = (b"a", b"a\0", b"aa", b"ab", b"b", b"b\xff", b"c", b"c/1", b"c/2", b"\0", b"\xff", b"\xff\xff")
_ENDS = (b"", b"\0", b"a", b"ab", b"b", b"c", b"c0", b"d", b"\xff", b"\0\0", b"\xff\xff\xff")
_VALUES = (b"", b"1", b"2", b"10", b"\xff\0", b"x" * 300)
_LEASES = range(1, 6)
_ORDERS = (pb.RangeRequest.NONE, pb.RangeRequest.ASCEND, pb.RangeRequest.DESCEND)
_SORT_TARGETS = (
    pb.RangeRequest.KEY,
    pb.RangeRequest.VERSION,
    pb.RangeRequest.CREATE,
    pb.RangeRequest.MOD,
    pb.RangeRequest.VALUE,
)
_TARGETS = (pb.Compare.VERSION, pb.Compare.CREATE, pb.Compare.MOD, pb.Compare.VALUE, pb.Compare.LEASE)
_RESULTS = (pb.Compare.EQUAL, pb.Compare.GREATER, pb.Compare.LESS, pb.Compare.NOT_EQUAL)
_OPS_MAX = 128
_DEPTH_MAX = 2

_WEIGHTS = {
    "Put": 30, "Range": 30, "Txn": 25, "DeleteRange": 8, "Compact": 2, "LeaseGrant": 3, "LeaseRevoke": 2,
    "LeaseTimeToLive": 3, "LeaseLeases": 1,
}  # fmt: skip


class Workload:
    """Requests without end; ``revision`` and ``compacted`` are told from outside as the stores answer."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.revision = 1
        self.compacted = 0

    def __iter__(self) -> Iterator[Request]:
        makers = {
            "Put": self.put,
            "Range": self.range,
            "Txn": self.txn,
            "DeleteRange": self.delete_range,
            "Compact": lambda: pb.CompactionRequest(revision=self.near(), physical=self.chance(0.5)),
            "LeaseGrant": self.lease_grant,
            "LeaseRevoke": lambda: pb.LeaseRevokeRequest(ID=self.lease()),
            "LeaseTimeToLive": lambda: pb.LeaseTimeToLiveRequest(ID=self.lease(), keys=self.chance(0.7)),
            "LeaseLeases": pb.LeaseLeasesRequest,
        }
        for _ in count():
            (kind,) = self._rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
            yield kind, makers[kind]()

    def chance(self, share: float) -> bool:
        return self._rng.random() < share

    def key(self) -> bytes:
        """One of few keys, rarely the empty one that is refused."""
        return b"" if self.chance(0.01) else self._rng.choice(_KEYS)

    def end(self) -> bytes:
        """The end of a range: often none, sometimes the open end or one before the key."""
        return b"" if self.chance(0.4) else self._rng.choice(_ENDS)

    def near(self) -> int:
        """A revision around the present or the compacted one, sometimes beyond either."""
        base = self.compacted if self.chance(0.5) else self.revision
        return base + self._rng.randint(-2, 2)

    def past(self) -> int:
        """Mostly "now" (0), at times any revision, at times a refused one."""
        if self.chance(0.7):
            return 0
        return self.near() if self.chance(0.4) else self._rng.randint(self.compacted, self.revision)

    def lease(self) -> int:
        return self._rng.choice(_LEASES)

    def lease_grant(self) -> pb.LeaseGrantRequest:
        """Lifetimes far apart, so that the order by expiry is never in doubt."""
        lease = self.lease()
        return pb.LeaseGrantRequest(ID=lease, TTL=9_000_000_001 if self.chance(0.1) else lease * 100_000)

    def put(self) -> pb.PutRequest:
        request = pb.PutRequest(key=self.key(), value=self._rng.choice(_VALUES), prev_kv=self.chance(0.3))
        if self.chance(0.2):
            request.lease = self.lease()
        if self.chance(0.05):
            request.ignore_value = True
            if self.chance(0.7):
                request.ClearField("value")
        if self.chance(0.05):
            request.ignore_lease = True
        return request

    def delete_range(self) -> pb.DeleteRangeRequest:
        return pb.DeleteRangeRequest(key=self.key(), range_end=self.end(), prev_kv=self.chance(0.5))

    def range(self) -> pb.RangeRequest:
        request = pb.RangeRequest(
            key=self.key(), range_end=self.end(), revision=self.past(), serializable=self.chance(0.3)
        )
        if self.chance(0.4):
            request.limit = self._rng.randint(-1, 5)
        if self.chance(0.4):
            request.sort_order = self._rng.choice(_ORDERS)
            request.sort_target = self._rng.choice(_SORT_TARGETS)
        request.keys_only = self.chance(0.1)
        request.count_only = self.chance(0.1)
        for bound in ("min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision"):
            if self.chance(0.07):
                setattr(request, bound, self.near())
        return request

    def txn(self, depth: int = 0) -> pb.TxnRequest:
        if depth == 0 and self.chance(0.03):
            return self._long_txn()
        few = self._rng.choices((0, 1, 2, 3), (2, 4, 3, 1), k=3)
        return pb.TxnRequest(
            compare=[self.compare() for _ in range(few[0])],
            success=[self.operation(depth) for _ in range(few[1])],
            failure=[self.operation(depth) for _ in range(few[2])],
        )

    def _long_txn(self) -> pb.TxnRequest:
        """Around the budget of operations, which nested levels share."""
        nested = pb.TxnRequest(
            success=[self._read() for _ in range(self._rng.choice((1, 100, 126, 127, 128)))]
        )
        outer = [self._read() for _ in range(self._rng.choice((0, 1, 27, _OPS_MAX - 1, _OPS_MAX)))]
        return pb.TxnRequest(success=[*outer, pb.RequestOp(request_txn=nested)])

    def _read(self) -> pb.RequestOp:
        return pb.RequestOp(request_range=pb.RangeRequest(key=b"a", count_only=True))

    def operation(self, depth: int) -> pb.RequestOp:
        kinds = ("put", "range", "delete_range", "txn", "none")
        (kind,) = self._rng.choices(kinds, (40, 30, 15, 15 if depth < _DEPTH_MAX else 0, 1))
        match kind:
            case "put":
                return pb.RequestOp(request_put=self.put())
            case "range":
                return pb.RequestOp(request_range=self.range())
            case "delete_range":
                return pb.RequestOp(request_delete_range=self.delete_range())
            case "txn":
                return pb.RequestOp(request_txn=self.txn(depth + 1))
            case _:
                return pb.RequestOp()

    def compare(self) -> pb.Compare:
        compare = pb.Compare(
            key=self.key(),
            target=self._rng.choice(_TARGETS),
            result=self._rng.choice(_RESULTS),
        )
        if self.chance(0.3):
            compare.range_end = self.end()
        if self.chance(0.05):
            return compare  # no operand at all: compared with zero, or with nothing
        operand, value = {
            pb.Compare.VERSION: ("version", self._rng.randint(0, 3)),
            pb.Compare.CREATE: ("create_revision", self.near() if self.chance(0.7) else 0),
            pb.Compare.MOD: ("mod_revision", self.near() if self.chance(0.7) else 0),
            pb.Compare.VALUE: ("value", self._rng.choice(_VALUES)),
            pb.Compare.LEASE: ("lease", self._rng.choice((0, *_LEASES))),
        }[compare.target]
        setattr(compare, operand, value)
        return compare
