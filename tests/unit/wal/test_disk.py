"""One contract for both disks, so that what holds in memory holds on the machine."""

import errno
from pathlib import Path

import pytest

from fairlead.wal.disk import Disk, DiskFile, OsDisk, read_all, write_all
from fairlead.wal.testing import MemoryDisk, PowerCutError


@pytest.fixture(params=["os", "memory"])
def disk(request: pytest.FixtureRequest) -> Disk:
    return OsDisk() if request.param == "os" else MemoryDisk()


@pytest.fixture
def home(disk: Disk, tmp_path: Path) -> Path:
    path = tmp_path / "a" / "b"
    disk.make_directory(path)
    return path


def test_a_directory_is_made_with_those_above_it_and_may_be_there(disk: Disk, home: Path) -> None:
    disk.make_directory(home)
    assert disk.list_directory(home) == []
    disk.sync_directory(home)


def test_a_missing_directory_is_said_to_be_missing(disk: Disk, home: Path) -> None:
    with pytest.raises(FileNotFoundError):
        disk.list_directory(home / "nowhere")
    with pytest.raises(FileNotFoundError):
        disk.sync_directory(home / "nowhere")
    with pytest.raises(FileNotFoundError):
        disk.create(home / "nowhere" / "file")


def test_names_are_listed_in_order(disk: Disk, home: Path) -> None:
    for name in ("b", "c", "a"):
        disk.create(home / name).close()
    assert disk.list_directory(home) == ["a", "b", "c"]


def test_a_file_is_created_once(disk: Disk, home: Path) -> None:
    disk.create(home / "f").close()
    with pytest.raises(FileExistsError):
        disk.create(home / "f")


def test_a_missing_file_cannot_be_opened_renamed_or_removed(disk: Disk, home: Path) -> None:
    with pytest.raises(FileNotFoundError):
        disk.open(home / "f")
    with pytest.raises(FileNotFoundError):
        disk.rename(home / "f", home / "g")
    with pytest.raises(FileNotFoundError):
        disk.remove(home / "f")


def test_what_was_written_is_read_back_through_another_handle(disk: Disk, home: Path) -> None:
    file = disk.create(home / "f")
    assert file.write(b"hello", 0) == 5
    assert file.write(b"J", 0) == 1
    file.sync()
    other = disk.open(home / "f")
    assert other.read(0, 100) == b"Jello"
    assert other.read(1, 2) == b"el"
    assert other.read(5, 10) == b""
    file.close()
    other.close()


def test_a_write_beyond_the_end_leaves_zeros_between(disk: Disk, home: Path) -> None:
    file = disk.create(home / "f")
    file.write(b"x", 3)
    assert (file.size(), file.read(0, 10)) == (4, b"\0\0\0x")
    file.close()


def test_beyond_the_data_there_are_only_zeros(disk: Disk, home: Path) -> None:
    """A segment is preallocated: reading its empty part at every start would take most of the start."""
    file = disk.create(home / "f")
    file.preallocate(1 << 20)
    write_all(file, b"x" * 10, 0)
    write_all(file, b"y" * 10, 1 << 19)
    size = file.data_size()
    assert size >= (1 << 19) + 10
    assert not any(file.read(size, 1 << 20))
    assert read_all(file).rstrip(b"\0").endswith(b"y" * 10)
    if isinstance(disk, OsDisk):
        assert size < 1 << 20
    file.close()


def test_preallocated_room_reads_as_zeros_and_never_shrinks_a_file(disk: Disk, home: Path) -> None:
    file = disk.create(home / "f")
    file.write(b"abc", 0)
    file.preallocate(6)
    assert file.read(0, 10) == b"abc\0\0\0"
    file.preallocate(2)
    assert file.size() == 6
    file.close()


def test_a_rename_takes_the_place_of_the_file_of_that_name(disk: Disk, home: Path) -> None:
    for name in (b"old", b"new"):
        file = disk.create(home / name.decode())
        file.write(name, 0)
        file.close()
    disk.rename(home / "old", home / "new")
    assert disk.list_directory(home) == ["new"]
    file = disk.open(home / "new")
    assert file.read(0, 10) == b"old"
    file.close()


def test_a_removed_file_is_gone(disk: Disk, home: Path) -> None:
    disk.create(home / "f").close()
    disk.remove(home / "f")
    assert disk.list_directory(home) == []


def test_all_is_written_although_writes_stop_short() -> None:
    disk = MemoryDisk()
    disk.write_bytes_max = 3
    disk.make_directory(Path("/d"))
    file = disk.create(Path("/d/f"))
    write_all(file, b"0123456789", 2)
    assert file.read(0, 100) == b"\0\x000123456789"


