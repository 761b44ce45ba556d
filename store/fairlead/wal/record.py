"""The records of the log, as bytes.

A segment is a run of records; each starts at a multiple of 8 bytes and is, little-endian:

    length u32      of the payload
    guard u32       the complement of length, so that a damaged length is seen as such
    crc u32         CRC32-C of everything below, and of all records before this one, in all segments
    kind u32        see `Kind`
    payload         length bytes
    padding         zeros up to a multiple of 8

The crc rolls on from record to record: a record that is lost, doubled or out of order is found as surely as
a flipped bit.  Eight zero bytes in place of length and guard end the log: segments are preallocated.

A MARK is the first record after each fsync.  It tells the two ways of being broken apart: a record that is
broken and has a mark behind it was on disk once, hence it is corrupt; without one it may have been torn.
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

import google_crc32c

FORMAT = 1
"""The version of the layout, in the head of each segment."""

extend_crc: Callable[[int, bytes], int] = google_crc32c.extend
"""Return the CRC32-C of some bytes (a ``bytes`` object) that follow those of the given CRC32-C."""


class Kind(IntEnum):
    """What a record is."""

    HEAD = 1
    ENTRY = 2
    HARD_STATE = 3
    CHECKPOINT = 4
    MARK = 5
    CONFIGURATION = 6


class Entry(NamedTuple):
    """One entry of Raft's log; ``kind`` is 0 for a command, 1 for a configuration of the cluster."""

    term: int
    index: int  # type: ignore[assignment]  # Raft's name; nobody asks a tuple for a position here
    data: bytes
    kind: int = 0


AnyEntry = tuple[int, int, bytes, int]
"""Term, index, data, kind: an `Entry`, or Raft's own, which has the same shape."""


class HardState(NamedTuple):
    """What a member must not forget (Raft, figure 2: persistent state), and how far the log is committed."""

    term: int = 0
    vote: int = 0
    commit: int = 0


class Checkpoint(NamedTuple):
    """The state up to and with this entry is safe elsewhere; entries up to it are not needed any more."""

    term: int = 0
    index: int = 0  # type: ignore[assignment]  # see Entry


class Head(NamedTuple):
    """The first record of a segment: all that a reader needs of the segments before it.

    Attributes:
        previous_crc: the rolling CRC at the end of the segment before, 0 for the first.
        sequence: the number of the segment, from 0.
        first_index: entries of later segments may replace, but none of an earlier one reaches, this index.
        hard_state: the last one written before.
        checkpoint: the newest one written before.
        metadata: what the log was created with.
    """

    previous_crc: int
    sequence: int
    first_index: int
    hard_state: HardState
    checkpoint: Checkpoint
    metadata: bytes


class Record(NamedTuple):
    """A record as read: where it starts and ends, and the rolling CRC after it."""

    kind: int
    payload: bytes
    offset: int
    end: int
    crc: int


