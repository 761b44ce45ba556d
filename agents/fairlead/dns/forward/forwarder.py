"""Questions for other name servers: from the cache, else from an upstream, else from what the cache once held.

Clients with the same question share one exchange, so that a flood of one question costs an upstream one query, a forger gets
no more tries than one, and a loop of forwarders ends with its first round.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from fairlead.dns.forward.cache import Cache, Cached
from fairlead.dns.forward.exchange import Exchange
from fairlead.dns.forward.limits import ForwardLimits
from fairlead.dns.forward.packet import Question, Response
from fairlead.dns.forward.sockets import Courier
from fairlead.dns.forward.upstream import Chance, Pool
from fairlead.dns.message import Rcode


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came of a question.

    Attributes:
        response: the answer; None when there is none.
        body: its bytes after the question, with the TTLs that are left.
        is_stale: its time is over, and no upstream has a newer one.
        is_full: nobody was asked: too much is under way.
    """

    response: Response | None
    body: bytes = b""
    is_stale: bool = False
    is_full: bool = False


Take = Callable[[Told], None]


class _Waiter:
    """One client that waits for an exchange; told once."""

    __slots__ = ("_take", "timer")

    def __init__(self, take: Take) -> None:
        self._take: Take | None = take
        self.timer: asyncio.TimerHandle | None = None

    def __call__(self, told: Told) -> None:
        take, self._take = self._take, None
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if take is not None:
            take(told)


class Forwarder:
    """Asks upstreams, and remembers.

    Args:
        rng: whatever forgers must not guess comes from it: a ``random.SystemRandom``.
        token: who we are; goes along with every question, so that one that comes back is known.
    """

    def __init__(self, limits: ForwardLimits, *, rng: Chance, token: bytes) -> None:
        self.limits = limits
        self.token = token
        self.cache = Cache(limits)
        self.courier = Courier(limits)
        self.failures = 0
        """Questions that no upstream has answered."""
        self.refused = 0
        """Questions that were not asked since too much was under way."""
        self._rng = rng
        self._loop = asyncio.get_running_loop()
        self._flights: dict[Question, list[_Waiter]] = {}

    async def close(self) -> None:
        """End what is under way; those that wait are not told."""
        self._flights.clear()
        await self.courier.close()

    def at_hand(self, question: Question) -> Told | None:
        """Return the answer to ``question`` if the cache has it."""
        now_s = self._loop.time()
        entry = self.cache.fresh(question, now_s=now_s)
        return self._told(entry, now_s=now_s) if entry is not None else None

    def ask(self, question: Question, *, pool: Pool, take: Take, trail: bytes = b"") -> None:
        """Have ``take`` told the answer to ``question``: at once, or later from the event loop; exactly once.

        Args:
            question: what to ask.
            pool: whom, unless the cache has it.
            take: told.
            trail: tokens of the servers that the question has passed before us.
        """
        now_s = self._loop.time()
        entry = self.cache.fresh(question, now_s=now_s)
        if entry is not None:
            if self.cache.wants_prefetch(entry, now_s=now_s) and self._fetch(question, pool, trail):
                entry.is_refreshing = True
            take(self._told(entry, now_s=now_s))
            return
        stale = self.cache.stale(question, now_s=now_s)
        if stale is not None and now_s < stale.quiet_until_s:
            take(self._told_stale(stale, now_s=now_s))
            return
        waiters = self._flights.get(question)
        if waiters is None and self._fetch(question, pool, trail):
            waiters = self._flights[question]
        if waiters is None or len(waiters) >= self.limits.waiters_max:
            self.refused += 1
            take(Told(response=None, is_full=True) if stale is None else self._told_stale(stale, now_s=now_s))
            return
        waiter = _Waiter(take)
        waiters.append(waiter)
        if stale is not None:
            waiter.timer = self._loop.call_later(self.limits.patience_s, self._lose_patience, waiter, stale)

    def _fetch(self, question: Question, pool: Pool, trail: bytes) -> bool:
        """Ask the upstreams, unless too much is under way; whoever waits is told."""
        if self.courier.in_flight >= self.limits.in_flight_max or not pool.upstreams:
            return False
        now_s = self._loop.time()
        exchange = Exchange(
            question, pool, limits=self.limits, rng=self._rng, token=trail + self.token, now_s=now_s
        )
        self._flights[question] = []
        self.courier.run(exchange, lambda: self._landed(question, exchange.response))
        return True

    def _lose_patience(self, waiter: _Waiter, stale: Cached) -> None:
        waiter(self._told_stale(stale, now_s=self._loop.time()))

    def _landed(self, question: Question, response: Response | None) -> None:
        waiters = self._flights.pop(question, [])
        now_s = self._loop.time()
        has_answer = response is not None and response.rcode in {Rcode.NOERROR, Rcode.NXDOMAIN}
        stale = None if has_answer else self.cache.stale(question, now_s=now_s)
        if response is not None:
            self.cache.put(question, response, now_s=now_s)
        if stale is not None:
            self.cache.failed(question, now_s=now_s)
            told = self._told_stale(stale, now_s=now_s)
        elif response is not None:
            told = Told(response=response, body=response.aged(0, ttl_s_max=self.limits.ttl_s_max))
        else:
            told = Told(response=None)
        self.failures += not has_answer
        for waiter in waiters:
            waiter(told)

    def _told(self, entry: Cached, *, now_s: float) -> Told:
        return Told(response=entry.response, body=entry.body(now_s, ttl_s_max=self.limits.ttl_s_max))

    def _told_stale(self, entry: Cached, *, now_s: float) -> Told:
        if now_s < entry.expires_s:
            return self._told(entry, now_s=now_s)
        self.cache.stale_hits += 1
        # Its own TTLs have run out: they all become the one for stale answers (RFC 8767, section 4).
        body = bytearray(entry.response.body)
        for at, _ in entry.response.ttls:
            body[at : at + 4] = self.limits.stale_ttl_s.to_bytes(4, "big")
        return Told(response=entry.response, body=bytes(body), is_stale=True)
