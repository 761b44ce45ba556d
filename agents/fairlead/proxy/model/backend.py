"""Backends: groups of servers, and how one of them is chosen and spoken to.

Source: vulcand, engine/model.go, for Settings; the fields beside Settings are ours.
"""

from dataclasses import dataclass

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.headers import TOKEN
from fairlead.proxy.keys import ObjectId
from fairlead.proxy.model.fields import Fields
from fairlead.proxy.model.tls import TlsSettings, read_tls

PROXY_PROTOCOLS = {"": 0, "none": 0, "proxy_v1": 1, "proxy_v2": 2}
BALANCES = ("wrr", "p2c", "leastconn", "hrw", "first")
_STATUS_MAX = 599
_WAITING_MAX = 100_000
_QUEUE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sticky:
    """That a client stays with its server, by a cookie.

    Attributes:
        ttl_s: Max-Age of the cookie; 0: until the browser closes.
        path, domain, same_site: as in the cookie; an empty domain: the host that was asked.
        is_hidden: scripts do not see the cookie.
        key: makes the cookie's values such that nobody else can compute them; empty: they can be.
    """

    cookie: str
    ttl_s: float = 0
    is_secure: bool = False
    is_hidden: bool = True
    path: str = "/"
    domain: str = ""
    same_site: str = "Lax"
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How servers are probed.

    Attributes:
        statuses: lowest and highest status that is healthy.
        body: must be in the answer, when not empty.
        rise, fall: probes in a row that turn the verdict.
        port, scheme: 0 and empty: the server's own.
        headers: names and values of fields that probes have.
        interval_ill_s: between probes of a server that is ill; 0: as with one that is well.
        follows: a redirect is followed, and its end is judged.
    """

    path: str = "/"
    interval_s: float = 10.0
    interval_ill_s: float = 0.0
    timeout_s: float = 5.0
    statuses: tuple[int, int] = (200, 399)
    body: str = ""
    rise: int = 2
    fall: int = 3
    host: str = ""
    port: int = 0
    scheme: str = ""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    follows: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """When a server is put out for what it answers.

    Attributes:
        failures_max: answers of 5xx in a row that put it out; 0: never.
        eject_s: how long, the first time; each time in a row it is that much longer.
        ejected_ratio_max: of the servers, how many may be out at once, from 0 to 1.
    """

    failures_max: int = 5
    eject_s: float = 30.0
    ejected_ratio_max: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Where requests wait when every server has all it may have."""

    size: int
    timeout_s: float = _QUEUE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """How to talk to a group of servers.  None: the proxy's own default.

    Attributes:
        dial_s: until a connection stands.
        read_s: until the first byte of a response, and between two pieces of it.
        tls_handshake_s: until TLS stands on a connection.
        keep_alive_s: between TCP's own probes of an idle connection.
        idle_max: kept-alive connections to one server.
        tls: how TLS is spoken to servers whose URL says https.
        proxy_protocol: version of the PROXY header that connections to servers begin with, not over TLS; 0: none.
        balance: one of ``BALANCES``.
        slow_start_s: how long a server that is new or healed takes to its full share; 0: at once.
        connections_max: requests at a time for each server; 0: no limit.
        rebalances: servers that fail more than the others get less than their share.
        discover: a name of the store's DNS records that gives the servers, such as ``web.svc``; empty: none.
    """

    id: str
    dial_s: float | None = None
    read_s: float | None = None
    tls_handshake_s: float | None = None
    keep_alive_s: float | None = None
    idle_max: int | None = None
    tls: TlsSettings | None = None
    proxy_protocol: int = 0
    balance: str = "wrr"
    sticky: Sticky | None = None
    health: HealthCheck | None = None
    outlier: Outlier | None = None
    slow_start_s: float = 0.0
    connections_max: int = 0
    queue: Queue | None = None
    rebalances: bool = False
    discover: str = ""


def read_backend(identity: ObjectId, fields: Fields) -> Backend:
    """Return the backend that ``fields`` describe.

    Raises:
        KeyProblem: a field is not what it should be.
    """
    fields.choice("Type", ("http",), "http")
    settings = fields.inside("Settings")
    timeouts = settings.inside("Timeouts")
    keep_alive = settings.inside("KeepAlive")
    idle_max = keep_alive.number("MaxIdleConnsPerHost")
    balance = fields.choice("Balance", BALANCES, "wrr")
    if fields.flag("Rebalance") and balance != "wrr":
        raise KeyProblem(
            f'Rebalance goes with "Balance":"wrr", not {balance!r}, which looks at servers itself'
        )
    return Backend(
        id=identity.name,
        dial_s=timeouts.duration_s("Dial"),
        read_s=timeouts.duration_s("Read"),
        tls_handshake_s=timeouts.duration_s("TLSHandshake"),
        keep_alive_s=keep_alive.duration_s("Period"),
        idle_max=idle_max if idle_max > 0 else None,
        tls=read_tls(settings.inside("TLS")) if "TLS" in settings else None,
        proxy_protocol=PROXY_PROTOCOLS[fields.choice("ProxyProtocol", tuple(PROXY_PROTOCOLS), "")],
        balance=balance,
        rebalances=fields.flag("Rebalance"),
        sticky=read_sticky(fields.inside("Sticky")),
        health=_read_health(fields.inside("Health")) if "Health" in fields else None,
        outlier=_read_outlier(fields.inside("Outlier")) if "Outlier" in fields else None,
        slow_start_s=fields.duration_s("SlowStart") or 0.0,
        connections_max=fields.number("MaxConns", low=0),
        queue=_read_queue(fields.inside("Queue")),
        discover=fields.text("Discover").removeprefix("dns:").strip("."),
    )


