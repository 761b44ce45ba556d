"""A cluster of real processes under load, and the judgement of what its clients saw."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import grpc
from tests import history as told
from tests.chaos.clients import Client, Notes, Watcher
from tests.sim import translate
from tests.sim.clients import Operation
from tests.sim.workload import Mode, Request
from tests.support.processes import wait_for
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.member.machine import PUT
from fairlead.proto import rpc_pb2 as pb

_CLIENTS = 6
_KEY = b"k0"
"""One of the clients' keys."""
_WATCHERS = 3
_JOIN_S = 30.0
_SETTLED_S = 60.0


@dataclass(frozen=True, slots=True)
class Judged:
    """How much was judged, for the test's own claims."""

    operations: int
    answered: int
    revisions: int
    watches: int


class Fleet:
    """Clients and watchers of a cluster, from ``with`` to ``judge``.

    Args:
        members: returns the members that clients may turn to now; asked again for each connection.
    """

    def __init__(self, members: Callable[[], list[StoreServer]]) -> None:
        self._members = members
        self._stop = threading.Event()
        self.notes = Notes()
        self._threads: list[threading.Thread] = [
            *(Client(number, members, self.notes, self._stop) for number in range(_CLIENTS)),
            *(Watcher(number, members, self.notes, self._stop) for number in range(_WATCHERS)),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()

    def rest(self) -> None:
        """Let every client finish what it has begun."""
        self._stop.set()
        for thread in self._threads:
            thread.join(_JOIN_S)
            assert not thread.is_alive(), f"{thread.name} has not come to an end"

    def wait_for_answers(self, count: int, *, within_s: float = 30.0) -> None:
        """Wait until so many more requests have been answered: the cluster serves."""
        wanted = self.notes.answered + count
        wait_for(lambda: self.notes.answered >= wanted, f"{count} more answers", within_s=within_s)

    def put(self, member: StoreServer, count: int) -> None:
        """Put so often, one after the other, at one member, which has to answer them all."""
        name = self.notes.new_name()
        with Wire(member.address) as wire:
            for number in range(count):
                message = pb.PutRequest(key=_KEY, value=b"%d of %d" % (number, name))
                operation = Operation(
                    name, (name, 0), Request("put", Mode.WRITE, PUT, message), time.monotonic()
                )
                self.notes.operations.append(operation)
                operation.response = wire.get("Put", message)
                operation.returned_s = time.monotonic()

    def judge(self) -> Judged:
        """Judge everything, once all members are up and nobody asks any more."""
        self.rest()
        members = self._members()
        wait_for(lambda: _agree(members), "all members at one revision", within_s=_SETTLED_S)
        told_hashes = [_hash(member) for member in members]
        assert len(set(told_hashes)) == 1, f"members differ: {told_hashes}"
        timeline = _timeline(members[0])
        _rule("timeline", told.check_timeline(timeline))
        history = [translate.operation(operation) for operation in tuple(self.notes.operations)]
        _rule("linearizable", told.check_linearizable(history, timeline=timeline))
        _rule("serializable", told.check_serializable(history, timeline))
        _rule("leases", told.check_leases(history, timeline))
        watches = [translate.watch(watched) for watched in self.notes.watched if watched.messages]
        _rule("watches", told.check_watches(watches, timeline))
        return Judged(len(history), self.notes.answered, timeline.last, len(watches))


def _rule(promise: str, verdict: told.Verdict) -> None:
    assert verdict.status is told.Status.OK, f"{promise}: {verdict.status}\n{verdict.text}"


def _agree(members: list[StoreServer]) -> bool:
    revisions = set()
    for member in members:
        with Wire(member.address) as wire:
            answer = wire.call("Range", pb.RangeRequest(key=b"k", serializable=True, count_only=True))
            if answer.message is None:
                return False
            revisions.add(answer.message.header.revision)  # type: ignore[attr-defined]
    return len(revisions) == 1


def _hash(member: StoreServer) -> tuple[int, int]:
    with Wire(member.address) as wire:
        found = wire.get("HashKV", pb.HashKVRequest())
    return found.hash, found.header.revision


def _timeline(member: StoreServer) -> told.Timeline:
    """Read everything that ever happened, by a watch from the first revision on."""
    events: list[told.Event] = []
    with Wire(member.address) as wire:
        last = wire.revision()
        create = pb.WatchCreateRequest(key=b"\0", range_end=b"\0", start_revision=2)
        with wire.open("Watch", pb.WatchRequest(create_request=create)) as stream:
            while not events or events[-1].kv.mod_revision < last:
                events += _events(stream)
    return told.Timeline(events)


def _events(stream: Any) -> tuple[told.Event, ...]:
    try:
        return translate.watch_response(stream.next()).events
    except grpc.RpcError as error:
        raise AssertionError(f"the history cannot be read: {error}") from error
