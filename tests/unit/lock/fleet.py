"""A fleet of hosts that all need a reboot, in virtual time, on a store that some of them cannot always reach.

A host is what ``fairlead.lock.agent`` does, without processes: it looks, ``decide``s, and changes the group by
compare-and-swap.  Its luck is drawn from one seed: requests get lost, answers get lost after the write was done,
agents are killed between any two steps, hosts boot slowly, and ghosts never come back.
"""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from tests.unit.lock.boards import Keys

from fairlead.lock import Claim, FrozenError, FullError, Held, Semaphore, Step, View, decide, keys, operations
from fairlead.lock.board import Board
from fairlead.lock.operations import Change

HOLD_S = 300
ALIVE_TTL_S = 15
POLL_S = 5.0
VIRTUAL_S_MAX = 200_000.0


class Life(Enum):
    """Of a host."""

    UP = "up"
    DOWN = "down"
    GHOST = "ghost"


class Lost(Exception):  # noqa: N818 - it is no error of ours
    """A request or its answer did not arrive."""


@dataclass
class Host:
    name: str
    life: Life = Life.UP
    boots: int = 1
    is_new: bool = False
    is_drained: bool = False
    cut_till_s: float = 0.0
    seen_s: float = 0.0


@dataclass
class Fleet:
    seed: int
    size: int = 50
    permits: int = 3
    ghosts: int = 3
    store: Keys = field(default_factory=Keys)
    now_s: float = 0.0
    down_max: int = 0
    reboots: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.hosts = [Host(f"host-{number:02d}") for number in range(self.size)]
        self.doomed = set(self.rng.sample([host.name for host in self.hosts], self.ghosts))
        self._turns: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._due: dict[str, float] = {}
        self._read: tuple[int, set[str], Board] | None = None
        self.store.apply(operations.set_max(self.store.board(), self.permits, at_s=0))
        self.store.apply(operations.set_policy(self.store.board(), "release"))
        for host in self.hosts:
            self._later(self.rng.uniform(0, POLL_S), lambda host=host: self._turn(host))  # type: ignore[misc]

    def run(self) -> None:
        """Go on until everybody who can has rebooted."""
        while any(not host.is_new and host.life is not Life.GHOST for host in self.hosts) or any(
            host.life is Life.DOWN for host in self.hosts
        ):
            self.now_s, _, turn = heapq.heappop(self._turns)
            assert self.now_s < VIRTUAL_S_MAX, "the fleet stands still"
            self._expire()
            turn()
            self._judge()

    def _judge(self) -> None:
        # A ghost whose permit the policy has taken back is down, and counts for nobody any more.
        semaphore = Semaphore.decode(self.store.pairs[keys.semaphore_key("default")].value)
        holders = set(semaphore.holders)
        down = [
            host
            for host in self.hosts
            if host.life is Life.DOWN or (host.life is Life.GHOST and host.name in holders)
        ]
        self.down_max = max(self.down_max, len(down))
        assert len(down) <= self.permits, [host.name for host in down]
        assert len(holders) <= self.permits

    def _turn(self, host: Host) -> None:
        if host.life is not Life.UP:
            return
        self._later(self.rng.uniform(0.5, 1.5) * POLL_S, lambda: self._turn(host))
        if self.rng.random() < 0.02:
            host.is_drained = False  # the agent was killed, and started again
            return
        if self.rng.random() < 0.01:
            host.cut_till_s = self.now_s + self.rng.uniform(5, 400)
        try:
            self._act(host)
        except (Lost, FullError, FrozenError):
            return

    def _act(self, host: Host) -> None:
        self._reach(host)
        host.seen_s = self.now_s
        board = self._board()
        work = operations.tend(board, by=host.name, at_s=0)
        if work is not None:
            self._write(host, work[0])
            return
        decision = decide(self._view(host, board))
        if decision.step is Step.ACQUIRE:
            claim = Claim(
                holder=host.name, host=host.name, boot_id=str(host.boots), reason="kernel", hold_s=HOLD_S
            )
            self._write(host, operations.acquire(board, claim))
        elif decision.step is Step.RELEASE:
            self._write(host, operations.release(board, host.name, why=decision.why, at_s=0))
        elif decision.step is Step.DRAIN:
            host.is_drained = True
        elif decision.step is Step.REBOOT:
            self._reboot(host)

    def _view(self, host: Host, board: Board) -> View:
        mine = board.find(host.name)
        held = Held.NOT
        if mine is not None:
            held = Held.BY_THIS_BOOT if mine.boot_id == str(host.boots) else Held.BY_EARLIER_BOOT
        return View(
            held=held,
            need="" if host.is_new else "kernel",
            blocker="backup" if self.rng.random() < 0.05 else "",
            ill="booting" if held is Held.BY_EARLIER_BOOT and self.rng.random() < 0.5 else "",
            is_drained=host.is_drained,
        )

    def _reboot(self, host: Host) -> None:
        self._write(host, operations.renew(self._board(), host.name))
        self.reboots += 1
        if host.name in self.doomed:
            host.life = Life.GHOST
            return
        host.life = Life.DOWN
        self._later(self.rng.uniform(20, 120), lambda: self._boot(host))

    def _boot(self, host: Host) -> None:
        host.life, host.is_new, host.is_drained = Life.UP, True, False
        host.boots += 1
        self._later(1.0, lambda: self._turn(host))

    def _reach(self, host: Host) -> None:
        if self.now_s < host.cut_till_s or self.rng.random() < 0.02:
            raise Lost

    def _write(self, host: Host, change: Change | None) -> None:
        self._reach(host)
        if self.store.apply(change) and change is not None and change.due is not None:
            self._due[change.due[0]] = self.now_s + change.due[1]
        if self.rng.random() < 0.02:
            raise Lost

    def _board(self) -> Board:
        self.store.hosts_alive = {
            host.name
            for host in self.hosts
            if host.life is Life.UP and self.now_s - host.seen_s < ALIVE_TTL_S
        }
        # Most looks find what the last one found.
        at = self.store.revision, self.store.hosts_alive
        if self._read is None or self._read[:2] != at:
            self._read = *at, self.store.board()
        return self._read[2]

    def _expire(self) -> None:
        for key in [key for key, ends_s in self._due.items() if ends_s <= self.now_s]:
            del self._due[key]
            if key in self.store.pairs:
                self.store.expire("due", keys.name_of(key))

    def _later(self, after_s: float, turn: Callable[[], None]) -> None:
        heapq.heappush(self._turns, (self.now_s + after_s, next(self._count), turn))
