"""DNS on a stream: two bytes of length before each message, many messages on a connection (RFC 7766, RFC 7858)."""

import asyncio
from collections.abc import Iterator
from typing import cast

from fairlead.dns.client import LATER, Transport
from fairlead.dns.server_tcp import TcpServer

_LENGTH_BYTES = 2


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


class DnsStream(asyncio.Protocol):
    """One client's connection.  To the answerer it is the `Client` of every query on it."""

    def __init__(self, server: TcpServer, *, transport: Transport) -> None:
        self.transport = transport
        self.ip = ""
        self.last_query_s = asyncio.get_running_loop().time()
        self._server = server
        self._framer = Framer()
        self._in_flight = 0
        self._stream: Iterator[bytes] | None = None
        self._is_full = False
        self._is_reading = True
        self._wire: asyncio.Transport | None = None

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The stream is open, for TLS behind the handshake."""
        self._wire = cast("asyncio.Transport", transport)
        self._wire.set_write_buffer_limits(high=self._server.limits.tcp_unsent_bytes_max)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._framer.feed(data)
        self._serve()

    def pause_writing(self) -> None:
        """The client does not take what it is sent."""
        self._is_full = True

    def resume_writing(self) -> None:
        """The client takes it again."""
        self._is_full = False
        self._serve()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        del exc
        self._stream = None
        self._server.forget(self)

    # What the server calls.

    def close(self) -> None:
        """End once everything is written."""
        if self._wire is not None:
            self._wire.close()

    def abort(self) -> None:
        """End at once."""
        if self._wire is not None:
            self._wire.abort()

    # What the answerer calls.

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
        if self._is_full or self._wire is None or self._wire.is_closing():
            return False
        return self._in_flight < self._server.limits.tcp_in_flight_max

    def _answer_next(self) -> bool:
        packet = self._framer.next()
        if packet is None:
            return False
        response = self._server.answerer.respond(packet, self)
        if response is None:  # RFC 7766, section 8: what is no query ends the connection
            self.close()
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
        if self._wire is not None and not self._wire.is_closing():
            self._wire.write(len(message).to_bytes(_LENGTH_BYTES, "big") + message)

    def _read(self, is_wanted: bool) -> None:  # noqa: FBT001 - what is wanted is the one thing to say
        if self._wire is None or is_wanted is self._is_reading or self._wire.is_closing():
            return
        self._is_reading = is_wanted
        (self._wire.resume_reading if is_wanted else self._wire.pause_reading)()
