"""Whatever happens, each watcher sees exactly the filtered history: ordered, unique, atomic, reliable."""

from dataclasses import dataclass
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.mvcc.model import Model, Op, selects
from tests.unit.mvcc.sinks import decoded
from tests.unit.mvcc.writes import compact

from fairlead.mvcc import EncodedEvents, Store, Watcher
from fairlead.mvcc.testing import MemoryDatabases
from fairlead.mvcc.watcher import Selection
from fairlead.proto.kv_pb2 import Event, KeyValue

KEYS = [b"a", b"b", b"ba", b"c"]
ENDS = [b"", b"\0", b"b", b"c", b"\xff"]
selections = st.builds(
    Selection, st.sampled_from(KEYS), st.sampled_from(ENDS), st.booleans(), st.booleans(), st.booleans()
)
puts = st.tuples(st.just("put"), st.sampled_from(KEYS), st.binary(max_size=2))
deletes = st.tuples(st.just("delete"), st.sampled_from(KEYS), st.just(b""))
transactions = st.lists(puts | deletes, max_size=3, unique_by=lambda op: op[1])


@dataclass
class Observer:
    """A watcher's sink, which checks each delivery against the model as it comes."""

    model: Model
    selection: Selection
    start: int
    room: int
    seen: int = 0  # all up to this revision has been delivered or is of no interest
    compacted_at: int = -1
    is_cancelled: bool = False

    def has_room(self) -> bool:
        return self.room > 0

    def compacted(self, watcher: Watcher, compact_revision: int) -> None:
        assert compact_revision == self.model.compact_revision
        assert self.compacted_at < 0
        assert watcher.next_revision < compact_revision, "it could have been caught up"
        assert self.wanted(watcher.next_revision) == self.wanted(self.next), (
            "it claims to be behind what it saw"
        )
        self.compacted_at = compact_revision

    def deliver(self, watcher: Watcher, events: EncodedEvents) -> None:
        assert self.room > 0
        assert not self.is_cancelled
        assert not watcher.is_cancelled
        assert self.compacted_at < 0
        self.room -= 1
        # Exactly what comes next, and whole revisions of it.
        assert decoded(events) == self.wanted(self.next, events.revision)
        assert events.count == len(decoded(events)) > 0
        self.seen = events.revision

    @property
    def next(self) -> int:
        return max(self.start, self.seen + 1)

    def wanted(self, first: int, last: int | None = None) -> list[Event]:
        """The events from one revision to another, as they are to be shown now."""
        last = self.model.revision if last is None else last
        return [
            self.shown(main, event)
            for main in range(first, min(last, self.model.revision) + 1)
            for event in self.model.events[main]
            if selects(self.selection.key, self.selection.range_end, event.kv.key)
            and not (self.selection.nodelete if event.type == Event.DELETE else self.selection.noput)
        ]

    def shown(self, main: int, event: Event) -> Event:
        is_create = event.type == Event.PUT and event.kv.create_revision == main
        if not self.selection.prev_kv or is_create or main - 1 < self.model.compact_revision:
            return event
        before: KeyValue = self.model.states[main - 1][event.kv.key]
        return Event(type=event.type, kv=event.kv, prev_kv=before)


