"""etcd.md 1.6: what a watcher sees."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.unit.mvcc.sinks import RecordingSink
from tests.unit.mvcc.writes import compact, delete, put

from fairlead.mvcc import Backend, Store, Watcher
from fairlead.mvcc.watcher import EncodedEvents

EVERYTHING = (b"\0", b"\0")


@pytest.fixture
def sink() -> RecordingSink:
    return RecordingSink()


def catch_up(store: Store) -> None:
    while store.hub.sync_step():
        pass


def test_start_revision_zero_is_from_now_on(store: Store, sink: RecordingSink) -> None:
    put(store, b"a")
    watcher = store.hub.watch(b"a", sink=sink)
    assert watcher.is_synced
    assert sink.told == []
    put(store, b"a")
    assert sink.told == [(b"a", 3)]


def test_a_watch_in_the_past_is_told_all_since_and_nothing_before_it_returns(
    store: Store, sink: RecordingSink
) -> None:
    for _ in range(3):
        put(store, b"a")
    watcher = store.hub.watch(b"a", sink=sink, start_revision=3)
    assert (sink.told, watcher.is_synced) == ([], False)
    put(store, b"a")
    assert sink.told == [], "an event of now before those of then"
    catch_up(store)
    assert watcher.is_synced
    assert sink.told == [(b"a", 3), (b"a", 4), (b"a", 5)]
    put(store, b"a")
    assert sink.told[3:] == [(b"a", 6)]


def test_a_future_start_revision_delivers_nothing_earlier_20221(store: Store, sink: RecordingSink) -> None:
    watcher = store.hub.watch(b"a", sink=sink, start_revision=4)
    put(store, b"a")
    put(store, b"a")
    catch_up(store)
    assert sink.told == []
    put(store, b"a")
    assert sink.told == [(b"a", 4)]
    assert watcher.is_synced


def test_a_future_start_revision_gets_no_progress_before_it_20221(store: Store, sink: RecordingSink) -> None:
    watcher = store.hub.watch(b"a", sink=sink, start_revision=3)
    assert not store.hub.all_synced([watcher], store.revision)
    put(store, b"b")
    assert not store.hub.all_synced([watcher], store.revision)
    put(store, b"b")
    assert store.hub.all_synced([watcher], store.revision)


def test_progress_needs_every_watcher_to_be_synced(store: Store, sink: RecordingSink) -> None:
    put(store, b"a")
    synced = store.hub.watch(b"a", sink=sink)
    behind = store.hub.watch(b"a", sink=sink, start_revision=2)
    assert store.hub.all_synced([synced], store.revision)
    assert not store.hub.all_synced([synced, behind], store.revision)
    catch_up(store)
    assert store.hub.all_synced([synced, behind], store.revision)


@pytest.mark.parametrize(
    ("key", "range_end", "expected"),
    [
        (b"b", b"", [b"b"]),
        (b"b", b"d", [b"b", b"c"]),
        (b"b", b"\0", [b"b", b"c", b"d"]),
        (*EVERYTHING, [b"a", b"b", b"c", b"d"]),
        (b"b", b"b\0", [b"b"]),
    ],
)
@pytest.mark.parametrize("start_revision", [0, 2])
def test_ranges_are_those_of_the_api(
    store: Store, key: bytes, range_end: bytes, expected: list[bytes], start_revision: int
) -> None:
    sink = RecordingSink()
    store.hub.watch(key, range_end, sink=sink, start_revision=start_revision)
    for written in (b"a", b"b", b"c", b"d"):
        put(store, written)
    catch_up(store)
    assert [found for found, _ in sink.told] == expected


@pytest.mark.parametrize("start_revision", [0, 2])
def test_filters_drop_their_kind_and_send_nothing_when_all_is_dropped(
    store: Store, start_revision: int
) -> None:
    puts, deletes = RecordingSink(), RecordingSink()
    store.hub.watch(b"a", sink=puts, nodelete=True, start_revision=start_revision)
    store.hub.watch(b"a", sink=deletes, noput=True, start_revision=start_revision)
    put(store, b"a")
    delete(store, b"a")
    catch_up(store)
    assert (puts.told, deletes.told) == ([(b"a", 2)], [(b"a", 3)])
    assert len(puts.deliveries) == len(deletes.deliveries) == 1


@pytest.mark.parametrize("start_revision", [0, 2])
def test_a_revision_is_delivered_whole(store: Store, sink: RecordingSink, start_revision: int) -> None:
    store.hub.watch(*EVERYTHING, sink=sink, start_revision=start_revision)
    txn = store.begin()
    for key in (b"b", b"a", b"c"):
        txn.put(key, b"")
    txn.end()
    while store.hub.sync_step(revisions_max=1, bytes_max=1):
        pass
    assert sink.told == [(b"b", 2), (b"a", 2), (b"c", 2)]
    assert [delivery.count for delivery in sink.deliveries] == [3]


def test_catching_up_is_bounded_in_revisions_and_bytes(store: Store, sink: RecordingSink) -> None:
    for _ in range(10):
        put(store, b"a", bytes(100))
    store.hub.watch(b"a", sink=sink, start_revision=2)
    assert store.hub.sync_step(revisions_max=3)
    assert len(sink.told) == 3
    assert store.hub.sync_step(bytes_max=150)
    assert len(sink.told) == 5
    assert not store.hub.sync_step()
    assert [mod for _, mod in sink.told] == list(range(2, 12))


def test_watchers_behind_take_turns(store: Store) -> None:
    """One that is far behind must not keep the others waiting."""
    for _ in range(100):
        put(store, b"a")
    far, near = RecordingSink(), RecordingSink()
    store.hub.watch(b"a", sink=far, start_revision=2)
    store.hub.watch(b"a", sink=near, start_revision=100)
    store.hub.sync_step(revisions_max=5)
    store.hub.sync_step(revisions_max=5)
    assert len(near.told) == 2
    assert len(far.told) == 5


def test_one_scan_of_the_log_serves_all_watchers_near_each_other(store: Store) -> None:
    for number in range(20):
        put(store, b"%02d" % number)
    sinks = [RecordingSink() for _ in range(20)]
    for number, sink in enumerate(sinks):
        store.hub.watch(b"%02d" % number, b"\0", sink=sink, start_revision=2 + number // 2)
    assert not store.hub.sync_step()
    for number, sink in enumerate(sinks):
        assert [mod for _, mod in sink.told] == list(range(2 + number, 22))


def test_watchers_that_share_a_scan_but_not_a_start_each_get_their_own(store: Store) -> None:
    for _ in range(3):
        put(store, b"a")
    sinks = {start: [RecordingSink() for _ in range(2)] for start in (2, 3)}
    for turn in range(2):
        for start, watching in sinks.items():
            store.hub.watch(b"a", sink=watching[turn], start_revision=start)
    assert not store.hub.sync_step()
    for start, watching in sinks.items():
        for sink in watching:
            assert [mod for _, mod in sink.told] == list(range(start, 5))


def test_a_sink_without_room_is_caught_up_later_and_loses_nothing(store: Store) -> None:
    slow, fast = RecordingSink(room=1), RecordingSink()
    watcher = store.hub.watch(b"a", sink=slow)
    store.hub.watch(b"a", sink=fast)
    for _ in range(4):
        put(store, b"a")
    assert (slow.told, len(fast.told)) == ([(b"a", 2)], 4)
    assert not watcher.is_synced
    assert not store.hub.sync_step(), "nobody has room"
    slow.room = 1
    catch_up(store)
    assert slow.told == fast.told
    assert [delivery.count for delivery in slow.deliveries] == [1, 3]
    put(store, b"a")
    slow.room = 5
    catch_up(store)
    assert slow.told == fast.told


def test_watchers_without_room_do_not_hide_those_with_room(store: Store) -> None:
    put(store, b"a")
    for _ in range(5):
        store.hub.watch(b"a", sink=RecordingSink(room=0), start_revision=2)
    open_sink = RecordingSink()
    store.hub.watch(b"a", sink=open_sink, start_revision=2)
    for _ in range(3):
        store.hub.sync_step(watchers_max=2)
    assert open_sink.told == [(b"a", 2)]


def test_a_sink_shared_by_watchers_is_asked_before_each_delivery(store: Store) -> None:
    put(store, b"a")
    shared = RecordingSink(room=1)
    watchers = [store.hub.watch(b"a", sink=shared, start_revision=2) for _ in range(2)]
    store.hub.sync_step()
    assert [watcher.is_synced for watcher in watchers] == [True, False]
    shared.room = 1
    catch_up(store)
    assert shared.told == [(b"a", 2), (b"a", 2)]


def test_a_start_before_the_compaction_is_told_so_and_ends(store: Store, sink: RecordingSink) -> None:
    for _ in range(4):
        put(store, b"a")
    compact(store, 4)
    watcher = store.hub.watch(b"a", sink=sink, start_revision=3)
    assert sink.compacted_at == [], "the stream must say `created` first"
    catch_up(store)
    assert (sink.compacted_at, sink.told, watcher.is_cancelled) == ([4], [], True)
    put(store, b"a")
    assert sink.told == []
    assert store.hub.watchers_count == store.hub.behind_count == 0


def test_a_start_at_the_compacted_revision_is_legal(store: Store, sink: RecordingSink) -> None:
    for _ in range(4):
        put(store, b"a")
    compact(store, 4)
    store.hub.watch(b"a", sink=sink, start_revision=4)
    catch_up(store)
    assert sink.told == [(b"a", 4), (b"a", 5)]


@pytest.mark.parametrize("physically", [True, False])
def test_a_deletion_at_the_compacted_revision_is_delivered_18089_19179(
    store: Store, sink: RecordingSink, *, physically: bool
) -> None:
    put(store, b"a")
    delete(store, b"a")
    put(store, b"b")
    if physically:
        compact(store, 3)
    else:
        store.compact(3)
    store.hub.watch(b"a", sink=sink, start_revision=3)
    catch_up(store)
    assert sink.told == [(b"a", 3)]


def test_a_live_watcher_that_falls_behind_a_compaction_is_told_so(store: Store) -> None:
    slow = RecordingSink(room=1)
    store.hub.watch(b"a", sink=slow)
    for _ in range(5):
        put(store, b"a")
    compact(store, 5)
    slow.room = 9
    catch_up(store)
    assert (slow.told, slow.compacted_at) == ([(b"a", 2)], [5])


def test_a_watcher_that_was_given_everything_outlives_any_compaction(
    store: Store, sink: RecordingSink
) -> None:
    store.hub.watch(b"a", sink=sink)
    for _ in range(5):
        put(store, b"b")
    compact(store, 6)
    catch_up(store)
    put(store, b"a")
    assert (sink.told, sink.compacted_at) == ([(b"a", 7)], [])


def test_a_cancelled_watcher_gets_nothing_more(store: Store, sink: RecordingSink) -> None:
    put(store, b"a")
    synced = store.hub.watch(b"a", sink=sink)
    behind = store.hub.watch(*EVERYTHING, sink=sink, start_revision=2)
    for watcher in (synced, behind):
        store.hub.cancel(watcher)
        store.hub.cancel(watcher)
    put(store, b"a")
    catch_up(store)
    assert sink.told == []
    assert store.hub.watchers_count == 0
    assert repr(store.hub) == "WatchHub(watchers=0, behind=0, at=3)"


class CancellingSink(RecordingSink):
    """A stream that ends, with all its watchers, as soon as it is given something."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.watchers: list[Watcher] = []

    def deliver(self, watcher: Watcher, events: EncodedEvents) -> None:
        super().deliver(watcher, events)
        for found in self.watchers:
            self.store.hub.cancel(found)


