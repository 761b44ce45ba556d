"""A circuit breaker's states, without anything around them.

    standby ──condition──► tripped ──fallback_s──► recovering ──recovery_s──► standby
                              ▲                        │
                              └──────condition─────────┘

Standby lets everything pass, tripped nothing.  Recovering lets through a part that grows with the time:
0.5 * elapsed / recovery_s of all.  The condition is looked at when an answer comes, and not more often than
every ``check_s``.  Source: vulcand/oxy, cbreaker.
"""

from dataclasses import dataclass
from enum import Enum

from fairlead.proxy.middleware.cbreaker.condition import Condition, Look
from fairlead.proxy.rolling import Rolling


class State(Enum):
    """Where a breaker is."""

    STANDBY = "standby"
    TRIPPED = "tripped"
    RECOVERING = "recovering"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """When it trips, and for how long."""

    condition: Condition
    fallback_s: float = 10.0
    recovery_s: float = 10.0
    check_s: float = 0.1


class Breaker:
    """The state machine.  ``settings`` may be replaced at any time; the state stays.

    Attributes:
        state: as of the last request or answer; time alone is noticed by the next one.
        trips: how often it has tripped.
    """

    __slots__ = ("_allowed", "_check_at_s", "_denied", "_since_s", "settings", "state", "trips", "window")

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = State.STANDBY
        self.window = Rolling()
        self.trips = 0
        self._since_s = 0.0
        self._check_at_s = float("-inf")
        self._allowed = self._denied = 0

    def admits(self, now_s: float) -> bool:
        """Whether a request may pass now."""
        if self.state is State.TRIPPED:
            if now_s < self._since_s + self.settings.fallback_s:
                return False
            self._enter(State.RECOVERING, now_s)
        if self.state is State.STANDBY:
            return True
        if now_s > self._since_s + self.settings.recovery_s:
            self._enter(State.STANDBY, now_s)
            return True
        return self._admits_part(now_s)

    def record(self, status: int, latency_us: int, *, now_s: float) -> None:
        """Take note of an answer, and trip if it was one too many."""
        self.window.record(status, latency_us, now_s=now_s)
        if self.state is State.TRIPPED or now_s <= self._check_at_s:
            return
        self._check_at_s = now_s + self.settings.check_s
        if self.settings.condition(Look(self.window, now_s)):
            self.trips += 1
            self._enter(State.TRIPPED, now_s)
            self.window.reset()

    def _admits_part(self, now_s: float) -> bool:
        part = 0.5 * (now_s - self._since_s) / self.settings.recovery_s
        if (self._allowed + 1) / (self._allowed + self._denied + 1) < part:
            self._allowed += 1
            return True
        self._denied += 1
        return False

    def _enter(self, state: State, now_s: float) -> None:
        self.state = state
        self._since_s = now_s
        self._allowed = self._denied = 0
