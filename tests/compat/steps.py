"""What a script of etcdctl commands is made of: data, told apart from how it is run."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from signal import SIGINT, Signals
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    """One line of a script, under a name that is unique in it."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(_Named):
    """Run etcdctl to its end; status, output and error output are compared.

    ``command`` is split as a shell does; ``{x}`` in it is what an earlier ``save`` kept as ``x``.
    """

    command: str
    stdin: str = ""
    save: Mapping[str, str] = field(default_factory=dict)
    """Name to the regular expression whose group 1 in the output is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(_Named):
    """Start etcdctl in the background and wait until it has printed ``lines`` lines.

    ``nudge`` is a command repeated until it has: the only way to know that a watch from "now" is in force.
    """

    command: str
    stdin: str = ""
    lines: int = 0
    nudge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Await(_Named):
    """Wait until the background command ``of`` has printed ``lines`` lines in all."""

    of: str
    lines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish(_Named):
    """Signal the background command ``of`` (or wait for its own end: None); its whole output is compared."""

    of: str
    signal: Signals | None = SIGINT
    in_any_order: bool = False
    """Compare the lines sorted: two watches of one client come in the order they like."""


Action = Run | Start | Await | Finish
Script = tuple[Action, ...]


class Outcome(NamedTuple):
    """What one action gave, already normalised; None for its status where a signal ended it."""

    status: int | None
    stdout: str
    stderr: str
    late: str = ""
    """Why the action waited in vain; empty when it did not."""


def run(name: str, command: str, stdin: str = "", **save: str) -> Run:
    """Write a ``Run`` in one line."""
    return Run(name=name, command=command, stdin=stdin, save=save)


def words(command: str, saved: Mapping[str, str]) -> list[str]:
    """Return the arguments of ``command`` with what earlier steps saved filled in."""
    for name, value in saved.items():
        command = command.replace("{" + name + "}", value)
    return shlex.split(command)
