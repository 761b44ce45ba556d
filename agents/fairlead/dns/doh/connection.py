"""One client's connection of DNS over HTTPS."""

import asyncio
from collections import deque
from collections.abc import Iterator
from http import HTTPStatus
from typing import Final, cast

from fairlead.dns.client import LATER, Transport
from fairlead.dns.doh.exchange import Request, Response, Session, packet_of, response_of
from fairlead.dns.doh.http1 import Http1Session
from fairlead.dns.doh.http2 import Http2Session
from fairlead.dns.server_tcp import TcpServer

ALPN: Final = ("h2", "http/1.1")
_WAITING_MAX: Final = 256
"""Requests read and not answered; a client that sends more at once is not served."""


class HttpStream(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, server: TcpServer) -> None:
        self.ip = ""
        self.last_query_s = asyncio.get_running_loop().time()
        self._server = server
        self._session: Session
        self._is_ordered = True
        self._waiting: deque[Request] = deque()
        self._in_flight = 0
        self._is_full = False
        self._is_reading = True
        self._wire: asyncio.Transport | None = None

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The stream is open, for TLS behind the handshake."""
        self._wire = cast("asyncio.Transport", transport)
        self._wire.set_write_buffer_limits(high=self._server.limits.tcp_unsent_bytes_max)
        tls = transport.get_extra_info("ssl_object")
        self._is_ordered = tls is None or tls.selected_alpn_protocol() != "h2"
        self._session = Http1Session() if self._is_ordered else Http2Session()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        self._waiting.extend(self._session.receive(data))
        if len(self._waiting) > _WAITING_MAX:
            self.abort()
            return
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
        self._waiting.clear()
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

    def finish(self, request: Request, response: Response) -> None:
        """Give the response to a request that was answered later."""
        self._in_flight -= 1
        self._session.respond(request.number, response)
        self._serve()

    def _serve(self) -> None:
        while self._waiting and self._may_go_on():
            self._answer(self._waiting.popleft())
        self._flush()
        self._read(self._may_go_on())

    def _may_go_on(self) -> bool:
        if self._is_full or self._wire is None or self._wire.is_closing():
            return False
        return self._in_flight < (1 if self._is_ordered else self._server.limits.tcp_in_flight_max)

    def _answer(self, request: Request) -> None:
        packet = packet_of(request)
        if isinstance(packet, Response):
            self._session.respond(request.number, packet)
            return
        self.last_query_s = asyncio.get_running_loop().time()
        message = self._server.answer(packet, HttpClient(self, request))
        if message is LATER:
            self._in_flight += 1
        elif message is None:
            self._session.respond(request.number, Response(HTTPStatus.BAD_REQUEST))
        else:
            self._session.respond(request.number, response_of(message))

    def _flush(self) -> None:
        if self._wire is None or self._wire.is_closing():
            return
        if data := self._session.to_send():
            self._wire.write(data)
        if self._session.is_over and not self._waiting and not self._in_flight:
            self.close()

    def _read(self, is_wanted: bool) -> None:  # noqa: FBT001 - what is wanted is the one thing to say
        if self._wire is None or is_wanted is self._is_reading or self._wire.is_closing():
            return
        self._is_reading = is_wanted
        (self._wire.resume_reading if is_wanted else self._wire.pause_reading)()


class HttpClient:
    """Who sent one request."""

    __slots__ = ("_request", "_stream")

    transport = Transport.HTTPS
    reserved_bytes = 0

    def __init__(self, stream: HttpStream, request: Request) -> None:
        self._stream = stream
        self._request = request

    @property
    def ip(self) -> str:
        """The address of the connection's other end."""
        return self._stream.ip

    def send(self, response: bytes) -> None:
        """Send the response."""
        self._stream.finish(self._request, response_of(response))

    def abandon(self) -> None:
        """Say that there is none."""
        self._stream.finish(self._request, Response(HTTPStatus.GATEWAY_TIMEOUT))

    def stream(self, messages: Iterator[bytes]) -> None:
        """Never asked: the responder refuses transfers over HTTPS."""
        raise AssertionError(messages)