@pytest.mark.parametrize("start_revision", [0, 2])
def test_a_sink_may_cancel_its_watchers_while_it_is_told(store: Store, start_revision: int) -> None:
    sink = CancellingSink(store)
    for key, end in ((b"a", b""), (b"a", b""), EVERYTHING):
        sink.watchers.append(store.hub.watch(key, end, sink=sink, start_revision=start_revision))
    put(store, b"a")
    catch_up(store)
    assert len(sink.deliveries) == 1
    assert store.hub.watchers_count == 0


def test_watchers_of_one_selection_share_their_encoded_events(store: Store) -> None:
    """A thousand watchers of a key must cost one encoding."""
    sinks = [RecordingSink() for _ in range(3)]
    for sink in sinks:
        store.hub.watch(b"a", sink=sink)
    put(store, b"a")
    assert len({id(sink.deliveries[0]) for sink in sinks}) == 1
    late = [RecordingSink() for _ in range(3)]
    for sink in late:
        store.hub.watch(b"a", sink=sink, start_revision=2)
    catch_up(store)
    assert len({id(sink.deliveries[0]) for sink in late}) == 1


def test_no_watcher_goes_back_in_time_when_the_store_is_replaced_15271(
    store: Store, sink: RecordingSink
) -> None:
    """A snapshot moves every watcher behind; each must remember what it was given and where it starts."""
    for _ in range(3):
        put(store, b"a")
    store.hub.watch(b"a", sink=sink)
    future = RecordingSink()
    store.hub.watch(b"a", sink=future, start_revision=7)
    put(store, b"a")
    store.hub.restore(store)
    assert store.hub.behind_count == 2
    catch_up(store)
    assert sink.told == [(b"a", 5)]
    for _ in range(2):
        put(store, b"a")
    assert sink.told == [(b"a", 5), (b"a", 6), (b"a", 7)]
    assert future.told == [(b"a", 7)]


