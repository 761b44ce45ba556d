"""LMDB as the database: the only module that calls it.

LMDB runs without its lock file: the data directory has a lock of its own, one process holds it, and writers never
meet here.  Without that file LMDB knows no readers, and keeps the pages of a reader's snapshot only while at
most one commit has happened since; one commit at a time and a refresh after each is therefore a rule of safety,
not of taste.
"""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import lmdb

from fairlead.mvcc.engine import ASCENDING, BucketName, Writes
from fairlead.mvcc.errors import BackendCorruptError, BackendError, BackendFailedError, BackendFullError

_FILE = "data.mdb"
# Below a dump that is being loaded, until its folder has its name.
_UNFINISHED = ".unfinished"
# Two pages begin the file, one lists the tables.
_PAGES_OF_LMDB = 3


class LmdbTable:
    """A table of the engine's; see ``Table``."""

    __slots__ = ("_db", "_reader")

    def __init__(self) -> None:
        self._db: Any
        self._reader: lmdb.Transaction[bytes]

    def bind(self, reader: "lmdb.Transaction[bytes]", db: object) -> None:
        """Attach to a database that has just been opened."""
        self._reader, self._db = reader, db

    def rebind(self, reader: "lmdb.Transaction[bytes]") -> None:
        """Take a newer read transaction of the same database."""
        self._reader = reader

    def get(self, key: bytes) -> bytes | None:
        """See ``Table.get``."""
        return self._reader.get(key, db=self._db)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes]:
        """See ``Table.get_many``."""
        with self._reader.cursor(db=self._db) as cursor:
            return [value for _, value in cursor.getmulti(keys)]

    def items(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """See ``Table.items``."""
        with self._reader.cursor(db=self._db) as cursor:
            if cursor.set_range(start) if start else cursor.first():
                yield from cursor.iternext()

    @property
    def entries(self) -> int:
        """See ``Table.entries``."""
        return self._reader.stat(db=self._db)["entries"]

    @property
    def pages(self) -> int:
        """Pages in use."""
        stat = self._reader.stat(db=self._db)
        return stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]

    def write(self, txn: "lmdb.Transaction[bytes]", writes: Writes, *, append: bool) -> None:
        """Put ``writes`` into a transaction."""
        puts = [(key, value) for key, value in writes.items() if value is not None]
        with txn.cursor(db=self._db) as cursor:
            _, added = cursor.putmulti(puts, append=append)
        assert added == len(puts), "keys of an ascending bucket must ascend"
        if added < len(writes):
            for key, value in writes.items():
                if value is None:
                    txn.delete(key, db=self._db)


