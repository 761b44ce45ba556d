"""Routes of connections that are not HTTP: to which backend they go, by what a client says before it is answered.

Ours; vulcand has none.  Traefik's TCP routers become these.
"""

from dataclasses import dataclass

from fairlead.agent import Networks
from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.grammar import Node
from fairlead.proxy.keys import ObjectId
from fairlead.proxy.model.fields import Fields
from fairlead.proxy.model.frontend import Canary
from fairlead.proxy.tcp_rule import EVERY_NAME, names_in, needs_tls, parse_tcp_rule

PLAIN, PASS, END = "plain", "pass", "end"
_LAST = -1
"""The priority of a rule that everybody meets, as in Traefik."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpRoute:
    """Where connections of some listeners go.

    Attributes:
        entrypoints: ids of those listeners.
        names: that TLS clients ask for, lower-case; ``*.example`` stands for one more label, ``*`` for every client.
            Empty: ``rule`` says it all.
        rule: what a connection must be like, where names are not all.
        canaries: parts of the connections that go to other backends.
        fallback: id of the backend that is asked when no server of its own can be; empty: none.
        tls: ``plain``: all connections, whatever they speak; ``pass``: TLS ones, unopened; ``end``: TLS ones, and TLS is
            ended here.
        priority: of two routes that match the higher counts.
        allowed: whose connections are not closed; None: everybody's.
        connections_max: of each client at a time, over all listeners; 0: no limit.
    """

    id: str
    entrypoints: tuple[str, ...]
    backend_id: str
    names: tuple[str, ...] = (EVERY_NAME,)
    rule: Node | None = None
    canaries: tuple[Canary, ...] = ()
    fallback: str = ""
    tls: str = PLAIN
    priority: int = 0
    allowed: Networks | None = None
    connections_max: int = 0


def read_tcp_route(identity: ObjectId, fields: Fields) -> TcpRoute:
    """Return the route that ``fields`` describe.

    Raises:
        KeyProblem: a field is missing or not what it should be.
        ExpressionError: the rule cannot be read; says where.
    """
    tls = fields.choice("TLS", (PLAIN, PASS, END), PLAIN)
    names, rule, priority = _read_match(fields)
    asks_for_tls = needs_tls(rule) if rule is not None else names != (EVERY_NAME,)
    if tls == PLAIN and asks_for_tls:
        raise KeyProblem(
            'only TLS clients say a name or a protocol; give "TLS":"pass" or "end", or the one name "*"'
        )
    entrypoints = fields.texts("Entrypoints")
    if not entrypoints:
        raise KeyProblem(f"{fields.path('Entrypoints')} is missing; give the ids of listeners")
    return TcpRoute(
        id=identity.name,
        entrypoints=entrypoints,
        names=names,
        rule=rule,
        backend_id=fields.required_text("BackendId"),
        canaries=tuple(_read_part(each) for each in fields.each_inside("Canary")),
        fallback=fields.text("Fallback"),
        tls=tls,
        priority=fields.number("Priority", priority, low=-(2**31)),
        allowed=_read_networks(fields) if "SourceRange" in fields else None,
        connections_max=fields.number("ConnectionsPerClient", low=0),
    )


def _read_match(fields: Fields) -> tuple[tuple[str, ...], Node | None, int]:
    """Return names, or else a rule, and the priority when none is given."""
    text = fields.text("Rule")
    if not text:
        return tuple(each.lower().rstrip(".") for each in fields.texts("Names")) or (EVERY_NAME,), None, 0
    if "Names" in fields:
        raise KeyProblem("Names and Rule are two ways to say one thing; leave Names out")
    rule = parse_tcp_rule(text)
    names = names_in(rule)
    return names, None if names else rule, _LAST if names == (EVERY_NAME,) else len(text)


def _read_part(fields: Fields) -> Canary:
    if "Header" in fields or "Cookie" in fields:
        raise KeyProblem(f"{fields.path('Percent')} alone says who goes there: connections have no fields")
    return Canary(
        backend_id=fields.required_text("BackendId"), ratio=fields.ratio("Percent", 0.0, high=100) / 100
    )


def _read_networks(fields: Fields) -> Networks:
    try:
        return Networks(fields.texts("SourceRange"))
    except ValueError as error:
        raise KeyProblem(
            f'{fields.path("SourceRange")}: {error}; write networks as ["10.0.0.0/8"]'
        ) from error
