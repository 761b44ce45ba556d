"""Opening a log after the worst: torn tails are cut, corruption is refused, and the two are told apart."""

import contextlib

import pytest
from tests.unit.wal.helpers import HOME, create, entries, entry, reopen, segments, written_bytes

from fairlead.wal import Checkpoint, CorruptError, HardState, Wal
from fairlead.wal.testing import MemoryDisk, PowerCutError


def zero(disk: MemoryDisk, start: int, stop: int) -> None:
    """Take back what was written there, as if those sectors had never reached the disk."""
    file = disk.open(segments(disk)[-1])
    file.write(bytes(stop - start), start)
    file.sync()


def written_end(disk: MemoryDisk) -> int:
    return len(written_bytes(disk, segments(disk)[-1]))


def test_a_torn_record_is_cut_with_a_warning_that_names_file_and_offset() -> None:
    disk = MemoryDisk()
    wal = create(disk)
    wal.append(entries(1, 3))
    wal.sync()
    end = written_end(disk)
    wal.append([entry(4, size=2000)])
    zero(disk, 1024, 1536)
    disk.crash()
    wal, recovered = reopen(disk)
    assert recovered.entries == entries(1, 3)
    [warning] = recovered.warnings
    mark_bytes = 40
    torn_at = end + (-end & 7) + mark_bytes
    assert warning == (
        f"cut the torn tail of {segments(disk)[-1]} at offset {torn_at}: "
        "the checksum of the record does not match; nothing acknowledged is lost"
    )
    wal.append([entry(4, term=2)])
    wal.close()
    _, recovered = reopen(disk)
    assert recovered.entries == [*entries(1, 3), entry(4, term=2)]
    assert recovered.warnings == [], "it is cut once"


def test_what_follows_the_torn_record_of_a_batch_is_cut_with_it() -> None:
    """Sectors reach the disk in any order: a later record may be whole."""
    disk = MemoryDisk()
    wal = create(disk)
    wal.append(entries(1, 3, size=600))
    zero(disk, 512, 1024)
    disk.crash()
    _, recovered = reopen(disk)
    assert recovered.entries == []
    assert len(recovered.warnings) == 1


def test_a_header_that_is_zero_with_its_sector_is_torn_and_without_it_is_corrupt() -> None:
    """No disk writes the one half of a sector."""
    for stop_after, is_torn in ((512, True), (200, False)):
        disk = MemoryDisk()
        wal = create(disk)
        wal.append(entries(1, 3, size=600))
        header_bytes = 32
        first = written_bytes(disk, segments(disk)[0]).index(entry(1, size=600).data) - header_bytes
        zero(disk, first, stop_after)
        disk.crash()
        if is_torn:
            assert reopen(disk)[1].entries == []
        else:
            with pytest.raises(CorruptError, match="header of the record is damaged"):
                reopen(disk)


def log_whose_file_ends_within_its_last_record(seed: int) -> MemoryDisk:
    """A batch may write beyond the preallocated size, and the new size may be lost."""
    disk = MemoryDisk(seed)
    wal = Wal.create(disk, HOME, b"", segment_bytes=1024)
    wal.append([entry(1, size=500)])
    wal.sync()
    disk.write_bytes_max = 600
    disk.power_cut_at_step = disk.steps + 1
    with pytest.raises(PowerCutError):
        wal.append([entry(2, size=700)])  # its last sector is begun
    disk.power_cut_at_step = None
    disk.write_bytes_max = 1 << 20
    return disk


def test_a_file_that_ends_within_its_last_record_is_a_torn_tail() -> None:
    disk = log_whose_file_ends_within_its_last_record(0)
    _, recovered = Wal.open(disk, HOME, segment_bytes=1024)
    assert recovered.entries == [entry(1, size=500)]
    assert "the record is incomplete" in recovered.warnings[0]


