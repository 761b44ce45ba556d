from collections.abc import Sequence

import pytest

from fairlead.mvcc.index import OPEN_END, KeyIndex, KeyRecord, position_of

KEY = b"key"


def history(*changes: tuple[int, str]) -> KeyIndex:
    """An index of one key with these (revision, "put" or "delete")."""
    index = KeyIndex()
    for main, kind in changes:
        if kind == "put":
            index.put(KEY, position_of(main, 0), 0)
        else:
            index.delete(*index.live_in(KEY, b""), position_of(main, 0, is_tombstone=True))
    return index


def mains(positions: Sequence[int]) -> list[int]:
    return [position >> 32 for position in positions]


def test_positions_compare_as_revisions_do() -> None:
    assert position_of(2, 9) < position_of(3, 0) < position_of(3, 0, is_tombstone=True) < position_of(3, 1)


def test_a_generation_counts_versions_from_its_creation() -> None:
    index = history((2, "put"), (3, "put"), (4, "delete"), (5, "put"))
    record = index.records[KEY]
    assert (record.create_revision, record.version, record.mod_revision) == (5, 1, 5)
    assert repr(record) == "KeyRecord(mod=5, create=5, version=1, lease=0, older=3)"


def test_a_deleted_key_has_no_create_revision_version_or_lease() -> None:
    index = KeyIndex()
    index.put(KEY, position_of(2, 0), 77)
    index.delete(*index.live_in(KEY, b""), position_of(3, 0, is_tombstone=True))
    record = index.records[KEY]
    assert (record.create_revision, record.version, record.lease) == (0, 0, 0)
    assert index.live(KEY) is None


@pytest.mark.parametrize(
    ("revision", "expected"), [(1, None), (2, 2), (3, 3), (4, None), (5, None), (6, 6), (99, 6)]
)
def test_a_past_revision_shows_what_was_live_then(revision: int, expected: int | None) -> None:
    record = history((2, "put"), (3, "put"), (4, "delete"), (6, "put")).records[KEY]
    position = record.position_at(revision)
    assert (None if position is None else position >> 32) == expected


def test_a_put_on_an_existing_key_leaves_the_sorted_keys_alone() -> None:
    index = history((2, "put"))
    index._keys = None
    index.put(KEY, position_of(3, 0), 0)
    assert index.records[KEY].version == 2


def test_a_history_longer_than_the_compact_form_can_count_goes_on() -> None:
    """After 2**32 revisions positions no longer fit 64 bits; nothing may break then."""
    record = KeyRecord(position_of(2**32 - 1, 0), 1, 1, 0)
    record.retire()
    record.position = position_of(2**32, 0)
    record.retire()
    record.position = position_of(2**32 + 1, 0)
    assert mains(record.history or []) == [2**32 - 1, 2**32]
    assert record.position_at(2**32) == position_of(2**32, 0)
    assert record.droppable(2**32) == 1


def test_compaction_keeps_the_latest_version_up_to_the_revision() -> None:
    index = history((2, "put"), (4, "put"), (6, "put"))
    assert mains(index.trim(KEY, 5, drops_max=10)) == [2]
    assert index.records[KEY].position_at(5) == position_of(4, 0)


def test_compaction_keeps_a_tombstone_exactly_at_the_revision() -> None:
    """A watch may begin at the compacted revision and must be told of the deletion (etcd #18089, #19179)."""
    index = history((2, "put"), (3, "delete"))
    assert mains(index.trim(KEY, 3, drops_max=10)) == [2]
    assert KEY in index.records
    assert mains(index.trim(KEY, 4, drops_max=10)) == [3]
    assert KEY not in index.records
    assert index.count(KEY, OPEN_END) == 0
    assert KEY not in index.superseded


def test_compaction_drops_an_older_generation_whole() -> None:
    index = history((2, "put"), (3, "delete"), (5, "put"))
    assert mains(index.trim(KEY, 4, drops_max=10)) == [2, 3]
    assert index.records[KEY].history is None


def test_a_long_history_is_trimmed_in_slices_oldest_first() -> None:
    index = history(*((main, "put") for main in range(2, 12)), (12, "delete"))
    assert mains(index.trim(KEY, 20, drops_max=4)) == [2, 3, 4, 5]
    assert mains(index.trim(KEY, 20, drops_max=6)) == [6, 7, 8, 9, 10, 11]
    assert mains(index.trim(KEY, 20, drops_max=1)) == [12]
    assert KEY not in index.records


@pytest.mark.parametrize(("revision", "kept"), [(2, [2, 3, 5]), (3, [3, 5]), (4, [5]), (5, [5])])
def test_keeps_tells_what_trim_will_leave(revision: int, kept: list[int]) -> None:
    index = history((2, "put"), (3, "delete"), (5, "put"))
    positions = [position_of(2, 0), position_of(3, 0, is_tombstone=True), position_of(5, 0)]
    assert mains([p for p in positions if index.keeps(KEY, p, revision)]) == kept
    index.trim(KEY, revision, drops_max=10)
    record = index.records[KEY]
    assert mains([*(record.history or ()), record.position]) == kept


def test_counting_does_not_see_deleted_keys() -> None:
    index = KeyIndex()
    for sub, key in enumerate((b"a", b"b", b"c", b"d")):
        index.put(key, position_of(2, sub), 0)
    index.delete(*index.live_in(b"b", b""), position_of(3, 0, is_tombstone=True))
    assert index.count(b"a", OPEN_END) == 3
    assert index.count(b"a", b"c") == 1
    assert index.count(b"c", b"a") == 0
    index.put(b"b", position_of(4, 0), 0)
    assert index.count(b"a", b"c") == 2
    assert repr(index) == "KeyIndex(keys=4, deleted=0)"
