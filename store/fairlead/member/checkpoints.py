"""When the log may let go of its past: what is in the database, and no follower is likely to ask for."""

from fairlead.member.configurations import forget_configurations
from fairlead.member.replica import Replica
from fairlead.wal import Checkpoint

_STRETCH = 4


class Checkpoints:
    """Decides where the log begins, each time that the database has been committed.

    Args:
        replica: whose log.
        every_entries: the log is cut after so many more (``--snapshot-count``).
        keep_entries: those before the cut that stay, so that a follower which is a little behind needs no
            snapshot.
        keep_bytes_max: no more than this stays of them in memory, large entries being large.
    """

    __slots__ = ("_every_entries", "_keep_bytes_max", "_keep_entries", "_replica", "deliveries")

    def __init__(
        self, replica: Replica, *, every_entries: int, keep_entries: int, keep_bytes_max: int = 64 << 20
    ) -> None:
        self._replica = replica
        self._every_entries = every_entries
        self._keep_entries = keep_entries
        self._keep_bytes_max = keep_bytes_max
        self.deliveries = 0
        """Snapshots on their way: who gets one needs the entries behind it next."""

    def after_commit(self, applied: int) -> Checkpoint | None:
        """Cut the core's log if it is time; return from where on the log on disk is needed.

        Args:
            applied: index of the last entry whose effects are in the database, durably.
        """
        raft = self._replica.raft
        log = raft.log
        is_large = raft.bytes_in_memory > self._keep_bytes_max
        keep = 0 if is_large else self._keep_entries
        begins, cut = log.first_index - 1, applied - keep
        if cut - begins < (1 if is_large else self._every_entries):
            return None
        if self.deliveries and raft.bytes_in_memory <= _STRETCH * self._keep_bytes_max:
            return None
        if raft.snapshot_at(applied) is None:
            return None  # a leader's snapshot is ahead of us
        term = log.term_at(cut)
        assert term is not None, "what was applied and not cut is in the log"
        raft.compact(cut)
        return Checkpoint(term, cut)

    def durable(self, checkpoint: Checkpoint) -> None:
        """Take the news that the log on disk begins at ``checkpoint`` from now on."""
        forget_configurations(self._replica.machine.backend, before=checkpoint.index)
