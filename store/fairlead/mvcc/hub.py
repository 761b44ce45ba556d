"""The watch hub: every watcher sees its part of the history, in order, once, whole revisions, without gaps.

A watcher is *synced* when it has been given all up to the store's revision.  Then a transaction's changes go to it
as the transaction ends, encoded once for all watchers that select alike.  A watcher is *behind* when it starts in
the past, or when its sink had no room; then it reads on from the revision log, in bounded windows, until it has
seen everything and is synced again.  Since a watcher changes sides only between two revisions, it can neither
miss one nor see one twice.

A slow watcher is never dropped for being slow: the log is its buffer.  Only a compaction can overtake it, and
then it is told so.

The hub calls sinks from ``notify`` and ``sync_step`` only, so a watch never gets events before ``watch`` returns.
"""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import NamedTuple

from fairlead.mvcc.change import Change
from fairlead.mvcc.intervals import IntervalIndex
from fairlead.mvcc.watcher import EncodedEvents, EventEncoder, History, Selection, Sink, Watcher

WATCHERS_MAX = 512
REVISIONS_MAX = 1000
WINDOW_BYTES_MAX = 4 << 20

_revision_of = attrgetter("revision")


class _Group:
    """All watchers of one selection; the synced ones are told together."""

    __slots__ = ("selection", "size", "synced")

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.size = 0
        self.synced: dict[Watcher, None] = {}


class _Window(NamedTuple):
    """Changes of whole revisions, from the log: all of them up to and including ``end``."""

    changes: list[Change]
    end: int