class HubMachine(RuleBasedStateMachine):
    """Writes, watches from any revision, sinks that fill up and drain, compactions, cancels."""

    @initialize()
    def open(self) -> None:
        self.databases = MemoryDatabases()
        self.backend = self.databases.open(Path("db"))
        self.store = Store.open(self.backend)
        self.hub = self.store.hub
        self.model = Model()
        self.watching: list[tuple[Watcher, Observer]] = []

    def teardown(self) -> None:
        for _, observer in self.watching:
            observer.room = 1_000
        while self.hub.sync_step(revisions_max=2):
            pass
        for watcher, observer in self.watching:
            if not observer.is_cancelled and observer.compacted_at < 0:
                assert watcher.is_synced, "a watcher was left behind"
                assert observer.wanted(observer.next) == [], "a watcher missed events"

    @rule(ops=transactions)
    def write(self, ops: list[Op]) -> None:
        self.write_to(self.store, ops)

    def write_to(self, store: Store, ops: list[Op]) -> None:
        self.model.apply(ops)  # first: the hub delivers as the transaction ends
        txn = store.begin()
        for kind, key, argument in ops:
            if kind == "put":
                txn.put(key, argument, len(argument))
            else:
                txn.delete_range(key, argument)
        assert txn.end() == self.model.revision

    @rule(selection=selections, offset=st.none() | st.integers(-6, 4), room=st.integers(0, 3))
    def watch(self, selection: Selection, offset: int | None, room: int) -> None:
        start = 0 if offset is None else max(1, self.store.revision + offset)
        observer = Observer(self.model, selection, start or self.store.revision + 1, room)
        watcher = self.hub.watch(
            selection.key,
            selection.range_end,
            sink=observer,
            start_revision=start,
            noput=selection.noput,
            nodelete=selection.nodelete,
            prev_kv=selection.prev_kv,
        )
        self.watching.append((watcher, observer))

    @precondition(lambda self: self.watching)
    @rule(which=st.integers(0), room=st.integers(0, 4))
    def drain_or_fill(self, which: int, room: int) -> None:
        self.watching[which % len(self.watching)][1].room = room

    @precondition(lambda self: self.watching)
    @rule(which=st.integers(0))
    def cancel(self, which: int) -> None:
        watcher, observer = self.watching[which % len(self.watching)]
        self.hub.cancel(watcher)
        observer.is_cancelled = True

    @rule(watchers_max=st.integers(1, 4), revisions_max=st.integers(1, 4), bytes_max=st.integers(1, 200))
    def catch_up(self, watchers_max: int, revisions_max: int, bytes_max: int) -> None:
        self.hub.sync_step(watchers_max=watchers_max, revisions_max=revisions_max, bytes_max=bytes_max)

    @rule(back=st.integers(0, 4), physically=st.booleans())
    def compact(self, back: int, *, physically: bool) -> None:
        self.compact_in(self.store, back, physically=physically)

    def compact_in(self, store: Store, back: int, *, physically: bool) -> None:
        revision = store.revision - back
        if revision <= max(self.model.compact_revision, 0):
            return
        self.model.compact_revision = revision
        if physically:
            compact(store, revision)
        else:
            store.compact(revision)

    @rule()
    def commit(self) -> None:
        self.backend.commit_now()

    @rule(
        missed=st.lists(transactions, max_size=5),
        back=st.none() | st.integers(0, 4),
        physically=st.booleans(),
    )
    def install_a_snapshot(self, missed: list[list[Op]], back: int | None, *, physically: bool) -> None:
        """Another member went on alone, compacted or not, and its state takes the place of this one's.

        The model goes on without a seam, so whoever watches must see what it would have seen without one.
        """
        self.backend.commit_now()
        self.databases.load(Path("new"), self.backend.dump(Path("scratch")))
        other_backend = self.databases.open(Path("new"))
        other = Store.open(other_backend)
        for ops in missed:
            self.write_to(other, ops)
        if back is not None:
            self.compact_in(other, back, physically=physically)
        other_backend.commit_now()
        self.databases.remove(Path("db"))
        self.databases.move(Path("new"), Path("db"))
        self.backend = self.databases.open(Path("db"))
        self.store = Store.open(self.backend)
        self.store.adopt(self.hub)
        assert self.store.hub is self.hub

    @invariant()
    def a_synced_watcher_has_seen_everything(self) -> None:
        for watcher, observer in self.watching:
            if watcher.is_synced:
                assert observer.wanted(observer.next) == []

    @invariant()
    def the_hub_counts_right(self) -> None:
        alive = [watcher for watcher, _ in self.watching if not watcher.is_cancelled]
        assert self.hub.watchers_count == len(alive)
        assert self.hub.behind_count == sum(not watcher.is_synced for watcher in alive)


TestHub = HubMachine.TestCase
TestHub.settings = settings(max_examples=80, stateful_step_count=40)
