"""A watcher, where its events go, and how they look: what the hub and its callers share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from fairlead.mvcc.change import Change
from fairlead.mvcc.codec import encode_event
from fairlead.mvcc.index import OPEN_END


@dataclass(slots=True)
class EncodedEvents:
    """Events of one or more whole revisions, encoded once for all who get the same.

    Attributes:
        revision: the revision of the last event.
        body: a run of encoded ``events`` fields, to be spliced into a WatchResponse.
        ends: the offset in ``body`` at which each event ends.
    """

    revision: int
    body: bytes
    ends: Sequence[int]

    @property
    def count(self) -> int:
        """Number of events."""
        return len(self.ends)

    def fragments(self, bytes_max: int) -> Iterator[bytes]:
        """Cut the body between events into pieces of up to ``bytes_max``, each of one event at least."""
        start = cut = 0
        for end in self.ends:
            if end - start > bytes_max and cut > start:
                yield self.body[start:cut]
                start = cut
            cut = end
        yield self.body[start:]


class Sink(Protocol):
    """Where a watcher's events go; the API's stream.  None of these may wait or write to the store."""

    def deliver(self, watcher: "Watcher", events: EncodedEvents) -> None:
        """Take the next events; a sink that says it has room must take one such call."""

    def compacted(self, watcher: "Watcher", compact_revision: int) -> None:
        """Learn that the watcher has ended, since history it had not seen is gone."""

    def has_room(self) -> bool:
        """Tell whether events can be taken now; if not, they are caught up with later, from the log."""


class History(Protocol):
    """What the hub reads of the store."""

    @property
    def revision(self) -> int:
        """The current revision."""

    @property
    def compact_revision(self) -> int:
        """The oldest revision that can still be read."""

    def changes_from(self, revision: int) -> Iterator[Change]:
        """Return the changes from a revision on, oldest first."""

    def value_at(self, key: bytes, revision: int) -> bytes | None:
        """Return a key's pair as of a revision; None when it was not live or is compacted."""


class Selection(NamedTuple):
    """Which events a watcher wants, and how; watchers that agree on it share their encoded events."""

    key: bytes
    range_end: bytes
    noput: bool
    nodelete: bool
    prev_kv: bool

    @property
    def end(self) -> bytes | None:
        """Where a range ends; None where it does not."""
        return None if self.range_end == OPEN_END else self.range_end

    def wants(self, change: Change) -> bool:
        """Tell whether the filters let a change pass."""
        return not (self.nodelete if change.is_delete else self.noput)


class Watcher:
    """One watch.

    Attributes:
        selection: which events it wants.
        sink: where they go.
        start_revision: as it was asked for; 0 is from now on.
        next_revision: nothing older is delivered.  While synced, all up to the store's revision is delivered.
        is_synced: whether events are delivered as they happen.
        is_cancelled: whether it has ended; it gets nothing more.
    """

    __slots__ = ("is_cancelled", "is_synced", "next_revision", "selection", "sink", "start_revision")

    def __init__(self, selection: Selection, sink: Sink, *, start_revision: int, next_revision: int) -> None:
        self.selection = selection
        self.sink = sink
        self.start_revision = start_revision
        self.next_revision = next_revision
        self.is_synced = False
        self.is_cancelled = False

    def __repr__(self) -> str:
        state = "cancelled" if self.is_cancelled else "synced" if self.is_synced else "behind"
        return f"Watcher({self.selection.key!r}, {self.selection.range_end!r}, {state}, next={self.next_revision})"


class EventEncoder:
    """Encodes each change of a batch at most twice, with and without the pair before it."""

    def __init__(self, history: History, changes: Sequence[Change]) -> None:
        self._history = history
        self._changes = changes
        self._encoded: tuple[dict[int, bytes], dict[int, bytes]] = ({}, {})

    def encode(self, numbers: Sequence[int], *, prev_kv: bool) -> EncodedEvents:
        """Return the events of the changes at ``numbers``, in that order."""
        encoded = self._encoded[prev_kv]
        parts = []
        for number in numbers:
            if (part := encoded.get(number)) is None:
                part = encoded[number] = self._encode(self._changes[number], prev_kv=prev_kv)
            parts.append(part)
        revision = self._changes[numbers[-1]].revision
        if len(parts) == 1:
            return EncodedEvents(revision, parts[0], (len(parts[0]),))
        ends, end = [], 0
        for part in parts:
            end += len(part)
            ends.append(end)
        return EncodedEvents(revision, b"".join(parts), ends)

    def _encode(self, change: Change, *, prev_kv: bool) -> bytes:
        # A creation has none, since the key was not live one revision earlier.
        prev = self._history.value_at(change.key, change.revision - 1) if prev_kv else None
        return encode_event(change.kv, is_delete=change.is_delete, prev=prev)
