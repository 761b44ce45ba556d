"""The same seeded requests to etcd and to Fairlead: equal answers, equal events, message by message."""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from tests.compat.workload import Workload
from tests.support.store import EtcdServer, FairleadStore, StoreServer
from tests.support.wire import Answer, Stream, Wire

from fairlead.proto import kv_pb2
from fairlead.proto import rpc_pb2 as pb

pytestmark = pytest.mark.peer("etcd")

_SEEDS = range(8)
_STEPS = 400

_WATCHES = (
    pb.WatchCreateRequest(key=b"\0", range_end=b"\0"),
    pb.WatchCreateRequest(key=b"\0", range_end=b"\0", prev_kv=True),
    pb.WatchCreateRequest(key=b"a"),
    pb.WatchCreateRequest(key=b"a", range_end=b"c", filters=[pb.WatchCreateRequest.NOPUT], prev_kv=True),
    pb.WatchCreateRequest(key=b"c", range_end=b"\0", filters=[pb.WatchCreateRequest.NODELETE]),
    pb.WatchCreateRequest(key=b"b", range_end=b"d", start_revision=20),
)
_LAST = b"zz/last"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Wire, Wire]]:
    """Connections to a fresh etcd and a fresh Fairlead."""
    with ExitStack() as stack:
        stores = [stack.enter_context(kind(tmp_path / kind.kind)) for kind in (EtcdServer, FairleadStore)]
        theirs, ours = (stack.enter_context(Wire(store.address)) for store in stores)
        yield theirs, ours


def comparable(answer: Answer) -> Answer:
    """An answer without who gave it and without seconds that pass."""
    message = answer.message
    if message is None:
        return answer
    for name in ("cluster_id", "member_id", "raft_term"):
        message.header.ClearField(name)  # type: ignore[attr-defined]
    if isinstance(message, pb.LeaseTimeToLiveResponse):
        message.TTL = min(message.TTL, 1)
        message.keys.sort()
    return answer


@pytest.mark.parametrize("seed", _SEEDS)
def test_every_answer_is_the_same(pair: tuple[Wire, Wire], seed: int) -> None:
    """A failure names seed and step; the same seed asks the same again."""
    theirs, ours = pair
    workload = Workload(random.Random(seed))
    for step, (method, request) in enumerate(islice(workload, _STEPS)):
        expected, got = (comparable(wire.call(method, request)) for wire in (theirs, ours))
        assert got == expected, f"seed {seed}, step {step}: {method}\n{request}"
        learn(workload, method, request, expected)


def test_an_unknown_sort_option_is_refused(fairlead_store: StoreServer) -> None:
    """etcd 3.4 and 3.5 overlook it; 3.6, which we are, does not."""
    with Wire(fairlead_store.address) as wire:
        refused = Answer(None, "INVALID_ARGUMENT", "etcdserver: invalid sort option")
        order, target = b"\x28\x09", b"\x30\x09"  # fields 5 and 6 of a RangeRequest, each with the value 9
        for option in (order, target):
            request = pb.RangeRequest.FromString(b"\x0a\x01a" + option)
            assert wire.call("Range", request) == refused


def learn(workload: Workload, method: str, request: Message, answer: Answer) -> None:
    """Tell the workload where the stores are now."""
    if answer.message is None:
        return
    workload.revision = max(workload.revision, answer.message.header.revision)  # type: ignore[attr-defined]
    if method == "Compact":
        workload.compacted = request.revision  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", _SEEDS)
def test_every_watch_tells_the_same(pair: tuple[Wire, Wire], seed: int) -> None:
    """Events by watch, in order; how they are cut into messages is the store's own affair, but no revision is cut."""
    for wire in pair:
        wire.get("Put", pb.PutRequest(key=b"first", value=b"x"))
    with ExitStack() as stack:
        watching = [stack.enter_context(_open_watches(wire)) for wire in pair]
        workload = Workload(random.Random(seed))
        for method, request in islice(workload, _STEPS):
            for wire in pair:
                answer = wire.call(method, request)
            learn(workload, method, request, answer)
        for wire in pair:
            wire.get("Put", pb.PutRequest(key=_LAST))
        theirs, ours = (_events(stream) for stream in watching)
    assert ours == theirs


def _open_watches(wire: Wire) -> Stream:
    stream = wire.open("Watch", *(pb.WatchRequest(create_request=create) for create in _WATCHES))
    for expected in range(len(_WATCHES)):
        created = stream.next()
        assert (created.created, created.watch_id) == (True, expected)
    return stream


def _events(stream: Stream) -> dict[int, list[Any]]:
    """The events of each watch until those that cover the last key have seen it."""
    told: dict[int, list[Any]] = {number: [] for number in range(len(_WATCHES))}
    last_revision = dict.fromkeys(told, 0)
    waiting = {number for number, watch in enumerate(_WATCHES) if watch.range_end == b"\0"}
    while waiting:
        response = stream.next()
        number = response.watch_id
        assert response.events[0].kv.mod_revision > last_revision[number], "a revision was cut in two"
        last_revision[number] = response.events[-1].kv.mod_revision
        told[number].extend(
            (kv_pb2.Event.EventType.Name(event.type), str(event.kv), str(event.prev_kv))
            for event in response.events
        )
        if response.events[-1].kv.key == _LAST:
            waiting.discard(number)
    return told
