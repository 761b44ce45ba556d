"""Consensus of one: what a lone voter has written is committed.

It stands where the Raft core will: entries have a term and an index, a term begins with an entry of its
own, and what is committed is handed out in order and once.
"""

from collections.abc import Sequence

from fairlead.wal import Entry, HardState


class Solo:
    """The log of a cluster with a single voter, which always leads."""

    __slots__ = ("_unwritten", "committed", "last_index", "term", "voted_for")

    def __init__(self, *, member_id: int, hard_state: HardState, last_index: int) -> None:
        self.term = hard_state.term
        self.voted_for = member_id
        self.last_index = last_index
        self.committed = hard_state.commit
        self._unwritten: list[Entry] = []

    def campaign(self) -> HardState:
        """Begin a new term and win it; return what must be on disk before anything else."""
        self.term += 1
        # Raft, section 8: a leader learns what is committed by committing an entry of its own term.
        self.propose(b"")
        return HardState(self.term, self.voted_for, self.committed)

    def propose(self, data: bytes) -> None:
        """Append one entry."""
        self.last_index += 1
        self._unwritten.append(Entry(self.term, self.last_index, data))

    def take_unwritten(self) -> list[Entry]:
        """Return the entries to write next, in order."""
        entries, self._unwritten = self._unwritten, []
        return entries

    def written(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Take the news that ``entries`` are on disk; return those that are now committed."""
        if entries:
            self.committed = entries[-1].index
        return entries
