"""One write transaction: its changes make one revision, or none when there are no changes."""

from typing import TYPE_CHECKING, NamedTuple

from fairlead.mvcc.change import Change
from fairlead.mvcc.codec import deleted_key_value, encode_key_value, encode_tombstone
from fairlead.mvcc.index import position_of
from fairlead.mvcc.log import RevisionLog

if TYPE_CHECKING:
    from fairlead.mvcc.store import Range, Store


class Deleted(NamedTuple):
    """What a deletion took: the keys in ascending order and, if it was asked for, their last encoded KeyValues."""

    keys: list[bytes]
    kvs: list[bytes]


class Transaction:
    """Writes at the revision after the current one, and reads that see them.

    A key should change at most once; the API refuses more, and a watcher would see each change.
    """

    __slots__ = ("_changes", "_log", "_main", "_store")

    def __init__(self, store: "Store", log: RevisionLog) -> None:
        self._store = store
        self._log = log
        self._main = store.revision + 1
        self._changes: list[Change] = []

    def __repr__(self) -> str:
        return f"Transaction(revision={self._main}, changes={len(self._changes)})"

    @property
    def changes(self) -> int:
        """Changes so far; with one or more, the transaction makes a revision."""
        return len(self._changes)

    def put(self, key: bytes, value: bytes, lease: int = 0) -> None:
        """Set a key; a lease of 0 takes the key off the lease that it was on."""
        main = self._main
        position = main << 32 | len(self._changes) << 1
        record = self._store.index.put(key, position, lease)
        kv = encode_key_value(
            key,
            value,
            create_revision=record.create_revision,
            mod_revision=main,
            version=record.version,
            lease=lease,
        )
        self._log.put(position, kv)
        self._changes.append(Change(main, key, kv, False))

    def delete_range(self, key: bytes, range_end: bytes = b"", *, prev_kv: bool = False) -> Deleted:
        """Delete the live keys in a range, in ascending order, so that every member writes the same log.

        Args:
            key: the first key.
            range_end: as for ``Store.range``.
            prev_kv: return what the keys held, too; it has to be read.
        """
        index, main = self._store.index, self._main
        keys, records = index.live_in(key, range_end)
        if not keys:
            return Deleted(keys, [])
        kvs = self._log.get_many([record.position for record in records]) if prev_kv else []
        first = position_of(main, len(self._changes), is_tombstone=True)
        tombstones = [encode_tombstone(each) for each in keys]
        ending = deleted_key_value(b"", main)
        index.delete(keys, records, first)
        self._log.put_tombstones(first, tombstones)
        self._changes += [
            Change(main, each, tombstone + ending, True)
            for each, tombstone in zip(keys, tombstones, strict=True)
        ]
        return Deleted(keys, kvs)

    def latest(self, key: bytes) -> bytes | None:
        """Return the encoded KeyValue of a live key, this transaction's writes included."""
        return self._store.latest(key)

    def range(
        self,
        key: bytes,
        range_end: bytes = b"",
        *,
        revision: int = 0,
        limit: int = 0,
        count_only: bool = False,
    ) -> "Range":
        """Return a range, this transaction's writes included unless an older revision is asked for.

        Raises:
            CompactedError, FutureRevisionError: as for the store; the transaction's own revision is future.
        """
        return self._store.range(key, range_end, revision=revision, limit=limit, count_only=count_only)

    def end(self) -> int:
        """Make the changes one revision and tell the watchers; return the current revision."""
        return self._store.publish(self._changes)
