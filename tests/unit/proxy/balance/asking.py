"""Backends without a network: servers that a balancer may choose, and requests that it chooses for."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

from fairlead.proxy import Limits
from fairlead.proxy.balance import Balancer, Failure, Memory, make_balancer
from fairlead.proxy.model import Backend, Server
from fairlead.proxy.plan import Plan
from fairlead.proxy.request import RequestParser
from fairlead.proxy.router import Router
from fairlead.proxy.state import ServerState, Snapshot

NOWHERE = Snapshot(0, Router(()), {}, {})


def plan(peer: str = "10.0.0.9", **headers: str) -> Plan:
    """Make the little of a plan that balancers look at."""
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return plan_of(f"GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n", NOWHERE, peer=peer)


def plan_of(head: str, snapshot: Snapshot, *, peer: str = "10.0.0.9") -> Plan:
    """Return the plan for a request that nobody has looked for a route for."""
    request = RequestParser(Limits()).parse(head.encode())
    return Plan(request, snapshot, peer=peer.encode(), port=b"80")


class Asking:
    """One backend, a clock that stands still until it is moved, and who was chosen."""

    def __init__(
        self, count: int, *, servers: Sequence[dict[str, Any]] = (), zone: str = "", **backend: Any
    ) -> None:
        self.now_s = 1000.0
        self.memory = Memory()
        self.rng = Random(7)
        self.zone = zone
        self.states: list[ServerState] = []
        self.backend = Backend(id="b", **backend)
        for number in range(count):
            self.add(**(servers[number] if number < len(servers) else {}))
        self.balancer = self.remade()

    def add(self, **fields: Any) -> ServerState:
        name = f"s{len(self.states)}"
        server = Server(id=name, backend_id="b", host="h", port=len(self.states) + 1, **fields)
        self.states.append(ServerState(server, idle_max=1))
        return self.states[-1]

    def remade(self) -> Balancer:
        self.balancer = make_balancer(self.backend, self.states, self.memory, rng=self.rng, zone=self.zone)
        return self.balancer

    def ask(self, *tried: int, of: Plan | None = None) -> ServerState | None:
        """Choose, and take a place there."""
        chosen = self.balancer.choose(of or plan(), tuple(self.states[each] for each in tried), self.now_s)
        if isinstance(chosen, ServerState):
            chosen.in_flight += 1
            return chosen
        return None

    def end(
        self, state: ServerState, *, status: int = 200, failure: Failure | None = None, us: int = 1000
    ) -> None:
        state.in_flight -= 1
        self.balancer.ended(state, status=status, failure=failure, head_us=us, now_s=self.now_s)

    def one(self, *tried: int, of: Plan | None = None, status: int = 200, us: int = 1000) -> str | None:
        """Ask, and have it answered at once; return who answered."""
        state = self.ask(*tried, of=of)
        if state is None:
            return None
        self.end(state, status=status, us=us)
        return state.server.id

    def many(self, count: int) -> Counter[str | None]:
        return Counter(self.one() for _ in range(count))
