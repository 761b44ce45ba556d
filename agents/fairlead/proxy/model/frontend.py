"""Frontends: routes, and what becomes of the requests that match.

Source: vulcand, engine/model.go, for Settings; the fields beside Settings are ours.
"""

from dataclasses import dataclass

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.expression import Either, Expression, parse_expression, parse_rule
from fairlead.proxy.failover import parse_failover
from fairlead.proxy.headers import TOKEN
from fairlead.proxy.keys import ObjectId
from fairlead.proxy.match import compile_expression
from fairlead.proxy.model.backend import Sticky, read_sticky
from fairlead.proxy.model.fields import Fields
from fairlead.proxy.trailers import may_trail

ATTEMPTS_MAX = 10
KEPT_BYTES_MAX = 16 * 1024 * 1024
"""Of one request body, whatever a frontend asks for: it is kept in memory while the answer has not begun."""
_BUDGET_RATIO = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A part of the requests that goes to another backend.

    A request that carries the header or cookie goes there; of the others, ``ratio``, chosen by chance.

    Attributes:
        header, cookie: ``name`` or ``name=value``; empty: none.
        ratio: from 0 to 1.
    """

    backend_id: str
    ratio: float = 0.0
    header: str = ""
    cookie: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """A backend that gets copies of requests; its answers are dropped."""

    backend_id: str
    ratio: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How far repeating may go.

    Attributes:
        budget_ratio: repeats, as a part of all requests, beside the few a second that are always allowed.
        try_s: for the first byte of the answer to one attempt; None: the backend's own patience.
        attempts_max: with the first.
    """

    budget_ratio: float = _BUDGET_RATIO
    try_s: float | None = None
    attempts_max: int = ATTEMPTS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Patience for one frontend.  None: the backend's own; ``total_s`` None: no limit over all."""

    dial_s: float | None = None
    read_s: float | None = None
    total_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """A route, and what to do with what matches it.

    Attributes:
        route: the text of the route; of Traefik's rules, joined, when those were given.
        priority: higher is tried first; without one, 0, and a rule of Traefik's has its length, as there.  Among
            equals vulcand's order rules.
        body_bytes_max: larger request bodies are answered 413; 0 means no limit.
        memory_bytes_max: of a request body, what is kept to be sent again; 0: the proxy's default.
        hostname: put into X-Forwarded-Server when not empty.
        failover: the predicate that says when a request is repeated; empty: the default one.
        stream: bodies are passed on as they come; vulcand's default holds them back first.
        flush_s: how often a stream is flushed; 0: at once.
        entrypoints: ids of the listeners that it is served on; empty: all.
        is_tls_only: clients that speak no TLS do not see it.
        canaries: tried in order.
        sticky: clients stay with the backend that they were dealt; None: each request is dealt anew.
        mirrors: each of them gets copies.
        error_pages: what is shown in place of answers, by status (``404``) or range of them (``500-599``).
        fallback: id of the backend that is asked when no server of its own can be; empty: none.
        is_logged: its requests are in the access log.
        trailers: names, lower-case, of the fields that may go on behind a body; None: the usual ones.
    """

    id: str
    backend_id: str
    route: str
    expression: Expression
    priority: int = 0
    pass_host_header: bool = False
    trust_forward_header: bool = False
    hostname: str = ""
    body_bytes_max: int = 0
    memory_bytes_max: int = 0
    failover: str = ""
    stream: bool = False
    flush_s: float = 0.0
    entrypoints: tuple[str, ...] = ()
    is_tls_only: bool = False
    canaries: tuple[Canary, ...] = ()
    sticky: Sticky | None = None
    mirrors: tuple[Mirror, ...] = ()
    fallback: str = ""
    retry: Retry | None = None
    timeouts: Timeouts | None = None
    error_pages: tuple[tuple[str, str], ...] = ()
    is_logged: bool = True
    trailers: frozenset[bytes] | None = None


