"""Virtual time: a heap of what is due, and a clock for each member that runs at its own rate.

Nothing in the simulated world waits.  Time jumps from one event to the next; events that are due at the same
moment go in the order in which they were asked for.
"""

import heapq
from collections.abc import Callable


class Event:
    """Something that will happen, unless it is cancelled."""

    __slots__ = ("action", "is_cancelled")

    def __init__(self, action: Callable[[], None]) -> None:
        self.action = action
        self.is_cancelled = False

    def cancel(self) -> None:
        """Let it not happen."""
        self.is_cancelled = True


class Scheduler:
    """The one source of events.

    Attributes:
        now_s: virtual time since the world began.
        steps: events so far.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.steps = 0
        self._heap: list[tuple[float, int, Event]] = []
        self._count = 0

    def __repr__(self) -> str:
        return f"<Scheduler at {self.now_s:.6f} s, {self.steps} events done, {len(self._heap)} to come>"

    def after(self, delay_s: float, action: Callable[[], None]) -> Event:
        """Let ``action`` happen so many virtual seconds from now."""
        event = Event(action)
        self._count += 1
        heapq.heappush(self._heap, (self.now_s + max(0.0, delay_s), self._count, event))
        return event

    def step(self, *, until_s: float) -> bool:
        """Let the next event happen if it is due by ``until_s``; else move time there and return False."""
        while self._heap and self._heap[0][0] <= until_s:
            self.now_s, _, event = heapq.heappop(self._heap)
            if not event.is_cancelled:
                self.steps += 1
                event.action()
                return True
        self.now_s = until_s
        return False


class Clock:
    """A member's monotonic clock: an offset and a rate that no other clock shares.

    Args:
        scheduler: true time.
        offset_s: what it shows at the beginning.
        rate: its seconds in one true second.
    """

    def __init__(self, scheduler: Scheduler, *, offset_s: float, rate: float) -> None:
        self._scheduler = scheduler
        self._shown_s = offset_s
        self._since_s = scheduler.now_s
        self.rate = rate

    def __repr__(self) -> str:
        return f"<Clock {self.now_s:.6f} s, rate {self.rate:.3f}>"

    @property
    def now_s(self) -> float:
        """What it shows."""
        return self._shown_s + (self._scheduler.now_s - self._since_s) * self.rate

    def set_rate(self, rate: float) -> None:
        """Run faster or slower from now on."""
        self._shown_s, self._since_s = self.now_s, self._scheduler.now_s
        self.rate = rate

    def after(self, delay_s: float, action: Callable[[], None]) -> Event:
        """Let ``action`` happen when this clock has gone on by ``delay_s``, at its present rate."""
        return self._scheduler.after(delay_s / self.rate, action)
