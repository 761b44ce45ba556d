"""New connections to servers: over TCP or TLS, with a PROXY header, and one that all requests share over HTTP/2."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

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

P = TypeVar("P", bound=asyncio.Protocol)
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


class _Opening:
    """A connection over HTTP/2 on its way.

    Attributes:
        is_over: set once others may look whether there is a place for them.
        was_refused: there will be none.
    """

    def __init__(self) -> None:
        self.is_over = asyncio.Event()
        self.was_refused = False


class Dialer:
    """Opens them over the network, each in a task of its own.

    Over HTTP/2 one is opened at a time to each server.  Who comes meanwhile waits for it, and goes on it if the server
    takes so many; only who finds no place there opens another.
    """

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._openings: dict[ServerState, _Opening] = {}

    def dial(self, waiting: Connecting, server: ServerState, dial_s: float) -> None:
        """Open one."""
        connect = self._share if server.server.scheme in _MULTIPLEXED else self._connect
        self._service.spawn(connect(waiting, server, dial_s))

    async def _connect(self, waiting: Connecting, server: ServerState, dial_s: float) -> None:
        """Open one for ``waiting`` alone."""
        if waiting.is_over:
            return  # A client that asks and gives up in one breath costs no connection.
        try:
            connection = await self._open(server, lambda: ServerConnection(self._service, server), dial_s)
        except OSError as error:
            _fail(waiting, error)
            return
        if server.proxy_protocol:
            # This connection is for this client alone; it is never pooled.
            origin = waiting.plan.origin
            source, destination = (origin.source, origin.destination) if origin is not None else (None, None)
            connection.transport.write(write_header(server.proxy_protocol, source, destination))
        waiting.attach(connection)

    async def _share(self, waiting: Connecting, server: ServerState, dial_s: float) -> None:
        """Find ``waiting`` a place, on a connection that is being opened if need be, within ``dial_s`` seconds."""
        until_s = asyncio.get_running_loop().time() + dial_s
        shared: Http2Server | None = None
        try:
            async with asyncio.timeout_at(until_s):
                while not waiting.is_over and (shared := server.shared()) is None:
                    if (opening := self._openings.get(server)) is None:
                        break
                    await opening.is_over.wait()
                    if opening.was_refused:
                        raise ConnectionRefusedError
        except OSError as error:
            _fail(waiting, error)
            return
        if waiting.is_over:
            return
        if shared is not None:
            waiting.attach(shared.open_stream())
        else:
            await self._open_shared(waiting, server, until_s - asyncio.get_running_loop().time())

    async def _open_shared(self, waiting: Connecting, server: ServerState, dial_s: float) -> None:
        """Open one for ``waiting``, which goes first, and for all who wait."""
        opening = self._openings[server] = _Opening()
        try:
            connection = await self._open(server, lambda: Http2Server(self._service), dial_s)
            server.share(connection)
            waiting.attach(connection.open_stream())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(dial_s):
                    await connection.greeted.wait()
        except OSError as error:
            # Who has more patience than this one tries again.
            opening.was_refused = not isinstance(error, TimeoutError)
            _fail(waiting, error)
        finally:
            del self._openings[server]
            opening.is_over.set()

    async def _open(self, server: ServerState, make: Callable[[], P], dial_s: float) -> P:
        """Return a new connection.

        Raises:
            TimeoutError: it took longer than ``dial_s`` seconds.
            OSError: there will be none.
        """
        stats = self._service.stats
        stats.connects += 1
        is_shared = server.server.scheme in _MULTIPLEXED
        try:
            secure = self._service.server_tls.options(server, alpn="h2" if is_shared else "http/1.1")
            async with asyncio.timeout(dial_s):
                transport, connection = await asyncio.get_running_loop().create_connection(
                    make, server.server.host, server.server.port, **secure
                )
        except OSError:
            stats.connects_failed += 1
            raise
        if server.keep_alive_s is not None:
            _probe_idle(transport, server.keep_alive_s)
        return connection


def _fail(waiting: Connecting, error: OSError) -> None:
    if isinstance(error, TimeoutError):
        waiting.on_server_failure(DIAL_TIMEOUT, "the server cannot be reached in time")
    else:
        waiting.on_server_failure(REFUSED, "the server cannot be reached")


def _probe_idle(transport: asyncio.BaseTransport, period_s: float) -> None:
    """Have TCP itself probe a connection that is silent for so long."""
    connection = transport.get_extra_info("socket")
    seconds = max(1, round(period_s))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, seconds)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, seconds)
