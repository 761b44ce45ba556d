"""What is known of each upstream, and which of them to ask: the fastest that lives, now and then another.

Round trips are smoothed and time-outs made of them as in RFC 6298.  An upstream that fails several times in a row is left
alone for a while, longer each time; when that is over it is asked beside another, so that no client pays for the trial.  When
all are down all are asked: an outage of the network must not outlive itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from fairlead.agent import Address

FAILS_MAX: Final = 2
"""Failures in a row after which an upstream is down; CoreDNS's number."""

BACKOFF_S: Final = 1.0
BACKOFF_S_MAX: Final = 30.0
TIMEOUT_S_MIN: Final = 0.15
TIMEOUT_S_MAX: Final = 2.0
TIMEOUT_S_FIRST: Final = 0.8
HEDGE_S_MIN: Final = 0.02
LAZY_MAX: Final = 3
"""Answers in the wrong case, proved over TCP, after which an upstream is believed not to keep case."""

_FADE: Final = 0.98
"""The round trip of who is not asked fades, so that everybody is asked again some day (as BIND does)."""


class Chance(Protocol):
    """Where chance comes from: a ``random.Random``."""

    def uniform(self, a: float, b: float, /) -> float:
        """Return a number between the two."""

    def getrandbits(self, k: int, /) -> int:
        """Return ``k`` random bits."""


@dataclass(slots=True, eq=False)
class Upstream:
    """One name server.

    Attributes:
        address: where it listens.
        rtt_s: its smoothed round trip; None before the first answer.
        failures: in a row.
        down_until_s: it is not asked before then.
        has_edns: it has not refused an OPT record.
        keeps_case: it has not been shown to change the question's case.
        asked, answered, failed: counts since the start.
    """

    address: Address
    rtt_s: float | None = None
    variance_s: float = 0.0
    failures: int = 0
    down_until_s: float = 0.0
    has_edns: bool = True
    keeps_case: bool = True
    asked: int = 0
    answered: int = 0
    failed: int = 0
    _lazy: int = field(default=0, repr=False)

    @property
    def is_down(self) -> bool:
        """Whether it has failed too often in a row; it may be due for a trial all the same."""
        return self.failures >= FAILS_MAX

    @property
    def timeout_s(self) -> float:
        """After how long an answer is not to be expected any more."""
        if self.rtt_s is None:
            return TIMEOUT_S_FIRST
        return min(max(2 * self.rtt_s + 4 * self.variance_s, TIMEOUT_S_MIN), TIMEOUT_S_MAX)

    @property
    def hedge_s(self) -> float:
        """After how long it is slower than it mostly is, so that another may be asked beside it."""
        if self.rtt_s is None:
            return TIMEOUT_S_FIRST / 4
        return min(max(self.rtt_s + 2 * self.variance_s, HEDGE_S_MIN), self.timeout_s)

    def took(self, rtt_s: float, *, is_of_use: bool = True) -> None:
        """It has answered, after ``rtt_s``; a refusal does not make up for failures."""
        self.answered += 1
        if is_of_use:
            self.failures = 0
        if self.rtt_s is None:
            self.rtt_s, self.variance_s = rtt_s, rtt_s / 2
        else:
            self.variance_s += (abs(rtt_s - self.rtt_s) - self.variance_s) / 4
            self.rtt_s += (rtt_s - self.rtt_s) / 8

    def lost(self, *, now_s: float, rng: Chance) -> None:
        """It has not answered, or cannot be reached."""
        self.failed += 1
        self.failures += 1
        if self.is_down:
            pause_s = min(BACKOFF_S * 2 ** min(self.failures - FAILS_MAX, 16), BACKOFF_S_MAX)
            self.down_until_s = now_s + pause_s * rng.uniform(0.5, 1.0)

    def was_lazy(self) -> None:
        """It has answered in the wrong case, and an answer over TCP has shown that this was no forgery."""
        self._lazy += 1
        if self._lazy >= LAZY_MAX:
            self.keeps_case = False


class Pool:
    """The upstreams for the same questions."""

    def __init__(self, addresses: Sequence[Address], *, in_order: bool = False) -> None:
        self.in_order = in_order
        """The first that lives is asked, whichever is the fastest."""
        self.upstreams = tuple(Upstream(address) for address in dict.fromkeys(addresses))

    def __repr__(self) -> str:
        return f"Pool({', '.join(str(upstream.address) for upstream in self.upstreams)})"

    def order(self, *, now_s: float) -> tuple[list[Upstream], Upstream | None]:
        """Return whom to ask, best first, and one whose trial is due: to be asked too, at once.

        It counts as asked: the round trips of all others fade.
        """
        up = [upstream for upstream in self.upstreams if not upstream.is_down]
        if not self.in_order:
            up.sort(key=lambda upstream: upstream.rtt_s or 0.0)
        down = sorted((u for u in self.upstreams if u.is_down), key=lambda u: u.down_until_s)
        for other in up[1:]:
            if other.rtt_s is not None:
                other.rtt_s *= _FADE
        trial = None
        if up and down and down[0].down_until_s <= now_s:
            trial = down.pop(0)
            trial.down_until_s = now_s + BACKOFF_S  # one trial at a time
        return up + down, trial
