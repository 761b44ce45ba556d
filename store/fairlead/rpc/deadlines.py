"""Deadlines of many calls in a coarse wheel: adding and removing one costs a dictionary entry."""

from collections.abc import Iterator
from typing import Final, Protocol

GRAIN_S: Final = 0.01
"""How late a deadline may be noticed."""


class Expiring(Protocol):
    """What has a deadline."""

    def expire(self) -> None:
        """Learn that the deadline has passed."""


Bucket = dict[Expiring, None]


class Wheel:
    """Everything that waits for a deadline, by slots of GRAIN_S seconds."""

    __slots__ = ("_slots",)

    def __init__(self) -> None:
        self._slots: dict[int, Bucket] = {}

    def add(self, item: Expiring, deadline_s: float) -> Bucket:
        """Watch over ``item``; the caller removes it from the bucket returned once it is done."""
        bucket = self._slots.setdefault(int(deadline_s / GRAIN_S) + 1, {})
        bucket[item] = None
        return bucket

    def expire(self, now_s: float) -> None:
        """Tell everything whose deadline has passed."""
        for item in list(self._due(int(now_s / GRAIN_S))):
            item.expire()

    def _due(self, last_slot: int) -> Iterator[Expiring]:
        for slot in sorted(slot for slot in self._slots if slot <= last_slot):
            yield from self._slots.pop(slot)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._slots
