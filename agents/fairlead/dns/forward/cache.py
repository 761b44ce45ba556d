"""What upstreams have said, kept for as long as they allow, and a while longer for when none of them answers.

Bounded in bytes; what was not asked for the longest goes first.  RFC 2308 for "no", RFC 8767 for stale answers.
"""

from collections import OrderedDict
from typing import Final

from fairlead.dns.forward.limits import ForwardLimits
from fairlead.dns.forward.packet import Question, Response
from fairlead.dns.message import Rcode

_OVERHEAD_BYTES: Final = 600
"""What one entry costs beside its bytes: objects, dictionary, list of TTLs."""

_TTL_BYTES: Final = 120


class Cached:
    """One answer, and until when it is good."""

    __slots__ = (
        "expires_s",
        "hits",
        "is_refreshing",
        "quiet_until_s",
        "response",
        "size",
        "stored_s",
        "ttl_s",
    )

    def __init__(self, response: Response, *, now_s: float, ttl_s: int, size: int) -> None:
        self.response = response
        self.stored_s = now_s
        self.ttl_s = ttl_s
        self.expires_s = now_s + ttl_s
        self.size = size
        self.hits = 0
        self.is_refreshing = False
        """Somebody fetches it anew already."""
        self.quiet_until_s = 0.0
        """No upstream is asked before then: the last time none of them answered."""

    def body(self, now_s: float, *, ttl_s_max: int) -> bytes:
        """Return the body with the TTLs that are left."""
        return self.response.aged(int(now_s - self.stored_s), ttl_s_max=ttl_s_max)


class Cache:
    """Answers by question.  Times are of any clock that only goes forward."""

    def __init__(self, limits: ForwardLimits) -> None:
        self._limits = limits
        self._entries: OrderedDict[Question, Cached] = OrderedDict()
        self.bytes_used = 0
        self.hits = self.misses = self.stale_hits = self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"Cache({len(self)} answers, {self.bytes_used} bytes)"

    def fresh(self, question: Question, *, now_s: float) -> Cached | None:
        """Return the answer while its time has not run out."""
        entry = self._entries.get(question)
        if entry is None or now_s >= entry.expires_s:
            self.misses += 1
            return None
        self._entries.move_to_end(question)
        entry.hits += 1
        self.hits += 1
        return entry

    def stale(self, question: Question, *, now_s: float) -> Cached | None:
        """Return an answer, be its time over; None when it is over for too long, or a failure."""
        entry = self._entries.get(question)
        if entry is None or now_s >= entry.expires_s + self._limits.stale_s_max:
            return None
        return entry if entry.response.rcode in {Rcode.NOERROR, Rcode.NXDOMAIN} else None

    def wants_prefetch(self, entry: Cached, *, now_s: float) -> bool:
        """Whether ``entry`` is popular, near its end, and nobody fetches it yet."""
        limits = self._limits
        return (
            not entry.is_refreshing
            and entry.hits >= limits.prefetch_hits_min
            and entry.response.rcode != Rcode.SERVFAIL
            and entry.expires_s - now_s < limits.prefetch_share * entry.ttl_s
        )

    def put(self, question: Question, response: Response, *, now_s: float) -> None:
        """Keep ``response`` for as long as it may be kept; a failure never takes the place of an answer."""
        limits = self._limits
        match response.rcode:
            case Rcode.NOERROR if response.counts[0]:
                ttl_s = min(response.ttl_s, limits.ttl_s_max)
            case Rcode.NOERROR | Rcode.NXDOMAIN:
                ttl_s = min(response.ttl_s, limits.negative_ttl_s_max)
            case Rcode.SERVFAIL if self.stale(question, now_s=now_s) is None:
                ttl_s = limits.failure_ttl_s
            case _:
                return
        size = _OVERHEAD_BYTES + len(question.name) + len(response.body) + _TTL_BYTES * len(response.ttls)
        self.drop(question)
        if ttl_s <= 0 or size > limits.cache_bytes_max:
            return
        self._entries[question] = Cached(response, now_s=now_s, ttl_s=ttl_s, size=size)
        self.bytes_used += size
        while self.bytes_used > limits.cache_bytes_max:
            self.evictions += 1
            self.drop(next(iter(self._entries)))

    def failed(self, question: Question, *, now_s: float) -> None:
        """No upstream has answered: leave them alone for a while, if there is something to give meanwhile."""
        entry = self._entries.get(question)
        if entry is not None:
            entry.is_refreshing = False
            entry.quiet_until_s = now_s + self._limits.stale_recheck_s

    def drop(self, question: Question) -> None:
        """Forget the answer to ``question``."""
        entry = self._entries.pop(question, None)
        if entry is not None:
            self.bytes_used -= entry.size

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.bytes_used = 0
