"""Traefik's services: load balancers become backends; weighted, mirroring and failover ones, ways of a router to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.traefik.node import Node, required_names, without_provider

_STRATEGIES = {"": "wrr", "wrr": "wrr", "p2c": "p2c", "hrw": "hrw", "leasttime": "p2c"}
_DEPTH_MAX = 8
_SHARES_MAX = 64


@dataclass(frozen=True)
class Way:
    """Where a router's requests go.

    Attributes:
        shares: parts of the requests, by backend; they add up to 1.
        services: every service on the way.
        mirrors: who gets copies, in vulcand's JSON.
        sticky: how clients stay with their part, in vulcand's JSON; None: they do not.
        loses: a weighted service leads over mirroring, failover or sticky ones, which count for nothing then.
        pass_host: whether servers get the client's Host; Traefik's default.
    """

    shares: dict[str, float]
    services: set[str] = field(default_factory=set)
    mirrors: tuple[dict[str, Any], ...] = ()
    fallback: str = ""
    sticky: dict[str, Any] | None = None
    loses: bool = False
    pass_host: bool = True


def way_of(name: str, services: Mapping[str, Node], depth: int = 0) -> Way:
    """Follow a service to its load balancers.

    Raises:
        KeyProblem: services that lead in a circle, or too far.
    """
    node = services.get(name)
    if depth > _DEPTH_MAX:
        raise KeyProblem(f"service {name} leads in a circle")
    if node is None or "loadbalancer" in node:
        pass_host = node is None or node.flag("loadbalancer/passhostheader", default=True)
        return Way({name: 1.0}, {name}, pass_host=pass_host)
    if "weighted" in node:
        return _weighted(name, node.at("weighted"), services, depth)
    if "mirroring" in node:
        way = way_of(without_provider(node.required("mirroring/service")), services, depth + 1)
        node.accept("mirroring/mirrorbody", "true")
        mirrors = tuple(_mirror(node.at(f"mirroring/mirrors/{n}")) for n in node.names("mirroring/mirrors"))
        shadows = {each["BackendId"] for each in mirrors}
        return replace(way, services={*way.services, name, *shadows}, mirrors=(*way.mirrors, *mirrors))
    if "failover" in node:
        way = way_of(without_provider(node.required("failover/service")), services, depth + 1)
        fallback = without_provider(node.required("failover/fallback"))
        return replace(way, services={*way.services, name, fallback}, fallback=fallback)
    raise KeyProblem(f"service {name} is none of loadBalancer, weighted, mirroring, failover")


def _mirror(node: Node) -> dict[str, Any]:
    return {"BackendId": without_provider(node.required("name")), "Percent": node.number("percent", 0)}


def _weighted(name: str, node: Node, services: Mapping[str, Node], depth: int) -> Way:
    members = [node.at(f"services/{each}") for each in node.names("services")]
    names = required_names((each.required("name") for each in members), "services")
    weights = [max(0, each.number("weight", 1)) for each in members]
    total = sum(weights)
    if not total:
        raise KeyProblem(f"the weights of service {name} are all 0")
    shares: dict[str, float] = {}
    ways = [way_of(each, services, depth + 1) for each in names]
    for way, weight in zip(ways, weights, strict=True):
        for backend_id, share in way.shares.items():
            shares[backend_id] = shares.get(backend_id, 0.0) + share * weight / total
    if len(shares) > _SHARES_MAX:
        raise KeyProblem(f"service {name} has more than {_SHARES_MAX} parts")
    visited = {name}.union(*(way.services for way in ways))
    return Way(
        shares,
        visited,
        sticky=_sticky(node.at("sticky/cookie"), f"_{sha256(name.encode()).hexdigest()[:6]}")
        if "sticky" in node
        else None,
        loses=any(way.mirrors or way.fallback or way.sticky or way.loses for way in ways),
        pass_host=all(way.pass_host for way in ways),
    )


def servers_of(name: str, services: Mapping[str, Node]) -> list[str]:
    """Return the URLs of the servers of a load balancer.

    Raises:
        KeyProblem: there is no such service, or none of its servers.
    """
    balancer = services[name].at("loadbalancer/servers") if name in services else None
    urls = [balancer.required(f"{each}/url") for each in balancer.names()] if balancer is not None else []
    if not urls:
        raise KeyProblem(f"service {name} is no loadBalancer with servers")
    return urls


def transport_of(node: Node) -> str:
    """Return the name of the transport that a load balancer uses; empty when it names none."""
    return without_provider(node.text("loadbalancer/serverstransport"))


def backend_of(node: Node, transport: Node | None = None) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return the backend and the servers that a load balancer stands for, in vulcand's JSON.

    Args:
        node: the service.
        transport: how it speaks to its servers; None: as usual.

    Raises:
        KeyProblem: an option is not what it should be.
    """
    balancer = node.at("loadbalancer")
    strategy = balancer.text("strategy").lower()
    if strategy not in _STRATEGIES:
        raise KeyProblem(f"loadBalancer/strategy must be one of wrr, p2c, hrw, leasttime, not {strategy!r}")
    backend: dict[str, Any] = {"Type": "http", "Balance": _STRATEGIES[strategy]}
    balancer.text("passhostheader")  # It is the routers' to read.
    if transport is not None:
        backend["Settings"] = settings_of(transport)
    if "sticky" in balancer:
        backend["Sticky"] = _sticky(balancer.at("sticky/cookie"), "_fairlead")
    if balancer.text("healthcheck/mode").lower() == "grpc":
        # A server that speaks nothing else would fail all probes.
        balancer.disown("healthcheck/mode")
    elif "healthcheck" in balancer:
        backend["Health"] = _health(balancer.at("healthcheck"))
    if "passivehealthcheck" in balancer:
        passive = balancer.at("passivehealthcheck")
        backend["Outlier"] = {
            "Consecutive5xx": passive.number("maxfailedattempts", 1),
            "EjectTime": passive.duration("failurewindow") or "10s",
        }
    servers: dict[str, dict[str, Any]] = {}
    for name in balancer.names("servers"):
        each = balancer.at(f"servers/{name}")
        servers[name] = {"URL": each.required("url"), "Weight": each.number("weight", 1)}
    return backend, servers


