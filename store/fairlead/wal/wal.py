"""The write-ahead log of one member.

What `append` took is safe once `sync` returned, and not before: no acknowledgement and no vote may leave
earlier.  One thread at a time may use a log; it blocks on the disk, so that thread is not the event loop.
After a failed write or fsync the log is dead for good, since nobody can know what the disk holds.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from fairlead.wal.disk import Disk, naming_failures, write_all
from fairlead.wal.errors import DiskFailedError, LogExistsError
from fairlead.wal.record import (
    AnyEntry,
    Checkpoint,
    HardState,
    Head,
    encode_checkpoint,
    encode_entries,
    encode_hard_state,
    encode_mark,
)
from fairlead.wal.recovery import OpenLog, Recovered, recover
from fairlead.wal.segment import SegmentName, create_segment, list_segments

SEGMENT_BYTES = 64 << 20
"""A segment that reached this size is followed by a new one."""


class Wal:
    """An open log; made by `Wal.create` or `Wal.open`."""

    def __init__(self, disk: Disk, directory: Path, log: OpenLog, *, segment_bytes: int) -> None:
        self._disk = disk
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._segments = log.segments
        self._file = log.file
        self._end = log.end
        self._crc = log.crc
        self._last_index = log.last_index
        self._metadata = log.recovered.metadata
        self._hard_state = log.recovered.hard_state
        self._checkpoint = log.recovered.checkpoint
        self._is_dirty = False  # something was written since the last sync
        self._is_mark_due = True  # something was synced since the last mark
        self._failure: DiskFailedError | None = None
        self._is_closed = False

    @staticmethod
    def exists(disk: Disk, directory: Path) -> bool:
        """Say whether the directory holds a log, be it a broken one.

        Raises:
            CorruptError: a segment between others is missing.
            DiskFailedError: the directory cannot be read.
        """
        with naming_failures(directory, "read"):
            try:
                return bool(list_segments(disk, directory).segments)
            except FileNotFoundError:
                return False

    @classmethod
    def create(
        cls, disk: Disk, directory: Path, metadata: bytes, *, segment_bytes: int = SEGMENT_BYTES
    ) -> Self:
        """Start a log; it is on disk when this returns.

        Args:
            disk: where.
            directory: made if it is not there.
            metadata: handed back by `open`, for ever.
            segment_bytes: preallocated for each segment, and about the size of each.

        Raises:
            LogExistsError: there is one already.
            DiskFailedError: the disk is full, or worse.
        """
        with naming_failures(directory, "create a log in"):
            disk.make_directory(directory)
            listing = list_segments(disk, directory)
            if listing.segments:
                raise LogExistsError(directory)
            for name in listing.temporary:
                disk.remove(directory / name)
            new = create_segment(
                disk,
                directory,
                Head(0, 0, 1, HardState(), Checkpoint(), metadata),
                segment_bytes=segment_bytes,
            )
        nothing = Recovered(metadata, HardState(), Checkpoint(), [], [])
        log = OpenLog([SegmentName(0, 1)], new.file, new.offset, new.crc, 0, nothing)
        return cls(disk, directory, log, segment_bytes=segment_bytes)

    @classmethod
    def open(
        cls, disk: Disk, directory: Path, *, segment_bytes: int = SEGMENT_BYTES
    ) -> tuple[Self, Recovered]:
        """Read a log and go on writing it.  All that is handed back is on disk by then.

        Raises:
            LogMissingError: there is none.
            CorruptError: some file does not hold what was written; it is named, and the offset in it.
            DiskFailedError: the disk cannot be read or written.
        """
        with naming_failures(directory, "open the log in"):
            log = recover(disk, directory, segment_bytes=segment_bytes)
        return cls(disk, directory, log, segment_bytes=segment_bytes), log.recovered

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "failed" if self._failure else "open"
        path = self._directory / self._segments[-1].file_name
        return f"<Wal {path} [{state}, last index {self._last_index}, {self._end} bytes]>"

    @property
    def last_index(self) -> int:
        """The index of the last entry, or of the checkpoint if that is beyond it."""
        return self._last_index

    @property
    def segment_count(self) -> int:
        """How many files the log has."""
        return len(self._segments)

    def append(self, entries: Sequence[AnyEntry], hard_state: tuple[int, int, int] | None = None) -> None:
        """Write entries, and the hard state after them, in one write.  They are safe after `sync`.

        An entry whose index the log has already replaces that one and all after it.

        Args:
            entries: with consecutive indices, the first at most one beyond the last of the log, and beyond
                the checkpoint.
            hard_state: None, or the one in force, writes none.

        Raises:
            DiskFailedError: the disk is full, or worse; now or at an earlier call.
        """
        if hard_state == self._hard_state:
            hard_state = None
        if not entries and hard_state is None:
            return
        parts, crc = self._begin()
        if entries:
            first, last = entries[0][1], entries[-1][1]
            assert self._checkpoint.index < first <= self._last_index + 1, (first, self)
            assert last - first == len(entries) - 1, (first, last, len(entries))
            crc = encode_entries(entries, crc=crc, into=parts)
            self._last_index = last
        if hard_state is not None:
            self._hard_state = HardState(*hard_state)
            record, crc = encode_hard_state(self._hard_state, crc=crc)
            parts.append(record)
        self._write(parts, crc)

    def checkpoint(self, checkpoint: Checkpoint) -> None:
        """Write that all up to ``checkpoint`` is safe elsewhere; one that is older than the last is ignored.

        Raises:
            DiskFailedError: see `append`.
        """
        if checkpoint.index <= self._checkpoint.index:
            return
        parts, crc = self._begin()
        record, crc = encode_checkpoint(checkpoint, crc=crc)
        parts.append(record)
        self._checkpoint = checkpoint
        self._last_index = max(self._last_index, checkpoint.index)
        self._write(parts, crc)

    def sync(self) -> None:
        """Make durable what was appended; free if nothing was.

        Raises:
            DiskFailedError: it may or may not be durable, for ever unknown; stop the member.
        """
        self._assert_usable()
        if self._is_dirty:
            try:
                self._file.sync()
            except OSError as error:
                raise self._failed("sync", error) from error
            self._is_dirty = False
            self._is_mark_due = True

    def release(self, index: int) -> None:
        """Remove the segments that hold nothing but entries up to ``index``, which a checkpoint covers.

        Raises:
            DiskFailedError: see `append`.
        """
        assert index <= self._checkpoint.index, (index, self._checkpoint)
        self.sync()  # the checkpoint must be on disk before what it stands for goes
        while len(self._segments) > 1 and self._segments[1].first_index <= index + 1:
            try:
                self._disk.remove(self._directory / self._segments[0].file_name)
                self._disk.sync_directory(self._directory)  # one by one: no crash may leave a gap
            except OSError as error:
                raise self._failed("remove an old segment beside", error) from error
            del self._segments[0]

    def close(self) -> None:
        """Sync, mark all as synced, and close.  A log that failed is closed without a word.

        Raises:
            DiskFailedError: the last sync failed.
        """
        if self._is_closed:
            return
        try:
            if self._failure is None:
                self.sync()
                if self._is_mark_due:
                    self._write(*self._begin())
                    self.sync()
        finally:
            self._is_closed = True
            with contextlib.suppress(OSError):
                self._file.close()

    def _assert_usable(self) -> None:
        assert not self._is_closed, self
        if self._failure is not None:
            raise DiskFailedError(
                self._failure.path, self._failure.op, self._failure.reason
            ) from self._failure

    def _failed(self, op: str, error: OSError) -> DiskFailedError:
        """Let every later call fail as this one did."""
        path = self._directory / self._segments[-1].file_name
        self._failure = DiskFailedError(path, op, error.strerror or str(error))
        return self._failure

    def _begin(self) -> tuple[list[bytes], int]:
        """Return the parts of the next write, a mark if one is due, and the rolling CRC after them."""
        self._assert_usable()
        if not self._is_mark_due:
            return [], self._crc
        sequence = self._segments[-1].sequence
        mark, crc = encode_mark(sequence=sequence, offset=self._end, crc=self._crc)
        return [mark], crc

    def _write(self, parts: list[bytes], crc: int) -> None:
        data = b"".join(parts)
        self._is_dirty = True
        try:
            write_all(self._file, data, self._end)
        except OSError as error:
            raise self._failed("write", error) from error
        self._is_mark_due = False
        self._end += len(data)
        self._crc = crc
        if self._end >= self._segment_bytes:
            self._cut()

    def _cut(self) -> None:
        """Go on in a new segment.  The full one is synced first: only the last may have a torn tail."""
        self.sync()
        name = SegmentName(self._segments[-1].sequence + 1, self._last_index + 1)
        head = Head(
            self._crc, name.sequence, name.first_index, self._hard_state, self._checkpoint, self._metadata
        )
        try:
            new = create_segment(self._disk, self._directory, head, segment_bytes=self._segment_bytes)
            self._file.close()
        except OSError as error:
            raise self._failed("make the segment after", error) from error
        self._segments.append(name)
        self._file, self._end, self._crc = new.file, new.offset, new.crc
