"""Deadlines of many calls in a coarse wheel: adding and removing one costs a dictionary entry."""

import heapq
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

GRAIN_S: Final = 0.01
"""How late a deadline may be noticed."""


class Expiring(Protocol):
    """What has a deadline."""

    def expire(self) -> None:
        """Learn that the deadline has passed."""


Bucket = dict[Expiring, None]


class Wheel:
    """Everything that waits for a deadline, by slots of GRAIN_S seconds."""

    __slots__ = ("_order", "_slots", "on_earlier")

    def __init__(self) -> None:
        self._slots: dict[int, Bucket] = {}
        self._order: list[int] = []
        self.on_earlier: Callable[[], None] = lambda: None
        """Called when ``next_deadline_s`` has become earlier."""

    @property
    def next_deadline_s(self) -> float | None:
        """When to call ``expire`` next; None: nothing waits."""
        return self._order[0] * GRAIN_S if self._order else None

    def add(self, item: Expiring, deadline_s: float) -> Bucket:
        """Watch over ``item``; the caller takes it out of the bucket returned once it is done."""
        slot = int(deadline_s / GRAIN_S) + 1
        bucket = self._slots.get(slot)
        if bucket is None:
            bucket = self._slots[slot] = {}
            heapq.heappush(self._order, slot)
            if self._order[0] == slot:
                self.on_earlier()
        bucket[item] = None
        return bucket

    def expire(self, now_s: float) -> None:
        """Tell everything whose deadline has passed."""
        while self._order and self._order[0] * GRAIN_S <= now_s:
            bucket = self._slots.pop(heapq.heappop(self._order))
            # One that expires may end others of the same slot.
            while bucket:
                bucket.popitem()[0].expire()
