"""Traefik's TCP routers, services and middlewares, in our JSON: connections that are passed on as they are."""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.tcp_rule import EVERY_NAME, names_in, parse_tcp_rule
from fairlead.proxy.traefik.node import Node
from fairlead.proxy.traefik.routers import SYNTAXES
from fairlead.proxy.traefik.rules import tcp_version_3_of
from fairlead.proxy.traefik.services import Way, settings_of, transport_of

BACKEND = "tcp:{}"
"""What the backend of a service is called: HTTP has names of its own."""


def tcp_route_of(node: Node, way: Way, guards: Iterable[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Return the route that a router stands for.

    Args:
        node: the router.
        way: where its service leads.
        guards: what its middlewares want of a connection; all of it counts.

    Raises:
        KeyProblem: an option is missing or not what it should be.
    """
    entrypoints = node.texts("entrypoints")
    if not entrypoints:
        raise KeyProblem("entryPoints are missing; give ids of listeners, or it would take all connections")
    rule = node.required("rule")
    syntax = node.text("rulesyntax").lower()
    if syntax not in SYNTAXES:
        raise KeyProblem(f"ruleSyntax {syntax!r} is not read here; write the rule in version 3")
    is_tls = node.flag("tls", default="tls" in node)
    ending = "pass" if node.flag("tls/passthrough") else "end"
    said = tcp_version_3_of(rule) if syntax == "v2" else rule
    main, *others = sorted(way.shares, key=lambda each: -way.shares[each])
    value: dict[str, Any] = {
        "Entrypoints": entrypoints,
        "Rule": said,
        "TLS": ending if is_tls else "plain",
        "BackendId": BACKEND.format(main),
        "Canary": [{"BackendId": BACKEND.format(each), "Percent": way.shares[each] * 100} for each in others],
        **_together(guards),
    }
    priority = node.number("priority")
    if not priority and syntax == "v2" and names_in(parse_tcp_rule(said)) != (EVERY_NAME,):
        priority = len(rule)  # and not that of what it says in version 3
    if priority:
        value["Priority"] = priority
    return value


def _together(guards: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return one guard that wants what all of them want."""
    whole: dict[str, Any] = {}
    for guard in guards:
        if "SourceRange" in guard and "SourceRange" in whole:
            whole["SourceRange"] = _common(whole["SourceRange"], guard["SourceRange"])
        elif "SourceRange" in guard:
            whole["SourceRange"] = guard["SourceRange"]
        if "ConnectionsPerClient" in guard:
            amount = guard["ConnectionsPerClient"]
            whole["ConnectionsPerClient"] = min(amount, whole.get("ConnectionsPerClient", amount))
    return whole


def _common(left: list[str], right: list[str]) -> list[str]:
    """Return the networks that are in both; of two of them one lies in the other, or they have nothing in common."""
    pairs = [(ipaddress.ip_network(a), ipaddress.ip_network(b)) for a in left for b in right]
    return [str(max(pair, key=lambda each: each.prefixlen)) for pair in pairs if pair[0].overlaps(pair[1])]


def tcp_guard_of(node: Node) -> dict[str, Any]:
    """Return what a middleware wants of a connection.

    Raises:
        KeyProblem: it is of a type that TCP has not here, or an option is not what it should be.
    """
    (kind, *others) = node.names() or [""]
    if others or kind not in {"ipallowlist", "ipwhitelist", "inflightconn"}:
        raise KeyProblem("TCP has ipAllowList and inFlightConn here, one of them in each middleware")
    if kind == "inflightconn":
        amount = node.number(f"{kind}/amount")
        if amount <= 0:
            raise KeyProblem("inFlightConn/amount must be at least 1")
        return {"ConnectionsPerClient": amount}
    try:
        networks = [ipaddress.ip_network(each, strict=False) for each in node.texts(f"{kind}/sourcerange")]
    except ValueError as error:
        raise KeyProblem(f"{error}; write an address or a network such as 10.0.0.0/8") from error
    if not networks:
        raise KeyProblem("ipAllowList/sourceRange is missing")
    return {"SourceRange": [str(each) for each in networks]}


def tcp_backend_of(name: str, node: Node, transport: Node | None = None) -> dict[str, Any]:
    """Return the keys of the backend that a load balancer stands for, and of its servers.

    Args:
        name: of the service.
        node: the service.
        transport: how it speaks to its servers; None: as usual.

    Raises:
        KeyProblem: an option is missing or not what it should be.
    """
    balancer = node.at("loadbalancer")
    transport_of(node)
    backend: dict[str, Any] = {"Type": "http"}
    if transport is not None:
        backend["Settings"] = tcp_settings_of(transport)
    if "proxyprotocol" in balancer:
        backend["ProxyProtocol"] = f"PROXY_V{balancer.number('proxyprotocol/version', 2)}"
    key = f"backends/{BACKEND.format(name)}"
    values = {f"{key}/backend": backend}
    for each in balancer.names("servers"):
        server = balancer.at(f"servers/{each}")
        scheme = "https" if server.flag("tls") else "http"
        values[f"{key}/servers/{each}"] = {"URL": f"{scheme}://{server.required('address')}"}
    return values


def tcp_settings_of(node: Node) -> dict[str, Any]:
    """Return a backend's settings, in vulcand's JSON, for a transport to TCP servers.

    Raises:
        KeyProblem: an option is not what it should be.
    """
    settings = settings_of(node.at("tls"))
    timeout, period = node.duration("dialtimeout"), node.duration("dialkeepalive")
    settings["Timeouts"] = {"Dial": timeout} if timeout else {}
    settings["KeepAlive"] = {"Period": period} if period else {}
    return settings
