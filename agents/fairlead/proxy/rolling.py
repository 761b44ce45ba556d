"""What happened in the last seconds: answers by status and latencies, in a window that rolls on.

A circuit breaker decides by it, ``top`` shows it.  Ten slots of one second for the counts, six of ten seconds
for the latencies, as vulcand's; a latency is kept to about one percent.  Source: vulcand/oxy, memmetrics.
"""

from collections.abc import Iterable

_COUNT_SLOTS = 10
_LATENCY_SLOTS = 6
_LATENCY_SLOT_S = 10
_PRECISION_BITS = 7  # a value is kept by its 7 leading bits: within 1 %
NETWORK_ERRORS = frozenset({502, 504})


class Rolling:
    """The window of one frontend, server or breaker."""

    __slots__ = ("_counts", "_latencies")

    def __init__(self) -> None:
        # Slot number -> what was counted in it; at most as many slots as the window has.
        self._counts: dict[int, dict[int, int]] = {}
        self._latencies: dict[int, dict[int, int]] = {}

    def record(self, status: int, latency_us: int, *, now_s: float) -> None:
        """Count one answer."""
        second = int(now_s)
        counts = self._counts.get(second)
        if counts is None:
            counts = self._counts[second] = {}
            _forget(self._counts, second - _COUNT_SLOTS)
        counts[status] = counts.get(status, 0) + 1
        slot = second // _LATENCY_SLOT_S
        latencies = self._latencies.get(slot)
        if latencies is None:
            latencies = self._latencies[slot] = {}
            _forget(self._latencies, slot - _LATENCY_SLOTS)
        shift = max(0, latency_us.bit_length() - _PRECISION_BITS)
        kept = (latency_us >> shift) + 1 << shift  # one above what it stands for, as in HDR histograms
        latencies[kept] = latencies.get(kept, 0) + 1

    def add(self, other: "Rolling") -> None:
        """Count what ``other`` has counted too; both have the same clock."""
        for name in self.__slots__:
            mine, theirs = getattr(self, name), getattr(other, name)
            for slot, counts in theirs.items():
                kept = mine.setdefault(slot, {})
                for value, count in counts.items():
                    kept[value] = kept.get(value, 0) + count

    def reset(self) -> None:
        """Forget everything."""
        self._counts.clear()
        self._latencies.clear()

    def statuses(self, now_s: float) -> dict[int, int]:
        """Return how many answers of each status the window holds."""
        merged: dict[int, int] = {}
        for counts in _within(self._counts, int(now_s), _COUNT_SLOTS):
            for status, count in counts.items():
                merged[status] = merged.get(status, 0) + count
        return merged

    def total(self, now_s: float) -> int:
        """Return how many answers the window holds."""
        return sum(self.statuses(now_s).values())

    def network_errors(self, now_s: float) -> int:
        """Return how many of them say that the server could not be reached or did not answer."""
        return sum(count for status, count in self.statuses(now_s).items() if status in NETWORK_ERRORS)

    def network_error_ratio(self, now_s: float) -> float:
        """Return their part of all, 0 to 1; 0 without any answer."""
        total = self.total(now_s)
        return self.network_errors(now_s) / total if total else 0.0

    def code_ratio(self, dividend: range, divisor: range, *, now_s: float) -> float:
        """Return answers with a status in ``dividend`` by those in ``divisor``; 0 when there are none."""
        statuses = self.statuses(now_s)
        below = sum(count for status, count in statuses.items() if status in divisor)
        above = sum(count for status, count in statuses.items() if status in dividend)
        return above / below if below else 0.0

    def latency_us(self, quantile: float, *, now_s: float) -> int:
        """Return the latency that ``quantile`` percent of the answers did not exceed; 0 without any."""
        merged: dict[int, int] = {}
        for latencies in _within(self._latencies, int(now_s) // _LATENCY_SLOT_S, _LATENCY_SLOTS):
            for value, count in latencies.items():
                merged[value] = merged.get(value, 0) + count
        wanted = quantile / 100 * sum(merged.values())
        seen = 0
        for value in sorted(merged):
            seen += merged[value]
            if seen >= wanted:
                return value - 1
        return 0


def _forget(slots: dict[int, dict[int, int]], last: int) -> None:
    for slot in [each for each in slots if each <= last]:
        del slots[slot]


def _within(slots: dict[int, dict[int, int]], now: int, width: int) -> Iterable[dict[int, int]]:
    return [each for slot, each in slots.items() if now - width < slot <= now]
