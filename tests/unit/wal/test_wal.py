"""The log, rule by rule."""

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.wal.helpers import HOME, SEGMENT_BYTES, create, entries, entry, reopen, segments

from fairlead.wal import (
    Checkpoint,
    CorruptError,
    Disk,
    DiskFailedError,
    Entry,
    HardState,
    LogExistsError,
    LogMissingError,
    OsDisk,
    Wal,
)
from fairlead.wal.testing import MemoryDisk

Attempt = Callable[[], None]


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk()


def test_what_was_appended_comes_back_on_either_disk(tmp_path: Path) -> None:
    disks: list[Disk] = [OsDisk(), MemoryDisk()]
    for disk in disks:
        wal = Wal.create(disk, tmp_path / "wal", b"member 1", segment_bytes=SEGMENT_BYTES)
        wal.append(entries(1, 200), HardState(1, 9, 0))
        wal.sync()
        wal.append(entries(201, 300), HardState(1, 9, 200))
        wal.checkpoint(Checkpoint(1, 150))
        wal.close()
        wal, recovered = Wal.open(disk, tmp_path / "wal", segment_bytes=SEGMENT_BYTES)
        assert recovered.metadata == b"member 1"
        assert recovered.hard_state == HardState(1, 9, 200)
        assert recovered.checkpoint == Checkpoint(1, 150)
        assert recovered.entries == entries(151, 300)
        assert recovered.warnings == []
        assert wal.last_index == 300
        wal.append(entries(301, 301))
        wal.close()
        assert Wal.open(disk, tmp_path / "wal", segment_bytes=SEGMENT_BYTES)[1].entries == entries(151, 301)


def test_an_empty_log_comes_back_empty(disk: MemoryDisk) -> None:
    create(disk).close()
    wal, recovered = reopen(disk)
    assert recovered == (b"member 1", HardState(), Checkpoint(), [], [])
    assert wal.last_index == 0


def test_a_log_is_created_once_and_opened_only_where_it_is(disk: MemoryDisk) -> None:
    assert not Wal.exists(disk, HOME)
    with pytest.raises(LogMissingError):
        reopen(disk)
    disk.make_directory(HOME)
    with pytest.raises(LogMissingError):
        reopen(disk)
    create(disk).close()
    assert Wal.exists(disk, HOME)
    with pytest.raises(LogExistsError):
        create(disk)


def test_an_appended_entry_replaces_the_one_of_its_index_and_all_after_it(disk: MemoryDisk) -> None:
    wal = create(disk)
    wal.append(entries(1, 9))
    wal.append(entries(4, 5, term=2))
    wal.append(entries(6, 6, term=2))
    wal.close()
    assert reopen(disk)[1].entries == [*entries(1, 3), *entries(4, 6, term=2)]


def test_a_suffix_may_be_replaced_across_segments(disk: MemoryDisk) -> None:
    """Its file is then named after an index that its first entry is below."""
    wal = create(disk)
    wal.append(entries(1, 100, size=100))
    assert wal.segment_count == 2
    wal.append(entries(50, 60, term=2))
    wal.close()
    wal, recovered = reopen(disk)
    assert recovered.entries == [*entries(1, 49, size=100), *entries(50, 60, term=2)]
    wal.checkpoint(Checkpoint(2, 55))
    wal.release(55)
    wal.close()
    assert reopen(disk)[1].entries == entries(56, 60, term=2)


@pytest.mark.parametrize("batch", [entries(12, 13), [entry(11), entry(13)], entries(5, 6)])
def test_entries_out_of_line_are_a_bug_of_the_caller(disk: MemoryDisk, batch: list[Entry]) -> None:
    """A gap, a hole within the batch, and an entry that a checkpoint covers."""
    wal = create(disk)
    wal.append(entries(1, 10))
    wal.checkpoint(Checkpoint(1, 5))
    with pytest.raises(AssertionError):
        wal.append(batch)


def test_sync_reaches_the_disk_only_if_something_was_appended(disk: MemoryDisk) -> None:
    wal = create(disk)
    disk.log.clear()
    wal.sync()
    wal.append([], None)
    wal.append([], HardState())
    wal.sync()
    assert disk.log == []
    wal.append([], HardState(1, 0, 0))
    wal.sync()
    wal.sync()
    wal.append([], HardState(1, 0, 0))
    wal.sync()
    assert disk.log == ["write", "sync"]


def test_a_batch_is_one_write(disk: MemoryDisk) -> None:
    wal = create(disk)
    disk.log.clear()
    wal.append(entries(1, 20), HardState(1, 1, 1))
    assert disk.log == ["write"]


