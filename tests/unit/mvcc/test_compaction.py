"""etcd.md 1.4: compaction, logical at once and physical in slices."""

import pytest
from tests.unit.mvcc.writes import compact, delete, pairs, put

from fairlead.mvcc import Backend, CompactedError, FutureRevisionError, Store


def log_of(store: Store) -> list[tuple[int, bytes]]:
    return [(change.revision, change.key) for change in store.changes_from(0)]


def test_compacting_what_is_compacted_is_refused(store: Store) -> None:
    put(store, b"a")
    put(store, b"a")
    store.compact(2)
    for revision in (2, 1):
        with pytest.raises(CompactedError):
            store.compact(revision)


def test_compacting_the_future_is_refused(store: Store) -> None:
    with pytest.raises(FutureRevisionError):
        store.compact(2)


def test_a_store_that_was_never_compacted_says_so(store: Store) -> None:
    assert store.compact_revision == -1
    assert store.compact_step()


def test_compaction_makes_no_revision(store: Store) -> None:
    put(store, b"a")
    compact(store, 2)
    assert store.revision == 2


def test_the_latest_version_of_each_live_key_stays(store: Store) -> None:
    for _ in range(3):
        put(store, b"a")
        put(store, b"b")
    compact(store, 5)
    assert log_of(store) == [(4, b"a"), (5, b"b"), (6, b"a"), (7, b"b")]


def test_a_deletion_at_the_compacted_revision_stays_and_an_older_one_goes_18089_19179(store: Store) -> None:
    """A watch may begin at that revision; without the tombstone it would miss the deletion."""
    put(store, b"a")
    delete(store, b"a")
    put(store, b"b")
    compact(store, 3)
    assert log_of(store) == [(3, b"a"), (4, b"b")]
    compact(store, 4)
    assert log_of(store) == [(4, b"b")]


def test_removal_goes_in_slices_and_survives_a_restart(store: Store, backend: Backend) -> None:
    for _ in range(10):
        put(store, b"a")
    store.compact(11)
    assert not store.compact_step(4)
    backend.commit_now()
    assert len(log_of(store)) == 6
    again = Store.open(backend)
    assert again.compact_revision == 11
    assert not again.compact_step(4)
    assert len(log_of(again)) == 2
    while not again.compact_step(4):
        pass
    assert log_of(again) == [(11, b"a")]
    assert pairs(again.range(b"a").kvs) == [(b"a", b"v")]


def test_a_tombstone_that_was_kept_is_removed_later_even_after_a_restart(
    store: Store, backend: Backend
) -> None:
    put(store, b"a")
    delete(store, b"a")
    put(store, b"b")
    compact(store, 3)
    backend.commit_now()
    again = Store.open(backend)
    assert again.range(b"\0", b"\0", count_only=True).count == 1
    compact(again, 4)
    assert log_of(again) == [(4, b"b")]


def test_a_slice_never_removes_more_than_it_was_given(store: Store) -> None:
    """The loop must not stall, whether one key has much history or many have little."""
    for number in range(40):
        put(store, b"hot")
        put(store, b"%d" % number)
        delete(store, b"%d" % number)
    store.compact(store.revision)
    before, steps = len(log_of(store)), 0
    while not store.compact_step(7):
        after = len(log_of(store))
        assert before - after <= 7
        before, steps = after, steps + 1
    assert steps >= 119 // 7


def test_a_compaction_during_another_is_carried_out_too(store: Store) -> None:
    for _ in range(8):
        put(store, b"a")
        put(store, b"b")
    store.compact(6)
    store.compact_step(3)
    put(store, b"a")
    store.compact(18)
    while not store.compact_step(3):
        pass
    assert log_of(store) == [(17, b"b"), (18, b"a")]


def test_only_keys_with_something_old_are_visited(store: Store) -> None:
    """A million live keys must not be walked through to remove one version."""
    for number in range(1000):
        put(store, b"%d" % number)
    put(store, b"7")
    store.compact(store.revision)
    assert not store.compact_step(10)
    assert store.compact_step(10)
    assert len(log_of(store)) == 1000
