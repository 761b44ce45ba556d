"""Traefik's TCP routers and services, in our JSON: connections that are passed on by the name of a TLS client."""

from typing import Any

from fairlead.proxy.errors import ExpressionError, KeyProblem
from fairlead.proxy.grammar import Called, Joined, Vocabulary, parse
from fairlead.proxy.grammar import Node as Rule
from fairlead.proxy.traefik.node import Node, without_provider

BACKEND = "tcp:{}"
"""What the backend of a service is called: HTTP has names of its own."""
_RULES = Vocabulary(
    what="rule",
    names={name.lower(): name for name in ("HostSNI", "HostSNIRegexp", "ClientIP", "ALPN")},
    example="a matcher such as HostSNI(...)",
    literal="a string",
    arguments_min=1,
    folds_case=True,
)


def tcp_route_of(node: Node) -> dict[str, Any]:
    """Return the route that a router stands for.

    Raises:
        KeyProblem: an option is missing or not what it should be.
    """
    entrypoints = node.texts("entrypoints")
    if not entrypoints:
        raise KeyProblem("entryPoints are missing; give ids of listeners, or it would take all connections")
    rule = node.required("rule")
    is_tls = node.flag("tls", default="tls" in node)
    ending = "pass" if node.flag("tls/passthrough") else "end"
    node.accept("rulesyntax", "v2", "v3", "default")
    return {
        "Entrypoints": entrypoints,
        "Names": _names(parse(rule, _RULES)),
        "TLS": ending if is_tls else "plain",
        "BackendId": BACKEND.format(without_provider(node.required("service"))),
        "Priority": node.number("priority") or len(rule),
    }


def _names(rule: Rule) -> list[str]:
    match rule:
        case Joined("||", terms):
            return [name for term in terms for name in _names(term)]
        case Called("HostSNI", arguments):
            return [str(each) for each in arguments]
        case _:
            said = "TCP goes by HostSNI(`...`) here, with || between several, and nothing else"
            raise ExpressionError(said, position=rule.position, what="rule")


def tcp_backend_of(name: str, node: Node) -> dict[str, Any]:
    """Return the keys of the backend that a service stands for, and of its servers.

    Raises:
        KeyProblem: an option is missing or not what it should be.
    """
    if "loadbalancer" not in node:
        raise KeyProblem("only loadBalancer is served for TCP")
    balancer = node.at("loadbalancer")
    backend: dict[str, Any] = {"Type": "http"}
    if "proxyprotocol" in balancer:
        backend["ProxyProtocol"] = f"PROXY_V{balancer.number('proxyprotocol/version', 2)}"
    key = f"backends/{BACKEND.format(name)}"
    servers = {
        f"{key}/servers/{each}": {"URL": f"http://{balancer.at(f'servers/{each}').required('address')}"}
        for each in balancer.names("servers")
    }
    return {f"{key}/backend": backend, **servers}
