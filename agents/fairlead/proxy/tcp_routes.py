"""Which listeners pass which connections on: the listeners' own keys and the TCP routes, put together.  Sans-IO."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from fairlead.proxy.model import END, PLAIN, Listener, TcpRoute
from fairlead.proxy.origin import MAIN_ENTRYPOINT


def with_routes(
    listeners: Iterable[Listener], routes: Iterable[TcpRoute], *, has_backend: Callable[[str], bool]
) -> tuple[list[Listener], dict[str, str]]:
    """Return the listeners with the routes that are theirs, and what is wrong with which route, by its id."""
    by_id = {each.id: each for each in listeners}
    problems: dict[str, str] = {}
    for route in sorted(routes, key=lambda each: (-each.priority, each.id)):
        if not has_backend(route.backend_id):
            problems[route.id] = f"there is no backend {route.backend_id}; its connections are closed"
        for name in route.entrypoints:
            problem = _add(by_id, name, route)
            if problem:
                problems[route.id] = problem
    return list(by_id.values()), problems


def _add(listeners: dict[str, Listener], name: str, route: TcpRoute) -> str:
    """Add a route to the listener called ``name``; return what is wrong with that."""
    listener = listeners.get(name)
    if listener is None:
        said = (
            "the socket of --listen speaks HTTP"
            if name == MAIN_ENTRYPOINT
            else f"there is no listener {name}"
        )
        return f'{said}; make one for TCP: a key listeners/ID with "Protocol":"tcp"'
    if route.tls == PLAIN:
        if not listener.is_raw:
            return f'listener {name} speaks HTTP, and this would take all of it; give it "Protocol":"tcp"'
        if listener.backend_id:
            return f"listener {name} has another route for all of its connections, which goes first"
        listeners[name] = replace(listener, backend_id=route.backend_id)
        return ""
    if route.tls == END and listener.tls is None:
        return f'listener {name} has no TLS to end; give it "Protocol":"https" or "tcp"'
    taken = {*dict(listener.passthrough), *dict(listener.ended)}
    added = tuple((each, route.backend_id) for each in route.names if each not in taken)
    if route.tls == END:
        listeners[name] = replace(listener, ended=(*listener.ended, *added))
    else:
        listeners[name] = replace(listener, passthrough=(*listener.passthrough, *added))
    missed = [each for each in route.names if each in taken]
    return f"on listener {name} another route for {', '.join(missed)} goes first" if missed else ""


Passages = Mapping[str, tuple[str, bool]]
"""By name: the backend, and whether TLS is ended here."""


def passages_of(listener: Listener) -> Passages:
    """Return where the TLS clients of a listener go by the name that they ask for."""
    ended = {name: (backend_id, True) for name, backend_id in listener.ended}
    return ended | {name: (backend_id, False) for name, backend_id in listener.passthrough}


def passage_for(passages: Passages, name: str) -> tuple[str, bool] | None:
    """Return where a TLS client goes that asks for ``name``, which is empty if it asks for none."""
    found = passages.get(name) if name else None
    if found is None and name:
        found = passages.get("*." + name.partition(".")[2])
    return found or passages.get("*")
