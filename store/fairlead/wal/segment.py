"""Segments: the files of the log, ``<sequence>-<first index>.wal``, both of 16 hexadecimal digits.

A segment appears under its name only when its head is on disk, so that a file of that name always has one.
A segment is synced before the next one is made, whose head says where the rolling CRC stood then: a tail
that looks torn in a segment before the last is thus found to be corruption.
"""

import re
from pathlib import Path
from typing import NamedTuple

from fairlead.wal.disk import SECTOR_BYTES, Disk, DiskFile, write_all
from fairlead.wal.errors import CorruptError
from fairlead.wal.record import (
    Head,
    Kind,
    Record,
    RecordError,
    decode_head,
    encode_head,
    has_mark_after,
    is_torn,
    read_records,
)
from fairlead.wal.replay import Replay

TEMPORARY_SUFFIX = ".tmp"
_NAME = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})\.wal")


class SegmentName(NamedTuple):
    """What the name of a segment says."""

    sequence: int
    first_index: int

    @property
    def file_name(self) -> str:
        """The name in the directory."""
        return f"{self.sequence:016x}-{self.first_index:016x}.wal"


class Listing(NamedTuple):
    """A log's directory: its segments in order, files that a crash left half-made, and foreign files."""

    segments: list[SegmentName]
    temporary: list[str]
    foreign: list[str]


class NewSegment(NamedTuple):
    """A segment with nothing but its head: where to write on, and the rolling CRC there."""

    file: DiskFile
    offset: int
    crc: int


class Tail(NamedTuple):
    """Where a segment ends.

    Attributes:
        end: the offset behind the last valid record.
        crc: the rolling CRC there.
        synced_end: all before this offset is known to be on disk.
        torn: why what follows is cut off; None if nothing but zeros does.
    """

    end: int
    crc: int
    synced_end: int
    torn: str | None


def list_segments(disk: Disk, directory: Path) -> Listing:
    """Sort the directory's files into segments, leftovers and strangers.

    Raises:
        CorruptError: a segment between others is missing.
    """
    listing = Listing([], [], [])
    for name in disk.list_directory(directory):
        if match := _NAME.fullmatch(name):
            listing.segments.append(SegmentName(int(match[1], 16), int(match[2], 16)))
        elif name.endswith(TEMPORARY_SUFFIX):
            listing.temporary.append(name)
        else:
            listing.foreign.append(name)
    listing.segments.sort()
    first = listing.segments[0].sequence if listing.segments else 0
    for expected, segment in enumerate(listing.segments, first):
        if segment.sequence != expected:
            why = f"the segment before this one, number {expected:016x}, is not in the directory"
            raise CorruptError(directory / segment.file_name, 0, why)
    return listing


def create_segment(disk: Disk, directory: Path, head: Head, *, segment_bytes: int) -> NewSegment:
    """Make a segment with its head, durably: data first, then the name."""
    data, crc = encode_head(head)
    path = directory / SegmentName(head.sequence, head.first_index).file_name
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    file = disk.create(temporary)
    file.preallocate(max(segment_bytes, len(data)))
    write_all(file, data, 0)
    file.sync()
    disk.rename(temporary, path)
    disk.sync_directory(directory)
    return NewSegment(file, len(data), crc)


def read_head(path: Path, name: SegmentName, segment: bytes) -> tuple[Head, Record]:
    """Read a segment's head and hold it against the file's name.

    Raises:
        CorruptError: there is no valid head, or it belongs to another name.
    """
    try:
        head, record = decode_head(segment)
    except RecordError as error:
        raise CorruptError(path, error.offset, error.why) from error
    if (head.sequence, head.first_index) != name:
        raise CorruptError(
            path, 0, f"it was written as {SegmentName(head.sequence, head.first_index).file_name}"
        )
    return head, record


def replay_segment(path: Path, segment: bytes, *, head: Record, sequence: int, replay: Replay) -> Tail:
    """Apply the records behind the head; say where they end.

    Raises:
        CorruptError: a record makes no sense, or is broken, and not because the last write was torn.
    """
    end, crc, synced_end = head.end, head.crc, head.end
    try:
        for record in read_records(segment, offset=end, crc=crc):
            _apply(replay, record, path)
            if record.kind == Kind.MARK:
                synced_end = record.offset
            end, crc = record.end, record.crc
    except RecordError as error:
        was_synced = has_mark_after(segment, sequence=sequence, offset=end)
        if was_synced or not is_torn(segment, offset=end, sector_bytes=SECTOR_BYTES):
            raise CorruptError(path, end, error.why) from error
        return Tail(end, crc, synced_end, error.why)
    return Tail(end, crc, synced_end, None)


def _apply(replay: Replay, record: Record, path: Path) -> None:
    try:
        replay.apply(record)
    except RecordError as error:
        raise CorruptError(path, error.offset, error.why) from error
