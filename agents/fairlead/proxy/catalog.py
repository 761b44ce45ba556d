"""The objects in force, key by key: what to keep when a key turns bad, and what to tell the operator.

A key that cannot be used costs only itself.  If it was good before, the last good object stays in force;
the problem is named, and healed when the key is fixed or deleted.  Problems between objects (a frontend
without its backend, two frontends with one route) are found anew after each change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.keys import Kind, ObjectId, object_of
from fairlead.proxy.model import (
    Backend,
    Frontend,
    Host,
    Listener,
    Middleware,
    Object,
    Server,
    read_object,
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a change did to the list of problems."""

    problems: Mapping[bytes, str] = field(default_factory=dict)
    healed: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class Objects:
    """All objects in force."""

    frontends: tuple[Frontend, ...]
    backends: tuple[Backend, ...]
    servers: tuple[Server, ...]
    middlewares: tuple[Middleware, ...] = ()
    hosts: tuple[Host, ...] = ()
    listeners: tuple[Listener, ...] = ()


class Catalog:
    """The last good object of every key."""

    def __init__(self, prefixes: tuple[bytes, ...]) -> None:
        self._prefixes = prefixes
        self._objects: dict[bytes, tuple[ObjectId, Object]] = {}
        self._bad_values: dict[bytes, str] = {}
        self._reported: dict[bytes, str] = {}

    def apply(self, puts: Mapping[bytes, bytes], deletes: Iterable[bytes]) -> None:
        """Take one change: new values by key, and the keys that are gone."""
        for key in deletes:
            self._objects.pop(key, None)
            self._bad_values.pop(key, None)
        for key, value in puts.items():
            identity = object_of(key, self._prefixes)
            if identity is None:
                continue
            try:
                self._objects[key] = (identity, read_object(identity, value))
            except KeyProblem as problem:
                kept = "; the last good value stays in force" if key in self._objects else ""
                self._bad_values[key] = f"{identity}: {problem}{kept}"
            else:
                self._bad_values.pop(key, None)

    def objects(self) -> tuple[Objects, Report]:
        """Return what is in force, and what became of the problems since the last call."""
        problems = dict(self._bad_values)
        chosen: dict[ObjectId, tuple[bytes, Object]] = {}
        for key, (identity, each) in sorted(self._objects.items()):
            if identity in chosen:
                first = chosen[identity][0].decode("utf-8", "replace")
                problems.setdefault(key, f"{identity} is also at {first}, which wins; delete one of them")
            else:
                chosen[identity] = (key, each)
        objects = Objects(
            tuple(each for _, each in chosen.values() if isinstance(each, Frontend)),
            tuple(each for _, each in chosen.values() if isinstance(each, Backend)),
            tuple(each for _, each in chosen.values() if isinstance(each, Server)),
            tuple(each for _, each in chosen.values() if isinstance(each, Middleware)),
            tuple(each for _, each in chosen.values() if isinstance(each, Host)),
            tuple(each for _, each in chosen.values() if isinstance(each, Listener)),
        )
        for key, text in _problems_between(objects, chosen):
            problems.setdefault(key, text)
        return objects, self._report(problems)

    def _report(self, problems: dict[bytes, str]) -> Report:
        fresh = {key: text for key, text in problems.items() if self._reported.get(key) != text}
        healed = frozenset(self._reported.keys() - problems.keys())
        self._reported = problems
        return Report(fresh, healed)


def _problems_between(
    objects: Objects, chosen: Mapping[ObjectId, tuple[bytes, Object]]
) -> Iterable[tuple[bytes, str]]:
    backends = {each.id for each in objects.backends} | {each.backend_id for each in objects.servers}
    winners: dict[tuple[int, str], str] = {}
    for frontend in sorted(objects.frontends, key=lambda each: each.id):
        key = chosen[ObjectId(Kind.FRONTEND, "", frontend.id)][0]
        if frontend.backend_id not in backends:
            yield key, f"frontend {frontend.id}: there is no backend {frontend.backend_id}; it answers 503"
        winner = winners.setdefault((frontend.priority, frontend.route), frontend.id)
        if winner != frontend.id:
            yield key, f"frontend {frontend.id}: frontend {winner} has the same route and wins; change one"