class WatchHub:
    """Who watches what, and how far each has come."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._notified = history.revision
        self._groups: dict[Selection, _Group] = {}
        self._keys: dict[bytes, list[_Group]] = {}
        self._ranges: IntervalIndex[_Group] = IntervalIndex()
        self._behind: OrderedDict[Watcher, None] = OrderedDict()

    def __repr__(self) -> str:
        return f"WatchHub(watchers={self.watchers_count}, behind={self.behind_count}, at={self._notified})"

    @property
    def watchers_count(self) -> int:
        """Watchers that have not ended."""
        return sum(group.size for group in self._groups.values())

    @property
    def behind_count(self) -> int:
        """Watchers that are not synced."""
        return len(self._behind)

    def watch(
        self,
        key: bytes,
        range_end: bytes = b"",
        *,
        sink: Sink,
        start_revision: int = 0,
        noput: bool = False,
        nodelete: bool = False,
        prev_kv: bool = False,
    ) -> Watcher:
        r"""Begin to watch [key, range_end); the sink hears of it from the next event or ``sync_step`` on.

        Args:
            key: the first key.
            range_end: empty for one key, ``b"\0"`` for all keys from ``key`` on.
            sink: where events go.
            start_revision: the first revision of interest, past or future; 0 is from now on.
            noput: leave puts out.
            nodelete: leave deletions out.
            prev_kv: let events show the pair before them.
        """
        selection = Selection(key, range_end, noput, nodelete, prev_kv)
        now = self._history.revision
        watcher = Watcher(
            selection, sink, start_revision=start_revision, next_revision=start_revision or now + 1
        )
        self._join(selection)
        if watcher.next_revision > now:
            self._set_synced(watcher)
        else:
            self._behind[watcher] = None
        return watcher

    def cancel(self, watcher: Watcher) -> None:
        """End a watch at once; ending it twice is no error."""
        if watcher.is_cancelled:
            return
        watcher.is_cancelled = True
        group = self._groups[watcher.selection]
        group.synced.pop(watcher, None)
        self._behind.pop(watcher, None)
        watcher.is_synced = False
        self._leave(group)

    def all_synced(self, watchers: Iterable[Watcher], revision: int) -> bool:
        """Tell whether each of the watchers has been given all up to ``revision``, and wants it.

        A watcher that waits for a later revision must not be told of this one.
        """
        return all(watcher.is_synced and watcher.start_revision <= revision for watcher in watchers)

    def notify(self, revision: int, changes: Sequence[Change]) -> None:
        """Tell the synced watchers what one transaction changed; ``revision`` is the store's by now."""
        self._notified = revision
        if not self._groups:
            return
        hits: dict[_Group, list[int]] = {}
        for number, change in enumerate(changes):
            for group in self._groups_watching(change.key):
                if group.synced and group.selection.wants(change):
                    hits.setdefault(group, []).append(number)
        if not hits:
            return
        encoder = EventEncoder(self._history, changes)
        for group, numbers in hits.items():
            events = encoder.encode(numbers, prev_kv=group.selection.prev_kv)
            for watcher in tuple(group.synced):
                self._tell(watcher, events)

    def sync_step(
        self,
        *,
        watchers_max: int = WATCHERS_MAX,
        revisions_max: int = REVISIONS_MAX,
        bytes_max: int = WINDOW_BYTES_MAX,
    ) -> bool:
        """Bring watchers that are behind nearer to the present, by one window of the log.

        Args:
            watchers_max: the most watchers to look at.
            revisions_max: the most revisions to read, and to deliver at once.
            bytes_max: read no further revision once this much has been read.

        Returns:
            Whether the step served somebody and others, or the same, are still behind: call again soon.
        """
        ready = self._ready_to_catch_up(watchers_max)
        if not ready:
            return False
        start = ready[0].next_revision
        window = self._read_window(start, revisions_max=revisions_max, bytes_max=bytes_max)
        served = [watcher for watcher in ready if start <= watcher.next_revision <= window.end]
        for watcher, events in self._events_for(served, window):
            if watcher.is_cancelled:
                continue
            if events is not None:
                if not watcher.sink.has_room():
                    self._behind.move_to_end(watcher)
                    continue
                watcher.next_revision = window.end + 1
                watcher.sink.deliver(watcher, events)
            self._advance(watcher, window.end)
        return bool(self._behind)

    def restore(self, history: History) -> None:
        """Go on over a store that was replaced by a newer one; see ``Store.adopt``.

        Every watcher falls behind, to read what it missed from the new log, and none goes back in time: each
        remembers what it has been given, and a start in the future stays there.
        """
        assert history.revision >= self._notified, "watchers have seen more than the new store has"
        for group in self._groups.values():
            for watcher in tuple(group.synced):
                self._fall_behind(watcher, self._notified + 1)
        self._history = history
        self._notified = history.revision

    # ---- who selects what ----

    def _groups_watching(self, key: bytes) -> Iterator[_Group]:
        return chain(self._keys.get(key, ()), self._ranges.holding(key) if self._ranges else ())

    def _join(self, selection: Selection) -> None:
        group = self._groups.get(selection)
        if group is None:
            group = self._groups[selection] = _Group(selection)
            if selection.range_end:
                self._ranges.add(group, selection.key, selection.end)
            else:
                self._keys.setdefault(selection.key, []).append(group)
        group.size += 1

    def _leave(self, group: _Group) -> None:
        group.size -= 1
        if group.size:
            return
        key = group.selection.key
        del self._groups[group.selection]
        if group.selection.range_end:
            self._ranges.remove(group)
            return
        self._keys[key].remove(group)
        if not self._keys[key]:
            del self._keys[key]

    # ---- synced and behind ----

    def _set_synced(self, watcher: Watcher) -> None:
        watcher.is_synced = True
        self._groups[watcher.selection].synced[watcher] = None

    def _fall_behind(self, watcher: Watcher, next_revision: int) -> None:
        watcher.is_synced = False
        watcher.next_revision = max(watcher.next_revision, next_revision)
        del self._groups[watcher.selection].synced[watcher]
        self._behind[watcher] = None

    def _tell(self, watcher: Watcher, events: EncodedEvents) -> None:
        if watcher.is_cancelled or watcher.next_revision > events.revision:
            return
        if watcher.sink.has_room():
            watcher.sink.deliver(watcher, events)
        else:
            self._fall_behind(watcher, events.revision)

    # ---- catching up ----

    def _ready_to_catch_up(self, watchers_max: int) -> list[Watcher]:
        """Return those of the first ``watchers_max`` that can take events; end those that are compacted.

        Those without room go to the end of the queue, so that they do not hide the others.
        """
        ready = []
        compact_revision = self._history.compact_revision
        for watcher in list(islice(self._behind, watchers_max)):
            if watcher.is_cancelled:  # by a sink that was told of a compaction just now
                continue
            if watcher.next_revision < compact_revision:
                self.cancel(watcher)
                watcher.sink.compacted(watcher, compact_revision)
            elif watcher.next_revision > self._history.revision:
                self._advance(watcher, self._history.revision)
            elif watcher.sink.has_room():
                ready.append(watcher)
            else:
                self._behind.move_to_end(watcher)
        return [watcher for watcher in ready if not watcher.is_cancelled]

    def _read_window(self, start: int, *, revisions_max: int, bytes_max: int) -> _Window:
        changes: list[Change] = []
        revision = revisions = size = 0
        for change in self._history.changes_from(start):
            if change.revision != revision:
                if revisions == revisions_max or size >= bytes_max:
                    return _Window(changes, revision)
                revision = change.revision
                revisions += 1
            changes.append(change)
            size += len(change.kv)
        return _Window(changes, self._history.revision)

    def _events_for(
        self, watchers: Sequence[Watcher], window: _Window
    ) -> Iterator[tuple[Watcher, EncodedEvents | None]]:
        """Return for each watcher what the window holds for it, or None; encoded once for those who get the same."""
        changes = window.changes
        encoder = EventEncoder(self._history, changes)
        by_key = sorted(range(len(changes)), key=lambda number: changes[number].key)
        keys = [changes[number].key for number in by_key]
        matches: dict[Selection, list[int]] = {}
        encoded: dict[tuple[Selection, int], EncodedEvents] = {}
        for watcher in watchers:
            selection = watcher.selection
            numbers = matches.get(selection)
            if numbers is None:
                low, high = _slice_of(keys, selection)
                found = (number for number in by_key[low:high] if selection.wants(changes[number]))
                numbers = matches[selection] = sorted(found)
            first = bisect_left(changes, watcher.next_revision, key=_revision_of)
            skipped = bisect_left(numbers, first)
            if skipped == len(numbers):
                yield watcher, None
                continue
            if (events := encoded.get((selection, skipped))) is None:
                events = encoder.encode(numbers[skipped:], prev_kv=selection.prev_kv)
                encoded[selection, skipped] = events
            yield watcher, events

    def _advance(self, watcher: Watcher, revision: int) -> None:
        """Note that a watcher has been given all up to ``revision``."""
        if watcher.is_cancelled:
            return
        watcher.next_revision = max(watcher.next_revision, revision + 1)
        if revision == self._history.revision:
            del self._behind[watcher]
            self._set_synced(watcher)
        else:
            self._behind.move_to_end(watcher)


def _slice_of(keys: Sequence[bytes], selection: Selection) -> tuple[int, int]:
    """Return where in sorted ``keys`` a selection's keys lie."""
    low = bisect_left(keys, selection.key)
    if not selection.range_end:
        return low, bisect_right(keys, selection.key)
    return low, len(keys) if selection.end is None else max(low, bisect_left(keys, selection.end))
