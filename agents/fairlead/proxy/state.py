"""What outlives a change of the configuration: per server its pool and counts, per backend its turn.

A change makes new immutable objects (``Group``, ``Snapshot``); what has been learned since the start hangs
on the objects here, which are found again by id.  vulcand rebuilt all of this on each change, and lost it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairlead.proxy.balance import NO_RETRY, Balancer, RetryPolicy, RoundRobin, Turn
from fairlead.proxy.config import Limits
from fairlead.proxy.middleware import Chain
from fairlead.proxy.model import Backend, Frontend, Server
from fairlead.proxy.router import Router

if TYPE_CHECKING:
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.server_side import ServerConnection


class Pool:
    """Idle kept-alive connections to one server; the one used last is used next, so that the rest can age."""

    __slots__ = ("_idle", "idle_max", "is_retired")

    def __init__(self, idle_max: int) -> None:
        self._idle: list[ServerConnection] = []
        self.idle_max = idle_max
        self.is_retired = False

    def __len__(self) -> int:
        return len(self._idle)

    def take(self) -> "ServerConnection | None":
        """Return the connection that was put last, or None when there is none."""
        return self._idle.pop() if self._idle else None

    def put(self, connection: "ServerConnection") -> bool:
        """Keep ``connection``; False when there is no room, and then it is the caller's to close."""
        if self.is_retired or len(self._idle) >= self.idle_max:
            return False
        self._idle.append(connection)
        return True

    def discard(self, connection: "ServerConnection") -> None:
        """Forget a connection that died while it waited."""
        if connection in self._idle:
            self._idle.remove(connection)

    def retire(self) -> None:
        """Close what waits, and keep nothing from now on."""
        self.is_retired = True
        while self._idle:
            self._idle.pop().close()


class ServerState:
    """One address of one backend, while it has one."""

    __slots__ = ("authority", "failures", "in_flight", "pool", "requests", "server")

    def __init__(self, server: Server, *, idle_max: int) -> None:
        self.server = server
        self.authority = server.authority.encode()
        self.pool = Pool(idle_max)
        self.in_flight = 0
        self.requests = 0
        self.failures = 0

    def __repr__(self) -> str:
        name = f"{self.server.backend_id}/{self.server.id}"
        return f"ServerState({name}, in_flight={self.in_flight}, idle={len(self.pool)})"


@dataclass(frozen=True, slots=True)
class Group:
    """A backend and its servers as of one revision.

    Attributes:
        dial_s: how long connecting may take.
        read_s: how long the first byte of an answer, and then each next piece, may take.
    """

    backend: Backend
    servers: tuple[ServerState, ...]
    balancer: Balancer
    dial_s: float
    read_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What one frontend leads to, compiled as of one revision.

    Attributes:
        group: where its requests go; None: the backend does not exist, 503.
        chain: its middlewares; None: it has none, and nothing is spent on them.
        retry: who decides about another attempt.
        split: chooses the group for each request instead of ``group`` (canary, failover backend).
    """

    group: Group | None
    chain: Chain | None = None
    retry: RetryPolicy = NO_RETRY
    split: "Callable[[Plan], Group | None] | None" = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that decides about a request, as of one revision of the store.

    Attributes:
        targets: by id of the frontend; every frontend that the router can find is in it.
    """

    revision: int
    router: Router
    groups: Mapping[str, Group]
    targets: Mapping[str, Target]


class Registry:
    """Finds what was known of servers and backends before, makes what is new, retires what is gone."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._servers: dict[tuple[str, str], ServerState] = {}
        self._turns: dict[str, Turn] = {}
        self._frontends: tuple[Frontend, ...] = ()
        self._router = Router(())

    def snapshot(
        self,
        *,
        revision: int,
        frontends: tuple[Frontend, ...],
        backends: Iterable[Backend],
        servers: Iterable[Server],
    ) -> Snapshot:
        """Build what serves from ``revision`` on."""
        if frontends != self._frontends:
            self._router = Router(frontends)
            self._frontends = frontends
        members: dict[str, list[Server]] = {}
        for server in servers:
            members.setdefault(server.backend_id, []).append(server)
        named = {backend.id: backend for backend in backends}
        # Servers may come before their backend, or without one: then it is an ordinary HTTP backend.
        for backend_id in members.keys() - named.keys():
            named[backend_id] = Backend(id=backend_id)
        groups = {each.id: self._group(each, members.get(each.id, [])) for each in named.values()}
        self._retire({(s.backend_id, s.id) for servers in members.values() for s in servers}, named.keys())
        targets = {each.id: Target(group=groups.get(each.backend_id)) for each in frontends}
        return Snapshot(revision, self._router, groups, targets)

    def _group(self, backend: Backend, servers: list[Server]) -> Group:
        idle_max = backend.idle_max or self._limits.idle_per_server_max
        states = tuple(self._state(server, idle_max) for server in sorted(servers, key=lambda each: each.id))
        return Group(
            backend=backend,
            servers=states,
            balancer=RoundRobin(states, self._turns.setdefault(backend.id, Turn())),
            dial_s=backend.dial_s or self._limits.dial_s,
            read_s=backend.read_s or self._limits.read_s,
        )

    def _state(self, server: Server, idle_max: int) -> ServerState:
        key = (server.backend_id, server.id)
        state = self._servers.get(key)
        if state is None or state.server != server:
            if state is not None:
                state.pool.retire()
            state = self._servers[key] = ServerState(server, idle_max=idle_max)
        state.pool.idle_max = idle_max
        return state

    def _retire(self, servers: set[tuple[str, str]], backends: Iterable[str]) -> None:
        for key in self._servers.keys() - servers:
            self._servers.pop(key).pool.retire()
        for backend_id in self._turns.keys() - set(backends):
            del self._turns[backend_id]
