"""What goes wrong, and when: drawn from the seed, by the character of its world.

Two ways lead to a fault.  One comes every so often, to a member drawn by lot.  Another comes to a member that has
just taken up a role, since a candidate lives for a few milliseconds, which no lottery finds.  Every fault ends by
itself after a while; `Faults.end` ends what is left, for good.
"""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.sim import rot
from tests.sim.machines import Machine
from tests.sim.temper import CLOCK_SKEW

if TYPE_CHECKING:
    from tests.sim.world import World

_SPARE_BYTES_MAX = 3000
_UNLIMITED_BYTES = 1 << 40


class Faults:
    """The trouble of one world."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.rng = world.chance("faults")
        self.is_over = False
        self._kinds = list(world.temper.weights)
        self._weights = list(world.temper.weights.values())

    def begin(self) -> None:
        """Let the first fault come in its time."""
        delay_s = self.rng.expovariate(1 / self.world.temper.fault_every_s)
        self.world.scheduler.after(delay_s, self._next)

    def _next(self) -> None:
        if self.is_over:
            return
        self.cause(self.rng.choices(self._kinds, self._weights)[0], self._victim())
        self.begin()

    def restart_somebody(self) -> None:
        """End a member and start it again."""
        if not self.is_over:
            self.cause("crash", self._victim())

    def _victim(self) -> Machine:
        """Draw a machine; most of what can go wrong goes wrong about a leader."""
        leader = self.world.admin.leader()
        if leader is not None and self.rng.random() < self.world.temper.leader_bias:
            return leader.machine
        return self.rng.choice(self.world.machines)

    def on_role(self, machine: Machine) -> None:
        """Perhaps let something befall a member that has just taken up a role."""
        if self.is_over or self.rng.random() >= self.world.temper.trigger:
            return
        kind = self.rng.choice(self._kinds)
        delay_s = self.rng.choice((0.0, 0.0, self.rng.random() * 0.01))
        self.world.scheduler.after(delay_s, lambda: None if self.is_over else self.cause(kind, machine))

    def cause(self, kind: str, machine: Machine) -> None:
        """Let one fault happen now."""
        self.world.log(f"m{machine.slot}", f"fault: {kind}")
        _FAULTS[kind](self, machine)

    def note(self, kind: str, machine: Machine) -> None:
        """Count a fault that has befallen a member."""
        self.world.coverage.fault(kind, self.world.role_of(machine))

    def rot_file(self, machine: Machine, path: Path) -> None:
        """Let a file rot that was just written."""
        if not self.is_over and _may_rot(self, machine) and rot.rot_file(machine, path, self):
            self.note("rot-snapshot", machine)
            machine.is_rotten = True

    def end(self) -> None:
        """End all faults for good: everything that can run runs, and nothing is lost any more."""
        self.is_over = True
        world = self.world
        world.network.heal()
        world.bulk_cuts = 0
        for machine in world.machines:
            machine.slowness = 1.0
            machine.disk.bytes_max = _UNLIMITED_BYTES
            machine.disk.power_cut_at_step = None
            machine.disk.forgive()
            if machine.process is not None and machine.process.is_paused:
                machine.process.resume()
            if not machine.is_up:
                world.start(machine)

    def later(self, low_s: float, high_s: float, action: Callable[[], None]) -> None:
        """Let something happen in a while, unless all faults have been ended before."""
        delay_s = low_s + (high_s - low_s) * self.rng.random()
        self.world.scheduler.after(delay_s, lambda: None if self.is_over else action())

    def others(self, machine: Machine) -> list[Machine]:
        """Return all machines but one."""
        return [other for other in self.world.machines if other is not machine]


def _crash(faults: Faults, machine: Machine) -> None:
    if machine.is_up:
        faults.note("crash", machine)
        faults.world.crash(machine, loses_power=False)
    faults.later(0.05, 3.0, lambda: faults.world.start(machine))


def _power_cut(faults: Faults, machine: Machine) -> None:
    """Lose power at one of the next steps of the disk; at once if it takes none."""
    machine.disk.power_cut_at_step = machine.disk.steps + faults.rng.randrange(12)
    process = machine.process

    def cut() -> None:
        if machine.process is process and process is not None:
            faults.note("power-cut", machine)
            faults.world.crash(machine, loses_power=True)

    faults.later(0.0, 0.5, cut)
    faults.later(0.6, 4.0, lambda: faults.world.start(machine))


def _stop_all(faults: Faults, _: Machine) -> None:
    loses_power = faults.rng.random() < 0.5
    for machine in faults.world.machines:
        if machine.is_up:
            faults.note("stop-all", machine)
            faults.world.crash(machine, loses_power=loses_power)
        faults.later(0.1, 2.0, lambda machine=machine: faults.world.start(machine))  # type: ignore[misc]


def _pause(faults: Faults, machine: Machine) -> None:
    process = machine.process
    if process is None or process.is_paused:
        return
    faults.note("pause", machine)
    process.pause()
    longest_s = faults.rng.choice((0.3, 1.5, 5.0))
    faults.later(0.02, longest_s, lambda: None if process.is_dead else process.resume())


def _clock(faults: Faults, machine: Machine) -> None:
    faults.note("clock", machine)
    skew = faults.world.temper.skew or CLOCK_SKEW
    machine.clock.set_rate(1 + faults.rng.uniform(-skew, skew))


def _isolate(faults: Faults, machine: Machine) -> None:
    faults.note("isolate", machine)
    network = faults.world.network
    links = [pair for other in faults.others(machine) for pair in _both(machine, other)]
    faults.later(0.2, 4.0, network.cut(links))


def _split(faults: Faults, machine: Machine) -> None:
    """Divide the world in two; who is on which side is drawn by lot."""
    faults.note("split", machine)
    side = {other.slot for other in faults.world.machines if faults.rng.random() < 0.5}
    machines = faults.world.machines
    links = [
        (a.member_id, b.member_id) for a in machines for b in machines if (a.slot in side) != (b.slot in side)
    ]
    faults.later(0.3, 4.0, faults.world.network.cut(links))


def _cut_one_way(faults: Faults, machine: Machine) -> None:
    faults.note("cut-one-way", machine)
    others = faults.others(machine)
    if faults.rng.random() < 0.3:
        others = [faults.rng.choice(others)]
    pairs = [_both(machine, other)[faults.rng.random() < 0.5] for other in others[:1]]
    is_outward = bool(pairs) and pairs[0][0] == machine.member_id
    links = [_both(machine, other)[0 if is_outward else 1] for other in others]
    faults.later(0.2, 4.0, faults.world.network.cut(links))


def _clog(faults: Faults, machine: Machine) -> None:
    faults.note("clog", machine)
    other = faults.rng.choice(faults.others(machine))
    for link in _both(machine, other)[: faults.rng.choice((1, 2))]:
        faults.world.network.clog(link)
        faults.later(0.05, 2.0, lambda link=link: faults.world.network.unclog(link))  # type: ignore[misc]


def _swizzle(faults: Faults, _: Machine) -> None:
    """Clog some members one by one, then let them go in another order (FoundationDB's swizzle-clogging)."""
    machines = faults.world.machines
    chosen = faults.rng.sample(machines, faults.rng.randrange(1, len(machines)))
    for machine in chosen:
        faults.note("swizzle", machine)
        links = [pair for other in faults.others(machine) for pair in _both(machine, other)]

        def clog(links: list[tuple[int, int]] = links) -> None:
            for link in links:
                faults.world.network.clog(link)

        def unclog(links: list[tuple[int, int]] = links) -> None:
            for link in links:
                faults.world.network.unclog(link)

        faults.later(0.0, 0.5, clog)
        faults.later(0.7, 2.5, unclog)


def _both(machine: Machine, other: Machine) -> list[tuple[int, int]]:
    return [(machine.member_id, other.member_id), (other.member_id, machine.member_id)]


def _sync_error(faults: Faults, machine: Machine) -> None:
    """Fail an fsync: the member has to end, and nobody knows what its disk holds."""
    if machine.is_up:
        faults.note("sync-error", machine)
        machine.disk.fail_next("sync", errno.EIO)


def _full_disk(faults: Faults, machine: Machine) -> None:
    disk = machine.disk
    faults.note("full-disk", machine)
    disk.bytes_max = _UNLIMITED_BYTES - disk.bytes_free() + faults.rng.randrange(_SPARE_BYTES_MAX)

    def mend() -> None:
        disk.bytes_max = _UNLIMITED_BYTES
        faults.world.start(machine)

    faults.later(0.5, 4.0, mend)


def _slow_disk(faults: Faults, machine: Machine) -> None:
    faults.note("slow-disk", machine)
    machine.slowness = faults.rng.choice((10, 50, 300))

    def mend() -> None:
        machine.slowness = 1.0

    faults.later(0.3, 3.0, mend)


def _may_rot(faults: Faults, machine: Machine) -> bool:
    """Tell whether the cluster can lose this member: rot on more than a minority is beyond consensus to mend."""
    world = faults.world
    rotten = {other.slot for other in world.machines if other.is_rotten} | {machine.slot}
    return len(rotten) <= world.rot_max and not machine.is_rotten and not world.admin.has_changed_members


def _rot_log(faults: Faults, machine: Machine) -> None:
    if _may_rot(faults, machine) and rot.rot_log(machine, faults):
        faults.note("rot-log", machine)
        machine.is_rotten = True
        faults.later(0.1, 1.0, lambda: faults.cause("crash", machine))


def _rot_snapshot(faults: Faults, machine: Machine) -> None:
    """Let the next snapshot that is written here rot before it is read; counted when it happens."""
    machine.rots_next_snapshot = _may_rot(faults, machine)


def _snapshot_cut(faults: Faults, _: Machine) -> None:
    """Break the next snapshot off on its way; counted when it happens."""
    faults.world.bulk_cuts += 1


def _by_admin(kind: str) -> Callable[[Faults, Machine], None]:
    def cause(faults: Faults, machine: Machine) -> None:
        faults.world.admin.ask(kind, machine)

    return cause


_FAULTS: dict[str, Callable[[Faults, Machine], None]] = {
    "crash": _crash,
    "power-cut": _power_cut,
    "stop-all": _stop_all,
    "pause": _pause,
    "clock": _clock,
    "isolate": _isolate,
    "split": _split,
    "cut-one-way": _cut_one_way,
    "clog": _clog,
    "swizzle": _swizzle,
    "sync-error": _sync_error,
    "full-disk": _full_disk,
    "slow-disk": _slow_disk,
    "rot-log": _rot_log,
    "rot-snapshot": _rot_snapshot,
    "snapshot-cut": _snapshot_cut,
    "transfer": _by_admin("transfer"),
    "add": _by_admin("add"),
    "remove": _by_admin("remove"),
    "replace": _by_admin("replace"),
    "joint": _by_admin("joint"),
}
