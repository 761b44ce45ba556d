"""From the catalog's objects to the snapshot in force: what is new is made, what is known is found again by id.

Only what a change touches is made anew; all else is shared with the snapshot before it.
"""

from dataclasses import replace

from fairlead.proxy.balance import RoundRobin, Turn
from fairlead.proxy.catalog import Catalog, Touched
from fairlead.proxy.config import Limits
from fairlead.proxy.model import Backend, Server
from fairlead.proxy.router import Router
from fairlead.proxy.state import Group, ServerState, Snapshot, Target


class Registry:
    """Makes snapshots, and keeps what outlives them."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._servers: dict[str, dict[str, ServerState]] = {}
        self._turns: dict[str, Turn] = {}
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
                if (frontend := catalog.frontends.get(name)) is None:
                    targets.pop(name, None)
                else:
                    targets[name] = Target(backend_id=frontend.backend_id)
        if touched.backends:
            groups = dict(groups)
            for name in touched.backends:
                if (group := self._group(catalog, name)) is None:
                    groups.pop(name, None)
                else:
                    groups[name] = group
        self._snapshot = replace(now, revision=revision, router=router, groups=groups, targets=targets)
        return self._snapshot

    def _group(self, catalog: Catalog, backend_id: str) -> Group | None:
        """Make one backend's group; None: it is gone, with all that was known of it."""
        servers = catalog.servers.get(backend_id, {})
        if not catalog.has_backend(backend_id):
            self._retire(backend_id, servers)
            self._turns.pop(backend_id, None)
            return None
        backend = catalog.backends.get(backend_id) or Backend(id=backend_id)
        self._retire(backend_id, servers)
        states = tuple(self._state(backend, servers[name]) for name in sorted(servers))
        return Group(
            backend=backend,
            servers=states,
            balancer=RoundRobin(states, self._turns.setdefault(backend_id, Turn())),
            dial_s=backend.dial_s or self._limits.dial_s,
            read_s=backend.read_s or self._limits.read_s,
        )

    def _state(self, backend: Backend, server: Server) -> ServerState:
        known = self._servers.setdefault(backend.id, {})
        idle_max = backend.idle_max or self._limits.idle_per_server_max
        state = known.get(server.id)
        if state is None:
            state = known[server.id] = ServerState(server, idle_max=idle_max)
        state.server = server
        state.pool.idle_max = idle_max
        return state

    def _retire(self, backend_id: str, servers: dict[str, Server]) -> None:
        """Forget the servers that are gone, and those that are at another address now."""
        known = self._servers.get(backend_id, {})
        for name, state in list(known.items()):
            server = servers.get(name)
            if server is None or server.address != state.server.address:
                known.pop(name).pool.retire()
        if not known:
            self._servers.pop(backend_id, None)
