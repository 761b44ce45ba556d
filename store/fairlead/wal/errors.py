"""What can go wrong with the log, its snapshots and their directory.

WalError
├── CorruptError           a file does not hold what was written; never repaired in silence
├── DiskFailedError        the disk refused or lost something; the log is dead until a restart
├── DirectoryLockedError   another process works in the directory
├── LogExistsError         a log was to be created where one is
└── LogMissingError        a log was to be opened where none is
"""

from pathlib import PurePath


class WalError(Exception):
    """Anything that this package raises on purpose."""


class CorruptError(WalError):
    """A file holds something else than what was written to it.

    Attributes:
        path: the file.
        offset: where in it, in bytes.
        why: what is wrong there.
    """

    def __init__(self, path: PurePath, offset: int, why: str) -> None:
        super().__init__(
            f"{path} is corrupt at offset {offset}: {why}; "
            "restore the data directory from a backup, or remove this member and add it anew"
        )
        self.path = path
        self.offset = offset
        self.why = why


class DiskFailedError(WalError):
    """An operation on the disk failed, so that nobody knows what it holds.

    After a failed fsync the kernel may drop the pages and call them clean: trying again would succeed and
    prove nothing.  Hence no retry, ever.

    Attributes:
        path: the file or directory.
        op: what was tried, as a verb.
    """

    def __init__(self, path: PurePath, op: str, reason: str) -> None:
        super().__init__(
            f"cannot {op} {path}: {reason}; check the disk, its free space and its permissions, then restart"
        )
        self.path = path
        self.op = op
        self.reason = reason


class DirectoryLockedError(WalError):
    """Another process holds the lock of the directory.

    Attributes:
        path: the directory.
        pid: the process that holds it, None if the lock file does not say.
    """

    def __init__(self, path: PurePath, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(f"{path} is in use by {holder}; stop it, or give this member another directory")
        self.path = path
        self.pid = pid


class LogExistsError(WalError):
    """A log was to be created in a directory that holds one."""

    def __init__(self, path: PurePath) -> None:
        super().__init__(f"{path} holds a log already; open it, or remove the directory to start afresh")
        self.path = path


class LogMissingError(WalError):
    """A log was to be opened in a directory that holds none."""

    def __init__(self, path: PurePath) -> None:
        super().__init__(f"{path} holds no log; check the data directory, or create a new member")
        self.path = path
