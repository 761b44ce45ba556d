"""The revision log: every KeyValue and tombstone by its position, with the values in use kept at hand.

Values written or read lately stay in memory, up to a size, in two generations: once the young one holds half of
it, it becomes the old one and the old one is let go; what is read from the old one moves to the young.  That
keeps what is in use at the price of a dictionary look-up, where an exact least-recently-used order would cost more
than LMDB does.  A position is written once, so nothing here can be stale.
"""

from collections.abc import Iterator, Sequence
from itertools import count

from fairlead.mvcc.bucket import Bucket
from fairlead.mvcc.index import NEXT, POSITION_BYTES

CACHE_BYTES = 16 << 20


class RevisionLog:
    """A bucket read and written by position.

    Args:
        bucket: the table of revisions.
        cache_bytes: the most bytes of values to keep in memory.
    """

    __slots__ = ("_bucket", "_generation_bytes", "_old", "_young", "_young_bytes")

    def __init__(self, bucket: Bucket, *, cache_bytes: int = CACHE_BYTES) -> None:
        self._bucket = bucket
        self._generation_bytes = cache_bytes // 2
        self._young: dict[int, bytes] = {}
        self._old: dict[int, bytes] = {}
        self._young_bytes = 0

    def __repr__(self) -> str:
        return f"RevisionLog(cached={len(self._young) + len(self._old)})"

    @property
    def entries(self) -> int:
        """Committed entries."""
        return self._bucket.entries

    def get(self, position: int) -> bytes:
        """Return the value at a position that the index has."""
        kv = self._young.get(position)
        if kv is not None:
            return kv
        kv = self._old.get(position)
        if kv is None:
            kv = self._bucket.get(position.to_bytes(POSITION_BYTES, "big"))
            assert kv is not None, "the index names a position that the log lacks"
        self._keep(position, kv)
        return kv

    def get_many(self, positions: Sequence[int]) -> list[bytes]:
        """Return the values at positions that the index has, in the order asked for."""
        young, old = self._young, self._old
        found = [young.get(position) or old.get(position) for position in positions]
        if None not in found:
            return found  # type: ignore[return-value]  # as the line above says
        absent = [position for position, kv in zip(positions, found, strict=True) if kv is None]
        read = self._bucket.get_many([position.to_bytes(POSITION_BYTES, "big") for position in absent])
        for position, kv in zip(absent, read, strict=True):
            self._keep(position, kv)
        rest = iter(read)
        return [next(rest) if kv is None else kv for kv in found]

    def put(self, position: int, kv: bytes) -> None:
        """Append a value; positions only grow."""
        self._bucket.put(position.to_bytes(POSITION_BYTES, "big"), kv)
        self._keep(position, kv)

    def put_tombstones(self, first: int, tombstones: Sequence[bytes]) -> None:
        """Append tombstones from a position on; none is kept at hand, since nobody asks for one by position."""
        positions = (position.to_bytes(POSITION_BYTES, "big") for position in count(first, NEXT))
        self._bucket.put_many(dict(zip(positions, tombstones, strict=False)))

    def delete(self, position: int) -> None:
        """Remove what compaction gave up; nobody asks for it again."""
        self._bucket.delete(position.to_bytes(POSITION_BYTES, "big"))

    def entries_from(self, position: int) -> Iterator[tuple[int, bytes]]:
        """Return positions and values from ``position`` on, in order; nothing may be written meanwhile."""
        for raw, kv in self._bucket.items(position.to_bytes(POSITION_BYTES, "big")):
            yield int.from_bytes(raw, "big"), kv

    def _keep(self, position: int, kv: bytes) -> None:
        self._young[position] = kv
        self._young_bytes += len(kv)
        if self._young_bytes > self._generation_bytes:
            self._old, self._young, self._young_bytes = self._young, {}, 0
