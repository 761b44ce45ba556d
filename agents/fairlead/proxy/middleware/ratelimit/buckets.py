"""Token buckets: how many requests may pass in which time.

Times are whole nanoseconds, so that nothing is lost to rounding.  A set of buckets lets a request pass when all of them do, and takes from none otherwise.  Source: vulcand/oxy,
ratelimit; unlike there, the part of a token that has grown when one is taken is kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from fairlead.proxy.middleware.shares import WHOLE

NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """``average`` tokens every ``period_ns``, and up to ``burst`` of them at once.

    Attributes:
        parts: of WHOLE: how much of the average is ours, where several proxies share a rate; above 0.
    """

    period_ns: int
    average: int
    burst: int
    parts: int = WHOLE

    @property
    def token_ns(self) -> int:
        """How long a token takes to grow."""
        return self.period_ns * WHOLE // (self.average * self.parts)

    def over(self, count: int) -> "Rate":
        """Return what each of ``count`` processes lets pass, so that together they keep this; a burst is at least one."""
        return Rate(self.period_ns * count, self.average, max(1, self.burst // count), self.parts)

    def part(self, parts: int) -> "Rate":
        """Return the part of this rate that is ours; a burst is at least one."""
        return Rate(self.period_ns, self.average, max(1, self.burst * parts // WHOLE), parts)


class Bucket:
    """One bucket; full at first."""

    __slots__ = ("_refreshed_ns", "rate", "tokens")

    def __init__(self, rate: Rate, *, now_ns: int) -> None:
        self.rate = rate
        self.tokens = rate.burst
        self._refreshed_ns = now_ns

    def refresh(self, now_ns: int) -> None:
        """Let grow what has grown since the last time."""
        token_ns = self.rate.token_ns
        grown = (now_ns - self._refreshed_ns) // token_ns if token_ns else self.rate.burst
        if grown <= 0:
            return
        self.tokens += grown
        self._refreshed_ns += grown * token_ns
        if self.tokens >= self.rate.burst:
            self.tokens, self._refreshed_ns = self.rate.burst, now_ns

    def wait_ns(self, count: int) -> int | None:
        """Return how long it takes at most until ``count`` tokens are there; None when they never will be."""
        if count > self.rate.burst:
            return None
        return max(0, count - self.tokens) * self.rate.token_ns

    def change(self, rate: Rate) -> None:
        """Follow another rate of the same period; what is in the bucket stays, up to the new burst."""
        self.rate = rate
        self.tokens = min(self.tokens, rate.burst)


class BucketSet:
    """The buckets of one client: one per period."""

    __slots__ = ("_rates", "buckets")

    def __init__(self, rates: tuple[Rate, ...], *, now_ns: int) -> None:
        self._rates = rates
        self.buckets = [Bucket(rate, now_ns=now_ns) for rate in rates]

    @property
    def longest_ns(self) -> int:
        """The longest period."""
        return max(rate.period_ns for rate in self._rates)

    def follow(self, rates: tuple[Rate, ...], *, now_ns: int) -> None:
        """Follow other rates: buckets of the same period keep what is in them."""
        if rates == self._rates:
            return
        known = {bucket.rate.period_ns: bucket for bucket in self.buckets}
        self.buckets = [known.get(rate.period_ns) or Bucket(rate, now_ns=now_ns) for rate in rates]
        for bucket, rate in zip(self.buckets, rates, strict=True):
            bucket.change(rate)
        self._rates = rates

    def take(self, count: int, *, now_ns: int) -> int | None:
        """Take ``count`` tokens of each bucket, or of none.

        Returns:
            0 when they were taken; else how many nanoseconds to wait; None when no waiting helps.
        """
        longest = 0
        for bucket in self.buckets:
            bucket.refresh(now_ns)
            wait_ns = bucket.wait_ns(count)
            if wait_ns is None:
                return None
            longest = max(longest, wait_ns)
        if not longest:
            for bucket in self.buckets:
                bucket.tokens -= count
        return longest


def unambiguous(rates: Iterable[Rate]) -> tuple[Rate, ...]:
    """Return the rates, the last one of each period, the shortest period first."""
    chosen = {rate.period_ns: rate for rate in rates}
    return tuple(chosen[period] for period in sorted(chosen))
