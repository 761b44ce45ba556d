"""The model in the dock: a real etcd answers the same, request by request."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.history import (
    Grant,
    GrantResponse,
    KeepAlive,
    Request,
    Response,
    Timeline,
    Watch,
    WatchRequest,
    WatchResponse,
    check_timeline,
    check_watches,
    wire,
)
from tests.history.model import EMPTY, State, step
from tests.support.store import EtcdServer
from tests.support.wire import Wire
from tests.unit.history.wishes import Wishes

from fairlead.proto import rpc_pb2 as pb

pytestmark = pytest.mark.peer("etcd")

_STEPS = 400
_NEVER_S = 100_000.0


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Wire]:
    with EtcdServer(tmp_path) as server, Wire(server.address) as connection:
        yield connection


def ask(etcd: Wire, request: Request) -> Response:
    method, message = wire.message(request)
    if isinstance(request, KeepAlive):
        with etcd.open(method, message) as stream:
            return wire.response(stream.next())
    answer = etcd.call(method, message)
    if answer.message is not None:
        return wire.response(answer.message)
    refusal = wire.refused(answer.detail)
    assert refusal is not None, answer
    return refusal


def follow(etcd: Wire, *, until: int) -> tuple[WatchResponse, ...]:
    """Return what a watch of everything tells from the beginning up to a revision."""
    create = pb.WatchCreateRequest(key=b"\0", range_end=b"\0", start_revision=1, prev_kv=True)
    responses: list[WatchResponse] = []
    with etcd.open("Watch", pb.WatchRequest(create_request=create)) as stream:
        while not any(event.kv.mod_revision >= until for response in responses for event in response.events):
            responses.append(wire.watch_response(stream.next()))
    return tuple(responses)


def play(etcd: Wire, wishes: Wishes) -> State:
    """Ask etcd and the model the same, compare every answer, and return what the model holds at the end."""
    state = EMPTY
    for _ in range(_STEPS):
        request = wishes.next(state)
        answer = ask(etcd, request)
        if isinstance(request, Grant) and isinstance(answer, GrantResponse):
            request = Grant(lease_id=answer.lease_id, ttl_s=request.ttl_s)
        state, expected = step(state, request)
        assert answer == expected, request
    return state


@pytest.mark.parametrize("seed", range(3))
def test_the_model_answers_as_etcd_does(etcd: Wire, seed: int) -> None:
    play(etcd, Wishes(rng=random.Random(seed), keys=6, ttls_s=(_NEVER_S,)))


def test_what_etcd_tells_a_watch_is_believed(etcd: Wire) -> None:
    """And the log that the watch tells leads to what the model holds."""
    state = play(etcd, Wishes(rng=random.Random(7), keys=6, ttls_s=(_NEVER_S,), compacts=False))
    responses = follow(etcd, until=state.revision)
    events = [event for response in responses for event in response.events]
    timeline = Timeline(replace(event, prev_kv=None) for event in events)
    assert check_timeline(timeline)
    request = WatchRequest(key=b"\0", range_end=b"\0", start_revision=1, prev_kv=True)
    watch = Watch(name="etcd's", request=request, responses=responses)
    verdict = check_watches([watch], timeline, reached=state.revision, compacted=0)
    assert verdict, verdict
    assert timeline.range(b"", b"\0", revision=state.revision) == state.keys
