"""What a mirror holds, and how lists and events change it.  No I/O and no clock.

Three rules keep every consumer's picture exact:

* Events at or below the revision already held are ignored, so that a resumed watch may repeat itself.
* A list replaces everything, and what changed is found by comparing, not assumed.
* A consumer is told the difference between what it was last told and what is there now.  A slow one thus gets
  changes merged, at a cost bounded by the number of keys, and can neither lose one nor see one twice.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sortedcontainers import SortedDict

from fairlead.client.values import Event, KeyValue, prefix_end

Touched = Mapping[bytes, KeyValue | None]
"""Each key that changed, and what it held before; None when it was not there."""

IndexKey = Callable[[KeyValue], Iterable[str]]
"""Under which terms a pair is found in a secondary index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The difference between what a consumer knew and what the mirror holds.

    Attributes:
        revision: the store revision that the consumer is at once it has applied this.
        puts: keys that are new or were written, with what they hold.
        deletes: keys that went; the consumer knew each of them.
        is_snapshot: the difference comes from a list, not from events: the first Change, and those after
            history was lost.  It is exact all the same, and may be empty.
    """

    revision: int
    puts: Mapping[bytes, KeyValue]
    deletes: frozenset[bytes]
    is_snapshot: bool = False


def hull(prefixes: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the smallest range, as key and range_end, that holds every key of every prefix."""
    ends = [prefix_end(prefix) for prefix in prefixes]
    # One zero byte stands for the end of all keys and is past every other end.
    return min(prefixes) or b"\x00", b"\x00" if b"\x00" in ends else max(ends)


def outermost(prefixes: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the prefixes in order, without those that another one covers."""
    kept: list[bytes] = []
    for prefix in sorted(set(prefixes)):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return tuple(kept)


class MirrorState:
    """The pairs under some prefixes as of one revision."""

    def __init__(self, prefixes: Iterable[bytes], *, index_by: Mapping[str, IndexKey] | None = None) -> None:
        """Hold nothing, at revision 0.

        Args:
            prefixes: which keys belong here.
            index_by: for each secondary index, the terms under which it holds a pair.
        """
        self.prefixes = outermost(prefixes)
        assert self.prefixes
        self.revision = 0
        self._items: SortedDict[bytes, KeyValue] = SortedDict()
        self._index_by = dict(index_by or {})
        self._indexes: dict[str, dict[str, set[bytes]]] = {name: {} for name in self._index_by}

    def __repr__(self) -> str:
        """Say how much is held, and as of when."""
        return f"<MirrorState {len(self._items)} keys at revision {self.revision}>"

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._items)

    def get(self, key: bytes) -> KeyValue | None:
        """Return the pair at ``key``."""
        kv: KeyValue | None = self._items.get(key)
        return kv

    def items(self, prefix: bytes = b"") -> Iterator[KeyValue]:
        """Return the pairs under ``prefix`` in key order, as they are now."""
        if not prefix:
            return iter(self._items.values())
        end = prefix_end(prefix)
        keys = self._items.irange(prefix, None if end == b"\x00" else end, inclusive=(True, False))
        return iter([self._items[key] for key in keys])

    def find(self, index: str, term: str) -> list[KeyValue]:
        """Return the pairs that ``index`` holds under ``term``, in key order."""
        return [self._items[key] for key in sorted(self._indexes[index].get(term, ()))]

    def witness(self) -> KeyValue | None:
        """Return the pair written last: only this history can hold it at this revision."""
        return max(self._items.values(), key=lambda kv: kv.mod_revision, default=None)

    def covers(self, key: bytes) -> bool:
        """Whether ``key`` belongs here."""
        return key.startswith(self.prefixes)

    def replace(self, kvs: Iterable[KeyValue], *, revision: int) -> Touched:
        """Hold exactly ``kvs``, a list of all prefixes at ``revision``; return what that changed."""
        listed = {kv.key: kv for kv in kvs}
        touched: dict[bytes, KeyValue | None] = {
            key: before for key, before in self._items.items() if listed.get(key) != before
        }
        touched.update((key, None) for key in listed if key not in self._items)
        for key in touched:
            self._set(key, listed.get(key))
        self.revision = revision
        return touched

    def apply(self, events: Iterable[Event], *, revision: int) -> Touched:
        """Apply the events of whole revisions up to ``revision``; return what that changed."""
        touched: dict[bytes, KeyValue | None] = {}
        for event in events:
            kv = event.kv
            if kv.mod_revision <= self.revision or not self.covers(kv.key):
                continue
            touched.setdefault(kv.key, self._items.get(kv.key))
            self._set(kv.key, None if event.is_delete else kv)
        self.revision = max(self.revision, revision)
        return touched

    def _set(self, key: bytes, kv: KeyValue | None) -> None:
        before = self._items.get(key)
        for name, terms_of in self._index_by.items():
            index = self._indexes[name]
            for term in () if before is None else terms_of(before):
                index[term].discard(key)
                if not index[term]:
                    del index[term]
            for term in () if kv is None else terms_of(kv):
                index.setdefault(term, set()).add(key)
        if kv is not None:
            self._items[key] = kv
        elif before is not None:
            del self._items[key]


class Pending:
    """What one consumer has not been told yet."""

    def __init__(self) -> None:
        """Start with a consumer that knows nothing."""
        # What the consumer believes of each key that has changed since it was told.
        self._believes: dict[bytes, KeyValue | None] = {}
        self._is_snapshot = False

    def note(self, touched: Touched, *, is_snapshot: bool) -> None:
        """Remember a change of the mirror's state."""
        for key, before in touched.items():
            self._believes.setdefault(key, before)
        self._is_snapshot = self._is_snapshot or is_snapshot

    def take(self, state: MirrorState) -> Change | None:
        """Return all that the consumer lacks, which it then knows; None when it lacks nothing."""
        puts: dict[bytes, KeyValue] = {}
        deletes: set[bytes] = set()
        for key, before in self._believes.items():
            now = state.get(key)
            if now is None and before is not None:
                deletes.add(key)
            elif now is not None and now != before:
                puts[key] = now
        is_snapshot, self._is_snapshot = self._is_snapshot, False
        self._believes = {}
        if not puts and not deletes and not is_snapshot:
            return None
        return Change(revision=state.revision, puts=puts, deletes=frozenset(deletes), is_snapshot=is_snapshot)
