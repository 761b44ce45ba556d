"""Writers that remember what was acknowledged, and a follower that remembers what a watch told."""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc
from tests.support.wire import Wire

from fairlead.proto import kv_pb2
from fairlead.proto import rpc_pb2 as pb

State = dict[bytes, bytes]
Change = dict[bytes, bytes | None]
"""What one write does to each key that it touches; None deletes."""

_KEYS_PER_WRITER = 8
_CALL_WITHIN_S = 5.0


@dataclass(slots=True)
class Writer:
    """One client with keys of its own, so that nobody else decides what they hold."""

    number: int
    rng: random.Random
    state: State = field(default_factory=dict)
    in_doubt: Change | None = None
    """The write that was sent and not answered: it may have happened, whole, or not at all."""
    acknowledged: dict[int, Change] = field(default_factory=dict)
    """Every acknowledged write, by its revision."""
    _count: int = 0

    def run(self, wire: Wire, stop: threading.Event) -> None:
        """Write until told to stop, or until a write is not answered."""
        while not stop.is_set():
            change = self._next_change()
            self.in_doubt = change
            answer = wire.call("Txn", as_txn(change), timeout_s=_CALL_WITHIN_S)
            if answer.message is None:
                return
            self.in_doubt = None
            self.state = applied(self.state, change)
            self.acknowledged[answer.message.header.revision] = change  # type: ignore[attr-defined]

    def _next_change(self) -> Change:
        """One to three keys; values never repeat.  At least one is put, so that a revision is made."""
        self._count += 1
        keys = self.rng.sample(range(_KEYS_PER_WRITER), self.rng.randint(1, 3))
        value = b"%d.%d" % (self.number, self._count)
        change: Change = {b"w/%d/%d" % (self.number, key): value for key in keys}
        first = b"w/%d/%d" % (self.number, keys[0])
        if len(keys) > 1 and first in self.state:
            change[first] = None
        return change

    def check(self, found: State) -> None:
        """Compare with what the store holds after a crash, and take the write in doubt as it turned out."""
        mine = {key: value for key, value in found.items() if key.startswith(b"w/%d/" % self.number)}
        possible = [self.state]
        if self.in_doubt is not None:
            possible.append(applied(self.state, self.in_doubt))
        assert mine in possible, f"writer {self.number}: acknowledged {self.state}, in doubt {self.in_doubt}"
        self.state, self.in_doubt = mine, None


class Follower:
    """A watch of everything, resumed after each crash at the revision after the last one it heard."""

    def __init__(self) -> None:
        self.told: dict[int, Change] = {}
        self.last_revision = 1

    def run(self, wire: Wire, *, until_revision: int | None = None) -> None:
        """Listen until the stream breaks, or until ``until_revision`` has been heard."""
        create = pb.WatchCreateRequest(key=b"\0", range_end=b"\0", start_revision=self.last_revision + 1)
        with wire.open("Watch", pb.WatchRequest(create_request=create)) as stream:
            while until_revision is None or self.last_revision < until_revision:
                try:
                    response = stream.next()
                except (grpc.RpcError, StopIteration):
                    return
                assert not response.canceled, response.cancel_reason
                self._hear(response.events)

    def _hear(self, events: Sequence[kv_pb2.Event]) -> None:
        heard_before = self.last_revision
        for event in events:
            revision = event.kv.mod_revision
            assert revision > heard_before, f"revision {revision} was told twice, or cut in two"
            assert revision >= self.last_revision, f"revision {revision} came after {self.last_revision}"
            self.last_revision = revision
            value = None if event.type == kv_pb2.Event.DELETE else event.kv.value
            self.told.setdefault(revision, {})[event.kv.key] = value


def as_txn(change: Change) -> pb.TxnRequest:
    """Return one change as a transaction without conditions."""
    return pb.TxnRequest(
        success=[
            pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key))
            if value is None
            else pb.RequestOp(request_put=pb.PutRequest(key=key, value=value))
            for key, value in change.items()
        ]
    )


def applied(state: State, change: Change) -> State:
    """Return ``state`` after ``change``."""
    merged: Change = {**state, **change}
    return {key: value for key, value in merged.items() if value is not None}


def everything(wire: Wire) -> tuple[int, State]:
    """Return the revision and every pair of a store, read at that revision."""
    answer = wire.get("Range", pb.RangeRequest(key=b"\0", range_end=b"\0"))
    return answer.header.revision, {kv.key: kv.value for kv in answer.kvs}
