"""DNS over TCP (RFC 7766): two bytes of length before each message, many messages on a connection.

Every connection costs the same bounded amount whatever its client does: a partial message of at most 64 KiB, a bounded
queue of unsent responses, and a clock that only whole queries wind up again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import cast

from fairlead.dns.limits import Limits

_LENGTH_BYTES = 2
_SWEEPS_PER_IDLE = 4

Respond = Callable[[bytes], bytes | None]


class Framer:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take in what has come."""
        self._buffer += data

    def next(self) -> bytes | None:
        """Return the next whole message; None when there is none yet."""
        buffer = self._buffer
        if len(buffer) < _LENGTH_BYTES:
            return None
        end = _LENGTH_BYTES + (buffer[0] << 8 | buffer[1])
        if len(buffer) < end:
            return None
        message = bytes(buffer[_LENGTH_BYTES:end])
        del buffer[:end]
        return message


class TcpServer:
    """One listening TCP socket and its connections.

    Args:
        respond: gives the response to a message, or None for one that deserves none.
        limits: the bounds that are named ``tcp_...``.
    """

    def __init__(self, respond: Respond, limits: Limits) -> None:
        self.respond = respond
        self.limits = limits
        self.refused = 0
        """Connections beyond the limits."""
        self._connections: dict[_Connection, str] = {}
        self._per_ip: Counter[str] = Counter()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._connections)

    async def bind(self, host: str, port: int) -> tuple[str, int]:
        """Bind, without accepting yet; return the address.  Raises OSError."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), host, port, start_serving=False)
        address = self._server.sockets[0].getsockname()
        return address[0], address[1]

    async def start(self) -> None:
        """Accept from now on."""
        assert self._server is not None, "bind first"
        await self._server.start_serving()
        self._sweep()

    def close(self) -> None:
        """Stop accepting; each connection ends once its responses are written."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.close()

    def admit(self, connection: "_Connection", ip: str) -> bool:
        """Take ``connection`` in, if the limits allow one more."""
        limits = self.limits
        if (
            len(self._connections) >= limits.tcp_connections_max
            or self._per_ip[ip] >= limits.tcp_connections_per_ip_max
        ):
            self.refused += 1
            return False
        self._connections[connection] = ip
        self._per_ip[ip] += 1
        return True

    def forget(self, connection: "_Connection") -> None:
        """Let go of a ``connection`` that has ended; one that was not admitted is nothing to us."""
        ip = self._connections.pop(connection, None)
        if ip is not None:
            self._per_ip[ip] -= 1
            if not self._per_ip[ip]:
                del self._per_ip[ip]

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        oldest_s = loop.time() - self.limits.tcp_idle_s
        for connection in tuple(self._connections):
            if connection.last_query_s < oldest_s:
                connection.abort()
        self._sweeper = loop.call_later(self.limits.tcp_idle_s / _SWEEPS_PER_IDLE, self._sweep)


class _Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, server: TcpServer) -> None:
        self._server = server
        self._framer = Framer()
        self._is_paused = False
        self._transport: asyncio.Transport
        self.last_query_s = asyncio.get_running_loop().time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's by shape, not by class.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._server.limits.tcp_unsent_bytes_max)
        peer = transport.get_extra_info("peername")
        # A client that is gone already has no name; all of them share one.
        if not self._server.admit(self, peer[0] if peer else ""):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._framer.feed(data)
        self._serve()

    def pause_writing(self) -> None:
        self._is_paused = True
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_paused = False
        self._serve()
        if not self._is_paused and not self._transport.is_closing():
            self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._server.forget(self)

    def close(self) -> None:
        """End once everything is written."""
        self._transport.close()

    def abort(self) -> None:
        """End at once."""
        self._transport.abort()

    def _serve(self) -> None:
        """Answer the whole messages at hand, until the client must take some answers first."""
        while not self._is_paused and not self._transport.is_closing():
            packet = self._framer.next()
            if packet is None:
                return
            response = self._server.respond(packet)
            if response is None:  # RFC 7766, section 8: what is no query ends the connection
                self._transport.close()
                return
            self.last_query_s = asyncio.get_running_loop().time()
            self._transport.write(len(response).to_bytes(_LENGTH_BYTES, "big") + response)
