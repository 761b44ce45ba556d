"""A snapshot takes the place of a store, and nobody who watches can tell."""

from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.mvcc.sinks import RecordingSink
from tests.unit.mvcc.writes import compact

from fairlead.mvcc import Backend, Store, Watcher
from fairlead.mvcc.testing import MemoryDatabases

KEYS = [b"a", b"b", b"c"]
histories = st.lists(st.sets(st.sampled_from(KEYS), min_size=1), max_size=6)
"""Which keys each transaction puts."""


@dataclass
class Position:
    """Where a watcher stands when the snapshot comes: where it began, and how many deliveries it took so far."""

    start_revision: int
    room: int


positions = st.builds(Position, st.integers(1, 14), st.integers(0, 5))


def write(store: Store, history: list[set[bytes]]) -> None:
    for keys in history:
        txn = store.begin()
        for key in sorted(keys):
            txn.put(key, b"")
        txn.end()


def catch_up(store: Store) -> None:
    while store.hub.sync_step(revisions_max=2):
        pass


class Member:
    """A store that can be given another's state."""

    def __init__(self) -> None:
        self.databases = MemoryDatabases()
        self.backend: Backend = self.databases.open(Path("0"))
        self.store = Store.open(self.backend)

    def install(self, missed: list[set[bytes]], *, back: int | None) -> None:
        """Go over to a store that has what this one missed, compacted ``back`` revisions before its end."""
        self.backend.commit_now()
        path = Path(str(int(str(self.backend.path)) + 1))
        self.databases.load(path, self.backend.dump(Path("scratch")))
        backend = self.databases.open(path)
        store = Store.open(backend)
        write(store, missed)
        if back is not None and store.revision - back > max(0, store.compact_revision):
            compact(store, store.revision - back)
        store.adopt(self.store.hub)
        self.backend, self.store = backend, store


@settings(max_examples=150)
@given(
    before=histories,
    standing=st.lists(positions, min_size=1, max_size=4),
    meanwhile=histories,
    missed=st.tuples(histories, histories),
    back=st.tuples(st.none() | st.integers(0, 8), st.none() | st.integers(0, 8)),
    catches_up=st.booleans(),
    after=histories,
)
def test_watchers_see_what_an_uninterrupted_run_shows(
    *,
    before: list[set[bytes]],
    standing: list[Position],
    meanwhile: list[set[bytes]],
    missed: tuple[list[set[bytes]], list[set[bytes]]],
    back: tuple[int | None, int | None],
    catches_up: bool,
    after: list[set[bytes]],
) -> None:
    """In order, once and whole; or told of a compaction, having seen all that came before what it took away."""
    member = Member()
    hub = member.store.hub
    write(member.store, before)
    watching: list[tuple[Position, RecordingSink, Watcher]] = []
    for position in standing:
        sink = RecordingSink(position.room)
        watcher = hub.watch(b"a", b"\0", sink=sink, start_revision=position.start_revision)
        watching.append((position, sink, watcher))
    catch_up(member.store)
    write(member.store, meanwhile)

    member.install(missed[0], back=back[0])
    if catches_up:
        catch_up(member.store)
    member.install(missed[1], back=back[1])
    write(member.store, after)
    for _, sink, _ in watching:
        sink.room = 1_000
    catch_up(member.store)

    uninterrupted = [
        (key, revision)
        for revision, keys in enumerate([*before, *meanwhile, *missed[0], *missed[1], *after], 2)
        for key in sorted(keys)
    ]
    for position, sink, watcher in watching:
        wanted = [told for told in uninterrupted if told[1] >= position.start_revision]
        if not sink.compacted_at:
            assert sink.told == wanted
            assert watcher.is_synced
            continue
        (compact_revision,) = sink.compacted_at
        assert watcher.next_revision < compact_revision <= member.store.compact_revision
        lost = [told for told in wanted if told[1] >= watcher.next_revision]
        assert sink.told + lost == wanted, "it had come further than the hub thought, or not as far"