def test_watchers_go_on_over_a_store_that_another_thread_opened(
    backend: Backend, store: Store, tmp_path: Path
) -> None:
    """One saw all and goes on; one was behind what the other member compacted, and is told so."""
    seen, overtaken, stays = RecordingSink(), RecordingSink(room=0), RecordingSink(room=0)
    store.hub.watch(b"a", sink=seen)
    for _ in range(3):
        put(store, b"a")
    store.hub.watch(b"a", sink=overtaken, start_revision=2)
    store.hub.watch(b"a", sink=stays, start_revision=4)
    backend.commit_now()

    def of_another_member() -> tuple[Backend, Store]:
        Backend.load(tmp_path / "new", backend.dump(tmp_path / "scratch"))
        new_backend = Backend.open(tmp_path / "new", map_bytes=1 << 24)
        new = Store.open(new_backend)
        put(new, b"a")
        put(new, b"a")
        compact(new, 4)
        return new_backend, new

    with ThreadPoolExecutor(1) as thread:
        new_backend, new = thread.submit(of_another_member).result()
    new.adopt(store.hub)
    overtaken.room = stays.room = 100
    catch_up(new)
    put(new, b"a")
    assert seen.told == [(b"a", revision) for revision in range(2, 8)]
    assert stays.told == [(b"a", revision) for revision in range(4, 8)]
    assert (overtaken.told, overtaken.compacted_at) == ([], [4])
    new_backend.close()


def test_a_hub_does_not_go_over_to_a_store_that_lacks_what_its_watchers_saw(
    store: Store, tmp_path: Path
) -> None:
    put(store, b"a")
    old = Backend.open(tmp_path / "old", map_bytes=1 << 24)
    with pytest.raises(AssertionError, match="seen more"):
        Store.open(old).adopt(store.hub)
    old.close()
