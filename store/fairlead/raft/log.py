"""The log as the core sees it: in memory, with three marks that only move the way Raft allows.

    compacted ... | ... applying ... written ... | ... handed ... | ... last
                     commit lies anywhere at or above applying

``written`` is what is known to be on disk, ``handed`` what has been given out to be written.  A write that is
under way may be overtaken by a truncation, and even by the same entries once more (A, B, A again): news of the
first write of A must not pass for the last.  Hence each write is remembered by its number with the highest
index that it still stands for, and truncation lowers that.

All entries after the last compaction are in memory; whoever drives the core compacts.  Beside each entry stands
how many bytes of payload there were up to and with it, so that a batch of a given size is cut out, and a span
is measured, without a look at each entry.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from itertools import accumulate

from fairlead.raft.configuration import Configuration, decode_configuration
from fairlead.raft.errors import LostEntriesError
from fairlead.raft.quorum import EVERYTHING
from fairlead.raft.types import Entry, Snapshot


class Log:
    """Entries above a snapshot, and which of them are written, committed and handed out to apply."""

    __slots__ = (
        "_base_index",
        "_base_term",
        "_configurations",
        "_ends",
        "_entries",
        "_handed",
        "_restored",
        "_writes",
        "applying",
        "commit",
        "last_index",
        "snapshot",
        "written",
    )

    def __init__(self, snapshot: Snapshot, entries: Sequence[Entry] = ()) -> None:
        self.snapshot = snapshot
        """The newest one, for followers that need entries which are gone."""
        self._base_index, self._base_term = snapshot.index, snapshot.term
        self._configurations = [(snapshot.index, snapshot.configuration)]
        self._entries: list[Entry] = []
        self._ends = [0]  # the first is the base's: bytes up to entry i stand at i - base
        self.last_index = snapshot.index
        self.commit = self.applying = snapshot.index
        self._restored: Snapshot | None = None
        self._writes: deque[tuple[int, int]] = deque()
        self._extend(entries)
        self.written = self._handed = self.last_index

    def __repr__(self) -> str:
        return (
            f"<Log {self.first_index}..{self.last_index} written={self.written}"
            f" commit={self.commit} applying={self.applying}>"
        )

    @property
    def first_index(self) -> int:
        """The index of the first entry that is still here, or would be."""
        return self._base_index + 1

    @property
    def last_term(self) -> int:
        """The term of the last entry."""
        return self._entries[-1].term if self._entries else self._base_term

    @property
    def configuration(self) -> Configuration:
        """The latest in the log, committed or not (Raft, section 6)."""
        return self._configurations[-1][1]

    @property
    def configuration_index(self) -> int:
        """The index of the latest configuration."""
        return self._configurations[-1][0]

    def may_lead(self, member: int) -> bool:
        """Return whether ``member`` votes in the latest configuration, or in one that may yet prevail.

        Ongaro's thesis, section 4.2.2: a server that is not in its latest configuration still has to start
        elections until that is committed.  It may be the only one whose log is long enough to win.
        """
        for index, configuration in reversed(self._configurations):
            if configuration.is_voter(member):
                return True
            if index <= self.commit:
                return False
        return False

    @property
    def is_writing(self) -> bool:
        """Whether a write is under way."""
        return bool(self._writes)

    @property
    def is_handed_out(self) -> bool:
        """Whether everything there is to write has been handed out."""
        return self._handed == self.last_index and self._restored is None

    def term_at(self, index: int) -> int | None:
        """Return the term of an entry; None when it is gone or not there yet."""
        if index == self._base_index:
            return self._base_term
        if self._base_index < index <= self.last_index:
            return self._entries[index - self._base_index - 1].term
        return None

    def is_up_to_date(self, *, last_term: int, last_index: int) -> bool:
        """Return whether a log that ends so is at least as up-to-date as this one (Raft, section 5.4.1)."""
        return (last_term, last_index) >= (self.last_term, self.last_index)

    def meet(self, index: int, term: int) -> tuple[int, int]:
        """Return index and term of the last entry at or below ``index`` whose term is at most ``term``.

        Two logs cannot agree above it, if the other has ``term`` at ``index``.  Entries that are gone count
        as agreeing: they are committed.
        """
        index = min(index, self.last_index)
        while index > self._base_index:
            own = self._entries[index - self._base_index - 1].term
            if own <= term:
                return index, own
            index -= 1
        return index, self._base_term if index == self._base_index else 0

    def entries_from(
        self, index: int, *, bytes_max: int = EVERYTHING, last: int | None = None
    ) -> list[Entry]:
        """Return entries from ``index``, at least one if there is one, and no more than ``bytes_max``."""
        first = index - self._base_index - 1
        end = (self.last_index if last is None else last) - self._base_index
        ends = self._ends
        if ends[end] - ends[first] > bytes_max:
            end = max(first + 1, bisect_right(ends, ends[first] + bytes_max, first, end) - 1)
        return self._entries[first:end]

    def bytes_after(self, index: int, *, last: int | None = None) -> int:
        """Return the payload of the entries above ``index``, up to ``last`` or the end."""
        end = self.last_index if last is None else last
        return self._ends[end - self._base_index] - self._ends[index - self._base_index]

    @property
    def bytes_in_memory(self) -> int:
        """The payload of all entries that are held."""
        return self._ends[-1] - self._ends[0]

    def append(self, entry: Entry) -> None:
        """Append one entry: a leader only ever does this (Raft, section 5.3, Leader Append-Only)."""
        assert entry.index == self.last_index + 1, f"entry {entry.index} after {self.last_index}"
        self._entries.append(entry)
        self._ends.append(self._ends[-1] + len(entry.data))
        self.last_index += 1
        if entry.kind:
            self._configurations.append((entry.index, decode_configuration(entry.data)[0]))

    def replicate(self, entries: Sequence[Entry]) -> None:
        """Take the leader's entries.

        Raft, figure 2: "If an existing entry conflicts with a new one (same index but different terms),
        delete the existing entry and all that follow it."  Only then: a message that comes late must not
        cut off what a later one has brought.
        """
        for position, entry in enumerate(entries):
            if self.term_at(entry.index) != entry.term:
                if entry.index <= self.last_index:
                    self._truncate(entry.index)
                self._extend(entries[position:])
                return

    def commit_to(self, index: int) -> None:
        """Raise the commit index; it never goes down.

        Raises:
            LostEntriesError: the log ends before it.
        """
        if index > self.last_index:
            raise LostEntriesError(index, self.last_index)
        self.commit = max(self.commit, index)

    def restore(self, snapshot: Snapshot) -> None:
        """Begin again at a snapshot of the leader's."""
        assert snapshot.index > self.commit, "a snapshot must not take back what is committed"
        self.snapshot = self._restored = snapshot
        self._base_index, self._base_term = snapshot.index, snapshot.term
        self._configurations = [(snapshot.index, snapshot.configuration)]
        self._entries, self._ends = [], [0]
        self.commit = self.applying = self.last_index = self._handed = snapshot.index
        # Nothing of the old log is left for a write under way to stand for.
        self.written = snapshot.index - 1
        self._writes = deque((sequence, self.written) for sequence, _ in self._writes)

    def take_writes(self, sequence: int) -> tuple[Snapshot | None, list[Entry]]:
        """Hand out what is to be written, as the write of this number."""
        entries = self._entries[self._handed - self._base_index :]
        snapshot, self._restored = self._restored, None
        self._handed = self.last_index
        self._writes.append((sequence, self._handed))
        return snapshot, entries

    def wrote(self, sequence: int) -> None:
        """Take the news that the oldest write under way is on disk."""
        expected, index = self._writes.popleft()
        assert sequence == expected, f"write {sequence} done before write {expected}"
        self.written = max(self.written, index)

    def take_committed(self, *, bytes_max: int) -> list[Entry]:
        """Hand out what is to be applied next: committed, and on this member's disk."""
        last = min(self.commit, self.written)
        if last <= self.applying:
            return []
        entries = self.entries_from(self.applying + 1, bytes_max=bytes_max, last=last)
        self.applying = entries[-1].index
        return entries

    def snapshot_at(self, index: int) -> Snapshot | None:
        """Return the snapshot that the state after applying ``index`` is; it is the newest from now on.

        None if a newer one is here already: a leader's may have come in between.
        """
        if index < self.snapshot.index:
            return None
        term = self.term_at(index)
        assert term is not None, f"entry {index} is gone"
        assert index <= self.applying, f"no state at {index}"
        at = [configuration for since, configuration in self._configurations if since <= index]
        self.snapshot = Snapshot(index, term, at[-1])
        return self.snapshot

    def compact(self, index: int) -> None:
        """Forget the entries up to and with ``index``; a snapshot holds their effect."""
        if index <= self._base_index:
            return
        assert index <= self.snapshot.index, f"no snapshot holds entry {index}"
        term = self.term_at(index)
        assert term is not None, f"entry {index} is not there"
        del self._entries[: index - self._base_index]
        del self._ends[: index - self._base_index]
        self._base_index, self._base_term = index, term
        while len(self._configurations) > 1 and self._configurations[1][0] <= index:
            del self._configurations[0]

    def _extend(self, entries: Sequence[Entry]) -> None:
        for expected, entry in enumerate(entries, self.last_index + 1):
            assert entry.index == expected, f"entry {entry.index} in the place of {expected}"
            if entry.kind:
                self._configurations.append((entry.index, decode_configuration(entry.data)[0]))
        self._entries += entries
        self._ends += accumulate((len(entry.data) for entry in entries), initial=self._ends.pop())
        self.last_index += len(entries)

    def _truncate(self, index: int) -> None:
        assert index > self.commit, f"entry {index} is committed and cannot be replaced"
        del self._entries[index - self._base_index - 1 :]
        del self._ends[index - self._base_index :]
        last = self.last_index = index - 1
        self.written = min(self.written, last)
        self._handed = min(self._handed, last)
        self._writes = deque((sequence, min(upto, last)) for sequence, upto in self._writes)
        while self._configurations[-1][0] > last:
            self._configurations.pop()