class LmdbEngine:
    """One LMDB file; see ``Engine``.

    Args:
        path: a folder that this process alone uses; it is made where it is missing.
        map_bytes: address space to begin with; it grows by itself.

    Raises:
        BackendError: the folder or the file in it cannot be used.
    """

    def __init__(self, path: Path, *, map_bytes: int) -> None:
        self.path = path
        self.tables: Mapping[BucketName, LmdbTable] = {name: LmdbTable() for name in BucketName}
        self._map_bytes = map_bytes
        self._reader: lmdb.Transaction[bytes]
        self._open()

    def begin(self, writes: Mapping[BucketName, Writes], *, value_bytes: int) -> Callable[[], None]:
        """See ``Engine.begin``."""
        self._make_room(sum(map(len, writes.values())), value_bytes)
        with translated(self.path, "write"):
            txn = self._env.begin(write=True)
            for name, layer in writes.items():
                self.tables[name].write(txn, layer, append=name is ASCENDING)

        def run() -> None:
            with translated(self.path, "commit"):
                txn.commit()

        return run

    def refresh(self) -> None:
        """See ``Engine.refresh``."""
        with translated(self.path, "read"):
            self._reader.abort()  # LMDB keeps it as a spare: the next one costs no allocation
            self._reader = self._env.begin()
        for table in self.tables.values():
            table.rebind(self._reader)

    @property
    def size_bytes(self) -> int:
        """Size of the file in use or kept for reuse."""
        return (self._env.info()["last_pgno"] + 1) * self._page_bytes

    @property
    def size_in_use_bytes(self) -> int:
        """Size of the pages that hold data."""
        return (_PAGES_OF_LMDB + sum(table.pages for table in self.tables.values())) * self._page_bytes

    def copy(self, scratch: Path) -> BinaryIO:
        """See ``Engine.copy``; the copy has no name any more when this returns, so it leaves nothing behind."""
        with translated(self.path, "copy"):
            scratch.mkdir(parents=True, exist_ok=True)
            file = scratch / _FILE
            file.unlink(missing_ok=True)
            try:
                self._env.copy(str(scratch), compact=True)
                return file.open("rb")
            finally:
                file.unlink(missing_ok=True)
                scratch.rmdir()

    def defragment(self) -> None:
        """See ``Engine.defragment``: the file is rewritten, which takes as long as writing all the data does."""
        copy = self.path / "defragment"
        with translated(self.path, "defragment"):
            copy.mkdir(exist_ok=True)
            self._env.copy(str(copy), compact=True)
            sync(copy / _FILE)
            self.close()
            try:
                (copy / _FILE).replace(self.path / _FILE)
                sync(self.path)
                copy.rmdir()
            finally:
                self._open()

    def moved(self, path: Path) -> None:
        """See ``Engine.moved``; LMDB itself holds the file by its descriptor."""
        self.path = path

    def close(self) -> None:
        """See ``Engine.close``."""
        self._reader.abort()
        self._env.close()

    def _open(self) -> None:
        with translated(self.path, "open"):
            self.path.mkdir(parents=True, exist_ok=True)
            self._env = lmdb.open(
                str(self.path), map_size=self._map_bytes, max_dbs=len(BucketName), lock=False, meminit=False
            )
            handles = {name: self._env.open_db(name.encode()) for name in BucketName}
            self._page_bytes: int = self._env.stat()["psize"]
            self._reader = self._env.begin()
        for name, table in self.tables.items():
            table.bind(self._reader, handles[name])

    def _make_room(self, count: int, value_bytes: int) -> None:
        """Grow the map before a batch could fill it; a page for each write and twice its bytes is plenty."""
        needed = self.size_bytes + 2 * value_bytes + (count + 1024) * self._page_bytes
        if needed <= self._map_bytes:
            return
        while self._map_bytes < needed:
            self._map_bytes *= 2
        with translated(self.path, "grow"):
            self._reader.abort()
            self._env.set_mapsize(self._map_bytes)
            self._reader = self._env.begin()
        self.refresh()


def load(path: Path, chunks: Iterable[bytes]) -> None:
    """Make the folder ``path`` of a dump: synced, and under its name only when it is whole.

    Raises:
        BackendCorruptError: the chunks are not a whole dump.
        BackendError: the disk refused; ``path`` is not there.
    """
    folder = path.with_name(path.name + _UNFINISHED)
    with translated(path, "load"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            with (folder / _FILE).open("wb") as file:
                file.writelines(chunks)
            _check_whole(folder)
            sync(folder / _FILE)
            sync(folder)
            folder.rename(path)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        sync(path.parent)


def _check_whole(folder: Path) -> None:
    """Refuse a dump that was cut: LMDB would only notice when it reads a page that is not there."""
    size_bytes = (folder / _FILE).stat().st_size
    # To open an empty file is to make a database.
    if not size_bytes:
        raise lmdb.InvalidError("empty")
    with lmdb.open(str(folder), max_dbs=len(BucketName), readonly=True, lock=False) as env:
        wanted_bytes = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    if size_bytes < wanted_bytes:
        raise lmdb.InvalidError(f"{size_bytes} of {wanted_bytes} bytes")


_DAMAGED = (
    lmdb.CorruptedError, lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.PageNotFoundError, lmdb.PanicError,
)  # fmt: skip
_FULL = (lmdb.MapFullError, lmdb.DiskError)
# More than LMDB writes at a time: 64 pages.
_ROOM_BYTES = 1 << 20


@contextmanager
def translated(path: Path, op: str) -> Iterator[None]:
    """Turn LMDB's and the system's errors into this package's."""
    try:
        yield
    except BackendError:
        raise
    except _FULL as error:
        raise BackendFullError(path, str(error)) from error
    except _DAMAGED as error:
        raise BackendCorruptError(path, str(error)) from error
    except (lmdb.Error, OSError) as error:
        # Of a write that stops short, as the last one onto a disk does, LMDB says that it was an IO error.
        if _is_full(path):
            raise BackendFullError(path, str(error)) from error
        raise BackendFailedError(path, op, str(error)) from error


def _is_full(path: Path) -> bool:
    with suppress(OSError):
        file_system = os.statvfs(path)
        return file_system.f_bavail * file_system.f_frsize < _ROOM_BYTES
    return False


def sync(path: Path) -> None:
    """Make a file's content, or a folder's names, durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
