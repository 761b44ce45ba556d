"""Bit rot, within what a cluster can be asked to survive.

Rot behind the last mark of a log cannot be told from a torn write, by any member that does not ask the others;
so it strikes before that, where it has to be noticed.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from tests.sim.machines import Machine

if TYPE_CHECKING:
    from tests.sim.faults import Faults


def rot_log(machine: Machine, faults: "Faults") -> bool:
    """Flip bits of the log that a later mark protects; return whether there was something to rot."""
    if machine.process is None:
        return False
    last, protected = machine.process.shell.protected
    files = [(path, size) for path, size in machine.disk.sizes(".wal") if path.name < last]
    if protected > 0:
        files += [(path, protected) for path, _ in machine.disk.sizes(".wal") if path.name == last]
    return _rot(machine, faults, files)


def rot_file(machine: Machine, path: Path, faults: "Faults") -> bool:
    """Flip bits of one file; return whether there was something to rot."""
    return _rot(machine, faults, [pair for pair in machine.disk.sizes(path.name) if pair[0] == path])


def _rot(machine: Machine, faults: "Faults", files: list[tuple[Path, int]]) -> bool:
    files = [(path, size) for path, size in files if size > 0]
    if not files:
        return False
    path, size = faults.rng.choice(files)
    offset = faults.rng.randrange(size)
    machine.disk.rot(path, offset, 1 << faults.rng.randrange(8))
    faults.world.log(f"m{machine.slot}", f"rot in {path.name} at {offset}")
    return True
