"""The seam between the log and the machine: every byte that is read or written goes through it.

`OsDisk` is the real one; `fairlead.wal.testing.MemoryDisk` is a disk that loses, tears and rots what it
holds, as far as a real one may.  Both pass the same contract tests.  A failure is an ``OSError``, as the
operating system words it; the log turns it into `DiskFailedError`.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from fairlead.wal.errors import DiskFailedError

SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""


class DiskFile(Protocol):
    """An open file."""

    def size(self) -> int:
        """Return the size in bytes."""

    def data_size(self) -> int:
        """Return an offset beyond which there are only zeros; the size, where the file system cannot tell."""

    def read(self, offset: int, size_max: int) -> bytes:
        """Return at most ``size_max`` bytes; fewer, or none, at the end of the file."""

    def write(self, data: bytes, offset: int) -> int:
        """Write a beginning of ``data``; return how many bytes of it."""

    def preallocate(self, size: int) -> None:
        """Reserve the file's first ``size`` bytes; those that are new read as zeros."""

    def sync(self) -> None:
        """Make what was written, and the size, outlive a power cut (fdatasync)."""

    def close(self) -> None:
        """Give the file back, without making anything durable."""


class Disk(Protocol):
    """A file system.  A change of a directory outlives a power cut once `sync_directory` returned."""

    def make_directory(self, path: Path) -> None:
        """Create the directory and those above it, durably; fine if it is there."""

    def list_directory(self, path: Path) -> list[str]:
        """Return the names in it, in order."""

    def sync_directory(self, path: Path) -> None:
        """Make the names in it durable."""

    def create(self, path: Path) -> DiskFile:
        """Create an empty file and open it; ``FileExistsError`` if it is there."""

    def open(self, path: Path) -> DiskFile:
        """Open a file to read and write; ``FileNotFoundError`` if it is not there."""

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name in one step, in place of one that has it."""

    def remove(self, path: Path) -> None:
        """Remove a file."""


@contextlib.contextmanager
def naming_failures(path: Path, op: str) -> Iterator[None]:
    """Turn what the operating system says into an error that names the file and what was tried."""
    try:
        yield
    except OSError as error:
        raise DiskFailedError(path, op, error.strerror or str(error)) from error


def write_all(file: DiskFile, data: bytes, offset: int) -> None:
    """Write all of ``data``: a write may stop short, for instance where the disk gets full."""
    written = file.write(data, offset)
    while written < len(data):
        written += file.write(data[written:], offset + written)


def read_all(file: DiskFile) -> bytes:
    """Return the whole file but for zeros at its end, which a preallocated one has by the megabyte."""
    chunks: list[bytes] = []
    offset, size = 0, file.data_size()
    while offset < size and (chunk := file.read(offset, size - offset)):
        chunks.append(chunk)
        offset += len(chunk)
    return b"".join(chunks)


class OsFile:
    """A file of the operating system."""

    __slots__ = ("_fd",)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def size(self) -> int:
        """See `DiskFile.size`."""
        return os.fstat(self._fd).st_size

    def data_size(self) -> int:
        """See `DiskFile.data_size`."""
        end = 0
        try:
            while True:
                start = os.lseek(self._fd, end, os.SEEK_DATA)
                end = os.lseek(self._fd, start, os.SEEK_HOLE)
        except OSError as error:
            # Beyond the last of the data there is none: that is the answer.
            return end if error.errno == errno.ENXIO else self.size()

    def read(self, offset: int, size_max: int) -> bytes:
        """See `DiskFile.read`."""
        return os.pread(self._fd, size_max, offset)

    def write(self, data: bytes, offset: int) -> int:
        """See `DiskFile.write`."""
        return os.pwrite(self._fd, data, offset)

    def preallocate(self, size: int) -> None:
        """See `DiskFile.preallocate`."""
        os.posix_fallocate(self._fd, 0, size)

    def sync(self) -> None:
        """See `DiskFile.sync`."""
        os.fdatasync(self._fd)

    def close(self) -> None:
        """See `DiskFile.close`."""
        os.close(self._fd)


class OsDisk:
    """The file system of the operating system.  Files are for their owner's eyes only."""

    def make_directory(self, path: Path) -> None:
        """See `Disk.make_directory`."""
        missing = [above for above in (path, *path.parents) if not above.exists()]
        for directory in reversed(missing):
            directory.mkdir(mode=0o700, exist_ok=True)
            self.sync_directory(directory.parent)

    def list_directory(self, path: Path) -> list[str]:
        """See `Disk.list_directory`."""
        return sorted(entry.name for entry in path.iterdir())

    def sync_directory(self, path: Path) -> None:
        """See `Disk.sync_directory`."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def create(self, path: Path) -> OsFile:
        """See `Disk.create`."""
        return OsFile(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))

    def open(self, path: Path) -> OsFile:
        """See `Disk.open`."""
        return OsFile(os.open(path, os.O_RDWR | os.O_CLOEXEC))

    def rename(self, old: Path, new: Path) -> None:
        """See `Disk.rename`."""
        old.rename(new)

    def remove(self, path: Path) -> None:
        """See `Disk.remove`."""
        path.unlink()
