"""The key index: which revisions each key has, held in memory and in key order.

A *position* is one place in the revision log, packed into one integer::

    main revision (from bit 32) | sub-revision (31 bits) | is it a tombstone (1 bit)

so that positions compare as revisions do, fit an ``array('Q')`` and are, as twelve big-endian bytes, the keys of
the log.  The sub-revision counts the changes within one transaction.

Of a key's current generation the record has all that a put, a compare or a read of the latest value needs;
older positions are kept bare, since the log holds the rest.  A generation begins with the first put and ends
with a tombstone, so the tombstone bits alone tell the generations apart.

What a put must never do is touch the sorted list of an existing key: that list is the slow part.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, MutableSequence, Sequence
from itertools import compress, islice

from sortedcontainers import SortedList

SUB_MAX = (1 << 31) - 1
POSITION_BYTES = 12
NEXT = 1 << 1
"""From one sub-revision's position to that of the next."""
OPEN_END = b"\x00"


def position_of(main: int, sub: int, *, is_tombstone: bool = False) -> int:
    """Pack a revision into a position."""
    assert 0 <= sub <= SUB_MAX, sub
    return main << 32 | sub << 1 | is_tombstone


class KeyRecord:
    """What the index knows of one key.

    Attributes:
        position: the last position, of a live value or of a tombstone.
        create_revision: main revision at which the live generation began; 0 when the key is deleted.
        version: puts in the live generation, from 1; 0 when the key is deleted.
        lease: the lease of the live value; 0 is none.
        history: older positions, oldest first; None where there are none.
    """

    __slots__ = ("create_revision", "history", "lease", "position", "version")

    def __init__(self, position: int, create_revision: int, version: int, lease: int) -> None:
        self.position = position
        self.create_revision = create_revision
        self.version = version
        self.lease = lease
        self.history: MutableSequence[int] | None = None

    def __repr__(self) -> str:
        return (
            f"KeyRecord(mod={self.mod_revision}, create={self.create_revision}, version={self.version}, "
            f"lease={self.lease}, older={len(self.history or ())})"
        )

    @property
    def mod_revision(self) -> int:
        """Main revision of the last change."""
        return self.position >> 32

    def retire(self) -> None:
        """Move the last position into the history, before a newer one takes its place."""
        if self.history is None:
            self.history = array("Q")
        try:
            self.history.append(self.position)
        except OverflowError:  # beyond revision 2**32 the compact form no longer holds it
            self.history = [*self.history, self.position]

    def position_at(self, revision: int) -> int | None:
        """Return the position of the value that was live at main revision ``revision``, or None."""
        bound = (revision + 1) << 32
        position = self.position
        if position >= bound:
            older = bisect_left(self.history, bound) if self.history else 0
            if not older:
                return None
            assert self.history is not None
            position = self.history[older - 1]
        return None if position & 1 else position

    def droppable(self, revision: int) -> int:
        """Return how many of the oldest positions a compaction at ``revision`` drops.

        The last position up to the revision stays, since it is the answer at that revision.  A tombstone
        stays only at exactly that revision, where a watch may still begin.
        """
        bound = (revision + 1) << 32
        history = self.history or ()
        if self.position < bound:
            older, last = len(history), self.position
        else:
            older = bisect_left(history, bound) - 1
            if older < 0:
                return 0
            last = history[older]
        return older + 1 if last & 1 and last >> 32 != revision else older


