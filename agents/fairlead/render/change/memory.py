"""What the journal says of one group: what its program runs on, and what was begun.

A record is a plain mapping; ``remember`` folds one into the memory, whether it is read back after a restart or
has just been written, so the two can never disagree.

    kind           written when                                           phase after it
    pending        before the first file is swapped                       PENDING
    done           the program was seen to run on the new files           SETTLED
    rolling_back   before the first file is put back                      ROLLING_BACK
    rolled_back    the program was seen to run on the old files           SETTLED
    abandoned      no file could be swapped, or all are back, unread      as before the pending
    retry          an operator wants what was refused tried again         unchanged
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from fairlead.render import jsonio
from fairlead.render.change.model import Change, FileVersion, change_as_json, change_from_json

HISTORY_ENTRIES_MAX = 20
"""Finished changes that are kept for each group."""


class Phase(Enum):
    """How far the last change has come."""

    SETTLED = "settled"
    PENDING = "pending"
    ROLLING_BACK = "rolling_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One finished change, for the history.

    Attributes:
        number: counts up in each group, from 1.
        kind: ``done`` or ``rolled_back``.
        at_s: when it was finished, seconds since 1970.
        error: why it was rolled back.
    """

    number: int
    kind: str
    at_s: float
    change: Change
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """One group.

    Attributes:
        running: destination to digest of what the program was last seen to run on; None before the first time.
        is_unsure: a reload has failed since, so the program may run on something else by now.
        prunable: those files of the last change that a later list may drop.
        change: the change that ``phase`` is about; None before the first one.
        marks: log file to its size just before the swap.
        counts: what the guards' expressions gave when the program last took a change.
        quarantined: the output that was rolled back; empty where there is none.
        reason: why it was.
        history: the last finished changes, oldest first.
    """

    running: Mapping[str, str] | None = None
    is_unsure: bool = False
    prunable: Mapping[str, str] = field(default_factory=dict)
    phase: Phase = Phase.SETTLED
    change: Change | None = None
    marks: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    quarantined: str = ""
    reason: str = ""
    history: tuple[Entry, ...] = ()

    def is_running_on(self, installed: Mapping[str, str]) -> bool:
        """Whether the program is known to run on exactly these contents."""
        return not self.is_unsure and self.running == installed

    @property
    def before(self) -> dict[str, FileVersion | None]:
        """What the files were before the change that is not finished; nothing when all is settled."""
        if self.phase is Phase.SETTLED or self.change is None:
            return {}
        return {file.dest: file.old for file in self.change.files}

    @property
    def digests(self) -> set[str]:
        """Every content that something here may still need."""
        needed = {
            version.digest
            for entry in self.history
            for file in entry.change.files
            if not file.is_secret
            for version in (file.old, file.new)
            if version is not None
        }
        if self.change is not None and self.phase is not Phase.SETTLED:
            # What is under way may have to go either way, secret or not.
            needed |= {
                version.digest
                for file in self.change.files
                for version in (file.old, file.new)
                if version is not None
            }
        return needed


def remember(memory: Memory, record: Mapping[str, Any]) -> Memory:
    """Return ``memory`` after ``record``; records of unknown kinds say nothing.

    Raises:
        KeyError, ValueError: the record cannot follow on what was before, or is none.
    """
    fold = _FOLDS.get(jsonio.text(record["kind"]))
    return memory if fold is None else fold(memory, record)


def _pending(memory: Memory, record: Mapping[str, Any]) -> Memory:
    change = change_from_json(jsonio.members(record["change"]))
    return replace(
        memory,
        phase=Phase.PENDING,
        change=change,
        marks=jsonio.integers(record["marks"]),
        # What is overtaken here may have been taken up by halves.
        is_unsure=memory.is_unsure or memory.phase is not Phase.SETTLED,
    )


