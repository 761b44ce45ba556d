"""Servers that fail more than the others get less: vulcand's rebalancer.

Every server has the part of errors (500 to 504) among its answers of the last ten seconds.  Where these parts differ, the shares of the
good servers grow fourfold, again and again while it lasts, and where they do not, the shares go back the same way.  No
server is ever out: a little goes on asking whether it is well again.  Sans-IO.

Unlike there, what was learned outlives a change of the servers, and the bound is that of a share's growth, whatever the
weights have in common.  Source: vulcand/oxy, roundrobin/rebalancer.go, memmetrics/anomaly.go and memmetrics/ratio.go.
"""

from collections.abc import Hashable, Sequence
from itertools import product
from statistics import median
from typing import Generic, TypeVar

from fairlead.proxy.rolling import Rolling

S = TypeVar("S", bound=Hashable)
READY_SECONDS = 10
"""With answers in them, errors and others each for itself, before a server is judged; once it has been, for ever."""
BACK_OFF_S = 10.0
"""Between two changes of the shares: the last one has to show in the window first."""
FACTOR_MAX = 4096.0
_STEP = 4.0
_LOOK_S = 1.0
_SPREAD = 1.5
_ERRORS, _ANSWERS = range(500, 505), range(600)


class Rebalancer(Generic[S]):
    """What is known of the servers of one backend; it outlives changes of its settings."""

    __slots__ = ("_counted", "_factors", "_last", "_look_at_s", "_windows")

    def __init__(self) -> None:
        self._factors: dict[S, float] = {}
        self._windows: dict[S, Rolling] = {}
        self._counted: dict[S, int] = {}  # seconds
        self._last: dict[
            tuple[S, bool], int
        ] = {}  # the second that was counted last, of errors and of others
        self._look_at_s = 0.0

    def factor(self, server: S) -> float:
        """By how much the share of ``server`` has grown, from 1 to ``FACTOR_MAX``."""
        return self._factors.get(server, 1.0)

    def record(self, server: S, status: int, *, now_s: float) -> None:
        """Count an answer; no answer counts as 502."""
        window = self._windows.get(server)
        if window is None:
            window = self._windows[server] = Rolling()
            self._counted[server] = 0
        window.record(status, 0, now_s=now_s)
        kind, second = (server, status in _ERRORS), int(now_s)
        if self._last.get(kind) != second:
            self._last[kind] = second
            self._counted[server] += 1

    def adjust(self, servers: Sequence[S], *, now_s: float) -> bool:
        """Judge ``servers``, which are all there are; return whether a share has changed."""
        if now_s < self._look_at_s:
            return False
        self._look_at_s = now_s + _LOOK_S
        self._forget(servers)
        if len(servers) < 2 or any(self._counted.get(each, 0) < READY_SECONDS for each in servers):
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
            del self._windows[gone], self._counted[gone]
            self._factors.pop(gone, None)
            for kind in product((gone,), (False, True)):
                self._last.pop(kind, None)
