"""One table of the database: what is committed below, and above it what has not been."""

from collections.abc import Iterator, Mapping, Sequence

from fairlead.mvcc.engine import Table, Writes


class Bucket:
    """A table whose reads see writes at once, though they reach the database in batches.

    Two layers lie above the committed table: ``fresh`` takes the writes, ``flying`` is what the running commit
    carries.  In a layer None stands for a deletion.
    """

    __slots__ = ("_flying", "_fresh", "_table", "pending_bytes")

    def __init__(self, table: Table) -> None:
        self._table = table
        self._fresh: dict[bytes, bytes | None] = {}
        self._flying: dict[bytes, bytes | None] = {}
        self.pending_bytes = 0

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
        return self._table.get(key)

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
        values = self._table.get_many(keys)
        assert len(values) == len(keys), "the index names a position that the log lacks"
        return values

    def put(self, key: bytes, value: bytes) -> None:
        """Write into the buffer."""
        self._fresh[key] = value
        self.pending_bytes += len(value)

    def put_many(self, pairs: Mapping[bytes, bytes]) -> None:
        """Write into the buffer."""
        self._fresh.update(pairs)
        self.pending_bytes += sum(map(len, pairs.values()))

    def delete(self, key: bytes) -> None:
        """Delete, in the buffer; a missing key is no error."""
        self._fresh[key] = None

    def items(self, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Return the pairs from ``start`` on in key order, both layers included.

        The iteration must end before the next commit finishes, and nothing may be written meanwhile.
        """
        # Not a set: most keys were put in order, and what is nearly sorted is sorted in no time.
        layers = (self._flying, self._fresh)
        overlaid = sorted(dict.fromkeys(key for layer in layers for key in layer if key >= start))
        above = iter(overlaid)
        next_above = next(above, None)
        for key, value in self._table.items(start):
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

    @property
    def entries(self) -> int:
        """Committed entries."""
        return self._table.entries

    def begin_commit(self) -> Writes:
        """Return the buffer, for a commit to carry, and begin a new one."""
        assert not self._flying
        self._flying, self._fresh = self._fresh, {}
        self.pending_bytes = 0
        return self._flying

    def finish_commit(self) -> None:
        """Drop what the commit carried: the table shows it from here on."""
        self._flying = {}