def test_a_full_segment_is_synced_before_the_next_is_made(disk: MemoryDisk) -> None:
    wal = create(disk)
    disk.log.clear()
    wal.append(entries(1, 100, size=100))
    assert disk.log == [
        "write", "sync", "create", "preallocate", "write", "sync", "rename", "sync_directory",
    ]  # fmt: skip
    assert [path.name for path in segments(disk)] == [
        "0000000000000000-0000000000000001.wal",
        "0000000000000001-0000000000000065.wal",
    ]


def test_segments_are_preallocated(disk: MemoryDisk) -> None:
    wal = create(disk)
    wal.append(entries(1, 100, size=100))
    assert disk.open(segments(disk)[-1]).size() == SEGMENT_BYTES


def test_release_removes_the_segments_that_hold_nothing_else(disk: MemoryDisk) -> None:
    wal = create(disk)
    for index in range(1, 291):
        wal.append([entry(index, size=100)])
    firsts = [int(path.stem.split("-")[1], 16) for path in segments(disk)]
    assert len(firsts) > 5
    wal.checkpoint(Checkpoint(1, 289))
    wal.release(firsts[2] - 2)
    assert len(segments(disk)) == len(firsts) - 1, "the second still holds one entry beyond"
    wal.release(firsts[2] - 1)
    assert len(segments(disk)) == len(firsts) - 2
    wal.release(289)
    assert wal.segment_count == len(segments(disk)) == 1
    wal.close()
    assert reopen(disk)[1].entries == entries(290, 290, size=100)


def test_a_log_without_its_released_segments_has_all_that_was_in_their_heads(disk: MemoryDisk) -> None:
    wal = create(disk)
    wal.append(entries(1, 60, size=100), HardState(3, 2, 50))
    wal.checkpoint(Checkpoint(1, 60))
    wal.append(entries(61, 70, size=100))
    wal.release(60)
    assert wal.segment_count == 1
    wal.close()
    _, recovered = reopen(disk)
    assert recovered.hard_state == HardState(3, 2, 50)
    assert recovered.checkpoint == Checkpoint(1, 60)
    assert recovered.metadata == b"member 1"
    assert recovered.entries == entries(61, 70, size=100)


def test_nothing_is_released_that_no_checkpoint_covers(disk: MemoryDisk) -> None:
    wal = create(disk)
    wal.append(entries(1, 10))
    with pytest.raises(AssertionError):
        wal.release(1)


def test_a_log_may_go_on_behind_a_checkpoint_beyond_its_end(disk: MemoryDisk) -> None:
    """So it is when a follower was sent a snapshot."""
    wal = create(disk)
    wal.append(entries(1, 10))
    wal.checkpoint(Checkpoint(2, 500))
    wal.append(entries(501, 502, term=2))
    wal.close()
    assert reopen(disk)[1].entries == entries(501, 502, term=2)


def test_an_older_checkpoint_writes_nothing(disk: MemoryDisk) -> None:
    wal = create(disk)
    wal.append(entries(1, 10))
    wal.checkpoint(Checkpoint(1, 5))
    wal.sync()
    disk.log.clear()
    wal.checkpoint(Checkpoint(1, 4))
    wal.sync()
    assert disk.log == []


@pytest.mark.parametrize("op", ["write", "sync"])
def test_a_failed_write_or_sync_ends_the_log_for_ever(disk: MemoryDisk, op: str) -> None:
    """The next fsync would succeed and prove nothing: see `test_disk`."""
    wal = create(disk)
    wal.append(entries(1, 3))
    wal.sync()
    disk.fail_next(op)
    with pytest.raises(DiskFailedError) as caught:
        append_and_sync(wal, 4)
    assert caught.value.op == op
    assert caught.value.path == segments(disk)[0]
    assert "Input/output error" in str(caught.value)
    disk.log.clear()
    attempts: list[Attempt] = [
        lambda: wal.append(entries(5, 5)),
        wal.sync,
        lambda: wal.checkpoint(Checkpoint(1, 1)),
        lambda: wal.release(0),
    ]
    for attempt in attempts:
        with pytest.raises(DiskFailedError, match=f"cannot {op} "):
            attempt()
    wal.close()
    assert disk.log == [], "it never tries again"
    disk.crash()
    assert reopen(disk)[1].entries[:3] == entries(1, 3)


def append_and_sync(wal: Wal, index: int) -> None:
    wal.append([entry(index)])
    wal.sync()


