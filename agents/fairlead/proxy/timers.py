"""One coarse timer wheel for every timeout of the data path.

A request changes its deadlines several times and almost never reaches one.  So setting a deadline is a
store into an attribute; the wheel looks again when the old moment comes, and moves the object on.  A deadline that
is shorter than what the wheel can tell apart gets a timer of its own.  Sans-IO: the shell calls ``advance`` once per
tick, and lends the timers.
"""

from typing import TYPE_CHECKING, Final

from fairlead.proxy.config import TICK_S

if TYPE_CHECKING:
    from collections.abc import Callable

NEVER: Final = 1 << 60
_EXACT_S: Final = 4 * TICK_S
"""Below this the two ticks that the wheel may be late would be more than half of it."""


class Timed:
    """Something with a deadline, in ticks of the wheel; beyond ``NEVER``: the number of its own timer."""

    __slots__ = ("deadline", "scheduled")

    def __init__(self) -> None:
        self.deadline = NEVER
        self.scheduled = NEVER

    def on_deadline(self) -> None:
        """Do what is due; the deadline has been cleared before."""
        raise NotImplementedError


class Alarm(Timed):
    """A deadline of something that is shorter-lived than it: the wheel holds what was set until its old moment comes.

    Attributes:
        ring: called when it is due; None: nobody has it.
    """

    __slots__ = ("ring",)

    def __init__(self) -> None:
        super().__init__()
        self.ring: Callable[[], None] | None = None

    def on_deadline(self) -> None:
        """Ring."""
        if self.ring is not None:
            self.ring()


class Wheel:
    """All deadlines, in slots of one tick."""

    __slots__ = ("_later", "_serial", "_slots", "now")

    def __init__(self, later: "Callable[[float, Callable[[], None]], object] | None" = None) -> None:
        """Start at tick 0; ``later`` calls a function after some seconds, None: everything waits for ticks."""
        self.now = 0
        self._slots: dict[int, list[Timed]] = {}
        self._later = later
        self._serial = NEVER

    def set(self, timed: Timed, seconds: float) -> None:
        """Let ``timed`` fall due ``seconds`` from now, never earlier; from a second on, up to two ticks later."""
        if seconds < _EXACT_S and self._later is not None:
            self._set_exactly(timed, seconds, self._later)
            return
        timed.deadline = deadline = self.now + int(seconds / TICK_S) + 2
        if deadline < timed.scheduled:
            timed.scheduled = deadline
            self._slots.setdefault(deadline, []).append(timed)

    def _set_exactly(
        self, timed: Timed, seconds: float, later: "Callable[[float, Callable[[], None]], object]"
    ) -> None:
        self._serial += 1
        timed.deadline = mine = self._serial

        def ring() -> None:
            if timed.deadline == mine:  # Else it was set anew, or cleared.
                timed.deadline = NEVER
                timed.on_deadline()

        later(seconds, ring)

    def clear(self, timed: Timed) -> None:
        """Let ``timed`` fall due no more."""
        timed.deadline = NEVER

    def advance(self) -> None:
        """Go one tick on and call whatever is due."""
        self.now += 1
        for timed in self._slots.pop(self.now, ()):
            if timed.scheduled != self.now:
                continue  # It was moved to an earlier slot since, and then looked at there.
            timed.scheduled = NEVER
            if timed.deadline >= NEVER:
                continue
            if timed.deadline > self.now:
                timed.scheduled = timed.deadline
                self._slots.setdefault(timed.deadline, []).append(timed)
            else:
                timed.deadline = NEVER
                timed.on_deadline()

    def __repr__(self) -> str:
        return f"Wheel(now={self.now}, waiting={sum(map(len, self._slots.values()))})"