def _sticky(cookie: Node, default: str) -> dict[str, Any]:
    sticky: dict[str, Any] = {
        "Cookie": cookie.text("name") or default,
        "Secure": cookie.flag("secure"),
        "HttpOnly": cookie.flag("httponly", default=True),
        "Path": cookie.text("path"),
        "Domain": cookie.text("domain"),
        "SameSite": cookie.text("samesite"),
    }
    if age_s := cookie.number("maxage"):
        sticky["TTL"] = f"{age_s}s"
    return sticky


def settings_of(node: Node) -> dict[str, Any]:
    """Return a backend's settings, in vulcand's JSON, for a transport to servers.

    Raises:
        KeyProblem: an option is not what it should be.
    """
    tls: dict[str, Any] = {
        "InsecureSkipVerify": node.flag("insecureskipverify"),
        "CACertFile": node.texts("rootcas"),
        "ServerName": node.text("servername"),
    }
    if "certificates" in node:
        certificate = node.at("certificates/0")
        tls |= {
            "ClientCertFile": certificate.required("certfile"),
            "ClientKeyFile": certificate.text("keyfile"),
        }
    timeouts = {
        ours: text
        for ours, theirs in (("Dial", "dialtimeout"), ("Read", "responseheadertimeout"))
        if (text := node.duration(f"forwardingtimeouts/{theirs}"))
    }
    idle_max = node.number("maxidleconnsperhost")
    return {"TLS": tls, "Timeouts": timeouts, "KeepAlive": {"MaxIdleConnsPerHost": max(0, idle_max)}}


def _health(node: Node) -> dict[str, Any]:
    health: dict[str, Any] = {
        "Path": "/" + node.text("path").removeprefix("/"),
        "Interval": node.duration("interval") or "30s",
        "UnhealthyInterval": node.duration("unhealthyinterval"),
        "Scheme": node.text("scheme"),
        "Headers": node.pairs("headers"),
        "FollowRedirects": node.flag("followredirects", default=True),
    }
    health["Timeout"] = node.duration("timeout") or "5s"
    health["Host"] = node.text("hostname")
    health["Method"] = node.text("method") or "GET"
    health["Rise"] = health["Fall"] = 1
    if port := node.number("port"):
        health["Port"] = port
    if status := node.number("status"):
        health["Status"] = status
    return health
