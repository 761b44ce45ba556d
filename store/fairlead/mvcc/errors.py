"""What can go wrong in the multi-version store.

::

    MvccError
    +-- CompactedError            the caller's: the history asked for is gone
    +-- FutureRevisionError       the caller's: nobody has written that revision yet
    +-- BackendError              the environment's: the database on disk
        +-- BackendFullError      no room left on the disk or in the map
        +-- BackendCorruptError   the file is not what was written
        +-- BackendFailedError    any other refusal of the disk
"""

from pathlib import Path


class MvccError(Exception):
    """The root of this package's errors."""


class CompactedError(MvccError):
    """The revision lies before the compaction; its history is gone for good."""

    def __init__(self, revision: int, compact_revision: int) -> None:
        super().__init__(
            f"revision {revision} has been compacted; ask for {max(compact_revision, 1)} or newer"
        )
        self.revision = revision
        self.compact_revision = compact_revision


class FutureRevisionError(MvccError):
    """The revision has not been written yet."""

    def __init__(self, revision: int, current: int) -> None:
        super().__init__(f"revision {revision} is in the future; the store is at {current}")
        self.revision = revision
        self.current = current


class BackendError(MvccError):
    """The database on disk does not do what it is asked to."""

    def __init__(self, path: Path, problem: str, *, hint: str) -> None:
        super().__init__(f"database {path}: {problem}; {hint}")
        self.path = path


class BackendFullError(BackendError):
    """No room is left for the database to grow."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(path, f"no room left ({why})", hint="free space on its disk and start again")


class BackendCorruptError(BackendError):
    """The database file cannot be read."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(path, f"damaged ({why})", hint="restore this member from a snapshot")


class BackendFailedError(BackendError):
    """The disk refused an operation."""

    def __init__(self, path: Path, op: str, why: str) -> None:
        super().__init__(path, f"cannot {op} ({why})", hint="check the disk and the permissions")
        self.op = op
