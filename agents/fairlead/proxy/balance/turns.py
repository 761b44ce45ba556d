"""Each server in turn: what a backend has that asks for nothing else, and the fastest."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fairlead.proxy.balance.seam import Failure
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.state import ServerState


class Turn:
    """Where the round robin of one backend stands."""

    __slots__ = ("position",)

    def __init__(self) -> None:
        self.position = 0


class RoundRobin:
    """Each in turn; the turn outlives changes."""

    __slots__ = ("_servers", "_turn")
    marks = False

    def __init__(self, servers: "Sequence[ServerState]", turn: Turn) -> None:
        self._servers = servers
        self._turn = turn

    def choose(self, plan: "Plan", tried: "tuple[ServerState, ...]", now_s: float) -> "ServerState | None":
        """See ``Balancer``."""
        servers, turn = self._servers, self._turn
        if not servers:
            return None
        turn.position = position = (turn.position + 1) % len(servers)
        if not tried:
            return servers[position]
        for step in range(len(servers)):
            server = servers[(position + step) % len(servers)]
            if server not in tried:
                return server
        return servers[position]

    def ended(
        self, server: "ServerState", *, status: int, failure: "Failure | None", head_us: int, now_s: float
    ) -> None:
        """Learn nothing."""

    def is_fit(self, now_s: float) -> bool:
        """See ``Balancer``."""
        return bool(self._servers)

    def lines_for(self, plan: "Plan", server: "ServerState") -> bytes:
        """Add nothing."""
        return b""
