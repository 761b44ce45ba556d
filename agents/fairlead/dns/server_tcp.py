"""DNS over TCP (RFC 7766): two bytes of length before each message, many messages on a connection.

Every connection costs the same bounded amount whatever its client does: a partial message of at most 64 KiB, a bounded
queue of unsent responses, and a clock that only whole queries wind up again.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import cast

from fairlead.dns.client import LATER, Answerer, Transport
from fairlead.dns.limits import Limits

_LENGTH_BYTES = 2
_SWEEPS_PER_IDLE = 4


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
        answerer: gives the response to a message, now or later.
        limits: the bounds that are named ``tcp_...``.
    """

    def __init__(self, answerer: Answerer, limits: Limits) -> None:
        self.answerer = answerer
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

    transport = Transport.TCP

    def __init__(self, server: TcpServer) -> None:
        self._server = server
        self._framer = Framer()
        self._in_flight = 0
        self._stream: Iterator[bytes] | None = None
        self._is_full = False
        self._is_reading = True
        self._transport: asyncio.Transport
        self.ip = ""
        self.last_query_s = asyncio.get_running_loop().time()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are asyncio's by shape, not by class.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=self._server.limits.tcp_unsent_bytes_max)
        peer = transport.get_extra_info("peername")
        # A client that is gone already has no name; all of them share one.
        self.ip = peer[0] if peer else ""
        if not self._server.admit(self, self.ip):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._framer.feed(data)
        self._serve()

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._serve()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._server.forget(self)

    # What the server calls.

    def close(self) -> None:
        """End once everything is written."""
        self._transport.close()

    def abort(self) -> None:
        """End at once."""
        self._transport.abort()

    # What the answerer calls: this is its `Client`.

    def send(self, response: bytes) -> None:
        """Send a response that was not at hand when its query came."""
        self._in_flight -= 1
        self._write(response)
        self._serve()

    def abandon(self) -> None:
        """Go on without a response to one query."""
        self._in_flight -= 1
        self._serve()

    def stream(self, messages: Iterator[bytes]) -> None:
        """Send ``messages``, each when the client has taken most of those before; other queries wait meanwhile."""
        self._stream = messages
        self._in_flight -= 1  # LATER stands for them all

    def _serve(self) -> None:
        """Answer the whole messages at hand, until the client must take some answers first."""
        while self._may_go_on() and (self._stream is not None or self._answer_next()):
            if self._stream is not None:
                self._write_next()
        self._read(self._may_go_on())

    def _may_go_on(self) -> bool:
        in_flight_max = self._server.limits.tcp_in_flight_max
        return not self._is_full and self._in_flight < in_flight_max and not self._transport.is_closing()

    def _answer_next(self) -> bool:
        packet = self._framer.next()
        if packet is None:
            return False
        response = self._server.answerer.respond(packet, self)
        if response is None:  # RFC 7766, section 8: what is no query ends the connection
            self._transport.close()
            return False
        self.last_query_s = asyncio.get_running_loop().time()
        if response is LATER:
            self._in_flight += 1
        else:
            self._write(response)
        return True

    def _write_next(self) -> None:
        assert self._stream is not None
        message = next(self._stream, None)
        if message is None:
            self._stream = None
        else:
            self.last_query_s = asyncio.get_running_loop().time()
            self._write(message)

    def _write(self, message: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(len(message).to_bytes(_LENGTH_BYTES, "big") + message)

    def _read(self, is_wanted: bool) -> None:  # noqa: FBT001 - what is wanted is the one thing to say
        if is_wanted is not self._is_reading and not self._transport.is_closing():
            self._is_reading = is_wanted
            (self._transport.resume_reading if is_wanted else self._transport.pause_reading)()
