"""New connections to servers: over TCP or TLS, with a PROXY header, and one that all requests share over HTTP/2."""

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Protocol

from fairlead.proxy.balance import DIAL_TIMEOUT, REFUSED, Failure
from fairlead.proxy.certificates import client_context
from fairlead.proxy.http2 import Http2Server
from fairlead.proxy.proxy_protocol import write_header
from fairlead.proxy.server_side import ServerConnection
from fairlead.proxy.state import ServerState

if TYPE_CHECKING:
    import ssl

    from fairlead.proxy.model import TlsSettings
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.seams import ServerSide
    from fairlead.proxy.service import Service

_SECURE = frozenset({"https", "h2"})
_MULTIPLEXED = frozenset({"h2c", "h2"})


class Connecting(Protocol):
    """Somebody who waits for a connection to a server."""

    @property
    def plan(self) -> "Plan":
        """Whose request it is."""

    @property
    def is_over(self) -> bool:
        """Whether nobody waits any more."""

    def attach(self, connection: "ServerSide") -> None:
        """Here it is."""

    def on_server_failure(self, failure: Failure, reason: str) -> None:
        """There will be none."""


class Dialing(Protocol):
    """Whoever opens connections."""

    def dial(self, waiting: Connecting, server: ServerState, dial_s: float) -> None:
        """Open one to ``server`` for ``waiting`` within ``dial_s`` seconds; it is told how that went."""


class ServerTls:
    """How TLS is spoken to servers."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[TlsSettings | None, str], ssl.SSLContext] = {}

    def options(self, server: ServerState, *, alpn: str = "") -> dict[str, Any]:
        """Return what asyncio needs to speak TLS to ``server``, and in it ``alpn``; empty: in clear text.

        Raises:
            OSError: a file that the backend's settings name cannot be read.
        """
        tls = server.tls
        if server.server.scheme not in _SECURE:
            return {}
        context = self._contexts.get((tls, alpn))
        if context is None:
            context = self._contexts[tls, alpn] = client_context(tls, alpn=[alpn] if alpn else [])
        name = (tls.server_name if tls is not None else "") or server.server.host
        return {"ssl": context, "server_hostname": name, "ssl_handshake_timeout": server.handshake_s}


class Dialer:
    """Opens them over the network, each in a task of its own."""

    def __init__(self, service: "Service") -> None:
        self._service = service

    def dial(self, waiting: Connecting, server: ServerState, dial_s: float) -> None:
        """Open one."""
        self._service.spawn(self._connect(waiting, server, dial_s))

    async def _connect(self, waiting: Connecting, server: ServerState, dial_s: float) -> None:
        if waiting.is_over:
            return  # A client that asks and gives up in one breath costs no connection.
        self._service.stats.connects += 1
        address = server.server
        loop = asyncio.get_running_loop()
        is_shared = address.scheme in _MULTIPLEXED
        try:
            secure = self._service.server_tls.options(server, alpn="h2" if is_shared else "http/1.1")
            async with asyncio.timeout(dial_s):
                transport, connection = await loop.create_connection(
                    lambda: (
                        Http2Server(self._service) if is_shared else ServerConnection(self._service, server)
                    ),
                    address.host,
                    address.port,
                    **secure,
                )
        except TimeoutError:
            self._service.stats.connects_failed += 1
            waiting.on_server_failure(DIAL_TIMEOUT, "the server cannot be reached in time")
        except OSError:
            self._service.stats.connects_failed += 1
            waiting.on_server_failure(REFUSED, "the server cannot be reached")
        else:
            if server.keep_alive_s is not None:
                _probe_idle(transport, server.keep_alive_s)
            if isinstance(connection, Http2Server):
                server.multiplexed = connection
                waiting.attach(connection.open_stream())
                return
            if server.proxy_protocol:
                # This connection is for this client alone; it is never pooled.
                origin = waiting.plan.origin
                source, destination = (
                    (origin.source, origin.destination) if origin is not None else (None, None)
                )
                header = write_header(server.proxy_protocol, source, destination)
                connection.transport.write(header)
            waiting.attach(connection)


def _probe_idle(transport: asyncio.BaseTransport, period_s: float) -> None:
    """Have TCP itself probe a connection that is silent for so long."""
    connection = transport.get_extra_info("socket")
    seconds = max(1, round(period_s))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds)
