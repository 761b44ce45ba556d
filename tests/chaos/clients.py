"""Clients of a cluster of real processes, who write down what they asked and what they were told.

Each runs in a thread of its own, with one request under way, at a member of its choice; what it asks is drawn as in
the simulator.  Nothing is judged here.
"""

import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
from tests.sim.clients import Operation
from tests.sim.watchers import Watched
from tests.sim.workload import Mode, Request, Workload
from tests.support.store import StoreServer
from tests.support.wire import Answer, Wire

from fairlead.lease import LeaseExistsError, LeaseNotFoundError
from fairlead.mvcc import CompactedError, FutureRevisionError
from fairlead.proto import rpc_pb2 as pb

PATIENCE_S = 8.0
"""A little longer than the members' own."""
KEYS = 6
_THINK_S = 0.02
_METHODS = {
    "put": "Put", "put-leased": "Put", "get": "Range", "get-past": "Range", "range": "Range",
    "delete": "DeleteRange", "delete-range": "DeleteRange", "cas": "Txn", "txn": "Txn", "grant": "LeaseGrant",
    "revoke": "LeaseRevoke",
}  # fmt: skip
_REFUSALS: dict[str, Callable[[], Exception]] = {
    "etcdserver: mvcc: required revision has been compacted": lambda: CompactedError(0, 0),
    "etcdserver: mvcc: required revision is a future revision": lambda: FutureRevisionError(0, 0),
    "etcdserver: requested lease not found": lambda: LeaseNotFoundError(0),
    "etcdserver: lease already exists": lambda: LeaseExistsError(0),
}


@dataclass(slots=True)
class Notes:
    """What all clients and watchers have written down."""

    operations: list[Operation] = field(default_factory=list)
    watched: list[Watched] = field(default_factory=list)
    _names: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def new_name(self) -> int:
        """Return a name that no client has had: one of which has two requests at a time proves nothing."""
        with self._lock:
            self._names += 1
            return self._names

    @property
    def answered(self) -> int:
        """How many requests have been answered."""
        return sum(operation.is_known for operation in tuple(self.operations))


class Client(threading.Thread):
    """One client."""

    def __init__(
        self, number: int, members: Callable[[], list[StoreServer]], notes: Notes, stop: threading.Event
    ) -> None:
        super().__init__(name=f"client {number}", daemon=True)
        self._rng = random.Random(number)
        self._workload = Workload(number, rng=self._rng, keys=KEYS)
        self._members = members
        self._notes = notes
        self._stop_event = stop
        self._name = notes.new_name()
        self._wire: Wire | None = None
        self._store: StoreServer | None = None

    def run(self) -> None:
        """Ask until told to stop."""
        while not self._stop_event.wait(self._rng.expovariate(1 / _THINK_S)):
            if self._wire is None or self._rng.random() < 0.02:
                self._move()
            self._ask(self._workload.next())
        self._leave()

    def _leave(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _move(self) -> None:
        self._leave()
        self._store = self._rng.choice(self._members())
        self._wire = Wire(self._store.address)

    def _ask(self, request: Request) -> None:
        assert self._wire is not None
        assert self._store is not None
        # Revisions never go back within one connection to one process.
        process = self._store.program.pid
        operation = Operation(self._name, (self._name, process), request, time.monotonic())
        self._notes.operations.append(operation)
        if request.mode is Mode.KEEP_ALIVE:
            answer = _keep_alive(self._wire, request.message)
        else:
            answer = self._wire.call(_METHODS[request.name], request.message, timeout_s=PATIENCE_S)
        if self._store.program.pid != process:
            operation.session = (self._notes.new_name(), 0)
        if answer.message is not None:
            operation.response = answer.message
            operation.returned_s = time.monotonic()
            self._workload.learn(request, answer.message)
        elif answer.detail in _REFUSALS:
            operation.refusal = _REFUSALS[answer.detail]()
            operation.returned_s = time.monotonic()
            self._workload.learn_refusal(request)
        else:
            self._name = self._notes.new_name()
            self._leave()


def _keep_alive(wire: Wire, request: Any) -> Answer:
    with wire.open("LeaseKeepAlive", request) as stream:
        try:
            return Answer(stream.next())
        except grpc.RpcError as error:
            return Answer(None, "UNKNOWN", str(error))
        except StopIteration:
            return Answer(None, "UNKNOWN", "the stream ended")


class Watcher(threading.Thread):
    """Watches all keys, and again from where it was when the stream breaks."""

    def __init__(
        self, number: int, members: Callable[[], list[StoreServer]], notes: Notes, stop: threading.Event
    ) -> None:
        super().__init__(name=f"watcher {number}", daemon=True)
        self._rng = random.Random(1000 + number)
        self._members = members
        self._notes = notes
        self._stop_event = stop
        self._next_revision = 2
        self._streams = 0

    def run(self) -> None:
        """Listen until told to stop."""
        while not self._stop_event.wait(0.05):
            self._streams += 1
            store = self._rng.choice(self._members())
            with Wire(store.address) as wire, suppress(grpc.RpcError, StopIteration):
                self._listen(wire, store.name)

    def _listen(self, wire: Wire, name: str) -> None:
        create = pb.WatchCreateRequest(
            key=b"k", range_end=b"l", start_revision=self._next_revision, prev_kv=True
        )
        watched = Watched(
            key=b"k",
            range_end=b"l",
            start_revision=self._next_revision,
            prev_kv=True,
            session=(self._streams, 0),
        )
        self._notes.watched.append(watched)
        with wire.open("Watch", pb.WatchRequest(create_request=create)) as stream:
            closer = threading.Thread(target=self._close_at_end, args=(stream,), daemon=True, name=name)
            closer.start()
            while True:
                response = stream.next()
                watched.messages.append(response)
                if response.events:
                    self._next_revision = response.events[-1].kv.mod_revision + 1

    def _close_at_end(self, stream: Any) -> None:
        # A stream breaks now and then, so that it is resumed elsewhere.
        self._stop_event.wait(self._rng.uniform(2.0, 8.0))
        stream.cancel()
