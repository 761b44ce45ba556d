"""From changes of Traefik's keys to changes of vulcand's: only the objects that a change concerns are made anew."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.traefik.middlewares import expand, middlewares_of
from fairlead.proxy.traefik.node import Node, without_provider
from fairlead.proxy.traefik.services import backend_of, way_of

Identity = tuple[str, str]
"""The kind (``routers``, ``services``, ``middlewares``) and the name of an object."""
_KINDS = frozenset({"routers", "services", "middlewares"})
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
        self._uses: dict[str, set[Identity]] = {}  # by router
        self._users: dict[Identity, set[str]] = {}
        self._problems: set[Identity] = set()

    def apply(self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes]) -> Translated:
        """Take one change of the store."""
        touched: set[Identity] = set()
        problems: dict[bytes, str] = {}
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
            elif self._is_other(key):
                problems[key] = (
                    "only HTTP routers, services and middlewares are served here; this has no effect"
                )
        touched |= {("routers", name) for each in touched for name in self._users.get(each, ())}
        made: dict[bytes, bytes] = {}
        gone: list[bytes] = []
        for identity in sorted(touched):
            self._follow(identity, made, gone, problems)
        return Translated(made, [key for key in gone if key not in made], problems)

    def name_of(self, key: bytes) -> bytes:
        """Return Traefik's key for a key that was made here, for the operator."""
        if not key.startswith(VIRTUAL):
            return key
        _, kind, name, *rest = key.decode().split("/")
        if kind == "frontends":
            option = "rule" if len(rest) == 1 else f"middlewares/{rest[1]}"
            return f"{self._root}/http/routers/{name}/{option}".encode()
        option = "" if len(rest) == 1 else f"/servers/{rest[1]}"
        return f"{self._root}/http/services/{name}/loadBalancer{option}".encode()

    def _place(self, key: bytes) -> tuple[Identity, str] | None:
        """Return the object that a key is of, and the path of the option in it."""
        for prefix in self.prefixes:
            if key.startswith(prefix):
                protocol, _, rest = key[len(prefix) :].decode("utf-8", "replace").partition("/")
                kind, _, rest = rest.partition("/")
                name, _, path = rest.partition("/")
                if protocol.lower() == "http" and kind.lower() in _KINDS and name and path:
                    return (kind.lower(), name), path.strip("/").lower()
        return None

    def _is_other(self, key: bytes) -> bool:
        return any(
            key[len(prefix) :].lower().startswith((b"tcp/routers/", b"udp/routers/"))
            for prefix in self.prefixes
            if key.startswith(prefix)
        )

    def _follow(
        self, identity: Identity, made: dict[bytes, bytes], gone: list[bytes], problems: dict[bytes, str]
    ) -> None:
        kind, name = identity
        before = self._emitted.get(identity, {})
        label = f"{self._root}/http/{kind}/{name}".encode()
        if identity not in self._options and kind == "routers":
            self._use(name, set())
        try:
            after = self._translate(identity) if identity in self._options else {}
        except KeyProblem as problem:
            kept = "; what it was before stays in force" if before else ""
            problems[label] = f"{kind.removesuffix('s')} {name}: {problem}{kept}"
            self._problems.add(identity)
            return
        if identity in self._problems:
            self._problems.discard(identity)
            problems.setdefault(label, "")
        made.update({key: value for key, value in after.items() if before.get(key) != value})
        gone += [key for key in before if key not in after]
        self._emitted[identity] = after
        if not after:
            del self._emitted[identity]

    def _translate(self, identity: Identity) -> dict[bytes, bytes]:
        kind, name = identity
        node = Node(self._options[identity])
        if kind == "routers":
            return self._router(name, node)
        if kind == "services" and "loadbalancer" in node:
            backend, servers = backend_of(node)
            values: dict[str, Any] = {f"backends/{name}/backend": backend}
            values |= {f"backends/{name}/servers/{each}": server for each, server in servers.items()}
            return _encoded(values)
        if kind == "middlewares" and "chain" not in node:
            middlewares_of(node)  # What is wrong with it is said once, not at each router that uses it.
        return {}

    def _router(self, name: str, node: Node) -> dict[bytes, bytes]:
        syntax = node.text("rulesyntax").lower()
        self._use(name, {("services", without_provider(node.text("service")))})
        if syntax not in ("", "v3", "default"):
            raise KeyProblem(f"ruleSyntax {syntax!r} is not read here; write the rule in version 3")
        services = self._nodes("services")
        way = way_of(without_provider(node.required("service")), services)
        middlewares = self._nodes("middlewares")
        names = expand(node.texts("middlewares"), middlewares)
        used = {("services", each) for each in way.services}
        used |= {("middlewares", without_provider(each)) for each in (*node.texts("middlewares"), *names)}
        self._use(name, used)
        main, *others = sorted(way.shares, key=lambda each: -way.shares[each])
        value: dict[str, Any] = {
            "Type": "http",
            "BackendId": main,
            "Routes": [node.required("rule")],
            "Entrypoints": node.texts("entrypoints"),
            "Canary": [
                {"BackendId": each, "Percent": way.shares[each] * 100} for each in others if way.shares[each]
            ],
            "Fallback": way.fallback,
            "Settings": {"PassHostHeader": way.pass_host},
        }
        if way.mirror is not None:
            value["Mirror"] = way.mirror
        if priority := node.number("priority"):
            value["Priority"] = priority
        values = {f"frontends/{name}/frontend": value}
        place = 0
        for each in names:
            for kind, settings in self._middlewares(each, middlewares):
                values[f"frontends/{name}/middlewares/{place:03}-{each}"] = {
                    "Type": kind, "Priority": place, "Middleware": settings
                }  # fmt: skip
                place += 1
        return _encoded(values)

    def _middlewares(self, name: str, nodes: Mapping[str, Node]) -> list[tuple[str, dict[str, Any]]]:
        if name not in nodes:
            # Traefik does not serve a router whose middleware does not exist; a guard may be what is missing.
            raise KeyProblem(f"there is no middleware {name}")
        return middlewares_of(nodes[name])

    def _nodes(self, kind: str) -> "_Nodes":
        return _Nodes(self._options, kind)

    def _use(self, router: str, used: set[Identity]) -> None:
        for each in self._uses.get(router, set()) - used:
            self._users[each].discard(router)
            if not self._users[each]:
                del self._users[each]
        for each in used:
            self._users.setdefault(each, set()).add(router)
        self._uses[router] = used
        if not used:
            del self._uses[router]


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
