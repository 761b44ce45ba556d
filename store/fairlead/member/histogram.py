"""How long things took, in etcd's buckets: from one millisecond upward, doubling."""

from bisect import bisect_left

BOUNDS_S: tuple[float, ...] = tuple(0.001 * 2**power for power in range(14))


class Histogram:
    """Counts of durations by upper bound."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def observe(self, duration_s: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS_S, duration_s)] += 1
        self.sum_s += duration_s

    def cumulative(self) -> list[tuple[str, int]]:
        """Return (upper bound, how many took at most that), ending with +Inf: Prometheus's shape."""
        rows, total = [], 0
        for bound, count in zip([*map(str, BOUNDS_S), "+Inf"], self.counts, strict=True):
            total += count
            rows.append((bound, total))
        return rows
