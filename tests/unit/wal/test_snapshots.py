"""Snapshot files: whole or not there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.wal import (
    Checkpoint,
    CorruptError,
    Disk,
    DiskFailedError,
    OsDisk,
    load_snapshot,
    newest,
    save_snapshot,
)
from fairlead.wal.testing import MemoryDisk, PowerCutError

HOME = Path("/data/snap")
AT = Checkpoint(2, 100)
CHUNKS = [b"a" * 1000, b"", b"b" * 500]
BODY = b"".join(CHUNKS)


def load(disk: Disk, path: Path) -> bytes:
    return b"".join(load_snapshot(disk, path, chunk_bytes=64))


def test_a_snapshot_comes_back_as_it_was_on_either_disk(tmp_path: Path) -> None:
    disks: list[Disk] = [OsDisk(), MemoryDisk()]
    for disk in disks:
        path = save_snapshot(disk, tmp_path / "snap", AT, CHUNKS)
        assert path.name == "0000000000000002-0000000000000064.snap"
        assert load(disk, path) == BODY
        assert newest(disk, tmp_path / "snap") == (AT, path, [])


def test_an_empty_snapshot_is_one() -> None:
    disk = MemoryDisk()
    assert load(disk, save_snapshot(disk, HOME, AT, [])) == b""


def test_without_a_snapshot_or_a_directory_there_is_no_newest() -> None:
    disk = MemoryDisk()
    assert newest(disk, HOME) == (None, None, [])
    disk.make_directory(HOME)
    disk.create(HOME / "notes.txt")
    assert newest(disk, HOME) == (None, None, [])


def test_the_newest_is_the_one_that_covers_most() -> None:
    disk = MemoryDisk()
    for checkpoint in (Checkpoint(1, 300), Checkpoint(2, 200), Checkpoint(1, 100)):
        save_snapshot(disk, HOME, checkpoint, CHUNKS)
    assert newest(disk, HOME).checkpoint == Checkpoint(1, 300)


def test_a_broken_snapshot_is_set_aside_with_a_warning_and_the_one_before_serves() -> None:
    for seed in range(10):
        disk = MemoryDisk(seed)
        older = save_snapshot(disk, HOME, Checkpoint(1, 50), CHUNKS)
        broken = save_snapshot(disk, HOME, AT, CHUNKS)
        disk.rot(broken, 700)
        found = newest(disk, HOME)
        assert (found.checkpoint, found.path) == (Checkpoint(1, 50), older)
        [warning] = found.warnings
        assert warning == (
            f"passed over the snapshot {broken}: the size or the checksum of the snapshot does not match; "
            f"it is now {broken.name}.broken"
        )
        disk.crash()
        assert disk.list_directory(HOME) == [older.name, f"{broken.name}.broken"], "durably so"
        assert newest(disk, HOME).warnings == []


def test_every_flipped_byte_is_found() -> None:
    disk = MemoryDisk()
    path = save_snapshot(disk, HOME, AT, [b"body"])
    for offset in range(disk.open(path).size()):
        disk.rot(path, offset)
        with pytest.raises(CorruptError):
            load(disk, path)
        disk.rot(path, offset)
    assert load(disk, path) == b"body"


@pytest.mark.parametrize("size", [0, 10, 24, 30, 1500])
def test_a_file_that_is_cut_short_is_refused(size: int) -> None:
    disk = MemoryDisk()
    path = save_snapshot(disk, HOME, AT, CHUNKS)
    content = disk.open(path).read(0, size)
    disk.remove(path)
    disk.create(path).write(content, 0)
    with pytest.raises(CorruptError):
        load(disk, path)


def test_a_snapshot_under_another_name_is_refused() -> None:
    """Its state would be taken for that of another entry."""
    disk = MemoryDisk()
    path = save_snapshot(disk, HOME, AT, CHUNKS)
    for name in ("0000000000000002-0000000000000065.snap", "latest.snap"):
        disk.rename(path, HOME / name)
        path = HOME / name
        with pytest.raises(CorruptError, match="not that of a snapshot of this name"):
            load(disk, path)


def test_whenever_the_power_fails_the_last_saved_snapshot_is_there() -> None:
    """Either the new one is whole, or the older one is the newest; the next try succeeds."""
    steps = 0
    is_saved = False
    while not is_saved:
        for seed in range(10):
            disk = MemoryDisk(seed)
            save_snapshot(disk, HOME, Checkpoint(1, 50), [b"old"])
            disk.power_cut_at_step = disk.steps + steps
            try:
                save_snapshot(disk, HOME, AT, CHUNKS)
                is_saved = True
            except PowerCutError:
                pass
            disk.crash()
            found = newest(disk, HOME)
            assert found.path is not None
            assert found.warnings == []
            assert load(disk, found.path) == (BODY if found.checkpoint == AT else b"old")
            assert found.checkpoint == AT or not is_saved
            save_snapshot(disk, HOME, Checkpoint(3, 200), CHUNKS)
            assert newest(disk, HOME).checkpoint == Checkpoint(3, 200)
        steps += 1


@pytest.mark.parametrize("op", ["create", "write", "sync", "rename", "sync_directory"])
def test_a_snapshot_that_cannot_be_saved_is_a_failed_disk(op: str) -> None:
    disk = MemoryDisk()
    disk.fail_next(op)
    with pytest.raises(DiskFailedError, match="cannot save the snapshot"):
        save_snapshot(disk, HOME, AT, CHUNKS)


def test_a_snapshot_that_cannot_be_read_is_a_failed_disk_and_not_a_broken_one() -> None:
    """It must not be set aside for a disk that stumbles."""
    disk = MemoryDisk()
    path = save_snapshot(disk, HOME, AT, CHUNKS)
    disk.fail_next("read")
    with pytest.raises(DiskFailedError, match="cannot read the snapshot"):
        newest(disk, HOME)
    assert disk.list_directory(HOME) == [path.name]


def test_a_body_that_fails_half_way_leaves_no_snapshot() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"half"
        raise RuntimeError("the store went away")

    disk = MemoryDisk()
    with pytest.raises(RuntimeError):
        save_snapshot(disk, HOME, AT, chunks())
    assert newest(disk, HOME).path is None
    save_snapshot(disk, HOME, AT, CHUNKS)
    assert newest(disk, HOME).checkpoint == AT
