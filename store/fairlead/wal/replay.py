"""What the log says, record by record: the last hard state, the newest checkpoint, the entries beyond it.

Plain bookkeeping, with no disk in it.  An entry replaces the one of its index and all after it, as a new
leader's do (Raft, section 5.3).  A checkpoint takes with it the entries that it covers; if the log holds
another entry than its own at that index, or none, it takes all of them (Raft, section 7).
"""

from fairlead.wal.record import (
    Checkpoint,
    Entry,
    Head,
    Kind,
    Record,
    RecordError,
    decode_checkpoint,
    decode_entry,
    decode_hard_state,
)

_ENTRIES = frozenset({Kind.ENTRY.value, Kind.CONFIGURATION.value})


class Replay:
    """The state of a log that is being read.

    Attributes:
        entries: those beyond ``base_index``, without a gap.
        base_index: the index before the first of ``entries``.
    """

    def __init__(self, head: Head) -> None:
        self.metadata = head.metadata
        self.hard_state = head.hard_state
        self.checkpoint = head.checkpoint
        self.base_index = head.first_index - 1
        self.entries: list[Entry] = []

    @property
    def last_index(self) -> int:
        """The index of the last entry, or of what stands in for it."""
        return self.base_index + len(self.entries)

    def apply(self, record: Record) -> None:
        """Take in the next record.

        Raises:
            RecordError: the record is intact and cannot follow what was read before.
        """
        if record.kind in _ENTRIES:
            self._apply_entry(decode_entry(record.kind, record.payload), record.offset)
        elif record.kind == Kind.HARD_STATE:
            self.hard_state = decode_hard_state(record.payload)
        elif record.kind == Kind.CHECKPOINT:
            self._apply_checkpoint(decode_checkpoint(record.payload))
        elif record.kind != Kind.MARK:
            raise RecordError(record.offset, f"a record of kind {record.kind} cannot stand here")

    def missing(self) -> str | None:
        """Say which entries between the checkpoint and the first one are not there, None if all are."""
        if self.base_index <= self.checkpoint.index:
            return None
        return f"the entries {self.checkpoint.index + 1} to {self.base_index} are missing"

    def recovered_entries(self) -> list[Entry]:
        """Return the entries beyond the checkpoint."""
        return self.entries[max(0, self.checkpoint.index - self.base_index) :]

    def _apply_entry(self, entry: Entry, offset: int) -> None:
        if entry.index > self.last_index + 1:
            raise RecordError(offset, f"entry {entry.index} follows entry {self.last_index}")
        if entry.index <= self.checkpoint.index:
            raise RecordError(
                offset, f"entry {entry.index} is written again after checkpoint {self.checkpoint.index}"
            )
        if entry.index <= self.base_index:
            self.base_index = entry.index - 1
        del self.entries[entry.index - self.base_index - 1 :]
        self.entries.append(entry)

    def _apply_checkpoint(self, checkpoint: Checkpoint) -> None:
        if checkpoint.index <= self.checkpoint.index:
            return
        self.checkpoint = checkpoint
        if checkpoint.index <= self.base_index:
            return
        covered = checkpoint.index - self.base_index
        holds_it = covered <= len(self.entries) and self.entries[covered - 1].term == checkpoint.term
        del self.entries[: covered if holds_it else None]
        self.base_index = checkpoint.index
