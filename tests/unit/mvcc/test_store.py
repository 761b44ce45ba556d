"""etcd.md 1.3, range; 1.4, compaction as readers see it; restart."""

from pathlib import Path

import pytest
from tests.unit.mvcc.writes import compact, delete, pairs, put

from fairlead.mvcc import Backend, CompactedError, FutureRevisionError, Store

EVERYTHING = (b"\0", b"\0")


def keys(store: Store, start: bytes, end: bytes = b"") -> list[bytes]:
    return [key for key, _ in pairs(store.range(start, end).kvs)]


@pytest.fixture
def abc(store: Store) -> Store:
    """a, b, c at revisions 2, 3, 4; b deleted at 5; a put again at 6."""
    for key in (b"a", b"b", b"c"):
        put(store, key, b"1")
    delete(store, b"b")
    put(store, b"a", b"2")
    return store


def test_an_empty_range_end_is_one_key(abc: Store) -> None:
    assert keys(abc, b"a") == [b"a"]
    assert keys(abc, b"b") == []


def test_a_range_end_of_one_zero_byte_is_every_key_from_the_first_on(abc: Store) -> None:
    assert keys(abc, b"b", b"\0") == [b"c"]
    assert keys(abc, *EVERYTHING) == [b"a", b"c"]


def test_zero_bytes_within_a_range_end_are_ordinary(abc: Store) -> None:
    assert keys(abc, b"a", b"a\0") == [b"a"]


def test_a_range_that_ends_before_it_starts_is_empty_and_no_error(abc: Store) -> None:
    for revision in (0, 4):
        assert abc.range(b"c", b"a", revision=revision).kvs == []
        assert abc.range(b"c", b"a", revision=revision).count == 0


def test_the_count_does_not_know_the_limit(abc: Store) -> None:
    for revision, count in ((0, 2), (4, 3)):
        found = abc.range(*EVERYTHING, revision=revision, limit=1)
        assert (len(found.kvs), found.count) == (1, count)


def test_count_only_returns_no_pairs(abc: Store) -> None:
    for revision, count in ((0, 2), (4, 3)):
        found = abc.range(*EVERYTHING, revision=revision, count_only=True)
        assert (found.kvs, found.count) == ([], count)
        single = abc.range(b"a", revision=revision, count_only=True)
        assert (single.kvs, single.count) == ([], 1)


def test_a_past_revision_shows_the_past(abc: Store) -> None:
    assert pairs(abc.range(*EVERYTHING, revision=3).kvs) == [(b"a", b"1"), (b"b", b"1")]
    assert pairs(abc.range(b"a", revision=5).kvs) == [(b"a", b"1")]
    assert abc.range(b"b", revision=5).kvs == []


def test_a_revision_of_zero_or_less_is_the_latest(abc: Store) -> None:
    assert pairs(abc.range(b"a", revision=-5).kvs) == [(b"a", b"2")]


def test_a_future_revision_is_refused(abc: Store) -> None:
    with pytest.raises(FutureRevisionError) as caught:
        abc.range(b"a", revision=7)
    assert (caught.value.revision, caught.value.current) == (7, 6)


def test_the_compacted_revision_itself_is_readable(abc: Store) -> None:
    compact(abc, 4)
    assert pairs(abc.range(*EVERYTHING, revision=4).kvs) == [(b"a", b"1"), (b"b", b"1"), (b"c", b"1")]
    with pytest.raises(CompactedError, match="revision 3 has been compacted; ask for 4 or newer"):
        abc.range(*EVERYTHING, revision=3)


def test_readers_are_refused_before_anything_is_removed(abc: Store) -> None:
    abc.compact(6)
    with pytest.raises(CompactedError):
        abc.range(b"a", revision=5)


def test_a_record_says_what_compares_ask(abc: Store) -> None:
    record = abc.record(b"a")
    assert record is not None
    assert (record.create_revision, record.mod_revision, record.version, record.lease) == (2, 6, 2, 0)
    assert abc.record(b"b") is None
    assert abc.record(b"never") is None


def test_the_changes_of_the_log_are_those_that_transactions_made(abc: Store) -> None:
    changes = list(abc.changes_from(2))
    found = [(change.revision, change.key, change.is_delete) for change in changes]
    assert found == [(2, b"a", False), (3, b"b", False), (4, b"c", False), (5, b"b", True), (6, b"a", False)]


def test_a_restart_rebuilds_the_index_and_reports_progress(abc: Store, backend: Backend) -> None:
    backend.commit_now()
    told: list[tuple[int, int]] = []
    again = Store.open(backend, progress=lambda done, total: told.append((done, total)))
    assert (
        repr(again)
        == repr(abc)
        == "Store(revision=6, compact_revision=-1, index=KeyIndex(keys=3, deleted=1))"
    )
    assert again.range(*EVERYTHING, revision=4).kvs == abc.range(*EVERYTHING, revision=4).kvs
    assert told == [(0, 5), (5, 5)]
    assert put(again, b"a") == 7
    record = again.record(b"a")
    assert record is not None
    assert (record.create_revision, record.version) == (2, 3)


def test_an_uncommitted_write_is_gone_after_a_restart(tmp_path: Path) -> None:
    """The write-ahead log brings it back; the database must not have half of it."""
    backend = Backend.open(tmp_path / "other", map_bytes=1 << 24)
    store = Store.open(backend)
    put(store, b"a")
    backend.commit_now()
    put(store, b"b")
    backend.close()
    backend = Backend.open(tmp_path / "other", map_bytes=1 << 24)
    assert Store.open(backend).revision == 2
    backend.close()


def test_the_revision_never_decreases_over_a_restart_after_compaction_17780(
    store: Store, backend: Backend
) -> None:
    """Where the last revisions were deletions that compaction removed, the log alone would tell too little."""
    put(store, b"a")
    delete(store, b"a")
    put(store, b"b")
    delete(store, b"b")
    store.compact(5)
    backend.commit_now()
    assert Store.open(backend).revision == 5
    again = Store.open(backend)
    while not again.compact_step():
        pass
    backend.commit_now()
    # Even with the last tombstone lost, the compacted revision is a floor.
    for key, _ in list(backend.items("key")):
        backend.delete("key", key)
    assert Store.open(backend).revision == 5
