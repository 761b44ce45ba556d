"""Mistakes with the log, the database and snapshots."""

import errno
from collections.abc import Sequence
from typing import Any

from tests.sim import shell
from tests.sim.mutants.patches import Patches

from fairlead.member import apply, opening
from fairlead.member.replica import Replica
from fairlead.mvcc import index, store
from fairlead.wal import HardState, Wal, recovery


def forget_the_vote(patches: Patches) -> None:
    """Write the term and not the vote."""
    original = Wal.append

    def append(self: Wal, entries: Sequence[Any], hard_state: tuple[int, int, int] | None = None) -> None:
        if hard_state is not None:
            hard_state = HardState(hard_state[0], 0, hard_state[2])
        original(self, entries, hard_state)

    patches.set(Wal, "append", append)


def forget_the_term(patches: Patches) -> None:
    """Write term and vote with the next entries only."""
    original = Wal.append

    def append(self: Wal, entries: Sequence[Any], hard_state: tuple[int, int, int] | None = None) -> None:
        if entries:
            original(self, entries, hard_state)

    patches.set(Wal, "append", append)


def do_not_sync(patches: Patches) -> None:
    """Acknowledge what is in the page cache (etcd issue 14140)."""

    def sync(self: Wal) -> None:
        self._is_dirty = False

    patches.set(Wal, "sync", sync)


def go_on_after_a_failed_sync(patches: Patches) -> None:
    """Try an fsync again that has failed: the kernel has dropped the pages, and calls them clean."""

    def sync(self: Wal) -> None:
        if self._is_dirty:
            for _ in range(2):
                try:
                    self._file.sync()
                except OSError as error:
                    if error.errno != errno.EIO:
                        raise
                else:
                    break
            self._is_dirty = False
            self._is_mark_due = True

    patches.set(Wal, "sync", sync)


def trust_the_page_cache_at_the_start(patches: Patches) -> None:
    """Take what was read from the log for durable, though no fsync has seen it."""

    def repair(file: Any, data: bytes, tail: Any, *, segment_bytes: int) -> None:
        del data, segment_bytes
        if tail.torn is not None:
            file.write(bytes(max(0, file.size() - tail.end)), tail.end)

    patches.set(recovery, "_repair", repair)


def mark_as_applied_too_early(patches: Patches) -> None:
    """Save the applied index ahead of the data that it speaks of (etcd issue 13766)."""

    def mark_applied(replica: Replica) -> None:
        ahead = min(replica.applied + 1, replica.raft.log.last_index)
        term = replica.raft.log.term_at(ahead) or replica.applied_term
        opening.save_applied(replica.machine.backend, index=ahead, term=term, state_hash=replica.state_hash)

    patches.set(shell, "mark_applied", mark_applied)


def mark_as_applied_too_late(patches: Patches) -> None:
    """Save the data without the applied index: a restart applies entries twice."""
    original = opening.mark_applied
    calls = [0]

    def mark_applied(replica: Replica) -> None:
        calls[0] += 1
        if calls[0] % 2:
            original(replica)

    patches.set(shell, "mark_applied", mark_applied)


def forget_the_configuration_in_snapshots(patches: Patches) -> None:
    """Leave the configuration out of what a snapshot holds."""
    patches.set(apply, "save_configuration", lambda *_: None)


def let_the_revision_go_back(patches: Patches) -> None:
    """Take the newest revision of a pair for the current one after a restart (like etcd issue 17780)."""
    original = store.Store.__init__

    def init(self: store.Store, backend: Any, **options: Any) -> None:
        original(self, backend, **options)
        last = 0
        for position, _ in self._log.entries_from(0):
            if not position & 1:
                last = position
        self.revision = max(1, last >> 32)
        self.hub._notified = self.revision

    patches.set(store.Store, "__init__", init)


def lose_the_deletion_at_a_compaction(patches: Patches) -> None:
    """Remove a deletion at the compacted revision, which is still to be read (etcd issues 18089 and 19179)."""
    original = index.KeyRecord.droppable

    def droppable(self: index.KeyRecord, revision: int) -> int:
        is_dead = not self.create_revision and self.position >> 32 <= revision
        return len(self.history or ()) + 1 if is_dead else original(self, revision)

    patches.set(index.KeyRecord, "droppable", droppable)
