"""The multi-version store: one revision for each transaction that writes.

A put makes one encoded KeyValue, which lies in the revision log from then on, and is spliced as it is into
reads, watch events and the log on disk.  The index says where in the log a key's value lies, now or at a past
revision.  Writes go through one transaction at a time, which sees its own writes; nothing else runs meanwhile,
and nothing is rolled back: whoever begins a transaction has checked all that can be refused.

Source: etcd's data model; the rules are those of its ``mvcc`` package.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fairlead.mvcc.backend import Backend
from fairlead.mvcc.change import Change
from fairlead.mvcc.codec import key_of
from fairlead.mvcc.compaction import Compaction
from fairlead.mvcc.engine import BucketName
from fairlead.mvcc.errors import CompactedError, FutureRevisionError
from fairlead.mvcc.hash import HashRun, KeyValueHash
from fairlead.mvcc.hub import WatchHub
from fairlead.mvcc.index import KeyIndex, KeyRecord
from fairlead.mvcc.log import RevisionLog
from fairlead.mvcc.transaction import Transaction
from fairlead.proto.kv_pb2 import KeyValue

Progress = Callable[[int, int], None]
_PROGRESS_EVERY = 10_000


@dataclass(slots=True)
class Range:
    """The answer to a range: encoded KeyValues in key order, and how many keys there are without the limit."""

    kvs: list[bytes]
    count: int


class Store:
    """Keys, their history, and who watches them.

    Attributes:
        revision: the current main revision; 1 in an empty store.
        index: which revisions each key has.
        hub: the watchers.
    """

    def __init__(self, backend: Backend, *, progress: Progress | None = None) -> None:
        self._backend = backend
        self._log = RevisionLog(backend.bucket(BucketName.REVISIONS))
        self.index = KeyIndex()
        self.revision = 1
        self.is_writing = False
        self.index.restore(self._load(progress))
        self._compaction = Compaction(self.index, self._log, backend.bucket(BucketName.META))
        # What was compacted was written: else revisions would go backwards when only deletions were last.
        self.revision = max(self.revision, self._compaction.revision)
        self.hub = WatchHub(self)

    @classmethod
    def open(cls, backend: Backend, *, progress: Progress | None = None) -> "Store":
        """Rebuild the index by one scan of the log.

        Args:
            backend: an open database.
            progress: called now and then with (revisions done, revisions in all).
        """
        return cls(backend, progress=progress)

    def __repr__(self) -> str:
        return (
            f"Store(revision={self.revision}, compact_revision={self.compact_revision}, index={self.index!r})"
        )

    @property
    def compact_revision(self) -> int:
        """The oldest revision that can still be read; -1 when there was no compaction."""
        return self._compaction.revision

    def adopt(self, hub: WatchHub) -> None:
        """Take over the watchers of the store that this one replaces: a snapshot was installed.

        This store may have been opened in another thread; from here on it belongs to the hub's.  Whoever holds the
        hub, or a watcher, need not hear of it: each watcher goes on where it was, reads from this store's log what
        it missed, and is told so if that has been compacted.  Call ``sync_step`` soon.

        Args:
            hub: the other store's, which must not be written to any more.
        """
        assert not self.is_writing, "a transaction would be told to the wrong hub"
        assert not self.hub.watchers_count, "this store's own watchers would be lost"
        hub.restore(self)
        self.hub = hub

    # ---- reads ----

    def latest(self, key: bytes) -> bytes | None:
        """Return the encoded KeyValue of a live key, or None."""
        record = self.index.records.get(key)
        if record is None or not record.create_revision:
            return None
        return self._log.get(record.position)

    def record(self, key: bytes) -> KeyRecord | None:
        """Return what compares ask about a live key, without its value; None when it is not live."""
        return self.index.live(key)

    def value_at(self, key: bytes, revision: int) -> bytes | None:
        """Return the encoded KeyValue of a key as of a past revision; None when it was not live or is compacted."""
        if revision < self.compact_revision or (record := self.index.records.get(key)) is None:
            return None
        position = record.position_at(revision)
        return None if position is None else self._log.get(position)

    def range(
        self,
        key: bytes,
        range_end: bytes = b"",
        *,
        revision: int = 0,
        limit: int = 0,
        count_only: bool = False,
    ) -> Range:
        r"""Return the pairs in [key, range_end) at a revision.

        Args:
            key: the first key.
            range_end: empty for one key, ``b"\0"`` for all keys from ``key`` on.
            revision: 0 or less is the latest.
            limit: the most pairs to return, 0 for all; the count is of all of them still.
            count_only: return no pairs.

        Raises:
            CompactedError: the revision lies before the compaction.
            FutureRevisionError: the revision has not been written yet.
        """
        if revision > 0:
            self.check_revision(revision)
        if not range_end:
            found = self.value_at(key, revision) if revision > 0 else self.latest(key)
            kvs = [] if found is None else [found]
            return Range([] if count_only else kvs, len(kvs))
        if revision > 0:
            positions = self.index.positions_at(key, range_end, revision)
            count = len(positions)
            positions = positions[:limit] if limit else positions
        else:
            count = self.index.count(key, range_end)
            positions = [] if count_only else self.index.live_positions(key, range_end, limit=limit)
        if count_only or not positions:
            return Range([], count)
        return Range(self._log.get_many(positions), count)

    def check_revision(self, revision: int) -> None:
        """Raise unless a read at ``revision`` can be answered."""
        if revision > self.revision:
            raise FutureRevisionError(revision, self.revision)
        if revision < self.compact_revision:
            raise CompactedError(revision, self.compact_revision)

    def leased_keys(self) -> Iterator[tuple[bytes, int]]:
        """Return every live key that has a lease, with the lease's id: for rebuilding the lease table."""
        for key, record in self.index.records.items():
            if record.lease:
                yield key, record.lease

    # ---- writes ----

    def begin(self) -> Transaction:
        """Begin the one write transaction; nothing else may be asked of the store until it ends."""
        assert not self.is_writing, "one transaction at a time"
        self.is_writing = True
        return Transaction(self, self._log)

    def publish(self, changes: list[Change]) -> int:
        """Take the changes of a transaction that ended as the next revision; return the current one."""
        self.is_writing = False
        if changes:
            self.revision += 1
            self.hub.notify(self.revision, changes)
        return self.revision

    # ---- history ----

    def changes_from(self, revision: int) -> Iterator[Change]:
        """Return the changes from a revision on, oldest first, until the log ends or the caller stops."""
        for position, kv in self._log.entries_from(revision << 32):
            yield Change.from_log(position, kv)

    def compact(self, revision: int) -> None:
        """Give up the history before ``revision``; reads refuse it at once, the disk gets it back in slices.

        Raises:
            CompactedError: that has happened already.
            FutureRevisionError: the revision has not been written yet.
        """
        assert not self.is_writing
        if revision <= self.compact_revision:
            raise CompactedError(revision, self.compact_revision)
        if revision > self.revision:
            raise FutureRevisionError(revision, self.revision)
        self._compaction.schedule(revision)

    def bump(self, count: int) -> None:
        """Count on as if ``count`` more revisions had been written, and give up all history before.

        For a store that went back to a backup: whoever has seen revisions that are lost does not take new ones for
        them, and hears that what he asks for is compacted (etcd's ``--bump-revision``).
        """
        self.revision += count
        self.compact(self.revision)

    @property
    def has_compaction_left(self) -> bool:
        """Whether ``compact_step`` has something to do."""
        return not self._compaction.is_done

    def compact_step(self, revisions_max: int = 1000) -> bool:
        """Remove up to that many old revisions from disk and index; return whether all are gone."""
        return self._compaction.step(revisions_max)

    def begin_hash(self, revision: int = 0) -> HashRun:
        """Begin a hash of the history up to ``revision`` (0: the current one), to be run in slices.

        Raises:
            CompactedError, FutureRevisionError: as for a read.
        """
        self.check_revision(revision or self.revision)
        return HashRun(self, self._log, revision or self.revision)

    def hash_kv(self, revision: int = 0) -> KeyValueHash:
        """Hash the history up to ``revision`` at one go; see ``begin_hash``."""
        run = self.begin_hash(revision)
        while (found := run.step(_PROGRESS_EVERY)) is None:
            pass
        return found

    def _load(self, progress: Progress | None) -> Iterator[tuple[bytes, int, int, int, int]]:
        """Read the log from its beginning, for the index."""
        total, position = self._log.entries, 0
        for done, (position, kv) in enumerate(self._log.entries_from(0)):
            if progress is not None and done % _PROGRESS_EVERY == 0:
                progress(done, total)
            if position & 1:
                yield key_of(kv), position, 0, 0, 0
            else:
                pair = KeyValue.FromString(kv)
                yield pair.key, position, pair.create_revision, pair.version, pair.lease
        self.revision = max(1, position >> 32)
        if progress is not None:
            progress(total, total)