def read_sticky(fields: Fields) -> Sticky | None:
    """Return what makes clients stay; None when no cookie is named.

    Raises:
        KeyProblem: it cannot be a cookie.
    """
    cookie = fields.header_text("Cookie")
    if not cookie:
        return None
    if not all(each.isalnum() or each in "_-.!" for each in cookie):
        raise KeyProblem(f"{fields.path('Cookie')} must be a cookie's name, not {cookie!r}")
    path, domain = fields.header_text("Path") or "/", fields.header_text("Domain")
    if not path.startswith("/") or ";" in path + domain:
        raise KeyProblem(
            f"{fields.path('Path')} must begin with a slash, and neither it nor Domain has semicolons"
        )
    return Sticky(
        cookie=cookie,
        ttl_s=fields.duration_s("TTL") or 0,
        is_secure=fields.flag("Secure"),
        is_hidden=fields.flag("HttpOnly", default=True),
        path=path,
        domain=domain,
        same_site=fields.choice("SameSite", ("lax", "strict", "none"), "lax").capitalize(),
        key=fields.text("Key"),
    )


def _read_health(fields: Fields) -> HealthCheck:
    default = HealthCheck()
    path = fields.header_text("Path") or default.path
    if not path.startswith("/"):
        raise KeyProblem(f"{fields.path('Path')} must begin with a slash, not {path!r}")
    return HealthCheck(
        path=path,
        interval_s=fields.duration_s("Interval") or default.interval_s,
        interval_ill_s=fields.duration_s("UnhealthyInterval") or 0.0,
        timeout_s=fields.duration_s("Timeout") or default.timeout_s,
        statuses=_read_statuses(fields),
        body=fields.text("Body"),
        rise=fields.number("Rise", default.rise, low=1),
        fall=fields.number("Fall", default.fall, low=1),
        host=fields.header_text("Host"),
        port=fields.number("Port", low=0, high=65535),
        scheme=fields.choice("Scheme", ("", "http", "https"), ""),
        method=fields.header_text("Method") or default.method,
        headers=_read_headers(fields.inside("Headers")),
        follows=fields.flag("FollowRedirects"),
    )


def _read_headers(fields: Fields) -> tuple[tuple[str, str], ...]:
    for name in fields.values:
        if not name.isascii() or TOKEN.fullmatch(name.encode()) is None:
            raise KeyProblem(f"{fields.path(name)} is no name of a header field")
    return tuple((name, fields.header_text(name)) for name in fields.values)


def _read_statuses(fields: Fields) -> tuple[int, int]:
    """Read ``204``, ``"204"`` or ``"200-299"``."""
    value = fields.values.get("Status")
    if isinstance(value, int) and not isinstance(value, bool):
        low = high = value
    else:
        first, dash, last = (fields.text("Status") or "200-399").partition("-")
        if not (first + last).isdecimal() or bool(dash) != bool(last):
            raise KeyProblem(f'{fields.path("Status")} must look like 204 or "200-299", not {value!r}')
        low, high = int(first), int(last or first)
    if not 100 <= low <= high <= _STATUS_MAX:
        raise KeyProblem(f"{fields.path('Status')} must be from 100 to {_STATUS_MAX}")
    return low, high


def _read_outlier(fields: Fields) -> Outlier:
    default = Outlier()
    percent = fields.ratio("MaxEjectPercent", default.ejected_ratio_max * 100, high=100)
    return Outlier(
        failures_max=fields.number("Consecutive5xx", default.failures_max, low=0),
        eject_s=fields.duration_s("EjectTime") or default.eject_s,
        ejected_ratio_max=percent / 100,
    )


def _read_queue(fields: Fields) -> Queue | None:
    size = fields.number("Size", low=0, high=_WAITING_MAX)
    timeout_s = fields.duration_s("Timeout")
    return Queue(size=size, timeout_s=timeout_s or _QUEUE_S) if size else None