@pytest.mark.parametrize("op", ["create", "preallocate", "rename", "sync_directory"])
def test_a_segment_that_cannot_be_made_ends_the_log(disk: MemoryDisk, op: str) -> None:
    wal = create(disk)
    disk.fail_next(op)
    with pytest.raises(DiskFailedError):
        wal.append(entries(1, 100, size=100))
    with pytest.raises(DiskFailedError):
        wal.sync()
    disk.crash()
    wal, recovered = reopen(disk)
    assert recovered.entries == entries(1, 100, size=100), "it was synced before the cut"
    append_and_sync(wal, 101)


def test_a_full_disk_ends_the_log_and_says_so(disk: MemoryDisk) -> None:
    wal = create(disk)
    wal.append(entries(1, 3))
    wal.sync()
    disk.bytes_max = SEGMENT_BYTES + 100
    with pytest.raises(DiskFailedError, match=r"No space left on device.*free space"):
        wal.append(entries(4, 100, size=100))
    disk.crash()
    assert reopen(disk)[1].entries[:3] == entries(1, 3), "a member starts on a full disk"


def test_a_full_disk_refuses_to_create_a_log(disk: MemoryDisk) -> None:
    disk.bytes_max = 100
    with pytest.raises(DiskFailedError, match="create a log in /data/wal: No space left"):
        create(disk)
    disk.bytes_max = 1 << 20
    create(disk).close()
    assert [path.name for path in segments(disk)] == disk.list_directory(HOME), "the leftover is gone"


def test_writes_that_stop_short_are_gone_on_with(disk: MemoryDisk) -> None:
    disk.write_bytes_max = 100
    wal = create(disk)
    wal.append(entries(1, 100, size=100))
    wal.close()
    assert reopen(disk)[1].entries == entries(1, 100, size=100)


def test_a_failed_last_sync_is_not_passed_over(disk: MemoryDisk) -> None:
    wal = create(disk)
    wal.append(entries(1, 3))
    disk.fail_next("sync")
    with pytest.raises(DiskFailedError):
        wal.close()
    wal.close()


def test_an_unreadable_directory_is_a_failed_disk(disk: MemoryDisk) -> None:
    create(disk).close()
    disk.fail_next("open", errno.EACCES)
    with pytest.raises(DiskFailedError, match="cannot open the log in /data/wal: Permission denied"):
        reopen(disk)


def test_foreign_files_are_ignored_and_named(disk: MemoryDisk) -> None:
    create(disk).close()
    for name in ("notes.txt", "1-1.wal"):
        disk.create(HOME / name)
    disk.create(HOME / "0000000000000001-0000000000000001.wal.tmp")
    _, recovered = reopen(disk)
    assert recovered.warnings == [
        "ignored /data/wal/1-1.wal: it is no file of the log",
        "ignored /data/wal/notes.txt: it is no file of the log",
    ]
    assert "0000000000000001-0000000000000001.wal.tmp" not in disk.list_directory(HOME)


def test_a_missing_segment_is_corruption(disk: MemoryDisk) -> None:
    wal = create(disk)
    for index in range(1, 151):
        wal.append([entry(index, size=100)])
    wal.close()
    disk.remove(segments(disk)[1])
    for attempt in (lambda: reopen(disk), lambda: Wal.exists(disk, HOME)):
        with pytest.raises(CorruptError, match="number 0000000000000001, is not in the directory"):
            attempt()


def test_a_missing_first_segment_is_corruption_unless_it_was_released(disk: MemoryDisk) -> None:
    wal = create(disk)
    wal.append(entries(1, 100, size=100))
    wal.append(entries(101, 101))
    wal.close()
    disk.remove(segments(disk)[0])
    with pytest.raises(CorruptError, match="the entries 1 to 100 are missing"):
        reopen(disk)


def test_a_renamed_segment_is_corruption(disk: MemoryDisk) -> None:
    create(disk).close()
    disk.rename(segments(disk)[0], HOME / "0000000000000000-0000000000000007.wal")
    with pytest.raises(CorruptError, match=r"written as 0000000000000000-0000000000000001\.wal"):
        reopen(disk)


def test_the_log_says_how_it_is(disk: MemoryDisk) -> None:
    wal = create(disk)
    path = "/data/wal/0000000000000000-0000000000000001.wal"
    assert repr(wal).startswith(f"<Wal {path} [open, last index 0, ")
    disk.fail_next("write")
    with pytest.raises(DiskFailedError):
        append_and_sync(wal, 1)
    assert repr(wal).startswith(f"<Wal {path} [failed, ")
    wal.close()
    assert repr(wal).startswith(f"<Wal {path} [closed, ")
    with pytest.raises(AssertionError):
        wal.sync()
