"""Opening a log: read every segment, refuse what is corrupt, cut off what was torn, make the rest durable."""

import contextlib
from pathlib import Path
from typing import NamedTuple

from fairlead.wal.disk import Disk, DiskFile, read_all, write_all
from fairlead.wal.errors import CorruptError, LogMissingError
from fairlead.wal.record import Checkpoint, Entry, HardState
from fairlead.wal.replay import Replay
from fairlead.wal.segment import Listing, SegmentName, Tail, list_segments, read_head, replay_segment


class Recovered(NamedTuple):
    """What a log held.

    Attributes:
        metadata: what it was created with.
        hard_state: the last one written.
        checkpoint: the newest one written.
        entries: those beyond the checkpoint, without a gap.
        warnings: what the operator should know, one line each.
    """

    metadata: bytes
    hard_state: HardState
    checkpoint: Checkpoint
    entries: list[Entry]
    warnings: list[str]


class OpenLog(NamedTuple):
    """A log that can be written on: its segments, the last of them open, and where it ends."""

    segments: list[SegmentName]
    file: DiskFile
    end: int
    crc: int
    last_index: int
    recovered: Recovered


def recover(disk: Disk, directory: Path, *, segment_bytes: int) -> OpenLog:
    """Read the log and make its last segment fit to be written on.

    Raises:
        LogMissingError: there is no segment.
        CorruptError: some file does not hold what was written.
        OSError: the disk failed.
    """
    try:
        listing = list_segments(disk, directory)
    except FileNotFoundError as error:
        raise LogMissingError(directory) from error
    if not listing.segments:
        raise LogMissingError(directory)
    warnings = [f"ignored {directory / name}: it is no file of the log" for name in listing.foreign]
    replay, data, tail = _replay_all(disk, directory, listing)
    path = directory / listing.segments[-1].file_name
    if tail.torn is not None:
        warnings.append(
            f"cut the torn tail of {path} at offset {tail.end}: {tail.torn}; nothing acknowledged is lost"
        )
    file = disk.open(path)
    _repair(file, data, tail, segment_bytes=segment_bytes)
    _tidy(disk, directory, listing)
    recovered = Recovered(
        replay.metadata, replay.hard_state, replay.checkpoint, replay.recovered_entries(), warnings
    )
    return OpenLog(listing.segments, file, tail.end, tail.crc, replay.last_index, recovered)


def _replay_all(disk: Disk, directory: Path, listing: Listing) -> tuple[Replay, bytes, Tail]:
    """Replay segment by segment; return what they say, and the bytes and the end of the last one."""
    replay: Replay | None = None
    tail = Tail(0, 0, 0, None)
    path, data = directory, b""
    for name in listing.segments:
        previous_path, path = path, directory / name.file_name
        data = _read(disk, path)
        head, record = read_head(path, name, data)
        if replay is None:
            replay = Replay(head)
        elif head.previous_crc != tail.crc:
            why = tail.torn or "records are missing"
            raise CorruptError(previous_path, tail.end, f"{why}, and {name.file_name} does not follow")
        tail = replay_segment(path, data, head=record, sequence=name.sequence, replay=replay)
    assert replay is not None  # there is a segment
    if missing := replay.missing():
        raise CorruptError(directory / listing.segments[0].file_name, 0, f"{missing}: a segment was removed")
    return replay, data, tail


def _read(disk: Disk, path: Path) -> bytes:
    with contextlib.closing(disk.open(path)) as file:
        return read_all(file)


def _repair(file: DiskFile, data: bytes, tail: Tail, *, segment_bytes: int) -> None:
    """Leave nothing but zeros behind the end, and nothing before it in the page cache alone.

    What was read may never have reached the disk: the process may have been killed before its fsync, or
    the fsync failed and the kernel calls the pages clean.  So the last batch is written once more.  The
    torn tail is overwritten, not truncated: its blocks may be the last free ones.
    """
    if tail.torn is not None:
        write_all(file, bytes(len(data.rstrip(b"\0")) - tail.end), tail.end)
        file.sync()
    if tail.end > tail.synced_end:
        write_all(file, data[tail.synced_end : tail.end], tail.synced_end)
    file.preallocate(max(segment_bytes, tail.end))
    file.sync()


def _tidy(disk: Disk, directory: Path, listing: Listing) -> None:
    for name in listing.temporary:
        disk.remove(directory / name)
    disk.sync_directory(directory)