class RecordError(Exception):
    """There is no valid record at this offset; the segment's reader decides what that means."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(why)
        self.offset = offset
        self.why = why


_FRAME = struct.Struct("<III")  # length, guard, crc
_HEADER_BYTES = _FRAME.size + 4
_MASK = 0xFFFF_FFFF
_ZEROS = bytes(8)  # where a record would begin
# By the kind of the entry; an enumeration is slow to ask in a hot loop.
_ENTRY_KINDS = (Kind.ENTRY.value, Kind.CONFIGURATION.value)
_KIND = struct.Struct("<I")
_ENTRY = struct.Struct("<IQQ")
_INDEXED = struct.Struct("<QQ")
_HARD_STATE = struct.Struct("<QQQ")
_HEAD = struct.Struct("<IIQQQQQQQ")
_MARK = struct.Struct("<8sQQ")
_MARK_MAGIC = b"\x89SYNCED\n"
_PADDING = tuple(bytes(-size & 7) for size in range(8))


def record_bytes(length: int) -> int:
    """Return the size of a record whose payload has ``length`` bytes."""
    return (_HEADER_BYTES + length + 7) & ~7


def encode(kind: Kind, payload: bytes, *, crc: int) -> tuple[bytes, int]:
    """Return a record, and the rolling CRC after it."""
    length = len(payload)
    covered = _KIND.pack(kind) + payload + _PADDING[length & 7]
    crc = extend_crc(crc, covered)
    return _FRAME.pack(length, length ^ _MASK, crc) + covered, crc


def encode_entries(entries: Iterable[AnyEntry], *, crc: int, into: list[bytes]) -> int:
    """Append the records of ``entries`` to ``into``; return the rolling CRC after them.

    The hottest loop of the log, hence not a call of `encode` for each.
    """
    for term, index, data, kind in entries:
        length = 16 + len(data)
        covered = _ENTRY.pack(_ENTRY_KINDS[kind], term, index) + data + _PADDING[length & 7]
        crc = extend_crc(crc, covered)
        into.append(_FRAME.pack(length, length ^ _MASK, crc))
        into.append(covered)
    return crc


def decode_entry(kind: int, payload: bytes) -> Entry:
    """Read the payload of an ENTRY or a CONFIGURATION."""
    term, index = _INDEXED.unpack_from(payload)
    return Entry(term, index, payload[_INDEXED.size :], _ENTRY_KINDS.index(kind))


def encode_hard_state(state: HardState, *, crc: int) -> tuple[bytes, int]:
    """Return a HARD_STATE record, and the rolling CRC after it."""
    return encode(Kind.HARD_STATE, _HARD_STATE.pack(*state), crc=crc)


def decode_hard_state(payload: bytes) -> HardState:
    """Read the payload of a HARD_STATE."""
    return HardState(*_HARD_STATE.unpack(payload))


def encode_checkpoint(checkpoint: Checkpoint, *, crc: int) -> tuple[bytes, int]:
    """Return a CHECKPOINT record, and the rolling CRC after it."""
    return encode(Kind.CHECKPOINT, _INDEXED.pack(*checkpoint), crc=crc)


def decode_checkpoint(payload: bytes) -> Checkpoint:
    """Read the payload of a CHECKPOINT."""
    return Checkpoint(*_INDEXED.unpack(payload))


def encode_head(head: Head) -> tuple[bytes, int]:
    """Return the HEAD record of a segment, and the rolling CRC after it."""
    fixed = _HEAD.pack(
        FORMAT, head.previous_crc, head.sequence, head.first_index, *head.hard_state, *head.checkpoint
    )
    return encode(Kind.HEAD, fixed + head.metadata, crc=head.previous_crc)


def decode_head(segment: bytes) -> tuple[Head, Record]:
    """Read the HEAD at the start of a segment; the CRC of what came before is taken from itself.

    Raises:
        RecordError: there is none, it is damaged, or its format is unknown.
    """
    if len(segment) < _HEADER_BYTES + _HEAD.size:
        raise RecordError(0, "the file is too short for the head of a segment")
    version, previous_crc, sequence, first_index, *states = _HEAD.unpack_from(segment, _HEADER_BYTES)
    record = next(read_records(segment, offset=0, crc=previous_crc), None)
    if record is None or record.kind != Kind.HEAD:
        raise RecordError(0, "the file does not begin with the head of a segment")
    if version != FORMAT:
        raise RecordError(0, f"its format is {version}, and this program reads {FORMAT}")
    metadata = record.payload[_HEAD.size :]
    hard_state, checkpoint = HardState(*states[:3]), Checkpoint(*states[3:])
    return Head(previous_crc, sequence, first_index, hard_state, checkpoint, metadata), record


def read_records(segment: bytes, *, offset: int, crc: int) -> Iterator[Record]:
    """Yield the records from ``offset`` to where the log ends: the end of the bytes, or nothing but zeros.

    Raises:
        RecordError: what follows is neither a record nor the end.
    """
    while offset < len(segment):
        if segment.startswith(_ZEROS, offset) and segment[offset:] == bytes(len(segment) - offset):
            return
        if len(segment) - offset < _HEADER_BYTES:
            if not any(segment[offset:]):
                return  # the file ends within the zeros
            raise RecordError(offset, "the record is incomplete")
        length, guard, stored_crc = _FRAME.unpack_from(segment, offset)
        if length ^ guard != _MASK:
            raise RecordError(offset, "the header of the record is damaged")
        end = offset + record_bytes(length)
        if end > len(segment):
            raise RecordError(offset, "the record is incomplete")
        covered = segment[offset + _FRAME.size : end]
        crc = extend_crc(crc, covered)
        if crc != stored_crc:
            raise RecordError(offset, "the checksum of the record does not match")
        (kind,) = _KIND.unpack_from(covered)
        yield Record(kind, covered[_KIND.size : _KIND.size + length], offset, end, crc)
        offset = end


def encode_mark(*, sequence: int, offset: int, crc: int) -> tuple[bytes, int]:
    """Return the MARK that stands at ``offset`` of a segment, and the rolling CRC after it."""
    return encode(Kind.MARK, _MARK.pack(_MARK_MAGIC, sequence, offset), crc=crc)


def has_mark_after(segment: bytes, *, sequence: int, offset: int) -> bool:
    """Say whether a MARK stands beyond ``offset``, whatever the records between may look like.

    A mark names its own place, so that it can be believed although the CRC before it is not known.
    """
    found = segment.find(_MARK_MAGIC, offset)
    while found >= 0:
        start = found - _HEADER_BYTES
        if start > offset and segment[found : found + _MARK.size] == _MARK.pack(_MARK_MAGIC, sequence, start):
            return True
        found = segment.find(_MARK_MAGIC, found + 1)
    return False


def is_torn(segment: bytes, *, offset: int, sector_bytes: int) -> bool:
    """Say whether the bad record at ``offset`` looks as if a part of it never reached the disk.

    A sector is written whole or not at all, and beyond the synced end a segment holds zeros.  So a torn
    record has a sector of nothing but zeros, or the file ends within it.  A damaged header cannot come from
    tearing: length and guard lie in one sector.
    """
    if len(segment) - offset < _HEADER_BYTES:
        return True
    length, guard, _ = _FRAME.unpack_from(segment, offset)
    sector_end = offset - offset % sector_bytes + sector_bytes
    if length == guard == 0:
        return not any(segment[offset:sector_end])
    if length ^ guard != _MASK:
        return False
    end = offset + record_bytes(length)
    if end > len(segment):
        return True
    starts = [offset, *range(sector_end, end, sector_bytes)]
    ends = [sector_end, *(start + sector_bytes for start in starts[1:])]
    return any(not any(segment[start:stop]) for start, stop in zip(starts, ends, strict=True))
