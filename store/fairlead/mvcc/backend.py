"""The database on disk: LMDB behind a write buffer, committed in batches.

Writes collect in memory and are committed together, by one transaction, so that the revision log and the applied
index always agree.  A commit has three parts, since only the middle one waits for the disk::

    commit = backend.begin_commit()   # loop thread: the buffer becomes an open write transaction
    commit.run()                      # any thread: write and fsync, the GIL released
    backend.finish(commit)            # loop thread: readers move to the new state

Reads see the buffer, then what is being committed, then what the last commit left; ``finish`` moves the last two.
Making a transaction durable is the write-ahead log's business; the database syncs so that the log may be released.

A dump is how a member is given another's state: the content of one commit, without holes, as a stream of bytes::

    for chunk in backend.dump(scratch): ...     # here, in a thread; nothing is committed while the copy is made
    Backend.load(folder, chunks)                # there: a new database beside the old one, whole or not there
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from fairlead.mvcc import lmdb_engine
from fairlead.mvcc.bucket import Bucket
from fairlead.mvcc.engine import BucketName, Engine
from fairlead.mvcc.lmdb_engine import LmdbEngine

MAP_BYTES = 16 << 30  # address space, not disk: the map doubles when it has to
CHUNK_BYTES = 1 << 16


class Commit:
    """A batch on its way to the disk."""

    __slots__ = ("_run", "count", "is_durable")

    def __init__(self, run: Callable[[], None], count: int) -> None:
        self._run = run
        self.count = count
        self.is_durable = False

    def run(self) -> None:
        """Write and sync; may run on any one thread.

        Raises:
            BackendError: the disk refused.  The member must stop: the truth is in the write-ahead log.
        """
        self._run()
        self.is_durable = True


class Backend:
    """One database and the buffer of what it does not have yet.

    All methods belong to one thread; only ``Commit.run`` and the reading of a dump may happen elsewhere.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._commit: Commit | None = None
        self._buckets = {name: Bucket(engine.tables[name]) for name in BucketName}

    @classmethod
    def open(cls, path: Path, *, map_bytes: int = MAP_BYTES) -> "Backend":
        """Open the database in the folder ``path``, which is made where it is missing.

        Args:
            path: a folder that this process alone uses.
            map_bytes: address space to begin with; it grows by itself.

        Raises:
            BackendError: the folder or the file in it cannot be used.
        """
        return cls(LmdbEngine(path, map_bytes=map_bytes))

    @staticmethod
    def load(path: Path, chunks: Iterable[bytes]) -> None:
        """Make the folder ``path``, which is not there yet, of a dump; synced, and whole or not there at all.

        Raises:
            BackendCorruptError: the chunks are not a whole dump.
            BackendError: the disk refused, or ``path`` is there.
        """
        lmdb_engine.load(path, chunks)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r}, pending={self.pending_count})"

    @property
    def path(self) -> Path:
        """The database's folder."""
        return self._engine.path

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
        value_bytes, count = self.pending_bytes, self.pending_count
        layers = {name: layer for name, bucket in self._buckets.items() if (layer := bucket.begin_commit())}
        self._commit = Commit(self._engine.begin(layers, value_bytes=value_bytes), count)
        return self._commit

    def finish(self, commit: Commit) -> None:
        """Let readers see what ``commit`` made durable."""
        assert commit is self._commit, "only the commit that began last can be finished"
        assert commit.is_durable, "a commit is finished after it has run"
        self._engine.refresh()
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
        return self._engine.size_bytes

    @property
    def size_in_use_bytes(self) -> int:
        """Size of the pages that hold data; the rest is free for reuse, or for ``defragment``."""
        return self._engine.size_in_use_bytes

    def defragment(self) -> None:
        """Rewrite the file without its free pages; takes as long as writing all the data does.

        Raises:
            BackendError: the disk refused; the old file stays.
        """
        assert self._commit is None, "a commit would be lost in the old file"
        self._engine.defragment()

    def copy(self, scratch: Path) -> BinaryIO:
        """Return what is committed, without holes, as a file that ``load`` takes; its size is known at once.

        It may run in a thread, since it takes as long as writing all the data does.  It reads the state of the
        last commit, whose pages outlive one further commit at most: the caller begins none until it returns.
        The file has no name, so that closing it, or dying, is all the cleaning up there is.

        Args:
            scratch: a folder of the copy's own, made and removed here, on a disk with room for the data.

        Raises:
            BackendError: the disk refused; nothing is left behind.
        """
        return self._engine.copy(scratch)

    def dump(self, scratch: Path) -> Iterator[bytes]:
        """Return what ``copy`` does in chunks; the copy is made when the first is asked for."""
        with self.copy(scratch) as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def moved(self, path: Path) -> None:
        """Learn that the database's folder has been renamed to ``path``."""
        self._engine.moved(path)

    def close(self) -> None:
        """Close without committing what is in the buffer: the write-ahead log has it."""
        self._engine.close()
