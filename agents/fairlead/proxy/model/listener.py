"""Listeners: the sockets that clients come to.  Source: vulcand, engine/model.go."""

from dataclasses import dataclass

from fairlead.agent import Networks
from fairlead.proxy.errors import KeyProblem
from fairlead.proxy.expression import Expression, parse_expression
from fairlead.proxy.keys import ObjectId
from fairlead.proxy.match import compile_expression
from fairlead.proxy.model.fields import Fields
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
        backend_id: where those of a raw listener go as they are; empty: only those that have a route.
        passthrough: names of TLS clients (``*.example`` stands for one more label) and the backends where their
            connections go as they are, TLS and all.
        ended: the same of connections whose TLS is ended here; only TCP routes say that.
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
    backend_id: str = ""
    passthrough: tuple[tuple[str, str], ...] = ()
    ended: tuple[tuple[str, str], ...] = ()


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
    names = fields.inside("Passthrough")
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
        backend_id=fields.text("BackendId") if is_raw else "",
        passthrough=tuple((name.lower(), names.required_text(name)) for name in sorted(names.values)),
        expects_proxy_protocol=fields.choice("ProxyProtocol", PROXY_PROTOCOLS, "") not in ("", "none"),
    )


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
