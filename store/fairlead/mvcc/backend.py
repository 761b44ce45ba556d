"""The database on disk: LMDB behind a write buffer, committed in batches.

Writes collect in memory and are committed together, by one LMDB transaction, so that the revision log and the
applied index always agree.  A commit has three parts, since only the middle one waits for the disk::

    commit = backend.begin_commit()   # loop thread: the buffer becomes an open write transaction
    commit.run()                      # any thread: write and fsync, the GIL released
    backend.finish(commit)            # loop thread: readers move to the new state

Reads see the buffer, then what is being committed, then an LMDB read transaction; ``finish`` begins a new one.

LMDB runs without its lock file: the data directory has a lock of its own, one process holds it, and writers never
meet here.  Without that file LMDB knows no readers, and keeps the pages of a reader's snapshot only while at
most one commit has happened since; one commit at a time and a renewal after each is therefore a rule of safety,
not of taste.  Making a transaction durable is the write-ahead log's business; LMDB syncs so that the log may be
released.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import lmdb

from fairlead.mvcc.bucket import Bucket
from fairlead.mvcc.errors import BackendCorruptError, BackendError, BackendFailedError, BackendFullError

MAP_BYTES = 16 << 30  # address space, not disk: the map doubles when it has to
_FILE = "data.mdb"


class BucketName(StrEnum):
    """The tables of the database, named as etcd names its own."""

    REVISIONS = "key"
    META = "meta"
    LEASE = "lease"
    ALARM = "alarm"
    CLUSTER = "cluster"
    MEMBERS = "members"
    MEMBERS_REMOVED = "members_removed"
    AUTH = "auth"
    AUTH_USERS = "authUsers"
    AUTH_ROLES = "authRoles"


class Commit:
    """A batch on its way to the disk."""

    __slots__ = ("_path", "_txn", "count", "is_durable")

    def __init__(self, txn: "lmdb.Transaction[bytes]", path: Path, count: int) -> None:
        self._txn = txn
        self._path = path
        self.count = count
        self.is_durable = False

    def run(self) -> None:
        """Write and sync; may run on any one thread.

        Raises:
            BackendError: the disk refused.  The member must stop: the truth is in the write-ahead log.
        """
        with translated(self._path, "commit"):
            self._txn.commit()
        self.is_durable = True


class Backend:
    """One LMDB database and the buffer of what it does not have yet.

    All methods belong to one thread; only ``Commit.run`` may run elsewhere.
    """

    def __init__(self, path: Path, *, map_bytes: int) -> None:
        self._path = path
        self._map_bytes = map_bytes
        self._commit: Commit | None = None
        self._buckets = {name: Bucket(ordered=name is BucketName.REVISIONS) for name in BucketName}
        self._open()

    @classmethod
    def open(cls, path: Path, *, map_bytes: int = MAP_BYTES) -> "Backend":
        """Open the database in the folder ``path``, which is made where it is missing.

        Args:
            path: a folder that this process alone uses.
            map_bytes: address space to begin with; it grows by itself.

        Raises:
            BackendError: the folder or the file in it cannot be used.
        """
        return cls(path, map_bytes=map_bytes)

    def __repr__(self) -> str:
        return f"Backend({str(self._path)!r}, pending={self.pending_count})"

    def bucket(self, name: str) -> Bucket:
        """Return one table, for whoever reads or writes it often."""
        return self._buckets[BucketName(name)]

    def get(self, bucket: str, key: bytes) -> bytes | None:
        """Return what was put last, committed or not; None where there is nothing."""
        return self.bucket(bucket).get(key)

    def put(self, bucket: str, key: bytes, value: bytes) -> None:
        """Write into the buffer; the next commit takes it along."""
        self.bucket(bucket).put(key, value)

    def delete(self, bucket: str, key: bytes) -> None:
        """Delete, in the buffer; a missing key is no error."""
        self.bucket(bucket).delete(key)

    def items(self, bucket: str) -> Iterator[tuple[bytes, bytes]]:
        """Return a bucket's pairs in key order, buffer included."""
        return self.bucket(bucket).items()

    @property
    def pending_count(self) -> int:
        """Writes in the buffer that no commit has taken yet."""
        return sum(bucket.pending_count for bucket in self._buckets.values())

    @property
    def pending_bytes(self) -> int:
        """Size of the values in the buffer that no commit has taken yet."""
        return sum(bucket.pending_bytes for bucket in self._buckets.values())

    @property
    def is_committing(self) -> bool:
        """Whether a commit has begun and not finished; there is one at a time."""
        return self._commit is not None

    def begin_commit(self) -> Commit:
        """Turn the buffer into a write transaction that is ready to run.

        Raises:
            BackendError: the disk refused; nothing has been written.
        """
        assert self._commit is None, "one commit at a time: a reader survives only one"
        self._make_room()
        with translated(self._path, "write"):
            txn = self._env.begin(write=True)
            count = sum(bucket.begin_commit(txn) for bucket in self._buckets.values())
        self._commit = Commit(txn, self._path, count)
        return self._commit

    def finish(self, commit: Commit) -> None:
        """Let readers see what ``commit`` made durable."""
        assert commit is self._commit, "only the commit that began last can be finished"
        assert commit.is_durable, "a commit is finished after it has run"
        self._renew_reader()
        for bucket in self._buckets.values():
            bucket.finish_commit()
        self._commit = None

    def commit_now(self) -> None:
        """Begin, run and finish on this thread: for start, stop and tests."""
        commit = self.begin_commit()
        commit.run()
        self.finish(commit)

    @property
    def size_bytes(self) -> int:
        """Size of the file in use or kept for reuse; what the quota is about."""
        return (self._env.info()["last_pgno"] + 1) * self._page_bytes

    @property
    def size_in_use_bytes(self) -> int:
        """Size of the pages that hold data; the rest is free for reuse, or for ``defragment``."""
        # Three pages are LMDB's own: two that begin the file, one that lists the tables.
        return (3 + sum(bucket.pages for bucket in self._buckets.values())) * self._page_bytes

    def defragment(self) -> None:
        """Rewrite the file without its free pages; takes as long as writing all the data does.

        Raises:
            BackendError: the disk refused; the old file stays.
        """
        assert self._commit is None, "a commit would be lost in the old file"
        copy = self._path / "defragment"
        with translated(self._path, "defragment"):
            copy.mkdir(exist_ok=True)
            self._env.copy(str(copy), compact=True)
            _sync(copy / _FILE)
            self._close()
            try:
                (copy / _FILE).replace(self._path / _FILE)
                _sync(self._path)
                copy.rmdir()
            finally:
                self._open()

    def close(self) -> None:
        """Close without committing what is in the buffer: the write-ahead log has it."""
        self._close()

    def _open(self) -> None:
        with translated(self._path, "open"):
            self._path.mkdir(parents=True, exist_ok=True)
            self._env = lmdb.open(
                str(self._path), map_size=self._map_bytes, max_dbs=len(BucketName), lock=False, meminit=False
            )
            handles = {name: self._env.open_db(name.encode()) for name in BucketName}
            self._page_bytes: int = self._env.stat()["psize"]
            self._reader = self._env.begin()
        for name, bucket in self._buckets.items():
            bucket.bind(handles[name], self._reader)

    def _close(self) -> None:
        self._reader.abort()
        self._env.close()

    def _make_room(self) -> None:
        """Grow the map before a batch could fill it; a page for each write and twice its bytes is plenty."""
        needed = self.size_bytes + 2 * self.pending_bytes + (self.pending_count + 1024) * self._page_bytes
        if needed <= self._map_bytes:
            return
        while self._map_bytes < needed:
            self._map_bytes *= 2
        with translated(self._path, "grow"):
            self._reader.abort()
            self._env.set_mapsize(self._map_bytes)
        self._renew_reader()

    def _renew_reader(self) -> None:
        with translated(self._path, "read"):
            self._reader.abort()  # LMDB keeps it as a spare: the next one costs no allocation
            self._reader = self._env.begin()
        for bucket in self._buckets.values():
            bucket.rebind(self._reader)


_DAMAGED = (
    lmdb.CorruptedError, lmdb.InvalidError, lmdb.VersionMismatchError, lmdb.PageNotFoundError, lmdb.PanicError,
)  # fmt: skip
_FULL = (lmdb.MapFullError, lmdb.DiskError)


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
        raise BackendFailedError(path, op, str(error)) from error


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
