"""Whether a body comes fast enough: one that trickles holds a server as long as one that has stopped.

The silence between two pieces is bounded elsewhere; here it is the mean over a window, which a byte now and then
does not satisfy.  Sans-IO: the wheel's ticks are given.
"""

from fairlead.proxy.config import TICK_S, Limits


class Pace:
    """Looks at one body, a window after the other; the first begins with the first piece."""

    __slots__ = ("_before", "_ends", "_is_excused", "_least", "_ticks")

    def __init__(self, limits: Limits) -> None:
        """Expect ``body_bytes_per_s_min`` over windows of ``body_idle_s``."""
        self._ticks = max(1, round(limits.body_idle_s / TICK_S))
        self._least = limits.body_bytes_per_s_min * limits.body_idle_s
        self._ends = -1
        self._before = 0
        self._is_excused = False

    def holds(self, tick: int, received_bytes: int) -> bool:
        """Whether it is fast enough with ``received_bytes`` in all at ``tick``."""
        if tick < self._ends:
            return True
        is_enough = self._ends < 0 or self._is_excused or received_bytes - self._before >= self._least
        self._ends = tick + self._ticks
        self._before = received_bytes
        self._is_excused = False
        return is_enough

    def excuse(self) -> None:
        """It was not read for a while, so that nothing can be said of this window."""
        self._is_excused = True
