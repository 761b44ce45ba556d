"""A connection to a server that speaks HTTP/2, in clear text with prior knowledge (h2c) or over TLS.

All requests to one server share it; gRPC servers speak nothing else.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fairlead import http2
from fairlead.proxy.balance import LOST, MALFORMED, TIMEOUT
from fairlead.proxy.http2.messages import fields_of, response_of
from fairlead.proxy.http2.wire import Wire, protocol_limits

if TYPE_CHECKING:
    from fairlead.proxy.balance import Failure
    from fairlead.proxy.seams import Asker
    from fairlead.proxy.service import Service
    from fairlead.proxy.timers import Alarm

_NEVER_S = float("inf")
_KNOWN_MAX = 128
_KNOWN_BYTES_MAX = 2048
"""Of a head that is remembered: with the number above, what the memory of them may cost."""


class ServerStream(http2.ClientStream):
    """One request; to its exchange, what a connection is to a server over HTTP/1.1."""

    __slots__ = (
        "_alarm",
        "_body_s",
        "_exchange",
        "_is_paused",
        "_read_s",
        "_server",
        "is_blocked",
    )

    def __init__(self, server: "Http2Server") -> None:
        super().__init__(server.connection)
        self._server = server
        self._alarm: Alarm | None = None
        self._exchange: Asker | None = None
        self._is_paused = False
        self._read_s = self._body_s = 0.0
        self.is_blocked = False  # the server does not take what is sent; then the client is not read

    # What the exchange asks for

    def start(
        self, exchange: "Asker", head: bytes, pieces: Sequence[bytes] = (), *, is_end: bool = True
    ) -> None:
        """Send the beginning of a request, or all of it, and expect its response."""
        self._exchange = exchange
        self.is_for_head = exchange.plan.request.method == b"HEAD"
        self._read_s, self._body_s = exchange.patience_s()
        if not self._server.is_usable:
            self._fail(LOST, "the server takes no more requests")
            return
        self._be_patient()
        self._server.open(self)
        has_body = bool(pieces) or not is_end or bool(exchange.request_trailers())
        self.connection.sender.headers(self, self._server.block_of(head), is_last=not has_body)
        if has_body:
            self.send_body(pieces, is_end=is_end)

    def send_body(self, pieces: Sequence[bytes], *, is_end: bool) -> None:
        """Send more of the request; the server need not answer before it has it."""
        if not self.is_open or self.has_ended:
            return
        self._be_patient()
        sender = self.connection.sender
        for piece in pieces:
            if piece:
                sender.data(self, piece)
        if is_end:
            trailers = self._exchange.request_trailers() if self._exchange is not None else []
            sender.end(self, http2.encoded([(name.lower(), value) for name, value in trailers]))
        if not self.is_blocked and self.buffered_bytes > self._server.service.limits.write_buffer_bytes_max:
            self.is_blocked = True
            if self._exchange is not None:
                self._exchange.on_server_writable()

    def release(self, *, is_reusable: bool) -> None:
        """Let the exchange go; a request that is not over is cancelled."""
        self._let_go()
        self._cancel()

    def read_no_more(self) -> None:
        """The client is slow: let the window fill."""
        self._is_paused = True
        self.is_reading = False

    def read_on(self) -> None:
        """The client takes more."""
        self._is_paused = False
        self._be_patient()
        self.give_back()

    # What the connection reports

    def head_received(self, status: int, fields: list[http2.Field], *, is_last: bool) -> None:
        """The answer begins."""
        exchange = self._exchange
        if exchange is None:
            return
        response = response_of(status, fields, is_head=self.is_for_head, is_end=is_last)
        if status < 200:
            exchange.on_interim(response)
            return
        self._read_s = self._body_s
        if is_last:
            self._leave(exchange)
        else:
            self._be_patient()
        exchange.on_response(response, [], is_end=is_last)

    def data_received(self, payload: bytes, *, is_last: bool) -> None:
        """Pass body on."""
        exchange = self._exchange
        if exchange is None:
            return
        if is_last:
            self._leave(exchange)
        else:
            self._be_patient()
        exchange.on_body([payload] if payload else [], is_end=is_last)
        if self._is_paused and self._exchange is not None:
            self.withhold(len(payload))

    def trailers_received(self, fields: list[http2.Field]) -> None:
        """Pass them on with the end."""
        if self._exchange is not None:
            self._exchange.on_trailers(fields, is_framed=True)

    def cancelled(self) -> None:
        """The server has reset it, or is gone."""
        self._fail(LOST, "the server ended the request")

    def refused(self, fault: http2.StreamFault) -> None:
        """The answer is none."""
        self._fail(MALFORMED, "the server's answer is malformed")

    def unprocessed(self) -> None:
        """The server has not looked at it: asking again does nothing twice (RFC 9113, section 8.7)."""
        exchange = self._let_go()
        if exchange is not None:
            exchange.on_server_lost(was_reused=True, was_seen=False)

    def writable(self) -> None:
        """The server takes more: so may the client."""
        if self.is_blocked:
            self.is_blocked = False
            if self._exchange is not None:
                self._exchange.on_server_writable()

    # Within

    def _on_deadline(self) -> None:
        """Give up on a server that does not answer."""
        exchange = self._exchange
        if self._is_paused or (exchange is not None and exchange.upload is not None and not self.is_blocked):
            self._be_patient()  # It is the client that is slow.
        else:
            self._cancel()
            self._fail(TIMEOUT, "the server did not answer in time")

    def _be_patient(self) -> None:
        """From now on the server, or whoever it waits for, has its time again."""
        if self._alarm is None:
            self._alarm = self._server.lend_alarm(self._on_deadline)
        self._server.service.wheel.set(self._alarm, self._read_s)

    def _leave(self, exchange: "Asker") -> None:
        """Part from the exchange before it sends the end on, so that what it does next cannot meet us."""
        exchange.connection = None
        self._let_go()

    def _fail(self, failure: "Failure", reason: str) -> None:
        exchange = self._let_go()
        if exchange is not None:
            exchange.on_server_failure(failure, reason)

    def _cancel(self) -> None:
        self.connection.reset(self, http2.ErrorCode.CANCEL)

    def _let_go(self) -> "Asker | None":
        exchange, self._exchange = self._exchange, None
        self.is_open = False
        if self._alarm is not None:
            self._server.take_alarm(self._alarm)
            self._alarm = None
        self.give_back()
        return exchange


class Http2Server(Wire):
    """Requests to one server, as many at a time as it takes.

    Attributes:
        greeted: set once the server has said how many those are, or the connection is lost.
    """

    def __init__(self, service: "Service") -> None:
        super().__init__(service)
        # Servers of gRPC take offence at PINGs; a request has its own patience.
        limits = protocol_limits(service.limits, keepalive_idle_s=_NEVER_S)
        self.greeted = asyncio.Event()
        self.connection = self._own = http2.ClientConnection(
            limits, wake=self.wake, now_s=self.now_s, on_greeted=self.greeted.set
        )
        self._blocks: dict[bytes, bytes] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport from asyncio, and greet the server."""
        self.begin(transport)
        self.flush()

    @property
    def is_usable(self) -> bool:
        """Whether it takes another request."""
        return self.is_open and self._own.is_usable

    @property
    def is_shared(self) -> bool:
        """Whether anybody's request may go on it: the first one did not wait for the server's SETTINGS, the others do."""
        return self.is_usable and self._own.is_greeted

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        super().connection_lost(exc)
        self.greeted.set()

    def open_stream(self) -> ServerStream:
        """Return a stream for another request."""
        return ServerStream(self)

    def open(self, stream: ServerStream) -> None:
        """Give ``stream`` its number: its head is sent next."""
        self._own.open(stream)
        self.on_stream()

    def block_of(self, head: bytes) -> bytes:
        """Return the header block that says the same as ``head``."""
        block = self._blocks.get(head)
        if block is None:
            block = http2.encoded(fields_of(head))
            if len(head) <= _KNOWN_BYTES_MAX:
                if len(self._blocks) >= _KNOWN_MAX:
                    self._blocks.clear()
                self._blocks[head] = block
        return block

    @property
    def idle_s(self) -> float:
        """How long it is kept without requests."""
        return self.service.limits.server_idle_s

    def on_idle(self) -> None:
        """Close it."""
        self.connection.close()