def read_frontend(identity: ObjectId, fields: Fields) -> Frontend:
    """Return the frontend that ``fields`` describe.

    Raises:
        KeyProblem: a field is missing or not what it should be.
        ExpressionError: the route cannot be read; says where.
    """
    fields.choice("Type", ("http",), "http")
    settings = fields.inside("Settings")
    limits = settings.inside("Limits")
    route, expression, priority = _read_route(fields)
    pages = fields.inside("ErrorPages")
    return Frontend(
        id=identity.name,
        backend_id=fields.required_text("BackendId"),
        route=route,
        expression=expression,
        priority=fields.number("Priority", priority, low=-(2**31)),
        pass_host_header=settings.flag("PassHostHeader"),
        trust_forward_header=settings.flag("TrustForwardHeader"),
        hostname=settings.header_text("Hostname"),
        body_bytes_max=max(0, limits.number("MaxBodyBytes")),
        memory_bytes_max=min(max(0, limits.number("MaxMemBodyBytes")), KEPT_BYTES_MAX),
        failover=_read_failover(settings),
        stream=settings.flag("Stream"),
        flush_s=max(0, settings.number("StreamFlushIntervalNanoSecs")) / 1e9,
        entrypoints=fields.texts("Entrypoints"),
        is_tls_only=fields.flag("TLS"),
        canaries=tuple(_read_canary(each) for each in fields.each_inside("Canary")),
        sticky=read_sticky(fields.inside("Sticky")),
        mirrors=tuple(_read_mirror(each) for each in fields.each_inside("Mirror")),
        fallback=fields.text("Fallback"),
        retry=_read_retry(fields.inside("Retry")) if "Retry" in fields else None,
        timeouts=_read_timeouts(fields.inside("Timeouts")) if "Timeouts" in fields else None,
        error_pages=tuple(sorted((name, pages.text(name)) for name in pages.values)),
        is_logged=fields.flag("AccessLog", default=True),
        trailers=_read_trailers(settings) if "Trailers" in settings else None,
    )


def _read_route(fields: Fields) -> tuple[str, Expression, int]:
    """Return the text of the route, what it says, and its priority when none is given."""
    rules = fields.texts("Routes")
    if rules and not fields.text("Route"):
        parsed = tuple(parse_rule(rule) for rule in rules)
        expression = parsed[0] if len(parsed) == 1 else Either(parsed)
        route, priority = " || ".join(rules), max(map(len, rules))
    else:
        route, priority = fields.required_text("Route"), 0
        expression = parse_expression(route)
    # What is wrong with a pattern in it must be known here; the result is cached.
    compile_expression(expression)
    return route, expression, priority


def _read_trailers(settings: Fields) -> frozenset[bytes]:
    names = settings.texts("Trailers")
    for name in names:
        if TOKEN.fullmatch(name.lower().encode()) is None or not may_trail(name.lower().encode()):
            raise KeyProblem(
                f"{settings.path('Trailers')}: {name!r} may not stand behind a body; leave it out"
            )
    return frozenset(name.lower().encode() for name in names)


def _read_failover(settings: Fields) -> str:
    text = settings.text("FailoverPredicate")
    if text:
        try:
            parse_failover(text)
        except KeyProblem as problem:
            raise KeyProblem(f"{settings.path('FailoverPredicate')}: {problem}") from problem
    return text


def _read_canary(fields: Fields) -> Canary:
    canary = Canary(
        backend_id=fields.required_text("BackendId"),
        ratio=fields.ratio("Percent", 0.0, high=100) / 100,
        header=fields.header_text("Header"),
        cookie=fields.header_text("Cookie"),
    )
    if not (canary.ratio or canary.header or canary.cookie):
        raise KeyProblem(f"{fields.path('Percent')} is missing; or give a Header or a Cookie")
    return canary


def _read_mirror(fields: Fields) -> Mirror:
    return Mirror(
        backend_id=fields.required_text("BackendId"), ratio=fields.ratio("Percent", 100.0, high=100) / 100
    )


def _read_retry(fields: Fields) -> Retry:
    return Retry(
        budget_ratio=fields.ratio("Budget", _BUDGET_RATIO),
        try_s=fields.duration_s("PerTryTimeout"),
        attempts_max=fields.number("Attempts", ATTEMPTS_MAX, low=1, high=ATTEMPTS_MAX),
    )


def _read_timeouts(fields: Fields) -> Timeouts:
    return Timeouts(
        dial_s=fields.duration_s("Dial"), read_s=fields.duration_s("Read"), total_s=fields.duration_s("Total")
    )
