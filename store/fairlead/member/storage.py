"""Where a member keeps its databases: folders on the disk, or somewhere in a simulator's memory."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from fairlead.mvcc import Backend
from fairlead.wal import OsDisk


class Databases(Protocol):
    """Database folders, by their paths.  ``fairlead.mvcc.testing.MemoryDatabases`` is one in memory."""

    def open(self, path: Path) -> Backend:
        """Open a database, which is made where it is missing."""

    def load(self, path: Path, chunks: Iterable[bytes]) -> None:
        """Make a database of a dump, whole or not at all; ``path`` must be free."""

    def exists(self, path: Path) -> bool:
        """Whether there is one."""

    def move(self, old: Path, new: Path) -> None:
        """Rename a folder to a name that is free."""

    def remove(self, path: Path) -> None:
        """Remove a folder; a missing one is no error."""


class Folders:
    """The real ones."""

    def open(self, path: Path) -> Backend:
        """See ``Databases.open``."""
        return Backend.open(path)

    def load(self, path: Path, chunks: Iterable[bytes]) -> None:
        """See ``Databases.load``."""
        Backend.load(path, chunks)

    def exists(self, path: Path) -> bool:
        """See ``Databases.exists``."""
        return path.exists()

    def move(self, old: Path, new: Path) -> None:
        """See ``Databases.move``; durable, since the snapshot that it was made of is removed next."""
        old.rename(new)
        OsDisk().sync_directory(new.parent)

    def remove(self, path: Path) -> None:
        """See ``Databases.remove``."""
        shutil.rmtree(path, ignore_errors=True)
