"""Listeners: the sockets that clients come to.  Source: vulcand, engine/model.go."""

from collections.abc import Iterator
from dataclasses import dataclass

from fairlead.agent import Networks
from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.expression import Expression, parse_expression
from fairlead.proxy.keys import ObjectId
from fairlead.proxy.match import compile_expression
from fairlead.proxy.model.fields import Fields
from fairlead.proxy.model.tcp_route import PASS, TcpRoute
from fairlead.proxy.model.tls import TlsSettings, read_tls

NOBODY = Networks(())
PROTOCOLS = ("http", "https", "tcp")
NETWORKS = ("tcp", "unix")
PROXY_PROTOCOLS = ("", "proxy_v1", "proxy_v2", "none")
_PORT_MAX = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """One socket.

    Attributes:
        host: to listen on, with ``port``; empty: every address of the machine.  For a unix socket, empty.
        path: of a unix socket; empty: it is a TCP one.
        scope: only requests that match this are routed here, others are answered 404; None: all are.
        tls: None: plain HTTP.
        proxy_protocol_from: whose headers are believed; others may not connect.  Empty: everybody's.
        trusted_proxies: whose X-Forwarded-For (or Forwarded) is believed here; None: those of ``--trusted-proxies``.
        is_raw: connections are passed on, whatever they speak; else they speak HTTP.
        routes: of connections that are passed on, in the order in which they are tried; the listener's own go first.
        expects_proxy_protocol: connections begin with a PROXY header, of either version.
    """

    id: str
    host: str = ""
    port: int = 0
    path: str = ""
    scope: Expression | None = None
    tls: TlsSettings | None = None
    expects_proxy_protocol: bool = False
    proxy_protocol_from: Networks = NOBODY
    trusted_proxies: Networks | None = None
    is_raw: bool = False
    routes: tuple[TcpRoute, ...] = ()


def read_listener(identity: ObjectId, fields: Fields) -> Listener:
    """Return the listener that ``fields`` describe.

    Raises:
        KeyProblem: an address that is none, a scope that is no route, or an unknown protocol.
    """
    address = fields.inside("Address")
    is_unix = address.choice("Network", NETWORKS, "tcp") == "unix"
    where = address.required_text("Address")
    host, port = ("", 0) if is_unix else _split(where)
    scope = fields.text("Scope")
    protocol = fields.choice("Protocol", PROTOCOLS, "http")
    is_raw = protocol == "tcp"
    is_tls = protocol == "https" or is_raw
    return Listener(
        id=identity.name,
        host=host,
        port=port,
        path=where if is_unix else "",
        scope=_read_scope(scope) if scope else None,
        tls=read_tls(fields.inside("Settings").inside("TLS")) if is_tls else None,
        proxy_protocol_from=_read_networks(fields, "ProxyProtocolFrom"),
        trusted_proxies=_read_networks(fields, "TrustedProxies") if "TrustedProxies" in fields else None,
        is_raw=is_raw,
        routes=tuple(_read_own_routes(identity.name, fields, is_raw=is_raw)),
        expects_proxy_protocol=fields.choice("ProxyProtocol", PROXY_PROTOCOLS, "") not in ("", "none"),
    )


def _read_own_routes(name: str, fields: Fields, *, is_raw: bool) -> Iterator[TcpRoute]:
    """Yield what the listener's own key passes on: by name, and then all the rest."""
    backends = fields.inside("Passthrough")
    for each in sorted(backends.values):
        backend_id = backends.required_text(each)
        yield TcpRoute(id="", entrypoints=(name,), names=(each.lower(),), tls=PASS, backend_id=backend_id)
    if is_raw and (backend_id := fields.text("BackendId")):
        yield TcpRoute(id="", entrypoints=(name,), backend_id=backend_id)


def _read_scope(text: str) -> Expression:
    scope = parse_expression(text)
    compile_expression(scope)
    return scope


def _read_networks(fields: Fields, name: str) -> Networks:
    try:
        return Networks(fields.texts(name))
    except ValueError as error:
        raise KeyProblem(f'{name}: {error}; write networks as ["10.0.0.0/8"]') from error


def _split(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > _PORT_MAX:
        raise KeyProblem(f'Address.Address must look like "0.0.0.0:8080" or "[::]:8080", not {text!r}')
    return host, int(port)
