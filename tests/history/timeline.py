"""The authoritative sequence of revisions, as a full watch from revision 1 or a member's log tells it."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from tests.history.model import Change, Keys
from tests.history.requests import in_range
from tests.history.responses import KeyValue
from tests.history.verdict import OK, Verdict, broken


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change of one key, as a watch tells it.

    A deletion's ``kv`` has its key and ``mod_revision`` only.  ``prev_kv`` is None unless a watch asked for it.
    """

    kv: KeyValue
    is_delete: bool = False
    prev_kv: KeyValue | None = None


class Timeline:
    """Every revision from 2 on, in order and without a gap; ``events`` are those of all of them, in order.

    The shape is asserted; whether the events themselves make sense is what ``check_timeline`` asks.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._events: list[tuple[Event, ...]] = []
        self._changes: list[tuple[Change, ...]] = []
        self._versions: dict[bytes, tuple[list[int], list[KeyValue | None]]] = defaultdict(lambda: ([], []))
        for revision, group in groupby(events, key=lambda event: event.kv.mod_revision):
            assert revision == self.last + 1, f"the log goes from revision {self.last} to {revision}"
            together = tuple(group)
            self._events.append(together)
            self._changes.append(tuple(self._change(event) for event in together))

    def _change(self, event: Event) -> Change:
        key, after = event.kv.key, None if event.is_delete else event.kv
        revisions, versions = self._versions[key]
        before = versions[-1] if versions else None
        revisions.append(event.kv.mod_revision)
        versions.append(after)
        return Change(key, before, after)

    @property
    def last(self) -> int:
        """The last revision; 1 for a store that was never written to."""
        return len(self._events) + 1

    def events(self, revision: int) -> Sequence[Event]:
        """Return what a revision did; nothing for one that is not there."""
        return self._events[revision - 2] if 2 <= revision <= self.last else ()

    def changes(self, revision: int) -> tuple[Change, ...]:
        """Return what a revision did as changes; nothing for one that is not there."""
        return self._changes[revision - 2] if 2 <= revision <= self.last else ()

    def get(self, key: bytes, *, revision: int) -> KeyValue | None:
        """Return one key as it was right after ``revision``."""
        if key not in self._versions:
            return None
        revisions, versions = self._versions[key]
        place = bisect_right(revisions, revision)
        return versions[place - 1] if place else None

    def range(self, key: bytes, range_end: bytes, *, revision: int) -> Keys:
        """Return the keys of a range as they were right after ``revision``."""
        names = (name for name in self._versions if in_range(name, key, range_end)) if range_end else (key,)
        found = ((name, self.get(name, revision=revision)) for name in names)
        return {name: kv for name, kv in found if kv is not None}


def check_timeline(timeline: Timeline) -> Verdict:
    """Judge the log by itself: versions and creations count on, nothing is deleted that is not there."""
    for revision in range(2, timeline.last + 1):
        keys = [change.key for change in timeline.changes(revision)]
        if len(set(keys)) < len(keys):
            return broken(f"the log changes a key twice at revision {revision}")
        for change in timeline.changes(revision):
            fault = _fault(change, revision)
            if fault:
                return broken(f"the log at revision {revision}, key {change.key!r}: {fault}")
    return OK


def _fault(change: Change, revision: int) -> str:
    before, after = change.before, change.after
    if after is None:
        return "" if before is not None else "deleted, but was not there"
    created = revision if before is None else before.create_revision
    version = 1 if before is None else before.version + 1
    if (after.create_revision, after.version) == (created, version):
        return ""
    return (
        f"created at {after.create_revision} with version {after.version}, "
        f"but by what was before: at {created} with version {version}"
    )
