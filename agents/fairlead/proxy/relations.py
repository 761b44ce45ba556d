"""Problems between objects: a frontend without its backend, two frontends with one route.

Each change looks only at the frontends that it may concern: those that it touches, those that use a backend that
came or went, and those that have a route in common with either.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from fairlead.proxy.model import Frontend

Route = tuple[int, str]
K = TypeVar("K")


def backends_of(frontend: Frontend) -> Iterable[str]:
    """Yield the ids of all backends that a frontend sends requests to."""
    yield frontend.backend_id
    for canary in frontend.canaries:
        yield canary.backend_id
    for mirror in frontend.mirrors:
        yield mirror.backend_id
    if frontend.fallback:
        yield frontend.fallback


class Relations:
    """Who uses whom; ``problems`` are by key of the frontend that has them."""

    def __init__(self, has_backend: Callable[[str], bool]) -> None:
        self.problems: dict[bytes, str] = {}
        self._has_backend = has_backend
        self._users: dict[str, set[str]] = {}
        self._twins: dict[Route, set[str]] = {}
        self._keys: dict[str, bytes] = {}  # of the frontends that have a problem

    def users_of(self, backend_id: str) -> frozenset[str]:
        """Return the ids of the frontends that send requests to ``backend_id``."""
        return frozenset(self._users.get(backend_id, ()))

    def follow(
        self,
        changed: Mapping[str, Frontend | None],
        frontends: Mapping[str, Frontend],
        key_of: Callable[[str], bytes],
        backends: Iterable[str],
    ) -> set[bytes]:
        """Look again at what a change may concern; return the keys whose problems may be others now.

        Args:
            changed: the frontends that are others, as they were before.
            frontends: all of them, as they are.
            key_of: tells the key of a frontend.
            backends: ids of backends that came, went or changed.
        """
        concerned = set(changed)
        for name, old in changed.items():
            for frontend, enter in ((old, False), (frontends.get(name), True)):
                if frontend is not None:
                    concerned |= self._file(frontend, enter=enter)
        for backend_id in backends:
            concerned |= self._users.get(backend_id, set())
        keys: set[bytes] = set()
        for name in concerned:
            if (key := self._keys.pop(name, None)) is not None:
                self.problems.pop(key, None)
                keys.add(key)
            if (frontend := frontends.get(name)) is not None and (text := self._problem(frontend)):
                key = self._keys[name] = key_of(name)
                self.problems[key] = text
                keys.add(key)
        return keys

    def _file(self, frontend: Frontend, *, enter: bool) -> set[str]:
        """Note or forget what a frontend uses; return those that have its route."""
        for backend_id in backends_of(frontend):
            _note(self._users, backend_id, frontend.id, enter=enter)
        route = (frontend.priority, frontend.route)
        _note(self._twins, route, frontend.id, enter=enter)
        return self._twins.get(route, set())

    def _problem(self, frontend: Frontend) -> str | None:
        for backend_id in backends_of(frontend):
            if not self._has_backend(backend_id):
                does = "it answers 503" if backend_id == frontend.backend_id else "it does without"
                return f"frontend {frontend.id}: there is no backend {backend_id}; {does}"
        winner = min(self._twins[frontend.priority, frontend.route])
        if winner != frontend.id:
            return f"frontend {frontend.id}: frontend {winner} has the same route and wins; change one"
        return None


def _note(sets: dict[K, set[str]], key: K, name: str, *, enter: bool) -> None:
    if enter:
        sets.setdefault(key, set()).add(name)
    elif (names := sets.get(key)) is not None:
        names.discard(name)
        if not names:
            del sets[key]