class KeyIndex:
    """Every key that has a revision in the log, live or deleted.

    Attributes:
        records: the record of each key.
        superseded: keys with older positions or a tombstone: what the next compaction has to visit.
    """

    def __init__(self) -> None:
        self.records: dict[bytes, KeyRecord] = {}
        self.superseded: set[bytes] = set()
        self._keys: SortedList = SortedList()
        self._deleted: SortedList = SortedList()  # so that counting the live ones is a subtraction

    def __repr__(self) -> str:
        return f"KeyIndex(keys={len(self._keys)}, deleted={len(self._deleted)})"

    def put(self, key: bytes, position: int, lease: int) -> KeyRecord:
        """Record a put; return the key's record, which has its new version and create revision."""
        record = self.records.get(key)
        if record is None:
            record = self.records[key] = KeyRecord(position, position >> 32, 1, lease)
            self._keys.add(key)
            return record
        record.retire()
        if record.create_revision:
            record.version += 1
        else:
            self._deleted.remove(key)
            record.create_revision, record.version = position >> 32, 1
        record.position, record.lease = position, lease
        self.superseded.add(key)
        return record

    def delete(self, keys: Sequence[bytes], records: Iterable[KeyRecord], first: int) -> None:
        """Record tombstones for what ``live_in`` has found, one after the other from position ``first`` on."""
        position = first
        for record in records:
            record.retire()
            record.position = position
            record.create_revision = record.version = record.lease = 0
            position += NEXT
        if len(keys) == 1:
            self._deleted.add(keys[0])
        else:
            self._deleted.update(keys)
        self.superseded.update(keys)

    def restore(self, rows: Iterator[tuple[bytes, int, int, int, int]]) -> None:
        """Fill an empty index from the log.

        Args:
            rows: (key, position, create_revision, version, lease) in the order of positions.
        """
        assert not self.records, "only an empty index is restored"
        records, superseded = self.records, self.superseded
        for key, position, create_revision, version, lease in rows:
            record = records.get(key)
            if record is None:
                records[key] = KeyRecord(position, create_revision, version, lease)
                if not create_revision:
                    superseded.add(key)
                continue
            record.retire()
            record.position, record.create_revision = position, create_revision
            record.version, record.lease = version, lease
            superseded.add(key)
        self._keys.update(records)
        self._deleted.update(key for key in superseded if not records[key].create_revision)

    def live(self, key: bytes) -> KeyRecord | None:
        """Return the record of a live key, or None."""
        record = self.records.get(key)
        return record if record is not None and record.create_revision else None

    def count(self, start: bytes, end: bytes) -> int:
        """Return the number of live keys in a range, without visiting them."""
        return _width(self._keys, start, end) - _width(self._deleted, start, end)

    def live_in(self, start: bytes, end: bytes) -> tuple[list[bytes], list[KeyRecord]]:
        """Return the live keys of a range, in order, and beside them their records; an empty ``end`` is one key."""
        if not end:
            one = self.live(start)
            return ([start], [one]) if one is not None else ([], [])
        keys = list(_between(self._keys, start, end))
        records = list(map(self.records.__getitem__, keys))
        is_live = [record.create_revision for record in records]
        if all(is_live):
            return keys, records
        return list(compress(keys, is_live)), list(compress(records, is_live))

    def live_positions(self, start: bytes, end: bytes, *, limit: int = 0) -> list[int]:
        """Return where the latest values of a range lie, in key order; ``limit`` 0 is no limit."""
        found = map(self.records.__getitem__, _between(self._keys, start, end))
        if limit:
            return list(islice((record.position for record in found if record.create_revision), limit))
        return [record.position for record in found if record.create_revision]

    def positions_at(self, start: bytes, end: bytes, revision: int) -> list[int]:
        """Return where the values of a range as of a past revision lie, in key order."""
        found = map(self.records.__getitem__, _between(self._keys, start, end))
        return [position for record in found if (position := record.position_at(revision)) is not None]

    def keeps(self, key: bytes, position: int, revision: int) -> bool:
        """Tell whether a compaction at ``revision`` leaves this position of this key."""
        record = self.records[key]
        dropped = record.droppable(revision)
        history = record.history or ()
        if dropped < len(history):
            return position >= history[dropped]
        return dropped == len(history) and position >= record.position

    def trim(self, key: bytes, revision: int, *, drops_max: int) -> list[int]:
        """Forget the oldest positions of a key that a compaction at ``revision`` drops; return them.

        A key of which nothing remains is forgotten whole.  Once all that can go has gone, the key is
        ``superseded`` for the next compaction where something older or a tombstone remains.
        """
        record = self.records[key]
        history = record.history or array("Q")
        droppable = record.droppable(revision)
        dropped = list(history[: min(droppable, drops_max)])
        del history[: len(dropped)]
        if not history:
            record.history = None
            if droppable > len(dropped) and len(dropped) < drops_max:
                dropped.append(record.position)
                self._forget(key)
                return dropped
        if record.history is not None or not record.create_revision:
            self.superseded.add(key)
        return dropped

    def _forget(self, key: bytes) -> None:
        del self.records[key]
        self.superseded.discard(key)
        self._keys.remove(key)
        self._deleted.remove(key)


def _between(keys: SortedList, start: bytes, end: bytes) -> Iterator[bytes]:
    if end == OPEN_END:
        found: Iterator[bytes] = keys.irange(start)
    elif end <= start:
        found = iter(())
    else:
        found = keys.irange(start, end, inclusive=(True, False))
    return found


def _width(keys: SortedList, start: bytes, end: bytes) -> int:
    if not keys:
        return 0
    first: int = keys.bisect_left(start)
    last: int = len(keys) if end == OPEN_END else keys.bisect_left(end)
    return max(0, last - first)
