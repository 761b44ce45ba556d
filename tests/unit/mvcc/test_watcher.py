from collections.abc import Iterator

import pytest
from tests.unit.mvcc.sinks import RecordingSink, decoded
from tests.unit.mvcc.writes import compact, delete, put

from fairlead.mvcc import EncodedEvents, Store
from fairlead.mvcc.change import Change
from fairlead.mvcc.codec import encode_key_value
from fairlead.mvcc.watcher import EventEncoder, Selection
from fairlead.proto.kv_pb2 import Event, KeyValue
from fairlead.proto.rpc_pb2 import WatchResponse


def change(key: bytes, value: bytes) -> Change:
    kv = encode_key_value(key, value, create_revision=2, mod_revision=2, version=1, lease=0)
    return Change(2, key, kv, False)


class NoHistory:
    revision = 2
    compact_revision = -1

    def changes_from(self, revision: int) -> Iterator[Change]:
        raise NotImplementedError

    def value_at(self, key: bytes, revision: int) -> bytes | None:
        raise NotImplementedError


def encoded(*sizes: int) -> EncodedEvents:
    changes = [change(b"%d" % number, bytes(size)) for number, size in enumerate(sizes)]
    return EventEncoder(NoHistory(), changes).encode(range(len(sizes)), prev_kv=False)


def test_events_know_their_count_and_where_each_ends() -> None:
    events = encoded(10, 20, 30)
    assert (events.count, events.revision) == (3, 2)
    start = 0
    for number, end in enumerate(events.ends):
        assert WatchResponse.FromString(events.body[start:end]).events[0].kv.key == b"%d" % number
        start = end
    assert start == len(events.body)


@pytest.mark.parametrize(
    ("bytes_max", "expected"), [(1, [1, 1, 1, 1]), (250, [2, 2]), (10_000, [4]), (400, [3, 1])]
)
def test_fragments_are_cut_between_events_and_hold_one_at_least(bytes_max: int, expected: list[int]) -> None:
    events = encoded(100, 100, 100, 100)
    pieces = list(events.fragments(bytes_max))
    assert b"".join(pieces) == events.body
    assert [len(WatchResponse.FromString(piece).events) for piece in pieces] == expected


def test_an_event_larger_than_a_fragment_stands_alone() -> None:
    pieces = list(encoded(10, 1000, 10).fragments(100))
    assert [len(WatchResponse.FromString(piece).events) for piece in pieces] == [1, 1, 1]


def test_a_delete_event_has_key_and_mod_revision_only(store: Store) -> None:
    sink = RecordingSink()
    store.hub.watch(b"a", sink=sink)
    put(store, b"a", b"v", 7)
    delete(store, b"a")
    assert sink.events[1] == Event(type=Event.DELETE, kv=KeyValue(key=b"a", mod_revision=3))


def test_prev_kv_is_there_on_every_event_but_a_creation(store: Store) -> None:
    sink = RecordingSink()
    store.hub.watch(b"a", sink=sink, prev_kv=True)
    for value in (b"1", b"2"):
        put(store, b"a", value)
    delete(store, b"a")
    put(store, b"a", b"3")
    previous = [event.prev_kv.value if event.HasField("prev_kv") else None for event in sink.events]
    assert previous == [None, b"1", b"2", None]


def test_prev_kv_is_missing_when_it_is_compacted(store: Store) -> None:
    for value in (b"1", b"2", b"3"):
        put(store, b"a", value)
    compact(store, 3)
    sink = RecordingSink()
    store.hub.watch(b"a", sink=sink, prev_kv=True, start_revision=3)
    store.hub.sync_step()
    assert [(event.kv.value, event.prev_kv.value) for event in sink.events] == [(b"2", b""), (b"3", b"2")]
    assert not decoded(sink.deliveries[0])[0].HasField("prev_kv")


def test_each_change_is_encoded_once_for_all_who_share_it() -> None:
    changes = [change(b"a", b"1"), change(b"b", b"2")]
    encoder = EventEncoder(NoHistory(), changes)
    first = encoder.encode([0], prev_kv=False)
    assert encoder.encode([0], prev_kv=False).body is first.body


def test_a_selection_filters_by_kind() -> None:
    wanted = change(b"a", b"1")
    deleted = wanted._replace(is_delete=True)
    assert [Selection(b"a", b"", noput, nodelete, False).wants(found)
            for noput, nodelete in ((True, False), (False, True))
            for found in (wanted, deleted)] == [False, True, True, False]  # fmt: skip
