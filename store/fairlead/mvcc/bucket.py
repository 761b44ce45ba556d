"""One table of the database: LMDB below, and above it what has not been committed."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import lmdb


class Bucket:
    """A table whose reads see writes at once, though they reach LMDB in batches.

    Two layers lie above LMDB: ``fresh`` takes the writes, ``flying`` is what the running commit carries.  In a
    layer None stands for a deletion.

    Args:
        ordered: whether new keys are always put in ascending order; LMDB then fills its pages to the brim.
    """

    __slots__ = ("_db", "_flying", "_fresh", "_ordered", "_reader", "pending_bytes")

    def __init__(self, *, ordered: bool = False) -> None:
        self._ordered = ordered
        self._fresh: dict[bytes, bytes | None] = {}
        self._flying: dict[bytes, bytes | None] = {}
        self._db: Any = None
        self._reader: lmdb.Transaction[bytes]
        self.pending_bytes = 0

    def bind(self, db: object, reader: "lmdb.Transaction[bytes]") -> None:
        """Attach to an open database; the layers stay as they are."""
        self._db = db
        self._reader = reader

    def rebind(self, reader: "lmdb.Transaction[bytes]") -> None:
        """Take another read transaction of the same database."""
        self._reader = reader

    @property
    def pending_count(self) -> int:
        """Writes that no commit has taken yet."""
        return len(self._fresh)

    def get(self, key: bytes) -> bytes | None:
        """Return what was put last, committed or not; None where there is nothing."""
        if key in self._fresh:
            return self._fresh[key]
        if key in self._flying:
            return self._flying[key]
        return self._reader.get(key, db=self._db)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes]:
        """Return the values of keys that all exist and are not empty, in the order of ``keys``."""
        fresh, flying = self._fresh, self._flying
        if not fresh and not flying:
            return self._get_committed(keys)
        found = [fresh.get(key) or flying.get(key) for key in keys]
        absent = [key for key, value in zip(keys, found, strict=True) if value is None]
        if absent:
            committed = iter(self._get_committed(absent))
            return [next(committed) if value is None else value for value in found]
        return found  # type: ignore[return-value]  # nothing is absent, so nothing is None

    def _get_committed(self, keys: Sequence[bytes]) -> list[bytes]:
        with self._reader.cursor(db=self._db) as cursor:
            values = [value for _, value in cursor.getmulti(keys)]
        assert len(values) == len(keys), "the index names a position that the log lacks"
        return values

    def put(self, key: bytes, value: bytes) -> None:
        """Write into the buffer."""
        self._fresh[key] = value
        self.pending_bytes += len(value)

    def delete(self, key: bytes) -> None:
        """Delete, in the buffer; a missing key is no error."""
        self._fresh[key] = None

    def items(self, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Return the pairs from ``start`` on in key order, both layers included.

        The iteration must end before the next commit finishes, and nothing may be written meanwhile.
        """
        overlaid = sorted({key for layer in (self._flying, self._fresh) for key in layer if key >= start})
        above = iter(overlaid)
        next_above = next(above, None)
        for key, value in self._committed(start):
            while next_above is not None and next_above < key:
                yield from self._overlaid(next_above)
                next_above = next(above, None)
            if next_above != key:
                yield key, value
        while next_above is not None:
            yield from self._overlaid(next_above)
            next_above = next(above, None)

    def _overlaid(self, key: bytes) -> Iterator[tuple[bytes, bytes]]:
        value = self._fresh[key] if key in self._fresh else self._flying[key]
        if value is not None:
            yield key, value

    def _committed(self, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        with self._reader.cursor(db=self._db) as cursor:
            if cursor.set_range(start) if start else cursor.first():
                yield from cursor.iternext()

    @property
    def entries(self) -> int:
        """Committed entries."""
        return self._reader.stat(db=self._db)["entries"]

    @property
    def pages(self) -> int:
        """Committed pages."""
        stat = self._reader.stat(db=self._db)
        return stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]

    def begin_commit(self, txn: "lmdb.Transaction[bytes]") -> int:
        """Write the buffer into ``txn`` and begin a new one; return the number of writes."""
        assert not self._flying
        flying, self._fresh = self._fresh, {}
        self._flying, self.pending_bytes = flying, 0
        if flying:
            puts = [(key, value) for key, value in flying.items() if value is not None]
            with txn.cursor(db=self._db) as cursor:
                _, added = cursor.putmulti(puts, append=self._ordered)
            assert added == len(puts), "keys of an ordered bucket must ascend"
            for key, value in flying.items():
                if value is None:
                    txn.delete(key, db=self._db)
        return len(flying)

    def finish_commit(self) -> None:
        """Drop what the commit carried: the reader sees it in LMDB from here on."""
        self._flying = {}
