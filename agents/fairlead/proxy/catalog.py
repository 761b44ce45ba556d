"""The objects in force, key by key: what to keep when a key turns bad, and what a change has touched.

A key that cannot be used costs only itself.  If it was good before, the last good object stays in force;
the problem is named, and healed when the key is fixed or deleted.  What is put again as it was touches nothing,
so that servers that register by heartbeat cost no more than reading their keys.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

from fairlead.proxy.aliases import Alias, with_aliases
from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.keys import Kind, ObjectId, object_of
from fairlead.proxy.middleware.chains import closed_instead_of
from fairlead.proxy.model import (
    Backend,
    Frontend,
    Host,
    Listener,
    Middleware,
    Object,
    Server,
    TcpRoute,
    error_pages_of,
    read_object,
)
from fairlead.proxy.relations import Relations

Check = Callable[[Middleware], None]
T = TypeVar("T")


@dataclass(slots=True)
class Touched:
    """What one change has touched; what is not here is as it was.

    Attributes:
        frontends: by id, as they were before; None: there was none.
        chains: ids of the frontends whose middlewares are others now.
        backends: ids of those that are others, or whose servers are.
        sockets: listeners, hosts or TCP routes are others.
    """

    frontends: dict[str, Frontend | None] = field(default_factory=dict)
    chains: set[str] = field(default_factory=set)
    backends: set[str] = field(default_factory=set)
    sockets: bool = False

    def __bool__(self) -> bool:
        return bool(self.frontends or self.chains or self.backends or self.sockets)


@dataclass(frozen=True, slots=True)
class Report:
    """What a change did to the list of problems."""

    problems: Mapping[bytes, str] = field(default_factory=dict)
    healed: frozenset[bytes] = frozenset()


class Catalog:
    """The last good object of every key.

    Attributes:
        servers: by id of their backend and their own; discovered: those that DNS records tell of; middlewares: by id of their frontend and their own.
    """

    def __init__(
        self, prefixes: tuple[bytes, ...], *, check: Check = lambda _: None, aliases: Sequence[Alias] = ()
    ) -> None:
        self._aliases = aliases
        self.frontends: dict[str, Frontend] = {}
        self.backends: dict[str, Backend] = {}
        self.servers: dict[str, dict[str, Server]] = {}
        self.middlewares: dict[str, dict[str, Middleware]] = {}
        self.discovered: dict[str, dict[str, Server]] = {}
        self.hosts: dict[str, Host] = {}
        self.listeners: dict[str, Listener] = {}
        self.tcp_routes: dict[str, TcpRoute] = {}
        self._prefixes = prefixes
        self._check = check
        self._good: dict[ObjectId, dict[bytes, Object]] = {}
        self._bad_values: dict[bytes, str] = {}
        self._closed: set[bytes] = set()  # of guards that never could be read, with nobody let in instead
        self._doubles: dict[bytes, str] = {}
        self._relations = Relations(self.has_backend)
        self._reported: dict[bytes, str] = {}

    @property
    def servers_count(self) -> int:
        """How many servers there are in all backends."""
        return sum(map(len, self.servers.values())) + sum(map(len, self.discovered.values()))

    def has_backend(self, backend_id: str) -> bool:
        """Whether requests can go to ``backend_id``: servers without a backend make an ordinary one."""
        return (
            backend_id in self.backends
            or backend_id in self.servers
            or (is_discovered(backend_id) and bool(self._relations.users_of(backend_id)))
        )

    def servers_of(self, backend_id: str) -> Mapping[str, Server]:
        """Return all servers of a backend; what a key says goes before what a record says."""
        return {**self.discovered.get(backend_id, {}), **self.servers.get(backend_id, {})}

    def name_of(self, backend_id: str) -> str:
        """Return the DNS name that gives a backend its servers; empty when none does, or nobody asks."""
        backend = self.backends.get(backend_id)
        if backend is not None and backend.discover:
            return backend.discover
        if is_discovered(backend_id) and (backend is not None or self._relations.users_of(backend_id)):
            return backend_id.removeprefix("dns:")
        return ""

    def discover(self, backend_id: str, servers: dict[str, Server], touched: Touched) -> None:
        """Take what DNS records say about a backend now."""
        if self.discovered.get(backend_id, {}) != servers:
            touched.backends.add(backend_id)
            self.discovered[backend_id] = servers
            if not servers:
                del self.discovered[backend_id]

    def apply(self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes]) -> tuple[Touched, Report]:
        """Take one change: new values by key, and the keys that are gone."""
        keys: set[bytes] = set()
        identities: set[ObjectId] = set()
        for key in deletes:
            if (identity := object_of(key, self._prefixes)) is not None:
                keys.add(key)
                identities.add(identity)
                self._bad_values.pop(key, None)
                self._closed.discard(key)
                self._good.get(identity, {}).pop(key, None)
        for key, value in puts.items():
            if (identity := object_of(key, self._prefixes)) is not None:
                keys.add(key)
                identities.add(identity)
                self._read(identity, key, value)
        touched = Touched()
        for identity in identities:
            keys |= self._choose(identity, touched)
        keys |= self._relations.follow(touched.frontends, self.frontends, self._key_of, touched.backends)
        return touched, self._report(keys)

    def _read(self, identity: ObjectId, key: bytes, value: bytes) -> None:
        good = self._good.setdefault(identity, {})
        made: Object | None = None
        try:
            made = read_object(identity, value)
            if isinstance(made, Frontend) and self._aliases:
                made = with_aliases(made, self._aliases)
            checked = error_pages_of(made) if isinstance(made, Frontend) else made
            if isinstance(checked, Middleware):
                self._check(checked)
        except KeyProblem as problem:
            self._bad_values[key] = f"{identity}: {problem}{self._instead(good, key, made)}"
        else:
            good[key] = made
            self._bad_values.pop(key, None)
            self._closed.discard(key)

    def _instead(self, good: dict[bytes, Object], key: bytes, made: Object | None) -> str:
        """Return what is in force instead of a value that cannot be used, for the operator."""
        if key in good and key not in self._closed:
            return "; the last good value stays in force"
        stand_in = closed_instead_of(made) if isinstance(made, Middleware) else None
        if stand_in is None:
            return ""
        good[key] = stand_in
        self._closed.add(key)
        return f"; until it is mended frontend {stand_in.frontend_id} answers 503"

    def _choose(self, identity: ObjectId, touched: Touched) -> set[bytes]:
        """Put the object at the first of its keys in force; return the keys that it is or was at."""
        good = self._good.get(identity, {})
        keys = sorted(good)
        for key in keys:
            self._doubles.pop(key, None)
        for key in keys[1:]:
            first = keys[0].decode("utf-8", "replace")
            self._doubles[key] = f"{identity} is also at {first}, which wins; delete one of them"
        if not keys:
            self._good.pop(identity, None)
        self._put(identity, good[keys[0]] if keys else None, touched)
        return set(keys)

    def _put(self, identity: ObjectId, new: Object | None, touched: Touched) -> None:
        kind, owner, name = identity
        if kind is Kind.FRONTEND:
            old = self.frontends.get(name)
            if _replace(self.frontends, name, new):
                touched.frontends[name] = old
        elif kind is Kind.MIDDLEWARE:
            if _replace_inside(self.middlewares, owner, name, new):
                touched.chains.add(owner)
        elif kind is Kind.SERVER:
            if _replace_inside(self.servers, owner, name, new):
                touched.backends.add(owner)
        elif kind is Kind.BACKEND:
            if _replace(self.backends, name, new):
                touched.backends.add(name)
        elif kind is Kind.HOST:
            touched.sockets |= _replace(self.hosts, name, new)
        elif kind is Kind.TCP_ROUTE:
            touched.sockets |= _replace(self.tcp_routes, name, new)
        else:
            touched.sockets |= _replace(self.listeners, name, new)

    def key_of(self, kind: Kind, name: str) -> bytes:
        """Return the key of an object that is in force and that nobody owns."""
        return min(self._good[ObjectId(kind, "", name)])

    def _key_of(self, frontend_id: str) -> bytes:
        return self.key_of(Kind.FRONTEND, frontend_id)

    def _report(self, keys: set[bytes]) -> Report:
        fresh: dict[bytes, str] = {}
        healed: set[bytes] = set()
        for key in keys:
            text = self._bad_values.get(key) or self._doubles.get(key) or self._relations.problems.get(key)
            if text is None:
                if self._reported.pop(key, None) is not None:
                    healed.add(key)
            elif self._reported.get(key) != text:
                fresh[key] = self._reported[key] = text
        return Report(fresh, frozenset(healed))


def is_discovered(backend_id: str) -> bool:
    """Whether a backend's id is itself a DNS name of the store, such as ``dns:web.svc``."""
    return backend_id.startswith("dns:")


def _replace(objects: dict[str, T], name: str, new: object) -> bool:
    """Put ``new`` in the place of what was there; return whether that is a change."""
    if new is None:
        return objects.pop(name, None) is not None
    if objects.get(name) == new:
        return False
    objects[name] = cast("T", new)  # the kind in the key says which object it is
    return True


def _replace_inside(owners: dict[str, dict[str, T]], owner: str, name: str, new: object) -> bool:
    changed = _replace(owners.setdefault(owner, {}), name, new)
    if not owners[owner]:
        del owners[owner]
    return changed
