"""What is thought of one server: its health, its latency, its share.  It outlives every change but of its address."""

import math
from collections.abc import Iterable

from fairlead.proxy.model import Outlier

_MEMORY_S = 10.0
"""After so long a measured latency has lost 63 % of its weight."""
_FAILURE_US = 1_000_000
"""What a failure counts as, in latency, so that a server that fails fast is not the most wanted one."""
_SHARE_MIN = 0.1
"""Of its weight, what a server gets at once when it starts slowly."""


class Standing:
    """One server's.

    Attributes:
        is_healthy: the verdict of the active checks; True without any.
        failures: in a row, as its clients saw it.
        ejected_until_s: while it is out for what it answered; 0: it is not.
        ejections: how often in a row; each time it is out for longer.
        slow_from_s: since when it has been getting more and more; 0: it has all that is its share.
        weight: its share as of now.
        turn: what the smooth weighted round robin owes it.
    """

    __slots__ = (
        "_seen_s", "ejected_until_s", "ejections", "failures", "is_healthy", "latency_us", "slow_from_s",
        "turn", "weight",
    )  # fmt: skip

    def __init__(self) -> None:
        self.is_healthy = True
        self.failures = 0
        self.ejected_until_s = 0.0
        self.ejections = 0
        self.slow_from_s = 0.0
        self.weight = 1.0
        self.turn = 0.0
        self.latency_us = 0.0
        self._seen_s = 0.0

    def __repr__(self) -> str:
        return (
            f"Standing(is_healthy={self.is_healthy}, failures={self.failures}, ejections={self.ejections},"
            f" latency_us={self.latency_us:.0f}, weight={self.weight:g})"
        )

    def is_available(self, now_s: float) -> bool:
        """Whether it is neither unhealthy nor ejected."""
        return self.is_healthy and self.ejected_until_s <= now_s

    def measure(self, head_us: int, *, now_s: float) -> None:
        """Learn from an answer: what is slower counts at once, what is faster by and by (peak EWMA)."""
        latency_us = self.latency_at(now_s)
        if head_us > latency_us:
            self.latency_us = float(head_us)
        else:
            keep = math.exp((self._seen_s - now_s) / _MEMORY_S)
            self.latency_us = self.latency_us * keep + head_us * (1 - keep)
        self._seen_s = now_s

    def latency_at(self, now_s: float) -> float:
        """Return the latency as it is remembered at ``now_s``: an old peak is forgotten even if nobody asks."""
        return self.latency_us * math.exp((self._seen_s - now_s) / _MEMORY_S)

    def succeed(self, outlier: Outlier | None, *, now_s: float) -> None:
        """A client got an answer that is no failure."""
        self.failures = 0
        # As long as it was out it has to behave, before an ejection is forgotten.
        if self.ejections and outlier is not None:
            good_s = now_s - self.ejected_until_s
            if good_s > outlier.eject_s * self.ejections:
                self.ejections -= 1
                self.ejected_until_s = now_s

    def fail(self, outlier: Outlier | None, *, may_eject: bool, now_s: float) -> bool:
        """A client got a 5xx, or nothing; return whether the server is put out for it."""
        self.measure(_FAILURE_US, now_s=now_s)
        self.failures += 1
        if outlier is None or not outlier.failures_max or self.failures < outlier.failures_max:
            return False
        if not may_eject or self.ejected_until_s > now_s:
            return False
        self.failures = 0
        self.ejections += 1
        self.ejected_until_s = now_s + outlier.eject_s * self.ejections
        return True

    def weigh(self, weight: int, *, slow_start_s: float, now_s: float) -> bool:
        """Set the share of now; return whether it is still growing."""
        share = 1.0
        if self.slow_from_s and slow_start_s:
            share = max(_SHARE_MIN, (now_s - self.slow_from_s) / slow_start_s)
        if share >= 1.0:
            self.slow_from_s = 0.0
        self.weight = weight * min(1.0, share)
        return share < 1.0


def may_eject(outlier: Outlier, others: Iterable[Standing], count: int, *, now_s: float) -> bool:
    """Whether one more server may be put out, beside those of ``others`` that are; ``count`` servers there are."""
    out = sum(each.ejected_until_s > now_s for each in others)
    return out + 1 <= max(1.0, outlier.ejected_ratio_max * count)
