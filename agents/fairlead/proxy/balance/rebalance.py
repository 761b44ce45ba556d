"""Servers that fail more than the others get less: vulcand's rebalancer.

Every server has the part of 5xx among its answers of the last ten seconds.  Where these parts differ, the shares of the
good servers grow fourfold, again and again while it lasts, and where they do not, the shares go back the same way.  No
server is ever out: a little goes on asking whether it is well again.  Sans-IO.

Source: vulcand/oxy, roundrobin/rebalancer.go and memmetrics/anomaly.go.
"""

from collections.abc import Hashable, Sequence
from statistics import median
from typing import Generic, TypeVar

from fairlead.proxy.rolling import Rolling

S = TypeVar("S", bound=Hashable)
WINDOW_S = 10.0
BACK_OFF_S = 10.0
"""Between two changes of the shares: the last one has to show in the window first."""
FACTOR_MAX = 4096.0
_STEP = 4.0
_LOOK_S = 1.0
_SPREAD = 1.5
_ERRORS, _ANSWERS = range(500, 600), range(600)


class Rebalancer(Generic[S]):
    """What is known of the servers of one backend; it outlives changes of its settings."""

    __slots__ = ("_factors", "_look_at_s", "_since_s", "_windows")

    def __init__(self) -> None:
        self._factors: dict[S, float] = {}
        self._windows: dict[S, Rolling] = {}
        self._since_s: dict[S, float] = {}
        self._look_at_s = 0.0

    def factor(self, server: S) -> float:
        """By how much the share of ``server`` has grown, from 1 to ``FACTOR_MAX``."""
        return self._factors.get(server, 1.0)

    def record(self, server: S, status: int, *, now_s: float) -> None:
        """Count an answer; no answer counts as 502."""
        window = self._windows.get(server)
        if window is None:
            window = self._windows[server] = Rolling()
            self._since_s[server] = now_s
        window.record(status, 0, now_s=now_s)

    def adjust(self, servers: Sequence[S], *, now_s: float) -> bool:
        """Judge ``servers``, which are all there are; return whether a share has changed."""
        if now_s < self._look_at_s:
            return False
        self._look_at_s = now_s + _LOOK_S
        self._forget(servers)
        if len(servers) < 2 or any(now_s - self._since_s.get(each, now_s) < WINDOW_S for each in servers):
            return False
        good = self._good(servers, now_s)
        changed = self._converge() if len(good) == len(servers) else self._raise(good)
        if changed:
            self._look_at_s = now_s + BACK_OFF_S
        return changed

    def _good(self, servers: Sequence[S], now_s: float) -> list[S]:
        """Return those that do not fail more often than the others; the median and its deviation tell."""
        ratios = {each: self._windows[each].code_ratio(_ERRORS, _ANSWERS, now_s=now_s) for each in servers}
        # Of an even number the median would be no server's own: nobody's perfect record is counted in.
        values = [*ratios.values(), *([0.0] if len(servers) % 2 == 0 else [])]
        middle = median(values)
        deviation = median(abs(each - middle) for each in values)
        return [each for each in servers if ratios[each] <= (middle + deviation) * _SPREAD]

    def _raise(self, good: list[S]) -> bool:
        raised = {each: factor for each in good if (factor := self.factor(each) * _STEP) <= FACTOR_MAX}
        self._factors |= raised
        return bool(raised)

    def _converge(self) -> bool:
        if not self._factors:
            return False
        lowered = {each: factor / _STEP for each, factor in self._factors.items()}
        self._factors = {each: factor for each, factor in lowered.items() if factor > 1.0}
        return True

    def _forget(self, servers: Sequence[S]) -> None:
        for gone in self._windows.keys() - set(servers):
            del self._windows[gone], self._since_s[gone]
            self._factors.pop(gone, None)
