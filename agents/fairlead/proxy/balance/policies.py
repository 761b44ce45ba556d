"""Which of the servers that may be asked: one small class per way to choose.

Sources: nginx's smooth weighted round robin; Mitzenmacher, "The Power of Two Choices", with Finagle's peak
EWMA as the load; Thaler and Ravishankar's highest random weight (rendezvous) hashing.
"""

import math
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol

from fairlead.proxy.balance.seam import Chance
from fairlead.proxy.balance.turns import Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fairlead.proxy.plan import Plan
    from fairlead.proxy.state import ServerState

_MASK = 2**64 - 1


class Policy(Protocol):
    """Picks one of ``servers``, of which there is at least one; all have a weight above 0."""

    def pick(self, servers: "Sequence[ServerState]", plan: "Plan", now_s: float) -> "ServerState":
        """Return the one to ask."""


class WeightedRoundRobin:
    """In turn, each as often as its weight says, and as evenly spread as that can be."""

    __slots__ = ("_turn",)

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def pick(self, servers: "Sequence[ServerState]", plan: "Plan", now_s: float) -> "ServerState":
        """See ``Policy``."""
        first = servers[0].standing.weight
        if all(each.standing.weight == first for each in servers):
            self._turn.position = position = (self._turn.position + 1) % len(servers)
            return servers[position]
        total = 0.0
        best = servers[0]
        for each in servers:
            standing = each.standing
            total += standing.weight
            standing.turn += standing.weight
            if standing.turn > best.standing.turn:
                best = each
        best.standing.turn -= total
        return best


class TwoChoices:
    """Of two taken by chance, the one that would answer sooner: its latency times the requests at it."""

    __slots__ = ("_rng",)

    def __init__(self, rng: Chance) -> None:
        self._rng = rng

    def pick(self, servers: "Sequence[ServerState]", plan: "Plan", now_s: float) -> "ServerState":
        """See ``Policy``."""
        count = len(servers)
        if count == 1:
            return servers[0]
        random = self._rng.random
        first = int(random() * count)
        second = int(random() * (count - 1))
        if second >= first:
            second += 1
        one, other = servers[first], servers[second]
        return other if _load(other, now_s) < _load(one, now_s) else one


def _load(server: "ServerState", now_s: float) -> float:
    standing = server.standing
    # A server that has not answered yet counts as fast: one microsecond keeps the count of requests in play.
    return (standing.latency_at(now_s) + 1) * (server.in_flight + 1) / standing.weight


class LeastConnections:
    """The one with the fewest requests for its weight; in turn among equals."""

    __slots__ = ("_turn",)

    def __init__(self, turn: Turn) -> None:
        self._turn = turn

    def pick(self, servers: "Sequence[ServerState]", plan: "Plan", now_s: float) -> "ServerState":
        """See ``Policy``."""
        count = len(servers)
        self._turn.position = start = (self._turn.position + 1) % count
        best = servers[start]
        least = (best.in_flight + 1) / best.standing.weight
        for step in range(1, count):
            each = servers[(start + step) % count]
            load = (each.in_flight + 1) / each.standing.weight
            if load < least:
                best, least = each, load
        return best


class Rendezvous:
    """The same server for the same key, and only a server's own keys move when it comes or goes."""

    __slots__ = ("_key_of", "_seeds")

    def __init__(self, key_of: "Callable[[Plan], bytes]", servers: "Sequence[ServerState]") -> None:
        self._key_of = key_of
        # By id, so that every replica chooses alike.
        self._seeds = {each: _hash(each.server.id.encode()) for each in servers}

    def pick(self, servers: "Sequence[ServerState]", plan: "Plan", now_s: float) -> "ServerState":
        """See ``Policy``."""
        key = _hash(self._key_of(plan))
        return max(servers, key=lambda each: _score(key, self._seeds[each], each.standing.weight))


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest())


def _score(key: int, seed: int, weight: float) -> float:
    # splitmix64's mixer over key and seed, then a sample of the exponential distribution of that weight.
    mixed = (key ^ seed) + 0x9E3779B97F4A7C15 & _MASK
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    mixed ^= mixed >> 31
    return weight / -math.log((mixed + 1) / (2**64 + 1))


class First:
    """The first by id: the others are asked when it may not be."""

    __slots__ = ()

    def pick(self, servers: "Sequence[ServerState]", plan: "Plan", now_s: float) -> "ServerState":
        """See ``Policy``."""
        return servers[0]
