"""DNS on a stream: two bytes of length before each message, many messages on a connection (RFC 7766, RFC 7858)."""

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Final, cast

from fairlead.dns.client import LATER, Transport
from fairlead.dns.server_tcp import TcpServer

_LENGTH_BYTES: Final = 2
_TOGETHER_BYTES: Final = 65536
"""Responses that are written at once."""


class Framer:
    """Cuts a stream of bytes into messages."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take in what has come; return the messages that it completes."""
        if self._rest:
            data = self._rest + data
        messages = []
        at, size = 0, len(data)
        while at + _LENGTH_BYTES <= size:
            end = at + _LENGTH_BYTES + (data[at] << 8 | data[at + 1])
            if end > size:
                break
            messages.append(data[at + _LENGTH_BYTES : end])
            at = end
        self._rest = data[at:]
        return messages


class DnsStream(asyncio.Protocol):
    """One client's connection.  To the answerer it is the `Client` of every query on it."""

    reserved_bytes = 0

    def __init__(self, server: TcpServer, *, transport: Transport) -> None:
        self.transport = transport
        self.ip = ""
        self.last_query_s = asyncio.get_running_loop().time()
        self._server = server
        self._framer = Framer()
        self._packets: deque[bytes] = deque()
        self._unwritten: list[bytes] = []
        self._unwritten_bytes = 0
        self._in_flight = 0
        self._stream: Iterator[bytes] | None = None
        self._turn: asyncio.Handle | None = None
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
        self._packets.extend(self._framer.feed(data))
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
        self._flush()
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
        """Answer the whole messages at hand, until the client must take some answers first.

        Of a stream each message is made in a turn of its own: between two others are answered.
        """
        while self._may_go_on() and self._packets and self._stream is None:
            self._answer(self._packets.popleft())
        if self._stream is not None and self._may_go_on() and self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._write_next)
        self._flush()
        self._read(self._may_go_on() and self._stream is None)

    def _may_go_on(self) -> bool:
        if self._is_full or self._wire is None or self._wire.is_closing():
            return False
        return self._in_flight < self._server.limits.tcp_in_flight_max

    def _answer(self, packet: bytes) -> None:
        response = self._server.answer(packet, self)
        if response is None:  # RFC 7766, section 8: what is no query ends the connection
            self.close()
        elif response is LATER:
            self.last_query_s = asyncio.get_running_loop().time()
            self._in_flight += 1
        else:
            self._write(response)

    def _write_next(self) -> None:
        self._turn = None
        if self._stream is None or not self._may_go_on():
            return
        try:
            message = next(self._stream, None)
        except BaseException:
            self.abort()  # a fault of ours: half a zone must not look like one that goes on
            raise
        if message is None:
            self._stream = None
        else:
            self._write(message)
        self._serve()

    def _write(self, message: bytes) -> None:
        """Write ``message`` with those that follow at once."""
        self._unwritten += (len(message).to_bytes(_LENGTH_BYTES, "big"), message)
        self._unwritten_bytes += len(message)
        if self._unwritten_bytes > _TOGETHER_BYTES:
            self._flush()

    def _flush(self) -> None:
        if not self._unwritten:
            return
        if self._wire is not None and not self._wire.is_closing():
            self.last_query_s = asyncio.get_running_loop().time()
            self._wire.write(b"".join(self._unwritten))
        self._unwritten.clear()
        self._unwritten_bytes = 0

    def _read(self, is_wanted: bool) -> None:  # noqa: FBT001 - what is wanted is the one thing to say
        if self._wire is None or is_wanted is self._is_reading or self._wire.is_closing():
            return
        self._is_reading = is_wanted
        (self._wire.resume_reading if is_wanted else self._wire.pause_reading)()