@pytest.mark.parametrize("zeros", range(16))
def test_a_file_that_ends_a_few_zeros_behind_its_last_record_is_whole(zeros: int) -> None:
    """The last record may end in zeros too, its padding: none of them may be counted as the tail's."""
    disk = MemoryDisk()
    create(disk).append([entry(1, size=17)])
    (path,) = segments(disk)
    content = written_bytes(disk, path)
    end = -(-len(content) // 8) * 8
    cut = MemoryDisk()
    cut.make_directory(HOME)
    cut.create(path).write(content.ljust(end + zeros, b"\0"), 0)
    wal, recovered = reopen(cut)
    assert (recovered.entries, recovered.warnings) == ([entry(1, size=17)], [])
    wal.append([entry(2)])
    wal.close()
    assert reopen(cut)[1].entries == [entry(1, size=17), entry(2)]


def test_such_a_file_is_not_made_longer_before_its_torn_tail_is_gone_for_good() -> None:
    """Zeros behind it that are no sector's would make it look damaged."""
    for seed in range(60):
        disk = log_whose_file_ends_within_its_last_record(seed)
        disk.open(segments(disk)[0]).sync()
        disk.power_cut_at_step = disk.steps + 2 + seed % 6
        with contextlib.suppress(PowerCutError):
            Wal.open(disk, HOME, segment_bytes=4096)
        disk.crash()
        assert Wal.open(disk, HOME, segment_bytes=4096)[1].entries == [entry(1, size=500)]


def test_a_broken_record_in_a_synced_batch_is_corruption_and_names_file_and_offset() -> None:
    disk = MemoryDisk()
    wal = create(disk)
    wal.append(entries(1, 3, size=600))
    wal.sync()
    wal.append(entries(4, 4))
    wal.sync()
    zero(disk, 512, 1024)
    with pytest.raises(CorruptError) as caught:
        reopen(disk)
    assert caught.value.path == segments(disk)[0]
    assert caught.value.offset < 512
    assert str(caught.value).startswith(f"{segments(disk)[0]} is corrupt at offset {caught.value.offset}: ")
    assert "restore the data directory from a backup" in str(caught.value)


def test_after_a_clean_close_nothing_broken_passes_for_torn() -> None:
    for seed in range(20):
        disk = MemoryDisk(seed)
        wal = create(disk)
        wal.append(entries(1, 3, size=600))
        wal.close()
        disk.crash()
        zero(disk, 512, 1024)
        with pytest.raises(CorruptError):
            reopen(disk)


def test_every_flipped_byte_of_a_synced_log_is_found() -> None:
    """The last record aside, whatever the byte: a head, a mark, a length, a checksum, data or padding."""
    disk = MemoryDisk()
    wal = create(disk)
    for index in range(1, 8):
        wal.append([entry(index)], HardState(1, 1, index))
        wal.sync()
    wal.checkpoint(Checkpoint(1, 2))
    wal.append([entry(8)])
    wal.close()
    path = segments(disk)[0]
    last_record = 40
    for offset in range(len(written_bytes(disk, path)) - last_record):
        disk.rot(path, offset)
        with pytest.raises(CorruptError) as caught:
            reopen(disk)
        assert caught.value.path == path
        assert caught.value.offset <= offset
        disk.rot(path, offset)
    assert reopen(disk)[1].entries == entries(3, 8)


def test_every_flipped_byte_of_the_only_batch_is_found() -> None:
    """No mark is behind it, yet rot does not look like tearing."""
    disk = MemoryDisk()
    wal = create(disk)
    wal.append(entries(1, 8))
    wal.sync()
    path = segments(disk)[0]
    for offset in range(len(written_bytes(disk, path))):
        disk.rot(path, offset)
        with pytest.raises(CorruptError):
            reopen(disk)
        disk.rot(path, offset)


def test_every_flipped_byte_in_a_segment_before_the_last_is_found() -> None:
    disk = MemoryDisk()
    wal = create(disk)
    wal.append(entries(1, 10, size=450))
    wal.append(entries(11, 12))
    wal.close()
    path = segments(disk)[0]
    for offset in range(0, len(written_bytes(disk, path)), 7):
        disk.rot(path, offset)
        with pytest.raises(CorruptError):
            reopen(disk)
        disk.rot(path, offset)


def test_zeros_in_a_segment_before_the_last_are_corruption() -> None:
    """Its tail cannot be torn: it was synced before the next segment was made."""
    disk = MemoryDisk()
    wal = create(disk)
    wal.append(entries(1, 10, size=450))
    wal.append(entries(11, 12))
    wal.close()
    first, second = segments(disk)
    end = len(written_bytes(disk, first))
    for start, why in ((end - 450, "checksum"), (1024, f"and {second.name} does not follow")):
        file = disk.open(first)
        kept = file.read(start, end)
        file.write(bytes(len(kept)), start)
        with pytest.raises(CorruptError, match=why) as caught:
            reopen(disk)
        assert caught.value.path == first
        file.write(kept, start)
    assert reopen(disk)[1].entries == [*entries(1, 10, size=450), *entries(11, 12)]


def test_a_whole_record_missing_at_the_end_of_a_segment_is_found_by_the_next_head() -> None:
    """The CRC rolls across segments: with one per segment this log would open, short of an entry."""
    disk = MemoryDisk()
    wal = create(disk)
    for index in range(1, 9):
        wal.append([entry(index, size=500)])
    wal.append([entry(9)])
    wal.close()
    first = segments(disk)[0]
    data = written_bytes(disk, first)
    last_record = data.rindex(entry(8, size=500).data) - 32
    file = disk.open(first)
    file.write(bytes(file.size() - last_record), last_record)
    with pytest.raises(CorruptError, match="records are missing") as caught:
        reopen(disk)
    assert (caught.value.path, caught.value.offset) == (first, last_record)


def test_a_segment_of_another_log_is_corruption() -> None:
    disk, other = MemoryDisk(), MemoryDisk()
    for place, term in ((disk, 1), (other, 2)):
        wal = create(place)
        wal.append(entries(1, 10, size=450, term=term))
        wal.close()
    assert [path.name for path in segments(disk)] == [path.name for path in segments(other)]
    stray = segments(disk)[1]
    file = other.open(stray)
    disk.open(stray).write(file.read(0, file.size()), 0)
    with pytest.raises(CorruptError, match="records are missing"):
        reopen(disk)


def test_an_intact_record_that_makes_no_sense_is_corruption_though_it_holds_a_sector_of_zeros() -> None:
    """It must not be taken for a torn one: it was written like that, by a bug."""
    disk = MemoryDisk()
    wal = create(disk)
    wal.append([entry(1)])
    wal._last_index = 2
    wal.append([entry(3)._replace(data=bytes(2000))])
    wal.sync()
    with pytest.raises(CorruptError, match="entry 3 follows entry 1"):
        reopen(disk)


def test_what_was_read_is_on_disk_when_open_returns() -> None:
    """A killed process leaves its last batch in the page cache; a failed fsync leaves it there for good.

    The member acts upon what it reads, so that a later power cut must not take it away.
    """
    for seed in range(30):
        disk = MemoryDisk(seed)
        wal = create(disk)
        wal.append(entries(1, 3))
        wal.sync()
        wal.append(entries(4, 6, size=300))
        if seed % 2:
            disk.fail_next("sync")
            with pytest.raises(Exception, match="cannot sync"):
                wal.sync()
        wal, recovered = reopen(disk)  # the process died, the machine did not
        assert recovered.entries == [*entries(1, 3), *entries(4, 6, size=300)]
        disk.crash()
        assert reopen(disk)[1].entries == recovered.entries


def test_a_name_that_was_read_is_on_disk_when_open_returns() -> None:
    """The segment was renamed and its directory not yet synced when the process was killed."""
    for seed in range(20):
        disk = MemoryDisk(seed)
        wal = create(disk)
        disk.fail_next("sync_directory")
        with pytest.raises(Exception, match="make the segment after"):
            wal.append(entries(1, 10, size=450))
        wal, _ = reopen(disk)
        wal.append([entry(11)])
        wal.sync()
        disk.crash()
        assert reopen(disk)[1].entries == [*entries(1, 10, size=450), entry(11)]
