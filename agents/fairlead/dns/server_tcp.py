"""Listening sockets for streams: DNS over TCP (RFC 7766), over TLS (RFC 7858), and over HTTPS (RFC 8484).

Every connection costs the same bounded amount whatever its client does: a partial message of at most 64 KiB, a bounded
queue of unsent responses, and a clock that only whole queries wind up again.  It is counted from the moment it is accepted,
before any handshake.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Protocol, cast

from fairlead.agent import EVERYWHERE, Networks
from fairlead.dns.client import Answerer, Client
from fairlead.dns.limits import Limits

_SWEEPS_PER_IDLE = 4
_BACKLOG = 1024
_ACCEPTS_PER_WAKE = 32
_WITHOUT_FILES_S = 1.0  # after the system had no file descriptor for a connection


class Connection(Protocol):
    """One client's stream, as its server sees it: an asyncio protocol that keeps time."""

    ip: str
    last_query_s: float

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The stream is open, for TLS behind the handshake."""

    def close(self) -> None:
        """End once everything is written."""

    def abort(self) -> None:
        """End at once."""


Make = Callable[["TcpServer"], Connection]


class TcpServer:
    """One listening TCP socket and its connections.

    Args:
        answerer: gives the response to a message, now or later.
        limits: the bounds that are named ``tcp_...``.
        make: makes the protocol of one connection.
        allowed: who is answered; others are not given what is at hand, and the answerer refuses them.
        tls: for streams within TLS.
    """

    def __init__(
        self,
        answerer: Answerer,
        limits: Limits,
        make: Make,
        *,
        allowed: Networks | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.answerer = answerer
        self.allowed = allowed if allowed is not None else Networks(EVERYWHERE)
        self.limits = limits
        self.refused = 0
        """Connections beyond the limits."""
        self.failed_handshakes = 0
        self._make = make
        self._tls = tls
        self._connections: dict[Connection, str] = {}
        self._per_ip: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._bound: socket.socket | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._handshakes: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._connections)

    async def adopt(self, bound: socket.socket) -> None:
        """Use a socket that is bound already, without accepting yet, and close it in the end."""
        if self._tls is not None:
            bound.listen(_BACKLOG)
            self._bound = bound
            return
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Door(self), sock=bound, start_serving=False, backlog=_BACKLOG
        )

    async def start(self) -> None:
        """Accept from now on."""
        if self._bound is not None:
            asyncio.get_running_loop().add_reader(self._bound, self._accept)
        else:
            assert self._server is not None, "adopt a socket first"
            await self._server.start_serving()
        self._sweep()

    def close(self) -> None:
        """Stop accepting; each connection ends once its responses are written."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._server is not None:
            self._server.close()
        if self._bound is not None:
            with contextlib.suppress(RuntimeError):  # outside a loop nothing was started
                asyncio.get_running_loop().remove_reader(self._bound)
            self._bound.close()
        for handshake in self._handshakes:
            handshake.cancel()
        for connection in tuple(self._connections):
            connection.close()

    def answer(self, packet: bytes, client: Client) -> bytes | None:
        """Return the response to ``packet``, as `Answerer.respond` does: what is at hand first."""
        if client.ip in self.allowed:
            response = self.answerer.from_table_whole(packet)
            if response is not None:
                return response
        return self.answerer.respond(packet, client)

    def open(self, transport: asyncio.Transport) -> None:
        """Serve a connection that was just accepted, if the limits allow one more."""
        connection = self._make(self)
        peer = transport.get_extra_info("peername")
        # A client that is gone already has no name; all of them share one.
        connection.ip = peer[0] if peer else ""
        if not self._admit(connection):
            transport.abort()
            return
        transport.set_protocol(cast("asyncio.Protocol", connection))
        connection.connection_made(transport)

    def forget(self, connection: Connection) -> None:
        """Let go of a ``connection`` that has ended."""
        ip = self._connections.pop(connection, None)
        if ip is not None:
            self._per_ip[ip] -= 1
            if not self._per_ip[ip]:
                del self._per_ip[ip]

    def _admit(self, connection: Connection) -> bool:
        limits = self.limits
        ip = connection.ip
        if (
            len(self._connections) >= limits.tcp_connections_max
            or self._per_ip[ip] >= limits.tcp_connections_per_ip_max
        ):
            self.refused += 1
            return False
        self._connections[connection] = ip
        self._per_ip[ip] += 1
        return True

    def _accept(self) -> None:
        """Take in who wants TLS: counted now, read from only by the handshake."""
        assert self._bound is not None
        assert self._tls is not None
        loop = asyncio.get_running_loop()
        for _ in range(_ACCEPTS_PER_WAKE):
            try:
                accepted, peer = self._bound.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError:
                loop.remove_reader(self._bound)
                loop.call_later(_WITHOUT_FILES_S, self._accept_again)
                return
            accepted.setblocking(False)
            connection = self._make(self)
            connection.ip = peer[0]
            if not self._admit(connection):
                accepted.close()
                continue
            task = asyncio.create_task(
                self._shake_hands(accepted, connection, self._tls), name="dns handshake"
            )
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    def _accept_again(self) -> None:
        if self._bound is not None and self._bound.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._bound, self._accept)

    async def _shake_hands(
        self, accepted: socket.socket, connection: Connection, tls: ssl.SSLContext
    ) -> None:
        is_open = False
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: cast("asyncio.Protocol", connection),
                accepted,
                ssl=tls,
                ssl_handshake_timeout=self.limits.tcp_idle_s,
            )
            is_open = True
        except (OSError, EOFError):  # no TLS, a client that has gone or lets us wait
            self.failed_handshakes += 1
        finally:
            if not is_open:
                accepted.close()
                self.forget(connection)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        oldest_s = loop.time() - self.limits.tcp_idle_s
        for connection in tuple(self._connections):
            if connection.last_query_s < oldest_s:
                connection.abort()
        self._sweeper = loop.call_later(self.limits.tcp_idle_s / _SWEEPS_PER_IDLE, self._sweep)


class _Door(asyncio.Protocol):
    """What a connection comes in by: it is counted before anything is read from it."""

    def __init__(self, server: TcpServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's by shape, not by class.
        self._server.open(cast("asyncio.Transport", transport))
