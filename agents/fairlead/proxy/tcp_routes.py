"""Which listeners pass which connections on: the listeners' own keys and the TCP routes, put together.  Sans-IO."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from fairlead.proxy.model import END, PLAIN, Listener, TcpRoute
from fairlead.proxy.origin import MAIN_ENTRYPOINT
from fairlead.proxy.tcp_rule import EVERY_NAME, Caller, Test, compile_tcp_rule, wildcard_of


def with_routes(
    listeners: Iterable[Listener], routes: Iterable[TcpRoute], *, has_backend: Callable[[str], bool]
) -> tuple[list[Listener], dict[str, str]]:
    """Return the listeners with the routes that are theirs, and what is wrong with which route, by its id."""
    by_id = {each.id: each for each in listeners}
    pieces: dict[str, list[TcpRoute]] = {}
    problems: dict[str, str] = {}
    for route in routes:
        for backend_id in backends_of(route):
            if not has_backend(backend_id):
                does = "its connections are closed" if backend_id == route.backend_id else "it does without"
                problems[route.id] = f"there is no backend {backend_id}; {does}"
        for name in route.entrypoints:
            problem = _misfit(by_id.get(name), name, route)
            if problem:
                problems[route.id] = problem
            else:
                pieces.setdefault(name, []).extend(_pieces(route))
    for name, added in pieces.items():
        listener = by_id[name]
        by_id[name] = replace(listener, routes=(*listener.routes, *sorted(added, key=_order)))
        for route_id, shadowed in _shadowed(by_id[name].routes).items():
            problems[route_id] = (
                f"listener {name} has another route for all of its connections, which goes first"
                if EVERY_NAME in shadowed
                else f"on listener {name} another route for {', '.join(shadowed)} goes first"
            )
    return list(by_id.values()), problems


def backends_of(route: TcpRoute) -> Iterator[str]:
    """Yield the ids of all backends that a route leads to."""
    yield route.backend_id
    for each in route.canaries:
        yield each.backend_id
    if route.fallback:
        yield route.fallback


def _misfit(listener: Listener | None, name: str, route: TcpRoute) -> str:
    """Return why a route cannot be on the listener called ``name``; empty: it can."""
    if listener is None:
        said = (
            "the socket of --listen speaks HTTP"
            if name == MAIN_ENTRYPOINT
            else f"there is no listener {name}"
        )
        return f'{said}; make one for TCP: a key listeners/ID with "Protocol":"tcp"'
    if route.tls == PLAIN and route.names and not listener.is_raw:
        return f'listener {name} speaks HTTP, and this would take all of it; give it "Protocol":"tcp"'
    if route.tls == END and listener.tls is None:
        return f'listener {name} has no TLS to end; give it "Protocol":"https" or "tcp"'
    return ""


def _pieces(route: TcpRoute) -> list[TcpRoute]:
    """Return the route name by name, since one of them may go before another route and the next behind it."""
    return [replace(route, names=(name,)) for name in route.names] or [route]


def _order(piece: TcpRoute) -> tuple[int, int, str]:
    """The higher priority first; among equals a name, then those beside it, then rules, then everybody."""
    if not piece.names:
        return -piece.priority, 2, piece.id
    (name,) = piece.names
    return -piece.priority, 3 if name == EVERY_NAME else 1 if name.startswith("*.") else 0, piece.id


def _shadowed(pieces: Iterable[TcpRoute]) -> dict[str, list[str]]:
    """Return which names of which routes never get a connection, as another route takes it."""
    found: dict[str, list[str]] = {}
    taken: set[tuple[bool, str]] = set()
    for piece in pieces:
        is_plain = piece.tls == PLAIN
        (name,) = piece.names or (EVERY_NAME,)
        before = {(is_plain, each) for each in (name, wildcard_of(name), EVERY_NAME)}
        if taken & before if piece.names else (is_plain, EVERY_NAME) in taken:
            found.setdefault(piece.id, []).append(name)
        elif piece.names:
            taken.add((is_plain, name))
    return found


class Passages:
    """The routes of one listener, compiled.

    Attributes:
        needs_hello: what a TLS client says first decides, so that it has to come first.
    """

    def __init__(self, routes: tuple[TcpRoute, ...]) -> None:
        self.needs_hello = any(each.tls != PLAIN for each in routes)
        self._named: dict[str, tuple[int, TcpRoute]] = {}
        self._ruled: list[tuple[int, Test, TcpRoute]] = []
        self._plain: list[tuple[Test, TcpRoute]] = []
        for at, route in enumerate(routes):
            test: Test = compile_tcp_rule(route.rule) if route.rule is not None else lambda _: True
            if route.tls == PLAIN:
                self._plain.append((test, route))
            elif route.rule is not None:
                self._ruled.append((at, test, route))
            for name in route.names if route.tls != PLAIN else ():
                self._named.setdefault(name, (at, route))

    def find(self, caller: Caller) -> TcpRoute | None:
        """Return the route of a connection; None: it has none."""
        if caller.is_tls:
            names = (caller.name, wildcard_of(caller.name), EVERY_NAME) if caller.name else (EVERY_NAME,)
            found = [self._named[name] for name in names if name in self._named]
            found += [(at, route) for at, test, route in self._ruled if test(caller)]
            if found:
                return min(found, key=lambda each: each[0])[1]
        return next((route for test, route in self._plain if test(caller)), None)


class Callers:
    """How many connections each client has, by route; outlives changes of the routes."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], int] = {}

    def enter(self, route_id: str, client: str, *, connections_max: int) -> bool:
        """Count a connection in; False: its client has so many already."""
        count = self._open.get((route_id, client), 0)
        if connections_max and count >= connections_max:
            return False
        self._open[route_id, client] = count + 1
        return True

    def leave(self, route_id: str, client: str) -> None:
        """Count a connection out."""
        self._open[route_id, client] -= 1
        if not self._open[route_id, client]:
            del self._open[route_id, client]
