"""Which server is probed when: spread out, so that a thousand checks of 2 s are not a burst every 2 s.  Without IO."""

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from fairlead.dns.health.check import Check
from fairlead.dns.names import Name


@dataclass(frozen=True, slots=True)
class Target:
    """One server to probe.

    Attributes:
        owner: the record's name.
        host: its address, in text.
        port: where to connect.
        check: how.
    """

    owner: Name
    host: str
    port: int
    check: Check


class Chance(Protocol):
    """Where chance comes from: a ``random.Random``."""

    def random(self) -> float:
        """Return a number from 0 up to 1."""


class Schedule:
    """Targets by when their next probe is due."""

    def __init__(self, *, rng: Chance) -> None:
        self._rng = rng
        self._targets: dict[Name, Target] = {}
        self._due: list[tuple[float, int, Target]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._targets)

    def set(self, targets: Mapping[Name, Target], *, now_s: float) -> None:
        """Probe ``targets`` from now on; those that have not changed keep their time."""
        kept: dict[Name, Target] = {}
        for owner, target in targets.items():
            old = self._targets.get(owner)
            kept[owner] = target if old is None or old != target else old
            if kept[owner] is not old:
                self._push(now_s + self._rng.random() * target.check.interval_s, target)
        self._targets = kept

    def take_due(self, *, now_s: float) -> list[Target]:
        """Return whom to probe now; each is due again one interval later, give or take a tenth."""
        due: list[Target] = []
        while self._due and self._due[0][0] <= now_s:
            target = heapq.heappop(self._due)[2]
            if self._targets.get(target.owner) is target:  # else it is gone, or has changed
                due.append(target)
        for target in due:
            self._push(now_s + target.check.interval_s * (0.9 + 0.2 * self._rng.random()), target)
        return due

    def next_s(self) -> float | None:
        """Return when to look again; None when there is nobody to probe."""
        return self._due[0][0] if self._due else None

    def _push(self, due_s: float, target: Target) -> None:
        self._count += 1  # equal times are told apart by it: targets cannot be compared
        heapq.heappush(self._due, (due_s, self._count, target))
