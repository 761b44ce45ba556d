"""From probes to a verdict: so many good ones in a row, so many bad ones in a row, and patience that grows.

A server that keeps coming and going (flapping) does harm each time it is believed.  So each relapse doubles the
number of good probes that it takes to be believed again, up to a bound; staying well for long halves it.  Sans-IO.
"""

from fairlead.proxy.model import HealthCheck

_RELAPSES_MAX = 5
_PROBATION = 10
"""A relapse is being ill again within so many times the interval of the checks after getting well."""
_JITTER = 0.1
"""Of the interval, up or down, so that the probes of many servers and proxies spread."""


class Verdict:
    """What the probes of one server have come to.

    Attributes:
        is_healthy: until the first probe, yes: a proxy that has just started must serve.
        reason: why it is ill; empty when it is not.
        relapses: how often in a row it was believed too early.
    """

    __slots__ = ("_is_proven", "_streak", "_turned_s", "is_healthy", "reason", "relapses")

    def __init__(self) -> None:
        self.is_healthy = True
        self.reason = ""
        self.relapses = 0
        self._is_proven = False
        self._streak = 0  # probes in a row that contradict the verdict
        self._turned_s = float("-inf")

    def __repr__(self) -> str:
        return f"Verdict(is_healthy={self.is_healthy}, relapses={self.relapses}, reason={self.reason!r})"

    def note(self, check: HealthCheck, failure: str, *, now_s: float) -> bool:
        """Take the result of one probe; return whether the verdict turned.

        Args:
            check: how servers are probed.
            failure: what was wrong; empty when nothing was.
            now_s: monotonic.
        """
        is_good = not failure
        if not is_good:
            self.reason = failure
        if is_good == self.is_healthy:
            self._streak = 0
            self._forgive(check, now_s)
            self._is_proven = True
            return False
        self._streak += 1
        if self._streak < self._needed(check):
            return False
        if not is_good and self._is_proven and now_s - self._turned_s < _PROBATION * check.interval_s:
            self.relapses = min(self.relapses + 1, _RELAPSES_MAX)
        self._is_proven = True
        self._turn(is_healthy=is_good, now_s=now_s)
        return True

    def _needed(self, check: HealthCheck) -> int:
        if not self.is_healthy:
            return check.rise << self.relapses
        # Of a server that nothing is known of the first probe is believed.
        return check.fall if self._is_proven else 1

    def _turn(self, *, is_healthy: bool, now_s: float) -> None:
        self.is_healthy = is_healthy
        self._streak = 0
        self._turned_s = now_s
        if is_healthy:
            self.reason = ""

    def _forgive(self, check: HealthCheck, now_s: float) -> None:
        if self.is_healthy and self.relapses and now_s - self._turned_s >= _PROBATION * check.interval_s:
            self.relapses -= 1
            self._turned_s = now_s


def wait_s(check: HealthCheck, chance: float, *, is_healthy: bool = True) -> float:
    """Return the seconds to the next probe; ``chance`` is from 0 to 1."""
    interval_s = check.interval_s if is_healthy else check.interval_ill_s or check.interval_s
    return interval_s * (1 + _JITTER * (2 * chance - 1))