def test_all_is_read_although_reads_stop_short() -> None:
    class Stingy:
        def data_size(self) -> int:
            return 10

        def read(self, offset: int, size_max: int) -> bytes:
            return b"0123456789"[offset : offset + min(3, size_max)]

    stingy: DiskFile = Stingy()  # type: ignore[assignment]  # no more than this is asked of it
    assert read_all(stingy) == b"0123456789"


class TestMemoryDisk:
    """The ways in which it fails: each is one that real disks have."""

    D = Path("/d")
    F = Path("/d/f")

    def made(self, seed: int = 0, content: bytes = b"") -> tuple[MemoryDisk, DiskFile]:
        disk = MemoryDisk(seed)
        disk.make_directory(self.D)
        file = disk.create(self.F)
        file.write(content, 0)
        file.sync()
        disk.sync_directory(self.D)
        return disk, file

    def after_crash(self, disk: MemoryDisk) -> bytes:
        disk.crash()
        return disk.open(self.F).read(0, 1 << 20)

    def test_synced_data_under_a_synced_name_survives_every_crash(self) -> None:
        for seed in range(50):
            disk, _ = self.made(seed, b"x" * 2000)
            assert self.after_crash(disk) == b"x" * 2000

    def test_unsynced_sectors_survive_one_by_one(self) -> None:
        """Each of the two sectors is old or new: four outcomes, all of which must come up."""
        outcomes = set()
        for seed in range(100):
            disk, file = self.made(seed, b"o" * 1024)
            file.write(b"n" * 1024, 0)
            content = self.after_crash(disk)
            assert {content[:512], content[512:]} <= {b"o" * 512, b"n" * 512}
            outcomes.add((content[:1], content[512:513]))
        assert len(outcomes) == 4

    def test_a_sector_may_hold_what_it_held_between_two_writes(self) -> None:
        outcomes = set()
        for seed in range(100):
            disk, file = self.made(seed, b"0")
            file.write(b"1", 0)
            file.write(b"2", 0)
            outcomes.add(self.after_crash(disk))
        assert outcomes == {b"0", b"1", b"2"}

    def test_an_unsynced_size_may_be_lost(self) -> None:
        sizes = set()
        for seed in range(50):
            disk, file = self.made(seed, b"x")
            file.preallocate(100)
            sizes.add(len(self.after_crash(disk)))
        assert sizes == {1, 100}

    def test_unsynced_changes_of_a_directory_survive_one_by_one(self) -> None:
        listings = set()
        for seed in range(100):
            disk, _ = self.made(seed)
            disk.create(self.D / "a")
            disk.rename(self.D / "a", self.D / "b")
            disk.remove(self.F)
            disk.crash()
            listings.add(tuple(disk.list_directory(self.D)))
        assert listings == {(), ("a",), ("b",), ("f",), ("a", "f"), ("b", "f")}

    def test_a_failed_sync_loses_the_data_although_the_next_one_succeeds(self) -> None:
        """As Linux does: the pages are called clean.  A log that retries would acknowledge lost writes."""
        disk, file = self.made(content=b"old")
        file.write(b"new", 0)
        disk.fail_next("sync")
        with pytest.raises(OSError, match="Input/output error"):
            file.sync()
        file.sync()
        assert file.read(0, 10) == b"new"
        assert self.after_crash(disk) == b"old"

    def test_a_full_disk_stops_a_write_short_and_then_refuses_it(self) -> None:
        disk, file = self.made(content=b"abc")
        disk.bytes_max = 5
        assert file.write(b"defg", 3) == 2
        with pytest.raises(OSError, match="No space left") as caught:
            file.write(b"fg", 5)
        assert caught.value.errno == errno.ENOSPC
        assert file.write(b"xyz", 0) == 3, "what has its room already can be written"
        with pytest.raises(OSError, match="No space left"):
            file.preallocate(6)

    def test_rot_flips_the_bits_it_is_told_to(self) -> None:
        disk, file = self.made(content=b"\x00\xff")
        disk.rot(self.F, 1, 0x0F)
        assert file.read(0, 2) == b"\x00\xf0"
        assert self.after_crash(disk) == b"\x00\xf0"

    def test_the_power_fails_in_place_of_the_wanted_step(self) -> None:
        disk, file = self.made(content=b"old")
        disk.power_cut_at_step = disk.steps + 1
        file.write(b"new", 0)
        with pytest.raises(PowerCutError):
            file.sync()

    def test_a_file_opened_before_a_crash_is_of_no_use(self) -> None:
        disk, file = self.made()
        disk.crash()
        with pytest.raises(AssertionError, match="before the crash"):
            file.write(b"x", 0)
