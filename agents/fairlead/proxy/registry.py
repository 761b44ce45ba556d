"""From the catalog's objects to the snapshot in force: what is new is made, what is known is found again by id.

Only what a change touches is made anew; all else is shared with the snapshot before it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from time import perf_counter

from fairlead.proxy.balance import Chooser, Memory, make_balancer
from fairlead.proxy.catalog import Catalog, Touched
from fairlead.proxy.config import Limits
from fairlead.proxy.middleware.chains import Chains
from fairlead.proxy.model import Backend, Frontend, Middleware, Server, TlsSettings, error_pages_of
from fairlead.proxy.retry import Budget, Repeating
from fairlead.proxy.router import Router
from fairlead.proxy.split import make_split
from fairlead.proxy.state import Group, Patience, ServerState, Snapshot, Target


class Registry:
    """Makes snapshots, and keeps what outlives them."""

    def __init__(
        self,
        limits: Limits,
        chains: Chains,
        *,
        zone: str = "",
        workers: int = 1,
        rng: Random | None = None,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        """Start with nothing.

        Args:
            limits: for backends that name none.
            chains: the middlewares of each frontend.
            zone: where this proxy is; empty: nowhere in particular.
            workers: processes that are this proxy together.
            rng: for balancers that choose by chance.
            clock: the one by which requests are measured.
        """
        self._limits = limits
        self._chains = chains
        self._zone = zone
        self._workers = workers
        self._rng = rng or Random()  # noqa: S311  it spreads load and keeps no secret
        self._clock = clock
        self._servers: dict[str, dict[str, ServerState]] = {}
        self._memories: dict[str, Memory] = {}
        self._budgets: dict[str, Budget] = {}
        self._snapshot = Snapshot(0, Router(), {}, {})

    def follow(self, catalog: Catalog, touched: Touched, *, revision: int) -> Snapshot:
        """Return what serves from ``revision`` on, made of what served before and what was touched."""
        now = self._snapshot
        router, groups, targets = now.router, now.groups, now.targets
        if touched.frontends:
            added = [catalog.frontends[name] for name in touched.frontends if name in catalog.frontends]
            removed = [old for old in touched.frontends.values() if old is not None]
            router = router.changed(removed=removed, added=added)
        if touched.frontends or touched.chains:
            targets = dict(targets)
            for name in touched.frontends.keys() | touched.chains:
                frontend = catalog.frontends.get(name)
                chain = self._chains.follow(name, _middlewares(catalog, name, frontend))
                if frontend is None:
                    targets.pop(name, None)
                    self._budgets.pop(name, None)
                else:
                    targets[name] = Target(
                        backend_id=frontend.backend_id,
                        chain=chain,
                        retry=Repeating(frontend, self._budgets.setdefault(name, Budget()), rng=self._rng),
                        split=make_split(frontend, rng=self._rng, sticky=frontend.sticky),
                        patience=_patience(frontend),
                    )
        if touched.backends:
            groups = dict(groups)
            for name in touched.backends:
                if (group := self._group(catalog, name)) is None:
                    groups.pop(name, None)
                else:
                    groups[name] = group
        self._snapshot = replace(now, revision=revision, router=router, groups=groups, targets=targets)
        return self._snapshot

    def panicking(self) -> frozenset[str]:
        """Return the ids of the backends none of whose servers is fit, so that all are asked."""
        return frozenset(name for name, memory in self._memories.items() if memory.is_panicking)

    def tick(self, now_s: float) -> None:
        """Let those who wait in queues have what has become free, and turn away who has waited for too long."""
        for backend_id, memory in self._memories.items():
            if not len(memory.queue):
                continue
            memory.queue.expire(now_s)
            group = self._snapshot.groups.get(backend_id)
            # As many as wait now: who finds nothing joins again, and is not asked a second time.
            for _ in range(len(memory.queue)):
                is_possible = group is None or _has_place(group, now_s)
                if not is_possible or not memory.queue.call():
                    break

    def _group(self, catalog: Catalog, backend_id: str) -> Group | None:
        """Make one backend's group; None: it is gone, with all that was known of it."""
        servers = catalog.servers_of(backend_id)
        if not catalog.has_backend(backend_id):
            self._retire(backend_id, servers, None)
            self._memories.pop(backend_id, None)
            return None
        backend = catalog.backends.get(backend_id) or Backend(id=backend_id)
        self._retire(backend_id, servers, backend.tls)
        memory = self._memories.setdefault(backend_id, Memory())
        states = tuple(self._state(backend, servers[name], memory) for name in sorted(servers))
        memory.is_loaded |= bool(states)
        return Group(
            backend=backend,
            servers=states,
            balancer=make_balancer(
                backend, states, memory, rng=self._rng, zone=self._zone, workers=self._workers
            ),
            memory=memory,
            dial_s=backend.dial_s or self._limits.dial_s,
            read_s=backend.read_s or self._limits.read_s,
        )

    def _state(self, backend: Backend, server: Server, memory: Memory) -> ServerState:
        known = self._servers.setdefault(backend.id, {})
        idle_max = backend.idle_max or self._limits.idle_per_server_max
        state = known.get(server.id)
        if state is None:
            state = known[server.id] = ServerState(server, idle_max=idle_max)
            if memory.is_loaded and backend.slow_start_s:
                state.standing.slow_from_s = self._clock()
        state.server = server
        state.tls = backend.tls
        state.proxy_protocol = backend.proxy_protocol
        state.handshake_s = backend.tls_handshake_s
        state.keep_alive_s = backend.keep_alive_s
        state.pool.idle_max = 0 if backend.proxy_protocol else idle_max
        return state

    def _retire(self, backend_id: str, servers: Mapping[str, Server], tls: TlsSettings | None) -> None:
        """Forget the servers that are gone, at another address, or trusted for other reasons than before."""
        known = self._servers.get(backend_id, {})
        for name, state in list(known.items()):
            server = servers.get(name)
            if server is None or (server.address, tls) != (state.server.address, state.tls):
                known.pop(name).pool.retire()
        if not known:
            self._servers.pop(backend_id, None)


def _middlewares(catalog: Catalog, name: str, frontend: Frontend | None) -> list[Middleware]:
    pages = error_pages_of(frontend) if frontend is not None else None
    return [*([pages] if pages is not None else []), *catalog.middlewares.get(name, {}).values()]


def _has_place(group: Group, now_s: float) -> bool:
    balancer = group.balancer
    return not isinstance(balancer, Chooser) or balancer.has_place(now_s)


def _patience(frontend: Frontend) -> Patience | None:
    retry, timeouts = frontend.retry, frontend.timeouts
    if timeouts is None and (retry is None or retry.try_s is None):
        return None
    return Patience(
        dial_s=timeouts.dial_s if timeouts else None,
        try_s=retry.try_s if retry else None,
        read_s=timeouts.read_s if timeouts else None,
        total_s=timeouts.total_s if timeouts else None,
    )
