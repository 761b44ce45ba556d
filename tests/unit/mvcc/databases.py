"""LMDB with the face of ``MemoryDatabases``, so that one set of tests can ask both."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from fairlead.mvcc import Backend


class Databases(Protocol):
    """The databases of one machine."""

    def open(self, path: Path) -> Backend: ...
    def load(self, path: Path, chunks: Iterable[bytes]) -> None: ...
    def exists(self, path: Path) -> bool: ...
    def move(self, old: Path, new: Path) -> None: ...
    def remove(self, path: Path) -> None: ...
    def crash(self) -> None: ...


class LmdbDatabases:
    """Folders on the disk; a crash lets go of whatever is open."""

    def __init__(self) -> None:
        self._opened: list[Backend] = []

    def open(self, path: Path) -> Backend:
        backend = Backend.open(path, map_bytes=1 << 24)
        self._opened.append(backend)
        return backend

    def load(self, path: Path, chunks: Iterable[bytes]) -> None:
        Backend.load(path, chunks)

    def exists(self, path: Path) -> bool:
        return path.exists()

    def move(self, old: Path, new: Path) -> None:
        old.rename(new)

    def remove(self, path: Path) -> None:
        shutil.rmtree(path, ignore_errors=True)

    def crash(self) -> None:
        for backend in self._opened:
            backend.close()
        self._opened.clear()
