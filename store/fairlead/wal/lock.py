"""One process per directory: a lock that the kernel drops with the process, however that ends."""

import contextlib
import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from fairlead.wal.disk import naming_failures
from fairlead.wal.errors import DirectoryLockedError

LOCK_NAME = "lock"


class DirectoryLock:
    """A held lock; made by `lock_directory`."""

    __slots__ = ("_fd", "path")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self._fd: int | None = fd

    def release(self) -> None:
        """Let others in.  The file stays: removing it would let two processes lock two files."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_directory(path: Path) -> DirectoryLock:
    """Lock a directory for this process; make it if it is not there.

    Raises:
        DirectoryLockedError: another process holds the lock.
        DiskFailedError: the directory cannot be made or written to.
    """
    with naming_failures(path, "lock"):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(path / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        lock = DirectoryLock(path, fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            pid = _read_pid(fd)
            lock.release()
            raise DirectoryLockedError(path, pid) from error
        except OSError:
            lock.release()
            raise
    return lock


def _read_pid(fd: int) -> int | None:
    """Return the pid in the lock file, None if it does not hold one (yet)."""
    with contextlib.suppress(OSError, ValueError):
        return int(os.pread(fd, 32, 0))
    return None
