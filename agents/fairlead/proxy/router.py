"""Which frontend a request belongs to: an immutable index over the conditions of all routes.

The rule is vulcand's: routes are tried in reverse lexicographic order of their text, and the first that
matches wins; a ``Priority`` goes before that, an id comes after.  Trying ten thousand routes one by one would be
slow, so that each conjunction is filed under its host, if it names one, and there under its path: a dictionary
for literal paths, one for prefixes, a tree of segments for patterns, a list for the rest.  A look-up takes the
best of each of these and comes to the same answer as trying all.

A router never changes; ``changed`` makes another one that shares all but what is touched.
"""

from collections.abc import Iterable

from fairlead.proxy.match import Condition, Conjunction, Routable, Test, compile_expression, decoded
from fairlead.proxy.model import Frontend
from fairlead.proxy.paths import Candidate, Order, Paths

_TURNED_ROUND = bytes(range(255, -1, -1))
_END = b"\xff"


def precedence(frontend: Frontend) -> Order:
    """Return what sorts frontends as their routes are tried: priority, vulcand's order of the text, the id."""
    # With each byte turned round, and an end that sorts after all of them, ascending is descending.
    return (-frontend.priority, frontend.route.encode().translate(_TURNED_ROUND) + _END, frontend.id)


def in_order_of_precedence(frontends: Iterable[Frontend]) -> list[Frontend]:
    """Sort as routes are tried."""
    return sorted(frontends, key=precedence)


class Router:
    """The index as of one revision."""

    __slots__ = ("_anywhere", "_domains", "_hosts")

    def __init__(self, frontends: Iterable[Frontend] = ()) -> None:
        owner = object()
        self._hosts: dict[bytes, Paths] = {}
        self._domains: dict[bytes, Paths] = {}
        self._anywhere = Paths(owner)
        for frontend in frontends:
            self._file(frontend, owner, is_new=True)

    def changed(self, *, removed: Iterable[Frontend] = (), added: Iterable[Frontend] = ()) -> "Router":
        """Return a router without ``removed``, which are as they were added, and with ``added``."""
        owner = object()
        router = Router()
        router._hosts, router._domains = dict(self._hosts), dict(self._domains)
        router._anywhere = self._anywhere.editable(owner)
        for frontend in removed:
            router._file(frontend, owner, is_new=False)
        for frontend in added:
            router._file(frontend, owner, is_new=True)
        return router

    def find(self, request: Routable) -> Frontend | None:
        """Return the frontend whose route matches first, or None."""
        best = self._anywhere.find(request, None)
        host = request.host
        if (paths := self._hosts.get(host)) is not None:
            best = paths.find(request, best)
        if self._domains:
            domain = host.partition(b".")[2]
            if (paths := self._domains.get(domain)) is not None and domain:
                best = paths.find(request, best)
        if b"%" in request.path:
            best = self._find_decoded(request, best)
        return None if best is None else best.frontend

    def _find_decoded(self, request: Routable, best: Candidate | None) -> Candidate | None:
        path = decoded(request.path)
        if path == request.path:
            return best
        domain = request.host.partition(b".")[2]
        for paths in (self._anywhere, self._hosts.get(request.host), self._domains.get(domain)):
            if paths is not None:
                best = paths.find_decoded(request, path, best)
        return best

    def _file(self, frontend: Frontend, owner: object, *, is_new: bool) -> None:
        order = precedence(frontend)
        for conjunction in compile_expression(frontend.expression):
            path = (
                _first(conjunction, "Path", "literal")
                or _first(conjunction, "Path", "prefix")
                or _first(conjunction, "Path", "pattern")
            )
            host = _first(conjunction, "Host", "literal")
            domain = None if host else _first(conjunction, "Host", "domain")
            proven = [each for each in (host, path) if each is not None and not each.is_partial]
            tests = tuple(each.test for each in conjunction if not any(each is it for it in proven))
            if frontend.entrypoints:
                tests = (_comes_to(frozenset(frontend.entrypoints)), *tests)
            if frontend.is_tls_only:
                tests = (_is_secure, *tests)
            paths = self._paths(host, domain, owner)
            if is_new:
                is_decoded = path is not None and path.is_decoded
                paths.add(path, Candidate(order, tests, frontend, is_decoded))
            else:
                paths.remove(path, order)
            if paths.is_empty:
                self._forget(host, domain)

    def _paths(self, host: Condition | None, domain: Condition | None, owner: object) -> Paths:
        if host is not None and host.literal is not None:
            places, key = self._hosts, host.literal
        elif domain is not None and domain.domain is not None:
            places, key = self._domains, domain.domain
        else:
            return self._anywhere
        found = places.get(key)
        paths = places[key] = Paths(owner) if found is None else found.editable(owner)
        return paths

    def _forget(self, host: Condition | None, domain: Condition | None) -> None:
        if host is not None and host.literal is not None:
            del self._hosts[host.literal]
        elif domain is not None and domain.domain is not None:
            del self._domains[domain.domain]


def _is_secure(request: Routable) -> bool:
    return request.is_secure


def _comes_to(entrypoints: frozenset[str]) -> Test:
    return lambda request: request.entrypoint in entrypoints


def _first(conjunction: Conjunction, field: str, kind: str) -> Condition | None:
    for each in conjunction:
        if each.field == field and getattr(each, kind) is not None:
            return each
    return None
