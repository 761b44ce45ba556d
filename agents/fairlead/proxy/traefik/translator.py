"""From changes of Traefik's keys to changes of vulcand's: only the objects that a change concerns are made anew."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.traefik.middlewares import FRONTEND, SERVICE, expand, middlewares_of
from fairlead.proxy.traefik.node import Node, without_provider
from fairlead.proxy.traefik.routers import check_clients, frontend_of, options_of
from fairlead.proxy.traefik.services import backend_of, servers_of, settings_of, transport_of, way_of
from fairlead.proxy.traefik.tcp import BACKEND, tcp_backend_of, tcp_guard_of, tcp_route_of, tcp_settings_of
from fairlead.proxy.traefik.unread import Unread

Identity = tuple[str, str]
"""The kind (such as ``http/routers``) and the name of an object."""
ROUTERS, SERVICES, MIDDLEWARES, TRANSPORTS = (
    f"http/{each}" for each in ("routers", "services", "middlewares", "serverstransports")
)
TCP_ROUTERS, TCP_SERVICES, TCP_MIDDLEWARES, TCP_TRANSPORTS = (
    f"tcp/{each}" for each in ("routers", "services", "middlewares", "serverstransports")
)
TLS_OPTIONS = "tls/options"
_REFUSED = {
    **dict.fromkeys(("udp/routers", "udp/services"), "UDP is not served here; this has no effect"),
    TLS_OPTIONS: "listeners say which TLS is spoken (Settings.TLS); this has no effect",
    **dict.fromkeys(
        ("tls/stores", "tls/certificates"), "certificates are those of hosts; this has no effect"
    ),
}
_SERVED = (ROUTERS, SERVICES, MIDDLEWARES, TRANSPORTS)
_TCP_SERVED = (TCP_ROUTERS, TCP_SERVICES, TCP_MIDDLEWARES, TCP_TRANSPORTS)
_KINDS = frozenset({*_SERVED, *_TCP_SERVED, *_REFUSED})
VIRTUAL = b"traefik:"
"""What the keys that are made here begin with; no store has them."""


@dataclass(frozen=True, slots=True)
class Translated:
    """A change in vulcand's keys, and what is wrong with Traefik's; an empty text: it is right again."""

    puts: Mapping[bytes, bytes]
    deletes: list[bytes]
    problems: Mapping[bytes, str]


class Translator:
    """All of Traefik's objects, and what became of them."""

    def __init__(self, root_key: str) -> None:
        """Start with nothing; ``root_key`` is where Traefik's keys are, with or without slashes."""
        name = root_key.strip("/")
        self.prefixes = (f"/{name}/".encode(), f"{name}/".encode())
        self._root = name
        self._options: dict[Identity, dict[str, str]] = {}
        self._emitted: dict[Identity, dict[bytes, bytes]] = {}
        self._uses: dict[Identity, set[Identity]] = {}
        self._users: dict[Identity, set[Identity]] = {}
        self._problems: set[Identity] = set()
        self._unread = Unread()

    def apply(self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes]) -> Translated:
        """Take one change of the store."""
        touched: set[Identity] = set()
        for key in deletes:
            if (found := self._place(key)) is not None:
                identity, path = found
                options = self._options.get(identity, {})
                options.pop(path, None)
                if not options:
                    self._options.pop(identity, None)
                touched.add(identity)
        for key, value in puts.items():
            if (found := self._place(key)) is not None:
                identity, path = found
                self._options.setdefault(identity, {})[path] = value.decode("utf-8", "replace")
                touched.add(identity)
        touched |= {user for each in touched for user in self._users.get(each, ())}
        made: dict[bytes, bytes] = {}
        gone: list[bytes] = []
        problems: dict[bytes, str] = {}
        for identity in sorted(touched):
            self._follow(identity, made, gone, problems)
        return Translated(made, [key for key in gone if key not in made], problems)

    def name_of(self, key: bytes) -> bytes:
        """Return Traefik's key for a key that was made here, for the operator."""
        if not key.startswith(VIRTUAL):
            return key
        _, kind, name, *rest = key.decode().split("/")
        if kind == "tcp":
            return f"{self._root}/{TCP_ROUTERS}/{name}".encode()
        if kind == "frontends":
            option = "rule" if len(rest) == 1 else f"middlewares/{rest[1]}"
            return f"{self._root}/http/routers/{name}/{option}".encode()
        option = "" if len(rest) == 1 else f"/servers/{rest[1]}"
        services = SERVICES
        if name.startswith(BACKEND.format("")):
            services, name = TCP_SERVICES, name.removeprefix(BACKEND.format(""))
        return f"{self._root}/{services}/{name}/loadBalancer{option}".encode()

    def _place(self, key: bytes) -> tuple[Identity, str] | None:
        """Return the object that a key is of, and the path of the option in it."""
        for prefix in self.prefixes:
            if key.startswith(prefix):
                protocol, _, rest = key[len(prefix) :].decode("utf-8", "replace").partition("/")
                group, _, rest = rest.partition("/")
                name, _, path = rest.partition("/")
                kind = f"{protocol}/{group}".lower()
                if kind in _KINDS and name and path:
                    return (kind, name), path.strip("/").lower()
        return None

    def _follow(
        self, identity: Identity, made: dict[bytes, bytes], gone: list[bytes], problems: dict[bytes, str]
    ) -> None:
        kind, name = identity
        before = self._emitted.get(identity, {})
        label = f"{self._root}/{kind}/{name}".encode()
        node = Node(self._options.get(identity, {}))
        try:
            after = self._translate(identity, node)
        except KeyProblem as problem:
            kept = "; what it was before stays in force" if before else ""
            what = kind.partition("/")[2].removesuffix("s")
            problems[label] = f"{what} {name}: {problem}{kept}"
            self._problems.add(identity)
            return
        for option, text in self._unread.follow(kind, name, node.unread).items():
            problems[f"{self._root}/{option}".encode()] = text
        if identity in self._problems:
            self._problems.discard(identity)
            problems.setdefault(label, "")
        made.update({key: value for key, value in after.items() if before.get(key) != value})
        gone += [key for key in before if key not in after]
        self._emitted[identity] = after
        if not after:
            del self._emitted[identity]

    def _translate(self, identity: Identity, node: Node) -> dict[bytes, bytes]:
        kind, name = identity
        if identity not in self._options:
            self._use(identity, set())
            return {}
        if kind in _REFUSED:
            raise KeyProblem(_REFUSED[kind])
        if kind == ROUTERS:
            return _encoded(self._router(name, node))
        if kind in _TCP_SERVED:
            return _encoded(self._tcp(kind, name, node))
        if kind == SERVICES and "loadbalancer" in node:
            return _encoded(self._balancer(name, node))
        # What is wrong with one is said once, not at each router that uses it.
        if kind == SERVICES:
            way_of(name, {name: node})
        elif kind == TRANSPORTS:
            settings_of(node)
        elif "chain" in node:
            node.texts("chain/middlewares")
        else:
            middlewares_of(node)
        return {}

    def _tcp(self, kind: str, name: str, node: Node) -> dict[str, Any]:
        if kind == TCP_ROUTERS:
            return {f"tcp/{name}": self._tcp_router(name, node)}
        if kind == TCP_SERVICES and "loadbalancer" in node:
            transport = self._transport((TCP_SERVICES, name), node, TCP_TRANSPORTS)
            return tcp_backend_of(name, node, transport)
        if kind == TCP_SERVICES:
            if "weighted" not in node:
                raise KeyProblem("a service for TCP is loadBalancer or weighted")
            way_of(name, {name: node})
        elif kind == TCP_MIDDLEWARES:
            tcp_guard_of(node)
        else:
            tcp_settings_of(node)
        return {}

    def _tcp_router(self, name: str, node: Node) -> dict[str, Any]:
        me, service = (TCP_ROUTERS, name), without_provider(node.required("service"))
        names = [without_provider(each) for each in node.texts("middlewares")]
        used = {(TCP_SERVICES, service)} | {(TCP_MIDDLEWARES, each) for each in names}
        used |= {(TLS_OPTIONS, each) for each in options_of(node)}
        self._use(me, used)
        way = way_of(service, self._nodes(TCP_SERVICES))
        self._use(me, used | {(TCP_SERVICES, each) for each in way.services})
        guards, known = [], self._nodes(TCP_MIDDLEWARES)
        for each in names:
            if each not in known:
                raise KeyProblem(f"there is no middleware {each}")
            guards.append(tcp_guard_of(known[each]))
        if not node.flag("tls/passthrough"):
            check_clients(node, self._nodes(TLS_OPTIONS))
        return tcp_route_of(node, way, guards)

    def _transport(self, user: Identity, node: Node, kind: str) -> Node | None:
        """Return how a load balancer speaks to its servers; None: as usual."""
        transport = transport_of(node)
        self._use(user, {(kind, transport)} if transport else set())
        transports = self._nodes(kind)
        if transport and transport not in transports:
            raise KeyProblem(f"there is no serversTransport {transport}")
        return transports[transport] if transport else None

    def _balancer(self, name: str, node: Node) -> dict[str, Any]:
        backend, servers = backend_of(node, self._transport((SERVICES, name), node, TRANSPORTS))
        values: dict[str, Any] = {f"backends/{name}/backend": backend}
        return values | {f"backends/{name}/servers/{each}": server for each, server in servers.items()}

    def _router(self, name: str, node: Node) -> dict[str, Any]:
        me = (ROUTERS, name)
        self._use(me, {(SERVICES, without_provider(node.text("service")))})
        way = way_of(without_provider(node.required("service")), self._nodes(SERVICES))
        middlewares = self._nodes(MIDDLEWARES)
        names = expand(node.texts("middlewares"), middlewares)
        used = {(SERVICES, each) for each in way.services}
        used |= {(MIDDLEWARES, without_provider(each)) for each in (*node.texts("middlewares"), *names)}
        used |= {(TLS_OPTIONS, each) for each in options_of(node)}
        self._use(me, used)
        if way.loses:
            node.disown("service")
        check_clients(node, self._nodes(TLS_OPTIONS))
        frontend = frontend_of(node, way)
        values: dict[str, Any] = {f"frontends/{name}/frontend": frontend}
        place = 0
        for each in names:
            for kind, settings in self._middlewares(each, middlewares):
                if kind == FRONTEND:
                    frontend |= {**settings, "Settings": frontend["Settings"] | settings.get("Settings", {})}
                    continue
                if SERVICE in settings:
                    service = settings.pop(SERVICE)
                    used.add((SERVICES, service))
                    self._use(me, used)
                    settings["From"] = servers_of(service, self._nodes(SERVICES))
                values[f"frontends/{name}/middlewares/{place:03}-{each}"] = {
                    "Type": kind, "Priority": place, "Middleware": settings
                }  # fmt: skip
                place += 1
        return values

    def _middlewares(self, name: str, nodes: Mapping[str, Node]) -> list[tuple[str, dict[str, Any]]]:
        if name not in nodes:
            # Traefik does not serve a router whose middleware does not exist; a guard may be what is missing.
            raise KeyProblem(f"there is no middleware {name}")
        return middlewares_of(nodes[name])

    def _nodes(self, kind: str) -> "_Nodes":
        return _Nodes(self._options, kind)

    def _use(self, user: Identity, used: set[Identity]) -> None:
        for each in self._uses.pop(user, set()) - used:
            self._users[each].discard(user)
            if not self._users[each]:
                del self._users[each]
        for each in used:
            self._users.setdefault(each, set()).add(user)
        if used:
            self._uses[user] = used


class _Nodes(Mapping[str, Node]):
    """The objects of one kind, by name."""

    def __init__(self, options: Mapping[Identity, Mapping[str, str]], kind: str) -> None:
        self._options = options
        self._kind = kind

    def __getitem__(self, name: str) -> Node:
        return Node(self._options[self._kind, name])

    def __iter__(self) -> Iterator[str]:
        return (name for kind, name in self._options if kind == self._kind)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _encoded(values: Mapping[str, Any]) -> dict[bytes, bytes]:
    return {VIRTUAL + b"/" + key.encode(): json.dumps(value).encode() for key, value in values.items()}
