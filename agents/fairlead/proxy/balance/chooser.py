"""The balancer of a backend that asks for more than turns: who may be asked first, then which of them.

    all servers ─ up? ─ healthy, not ejected? ─ not a backup? ─ nearby? ─► eligible      (kept until it may change)
    eligible ─ not tried? ─ has a place? ─► the policy picks                             (for each request)

When none but backups are left, they are asked; when nobody is fit, everybody is (panic: fail open).
"""

from typing import TYPE_CHECKING

from fairlead.proxy.balance.memory import Memory
from fairlead.proxy.balance.policies import (
    First,
    LeastConnections,
    Policy,
    Rendezvous,
    TwoChoices,
    WeightedRoundRobin,
)
from fairlead.proxy.balance.seam import Balancer, Chance, Failure, Queue
from fairlead.proxy.balance.standing import may_eject
from fairlead.proxy.balance.sticky import StickyCookies
from fairlead.proxy.balance.turns import RoundRobin
from fairlead.proxy.model import MAINTENANCE, UP, Backend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairlead.proxy.plan import Plan
    from fairlead.proxy.state import ServerState

_NEVER_S = float("inf")
_RAMP_S = 0.25
"""How often the share of a server that starts slowly grows."""
_SERVER_ERROR = 500
_BAD_GATEWAY = 502


def make_balancer(
    backend: Backend,
    servers: "Sequence[ServerState]",
    memory: Memory,
    *,
    rng: Chance,
    zone: str = "",
    workers: int = 1,
) -> Balancer:
    """Return what chooses among ``servers``.

    Args:
        backend: says how.
        servers: all of its servers.
        memory: what outlives this.
        rng: for what goes by chance.
        zone: where this proxy is, if that is known.
        workers: processes that are this proxy together; each has its part of what a server may have at a time, and
            of those who may wait.
    """
    asks_for_more = (
        backend.balance != "wrr"
        or backend.sticky or backend.health or backend.outlier or backend.slow_start_s
        or backend.connections_max or backend.queue or backend.rebalances
    )  # fmt: skip
    plain = ("up", 1, 0, False)
    if asks_for_more or any(
        (s.state, s.weight, s.connections_max, s.is_backup) != plain or (zone and s.zone)
        for s in (each.server for each in servers)
    ):
        return Chooser(backend, servers, memory, rng=rng, zone=zone, workers=workers)
    return RoundRobin(servers, memory.turn)


