"""What a watch stream answers to odd requests: message by message the same on etcd and on Fairlead.

Each script ends with a request for a watch of its own, so that silence is an answer too.
"""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.support.store import EtcdServer, FairleadStore
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

pytestmark = pytest.mark.peer("etcd")

_MARKER = 999
_COMPACTED = 4


def create(**fields: object) -> pb.WatchRequest:
    return pb.WatchRequest(create_request=pb.WatchCreateRequest(**fields))  # type: ignore[arg-type]


def cancel(watch_id: int) -> pb.WatchRequest:
    return pb.WatchRequest(cancel_request=pb.WatchCancelRequest(watch_id=watch_id))


SCRIPTS: dict[str, tuple[pb.WatchRequest, ...]] = {
    "ids count from zero": (create(key=b"a"), create(key=b"b"), create(key=b"c")),
    "an id of the client's own": (create(key=b"a", watch_id=7), create(key=b"b")),
    "a counter steps over an id in use": (create(key=b"a", watch_id=1), create(key=b"b"), create(key=b"c")),
    "an id in use is refused": (create(key=b"a", watch_id=7), create(key=b"b", watch_id=7)),
    "an empty range is refused": (create(key=b"b", range_end=b"a"), create(key=b"b", range_end=b"b")),
    "an empty key is the first key": (create(),),
    "a future revision waits": (create(key=b"a", start_revision=1_000),),
    "a cancelled watch says so": (create(key=b"a"), cancel(0)),
    "a cancelled id is free again": (create(key=b"a", watch_id=5), cancel(5), create(key=b"a", watch_id=5)),
    "cancelling twice is answered once": (create(key=b"a"), cancel(0), cancel(0)),
    "cancelling what is unknown is not answered": (cancel(3),),
    "a request that says nothing is not answered": (pb.WatchRequest(),),
}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Wire, Wire]]:
    """Both stores with the same little history, the first half of it compacted."""
    folder = tmp_path_factory.mktemp("watch")
    with ExitStack() as stack:
        stores = [stack.enter_context(kind(folder / kind.kind)) for kind in (EtcdServer, FairleadStore)]
        theirs, ours = (stack.enter_context(Wire(store.address)) for store in stores)
        for wire in (theirs, ours):
            for number in range(6):
                wire.get("Put", pb.PutRequest(key=b"a", value=b"%d" % number))
            wire.get("Compact", pb.CompactionRequest(revision=_COMPACTED, physical=True))
        yield theirs, ours


def _answers(wire: Wire, requests: tuple[pb.WatchRequest, ...]) -> list[pb.WatchResponse]:
    """Every answer before that to a last request, without who gave it."""
    said = []
    with wire.open("Watch", *requests, create(key=b"marker", watch_id=_MARKER)) as stream:
        while (answer := stream.next()).watch_id != _MARKER:
            for name in ("cluster_id", "member_id", "raft_term"):
                answer.header.ClearField(name)
            said.append(answer)
    return said


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_answers_are_the_same(pair: tuple[Wire, Wire], script: str) -> None:
    theirs, ours = (_answers(wire, SCRIPTS[script]) for wire in pair)
    assert ours == theirs


@pytest.mark.parametrize("revision", [1, _COMPACTED - 1, _COMPACTED, _COMPACTED + 1])
def test_catching_up_around_the_compacted_revision(pair: tuple[Wire, Wire], revision: int) -> None:
    """Before it: created, then cancelled with the compacted revision.  From it on: every event there is."""
    told = []
    for wire in pair:
        with wire.open("Watch", create(key=b"a", start_revision=revision)) as stream:
            created, then = stream.next(), stream.next()
            assert created.created
            told.append(
                (then.canceled, then.compact_revision, then.cancel_reason, [str(e) for e in then.events])
            )
    theirs, ours = told
    assert ours == theirs


def test_progress_is_told_on_request_when_all_watches_are_up_to_date(pair: tuple[Wire, Wire]) -> None:
    """A stream whose watches lag may say nothing, so one asks again, as clients do."""
    told = []
    for wire in pair:
        with wire.open("Watch", create(key=b"a")) as stream:
            assert stream.next().created
            stream.send(pb.WatchRequest(progress_request=pb.WatchProgressRequest()))
            answer = stream.next()
            told.append((answer.watch_id, answer.header.revision, len(answer.events), answer.created))
    theirs, ours = told
    assert ours == theirs


def test_a_negative_revision_is_refused(pair: tuple[Wire, Wire]) -> None:
    """etcd 3.4 and 3.5 take it for "now"; 3.6, which we are, refuses it."""
    _, ours = pair
    (answer,) = _answers(ours, (create(key=b"a", start_revision=-1),))
    assert (answer.created, answer.canceled, answer.watch_id) == (True, True, -1)
    assert answer.cancel_reason == "etcdserver: mvcc: required revision has been compacted"