def _done(memory: Memory, record: Mapping[str, Any]) -> Memory:
    change = _begun(memory)
    return replace(
        memory,
        running=change.installed,
        is_unsure=False,
        prunable={file.dest: file.new.digest for file in change.files if file.prune and file.new is not None},
        phase=Phase.SETTLED,
        counts=change.counts,
        quarantined=change.hold,
        reason="it was taken back by hand" if change.hold else "",
        history=_with_entry(memory, record, change),
    )


def _rolling_back(memory: Memory, record: Mapping[str, Any]) -> Memory:
    return replace(
        memory,
        phase=Phase.ROLLING_BACK,
        change=_begun(memory),
        reason=jsonio.text(record["error"]),
    )


def _rolled_back(memory: Memory, record: Mapping[str, Any]) -> Memory:
    change = _begun(memory)
    return replace(
        memory,
        running={file.dest: file.old.digest for file in change.files if file.old is not None},
        is_unsure=False,
        phase=Phase.SETTLED,
        quarantined=change.output,
        history=_with_entry(memory, record, change, error=memory.reason),
    )


def _abandoned(memory: Memory, _: Mapping[str, Any]) -> Memory:
    return replace(memory, phase=Phase.SETTLED)


def _retry(memory: Memory, _: Mapping[str, Any]) -> Memory:
    return replace(memory, quarantined="", reason="", counts={})


_FOLDS = {
    "pending": _pending,
    "done": _done,
    "rolling_back": _rolling_back,
    "rolled_back": _rolled_back,
    "abandoned": _abandoned,
    "retry": _retry,
}


def _begun(memory: Memory) -> Change:
    if memory.change is None:
        raise ValueError("the end of a change that was never begun")
    return memory.change


def _with_entry(
    memory: Memory, record: Mapping[str, Any], change: Change, *, error: str = ""
) -> tuple[Entry, ...]:
    number = memory.history[-1].number + 1 if memory.history else 1
    entry = Entry(
        number=number, kind=record["kind"], at_s=jsonio.time_s(record["at_s"]), change=change, error=error
    )
    return (*memory.history, entry)[-HISTORY_ENTRIES_MAX:]


def memory_as_json(memory: Memory) -> dict[str, Any]:
    """Return ``memory`` as JSON can hold it, for a compacted journal."""
    return {
        "running": None if memory.running is None else dict(memory.running),
        "is_unsure": memory.is_unsure,
        "prunable": dict(memory.prunable),
        "phase": memory.phase.value,
        "change": None if memory.change is None else change_as_json(memory.change),
        "marks": dict(memory.marks),
        "counts": dict(memory.counts),
        "quarantined": memory.quarantined,
        "reason": memory.reason,
        "history": [
            {
                "number": entry.number,
                "kind": entry.kind,
                "at_s": entry.at_s,
                "change": change_as_json(entry.change),
                "error": entry.error,
            }
            for entry in memory.history
        ],
    }


def memory_from_json(value: Mapping[str, Any]) -> Memory:
    """Return what ``memory_as_json`` was given.

    Raises:
        KeyError, ValueError: it is something else.
    """
    running, change, phase = value["running"], value["change"], Phase(value["phase"])
    if change is None and phase is not Phase.SETTLED:
        raise ValueError("a change is under way, and there is none")
    return Memory(
        running=None if running is None else jsonio.texts(running),
        is_unsure=jsonio.truth(value["is_unsure"]),
        prunable=jsonio.texts(value["prunable"]),
        phase=phase,
        change=None if change is None else change_from_json(jsonio.members(change)),
        marks=jsonio.integers(value["marks"]),
        counts=jsonio.integers(value["counts"]),
        quarantined=jsonio.text(value["quarantined"]),
        reason=jsonio.text(value["reason"]),
        history=tuple(_entry_from_json(jsonio.members(entry)) for entry in jsonio.items(value["history"])),
    )


def _entry_from_json(value: Mapping[str, Any]) -> Entry:
    return Entry(
        number=jsonio.integer(value["number"]),
        kind=jsonio.text(value["kind"]),
        at_s=jsonio.time_s(value["at_s"]),
        change=change_from_json(jsonio.members(value["change"])),
        error=jsonio.text(value["error"]),
    )