class Chooser:
    """See above.  One per backend and revision; what it learns is in ``memory`` and the servers' standings."""

    __slots__ = (
        "_backend", "_eligible", "_limits", "_memory", "_policy", "_servers", "_sticky", "_until_s", "_version",
        "_zone", "marks",
    )  # fmt: skip

    def __init__(
        self,
        backend: Backend,
        servers: "Sequence[ServerState]",
        memory: Memory,
        *,
        rng: Chance,
        zone: str = "",
        workers: int = 1,
    ) -> None:
        self._backend = backend
        self._servers = tuple(servers)
        self._memory = memory
        self._zone = zone
        self._policy = _policy_for(backend, servers, memory, rng)
        self._sticky = StickyCookies(backend.sticky, servers) if backend.sticky is not None else None
        self.marks = self._sticky is not None
        limits = {
            each: max(1, allowed // workers) if allowed else 0
            for each in servers
            for allowed in (each.server.connections_max or backend.connections_max,)
        }
        self._limits = limits if any(limits.values()) else None
        self._eligible: tuple[ServerState, ...] = ()
        self._version = -1
        self._until_s = 0.0
        size = backend.queue.size if backend.queue is not None else 0
        memory.queue.size = size and max(1, size // workers)
        memory.queue.timeout_s = backend.queue.timeout_s if backend.queue is not None else 0.0

    def choose(
        self, plan: "Plan", tried: "tuple[ServerState, ...]", now_s: float
    ) -> "ServerState | Queue | None":
        """See ``Balancer``."""
        if now_s >= self._until_s or self._version != self._memory.version:
            self._refresh(now_s)
        if self._sticky is not None:
            stuck = self._sticky.server_of(plan)
            if stuck is not None and self._may_stay(stuck, now_s) and stuck not in tried:
                return stuck
        candidates: Sequence[ServerState] = self._eligible
        if tried:
            candidates = [each for each in candidates if each not in tried] or candidates
        if self._limits is not None:
            free = [each for each in candidates if self._has_place(each)]
            if candidates and not free:
                return self._to_queue(now_s)
            candidates = free
        return self._policy.pick(candidates, plan, now_s) if candidates else None

    def ended(
        self, server: "ServerState", *, status: int, failure: Failure | None, head_us: int, now_s: float
    ) -> None:
        """See ``Balancer``."""
        standing, outlier = server.standing, self._backend.outlier
        if failure is not None or status >= _SERVER_ERROR:
            may_eject = self._may_eject(now_s) if outlier is not None else False
            if standing.fail(outlier, may_eject=may_eject, now_s=now_s):
                self._memory.changed()
        elif status:
            if head_us:
                standing.measure(head_us, now_s=now_s)
            standing.succeed(outlier, now_s=now_s)
        if self._backend.rebalances and (failure is not None or status):
            rebalancer = self._memory.rebalancer
            rebalancer.record(server, status if failure is None else _BAD_GATEWAY, now_s=now_s)
            if rebalancer.adjust(self._servers, now_s=now_s):
                self._memory.changed()
        if len(self._memory.queue) and self.has_place(now_s):
            self._memory.queue.call()

    def is_fit(self, now_s: float) -> bool:
        """See ``Balancer``."""
        if now_s >= self._until_s or self._version != self._memory.version:
            self._refresh(now_s)
        return bool(self._eligible) and not self._memory.is_panicking

    def lines_for(self, plan: "Plan", server: "ServerState") -> bytes:
        """See ``Balancer``."""
        return self._sticky.line_for(plan, server) if self._sticky is not None else b""

    def has_place(self, now_s: float) -> bool:
        """Whether anybody could be asked now."""
        if now_s >= self._until_s or self._version != self._memory.version:
            self._refresh(now_s)
        return any(self._has_place(each) for each in self._eligible)

    def _to_queue(self, now_s: float) -> Queue | None:
        queue = self._memory.queue
        if not queue.size:
            return None
        queue.now_s = now_s
        return queue

    def _has_place(self, server: "ServerState") -> bool:
        limit = self._limits[server] if self._limits is not None else 0
        return not limit or server.in_flight < limit

    def _may_stay(self, server: "ServerState", now_s: float) -> bool:
        return (
            server.server.state != MAINTENANCE
            and server.standing.is_available(now_s)
            and self._has_place(server)
        )

    def _may_eject(self, now_s: float) -> bool:
        outlier = self._backend.outlier
        assert outlier is not None
        standings = [each.standing for each in self._servers]
        return may_eject(outlier, standings, len(standings), now_s=now_s)

    def _refresh(self, now_s: float) -> None:
        """Find out anew who may be asked, and until when that holds."""
        self._version = self._memory.version
        until_s = _NEVER_S
        up: list[ServerState] = []
        for each in self._servers:
            standing = each.standing
            if standing.ejected_until_s > now_s:
                until_s = min(until_s, standing.ejected_until_s)
            if each.server.state == UP and each.server.weight:
                slow_start_s = self._backend.slow_start_s
                if standing.weigh(each.server.weight, slow_start_s=slow_start_s, now_s=now_s):
                    until_s = min(until_s, now_s + _RAMP_S)
                if self._backend.rebalances:
                    standing.weight *= self._memory.rebalancer.factor(each)
                up.append(each)
        fit = [each for each in up if each.standing.is_available(now_s)]
        eligible = [each for each in fit if not each.server.is_backup] or fit
        self._memory.is_panicking = bool(up) and not fit
        self._eligible = tuple(self._nearby(eligible, up) or up)
        self._until_s = until_s

    def _nearby(self, eligible: "list[ServerState]", up: "list[ServerState]") -> "list[ServerState]":
        """Stay in this proxy's zone as long as at least half of its servers there are fit."""
        if not self._zone:
            return eligible
        near = [each for each in eligible if each.server.zone == self._zone]
        there = sum(each.server.zone == self._zone and not each.server.is_backup for each in up)
        return near if near and 2 * len(near) >= there else eligible


def _policy_for(backend: Backend, servers: "Sequence[ServerState]", memory: Memory, rng: Chance) -> Policy:
    match backend.balance:
        case "p2c":
            return TwoChoices(rng)
        case "leastconn":
            return LeastConnections(memory.turn)
        case "hrw":
            return Rendezvous(lambda plan: plan.peer, servers)
        case "first":
            return First()
        case _:
            return WeightedRoundRobin(memory.turn)
