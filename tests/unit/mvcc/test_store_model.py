"""Whatever happens, the store answers as one that keeps a copy of everything per revision."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.mvcc.model import Model, Op

from fairlead.mvcc import Backend, Commit, CompactedError, Store
from fairlead.proto.kv_pb2 import KeyValue

KEYS = [b"a", b"b", b"ba", b"c"]
ENDS = [b"", b"\0", b"b", b"c", b"\xff"]
puts = st.tuples(st.just("put"), st.sampled_from(KEYS), st.binary(max_size=3))
deletes = st.tuples(st.just("delete"), st.sampled_from(KEYS), st.sampled_from(ENDS))


class StoreMachine(RuleBasedStateMachine):
    """Transactions, compactions, commits in their three steps, and crashes between any of them."""

    @initialize()
    def open(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="fairlead-mvcc-"))
        self.model = Model()
        self.durable = Model()  # what a crash leaves
        self.committing: Commit | None = None
        self.snapshot = Model()
        self._open()

    def _open(self) -> None:
        self.backend = Backend.open(self.path, map_bytes=1 << 22)
        self.store = Store.open(self.backend)

    def teardown(self) -> None:
        self.backend.close()
        shutil.rmtree(self.path)

    @rule(ops=st.lists(puts | deletes, max_size=4, unique_by=lambda op: op[1]))
    def write(self, ops: list[Op]) -> None:
        # As the API has it, a key changes once: deletions go first and spare what is put later.
        put_keys = {key for kind, key, _ in ops if kind == "put"}
        ops = [op for op in ops if op[0] == "put" or not op[2]] if put_keys else ops
        txn = self.store.begin()
        for kind, key, argument in ops:
            if kind == "put":
                txn.put(key, argument, len(argument))
            else:
                expected = self.model.range(key, argument, 0)
                found = txn.delete_range(key, argument, prev_kv=True)
                assert set(found.kvs) <= set(expected)
                assert found.keys == [KeyValue.FromString(kv).key for kv in found.kvs]
        self.model.apply(ops)
        assert txn.end() == self.model.revision

    @rule(back=st.integers(0, 4))
    def compact(self, back: int) -> None:
        revision = max(self.store.revision - back, 0)
        if revision <= self.model.compact_revision:
            try:
                self.store.compact(revision)
            except CompactedError:
                return
            raise AssertionError("compacted twice")
        self.store.compact(revision)
        self.model.compact_revision = revision

    @rule(revisions_max=st.integers(1, 4))
    def remove_a_slice(self, revisions_max: int) -> None:
        self.store.compact_step(revisions_max)

    @precondition(lambda self: self.committing is None)
    @rule()
    def begin_commit(self) -> None:
        self.snapshot = self.model.copy()
        self.committing = self.backend.begin_commit()

    @precondition(lambda self: self.committing is not None and not self.committing.is_durable)
    @rule()
    def run_commit(self) -> None:
        assert self.committing is not None
        self.committing.run()
        self.durable = self.snapshot

    @precondition(lambda self: self.committing is not None and self.committing.is_durable)
    @rule()
    def finish_commit(self) -> None:
        assert self.committing is not None
        self.backend.finish(self.committing)
        self.committing = None

    @rule()
    def crash(self) -> None:
        self.backend.close()
        self.committing = None
        self.model = self.durable.copy()
        self._open()

    @invariant()
    def answers_are_the_models(self) -> None:
        assert self.store.revision == self.model.revision
        assert self.store.compact_revision == self.model.compact_revision
        for revision in (0, *range(max(self.model.compact_revision, 1), self.model.revision + 1)):
            for end in ENDS:
                expected = self.model.range(b"a", end, revision)
                found = self.store.range(b"a", end, revision=revision)
                assert found.kvs == expected
                assert found.count == len(expected)
                limited = self.store.range(b"a", end, revision=revision, limit=2)
                assert (limited.kvs, limited.count) == (expected[:2], len(expected))
                counted = self.store.range(b"a", end, revision=revision, count_only=True)
                assert counted.count == len(expected)
        for key in KEYS:
            live = self.model.range(key, b"", 0)
            assert self.store.latest(key) == (live[0] if live else None)

    @invariant()
    def hashes_are_the_models(self) -> None:
        """However far removal has come, and through every restart."""
        for revision in {max(self.model.compact_revision, 1), self.model.revision}:
            found = self.store.hash_kv(revision)
            assert found == (self.model.hash(revision), self.model.compact_revision, revision)

    @precondition(lambda self: self.store.compact_step(0))
    @invariant()
    def nothing_stays_that_compaction_should_remove(self) -> None:
        log = [(change.revision, change.key) for change in self.store.changes_from(0)]
        assert log == [(main, event.kv.key) for main, _, event in self.model.kept()]
        index = self.store.index
        assert sum(1 + len(record.history or ()) for record in index.records.values()) == len(log)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=50, stateful_step_count=30)
