"""What the machine may ask for, and what it may be told in return.

Each action is answered by exactly one ``Done`` or ``Failed``.  Actions that change the host may be repeated: one
that was cut short by a crash is asked for again, and finds half of its work done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.render.change.model import Change, FileChange
from fairlead.render.resource.model import Check, Reload, Rollout, Verify


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspect:
    """Look at the destinations; ``Done`` carries a ``Found``."""

    dests: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Write the new contents beside the destinations, with mode and owner, and see them to the disk."""

    files: tuple[FileChange, ...]
    contents: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCheck:
    """Ask the program whether the staged files are good."""

    check: Check
    files: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Wait until ``until_s``, or until something newer is offered where ``is_interruptible``."""

    until_s: float
    is_interruptible: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquire:
    """Take a slot of the rollout; ``Done`` carries "" or what has to be waited for."""

    rollout: Rollout
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Give the slot back, if we hold one; with ``error`` halt the rollout for everybody."""

    rollout: Rollout
    revision: int
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepare:
    """Keep old and new contents, note how long the ``logs`` are, and append ``pending``: the point of no return.

    ``Done`` carries the record as written.
    """

    group: str
    change: Change
    contents: Mapping[str, bytes]
    logs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Make every file what the change says it shall be; ``Done`` carries warnings."""

    files: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """Make every file what it was before the change."""

    files: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Set mode and owner."""

    files: tuple[FileChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReload:
    """Have the program read its files."""

    reload: Reload
    dest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunVerify:
    """Ask the probes, one after the other; ``marks`` is from where logs are read.

    With ``is_rollback`` the log may still fill with what the failed reload has to say.
    """

    verify: tuple[Verify, ...]
    dest: str
    marks: Mapping[str, int]
    is_rollback: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """Write a record to the journal and see it to the disk; ``Done`` carries it as written."""

    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discard:
    """Remove what was staged."""

    dests: tuple[str, ...]


Action = (
    Inspect
    | Stage
    | RunCheck
    | Pause
    | Acquire
    | Release
    | Prepare
    | Swap
    | Restore
    | Repair
    | RunReload
    | RunVerify
    | Append
    | Discard
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The action succeeded."""

    value: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The action did not succeed; ``problem`` is for the operator."""

    problem: str


Result = Done | Failed
