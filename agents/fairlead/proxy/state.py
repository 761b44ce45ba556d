"""What outlives a change of the configuration: per server its pool and counts, per backend its turn.

A change makes new immutable objects (``Group``, ``Snapshot``); what has been learned since the start hangs
on the objects here, which are found again by id.  vulcand rebuilt all of this on each change, and lost it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairlead.proxy.balance import NO_RETRY, Balancer, Memory, RetryPolicy, Standing
from fairlead.proxy.middleware import Chain
from fairlead.proxy.model import Backend, Server, TlsSettings
from fairlead.proxy.router import Router

if TYPE_CHECKING:
    from fairlead.proxy.http2 import Http2Server
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

    __slots__ = (
        "authority",
        "failures",
        "handshake_s",
        "in_flight",
        "keep_alive_s",
        "multiplexed",
        "pool",
        "proxy_protocol",
        "requests",
        "server",
        "standing",
        "tls",
    )

    def __init__(self, server: Server, *, idle_max: int) -> None:
        self.server = server
        self.authority = server.authority.encode()
        self.pool = Pool(idle_max)
        self.multiplexed: tuple[Http2Server, ...] = ()  # connections that requests share, over HTTP/2
        self.proxy_protocol = 0  # version of the header that its connections begin with; 0: none
        self.tls: TlsSettings | None = None
        self.handshake_s: float | None = None
        self.keep_alive_s: float | None = None
        self.in_flight = 0
        self.requests = 0
        self.failures = 0
        self.standing = Standing()

    def shared(self) -> "Http2Server | None":
        """Return a connection over HTTP/2 that takes another request; the oldest, so that the rest can age."""
        for each in self.multiplexed:
            if each.is_shared:
                return each
        return None

    def share(self, connection: "Http2Server") -> None:
        """Let other requests go on ``connection`` too."""
        self.multiplexed = (*(each for each in self.multiplexed if each.is_open), connection)

    def __repr__(self) -> str:
        name = f"{self.server.backend_id}/{self.server.id}"
        return f"ServerState({name}, in_flight={self.in_flight}, idle={len(self.pool)})"


@dataclass(frozen=True, slots=True)
class Group:
    """A backend and its servers as of one revision.

    Attributes:
        memory: what is remembered of it; outlives the group.
        dial_s: how long connecting may take.
        read_s: how long the first byte of an answer, and then each next piece, may take.
    """

    backend: Backend
    servers: tuple[ServerState, ...]
    balancer: Balancer
    memory: Memory
    dial_s: float
    read_s: float


Groups = Mapping[str, Group]
"""By id of the backend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """What a frontend says about time, in place of its backend.  None: it says nothing.

    Attributes:
        try_s: for the first byte of an answer; read_s: between two pieces of it.
        total_s: for all of it, whatever happens in between.
    """

    dial_s: float | None = None
    try_s: float | None = None
    read_s: float | None = None
    total_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What one frontend leads to, compiled when it changes; its servers come and go beneath it.

    Attributes:
        backend_id: where its requests go; when there is no such group, 503.
        chain: its middlewares; None: it has none, and nothing is spent on them.
        retry: who decides about another attempt.
        patience: None: its backend's.
        split: chooses among the groups for each request (canary, failover backend); None: it is always one.
    """

    backend_id: str
    chain: Chain | None = None
    retry: RetryPolicy = NO_RETRY
    patience: Patience | None = None
    split: "Callable[[Plan, Groups, float], Group | None] | None" = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that decides about a request, as of one revision of the store.

    Attributes:
        targets: by id of the frontend; every frontend that the router can find is in it.
    """

    revision: int
    router: Router
    groups: Groups
    targets: Mapping[str, Target]
