"""One machine of the simulated world: a disk, a clock, and a process that may run, stand still, or be gone.

A process does nothing by itself: whatever happens in it comes through `Process.run`, which keeps what arrives
while it stands still and drops what comes after its death.
"""

from collections import deque
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from tests.sim.disk import SimulatedDisk
from tests.sim.scheduler import Clock, Event, Scheduler

from fairlead.member.opening import Founding
from fairlead.mvcc.testing import MemoryDatabases
from fairlead.wal.testing import PowerCutError

if TYPE_CHECKING:
    import random

    from tests.sim.shell import Shell

Job = Generator[float, None, None]
"""Work of a thread: yields how long the next step takes, in seconds, and then does it."""


class Machine:
    """A disk and a clock; they outlive the process.

    Attributes:
        slot: its number in the world, from 1; the member that lives here may change.
        slowness: how much longer than usual the disk takes.
        trouble: why no process can run here; empty when one can.
        is_rotten: bits of its disk have rotted since it was new.
        rots_next_snapshot: the next snapshot file will.
        founding: with what a member begins here, where that is not the founding of the cluster.
        connections: what to call when the process dies, so that the other side hears of it.
    """

    def __init__(self, slot: int, *, disk: SimulatedDisk, clock: Clock) -> None:
        self.slot = slot
        self.disk = disk
        self.clock = clock
        self.slowness = 1.0
        self.trouble = ""
        self.is_rotten = False
        self.rots_next_snapshot = False
        self.databases = MemoryDatabases()
        self.founding: Founding | None = None
        self.connections: list[Callable[[], None]] = []
        self.runs = 0
        self.process: Process | None = None
        self.member_id = 0

    def __repr__(self) -> str:
        state = self.trouble or ("down" if self.process is None else repr(self.process))
        return f"<Machine {self.slot} {state}>"

    @property
    def session(self) -> tuple[int, int]:
        """The name of the present run of its member."""
        return self.slot, self.runs

    @property
    def is_up(self) -> bool:
        """Whether a process runs here, if only standing still."""
        return self.process is not None


class Process:
    """What runs on a machine between a start and a death.

    Args:
        on_power_cut: called when a step of the disk was the last one.
    """

    def __init__(self, machine: Machine, scheduler: Scheduler, *, on_power_cut: Callable[[], None]) -> None:
        self.machine = machine
        self.shell: Shell
        self.is_dead = False
        self.is_paused = False
        self._scheduler = scheduler
        self._on_power_cut = on_power_cut
        self._backlog: deque[Callable[[], None]] = deque()

    def __repr__(self) -> str:
        return f"<Process {'dead' if self.is_dead else 'paused' if self.is_paused else 'running'}>"

    def run(self, action: Callable[[], None]) -> None:
        """Let something happen in the process, now or when it goes on."""
        if self.is_dead:
            return
        if self.is_paused:
            self._backlog.append(action)
            return
        try:
            action()
        except PowerCutError:
            self._on_power_cut()

    def after(self, delay_s: float, action: Callable[[], None]) -> Event:
        """Let something happen when the machine's clock has gone on by ``delay_s``."""
        return self.machine.clock.after(delay_s, lambda: self.run(action))

    def pause(self) -> None:
        """Stand still (SIGSTOP)."""
        self.is_paused = True

    def resume(self) -> None:
        """Go on (SIGCONT), with all that has come meanwhile, in its order."""
        self.is_paused = False
        backlog, self._backlog = self._backlog, deque()
        for action in backlog:
            self.run(action)

    def die(self) -> None:
        """End, whatever is going on."""
        self.is_dead = True
        self._backlog.clear()


class Thread:
    """A thread of a process, in virtual time: does one job after the other, each in steps.

    Args:
        rng: varies the time that each step takes.
    """

    def __init__(self, process: Process, *, rng: "random.Random") -> None:
        self._process = process
        self._rng = rng
        self._jobs: deque[tuple[Job, Callable[[Exception | None], None]]] = deque()
        self._is_busy = False

    @property
    def waiting(self) -> int:
        """Jobs that are not done."""
        return len(self._jobs)

    def submit(self, job: Job, done: Callable[[Exception | None], None]) -> None:
        """Do a job after those before it; ``done`` learns of its error, or None."""
        self._jobs.append((job, done))
        if not self._is_busy:
            self._is_busy = True
            self._step()

    def _step(self) -> None:
        job, done = self._jobs[0]
        try:
            delay_s = next(job)
        except StopIteration:
            self._end(done, None)
        except PowerCutError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits to be told
            self._end(done, error)
        else:
            self._process.after(delay_s * self._process.machine.slowness * self._spread(), self._step)

    def _spread(self) -> float:
        return 0.5 + self._rng.random()

    def _end(self, done: Callable[[Exception | None], None], error: Exception | None) -> None:
        self._jobs.popleft()
        done(error)
        if self._jobs and not self._process.is_dead:
            self._step()
        else:
            self._is_busy = False
