"""Routes of connections that are not HTTP: to which backend they go, by the name that a TLS client asks for.

Ours; vulcand has none.  Traefik's TCP routers become these.
"""

from dataclasses import dataclass

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.keys import ObjectId
from fairlead.proxy.model.fields import Fields

PLAIN, PASS, END = "plain", "pass", "end"


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpRoute:
    """Where connections of some listeners go.

    Attributes:
        entrypoints: ids of those listeners.
        names: that TLS clients ask for, lower-case; ``*.example`` stands for one more label, ``*`` for every client.
        tls: ``plain``: all connections, whatever they speak; ``pass``: TLS ones, unopened; ``end``: TLS ones, and TLS is
            ended here.
        priority: of two routes for one name the higher counts.
    """

    id: str
    entrypoints: tuple[str, ...]
    names: tuple[str, ...]
    backend_id: str
    tls: str = PLAIN
    priority: int = 0


def read_tcp_route(identity: ObjectId, fields: Fields) -> TcpRoute:
    """Return the route that ``fields`` describe.

    Raises:
        KeyProblem: a field is missing or not what it should be.
    """
    names = tuple(each.lower().rstrip(".") for each in fields.texts("Names")) or ("*",)
    tls = fields.choice("TLS", (PLAIN, PASS, END), PLAIN)
    if tls == PLAIN and names != ("*",):
        raise KeyProblem('only TLS clients say a name; give "TLS":"pass" or "end", or the one name "*"')
    entrypoints = fields.texts("Entrypoints")
    if not entrypoints:
        raise KeyProblem(f"{fields.path('Entrypoints')} is missing; give the ids of listeners")
    return TcpRoute(
        id=identity.name,
        entrypoints=entrypoints,
        names=names,
        backend_id=fields.required_text("BackendId"),
        tls=tls,
        priority=fields.number("Priority", low=-(2**31)),
    )
