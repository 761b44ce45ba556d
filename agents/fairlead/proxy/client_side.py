"""A client's connection: reads one request head at a time and hands each request to an exchange.

Requests that a client sends ahead wait, unparsed, until the answer before theirs is out; so answers are in
order, and what may wait is bounded by bytes.
"""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, cast

from fairlead.proxy.answers import error_response
from fairlead.proxy.config import TICK_S
from fairlead.proxy.errors import BadRequest
from fairlead.proxy.http1_exchange import Http1Exchange
from fairlead.proxy.lines import has_bare_line_feed
from fairlead.proxy.record import Refused
from fairlead.proxy.timers import Timed

if TYPE_CHECKING:
    from fairlead.proxy.listening import Door
    from fairlead.proxy.origin import Origin
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.proxy_protocol import ProxyHeader
    from fairlead.proxy.service import Service

_HTTP2_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_HTTP2_START: Final = b"PRI * HTTP/2.0"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, for no time


class ClientConnection(asyncio.Protocol, Timed):
    """asyncio's callbacks on one side, one exchange after another on the other.

    Attributes:
        peer: the client's address as text.
        exchange: the request that is being served.
        is_last: it is the last one here.
    """

    __slots__ = (
        "_buffer",
        "_door",
        "_drained",
        "_ends",
        "_header",
        "_is_blocked",
        "_is_paused",
        "_is_pumping",
        "_left",
        "_linger_bytes",
        "_memo_head",
        "_memo_plan",
        "_origin",
        "_service",
        "exchange",
        "is_last",
        "peer",
        "transport",
    )  # fmt: skip

    transport: asyncio.Transport
    _origin: "Origin"

    def __init__(self, service: "Service", door: "Door", header: "ProxyHeader | None" = None) -> None:
        """Serve a client that came in by ``door``, with what a PROXY header said of it."""
        super().__init__()
        self._service = service
        self._door = door
        self._header = header
        self.exchange: Http1Exchange | None = None
        self.peer = b""
        self._buffer = b""
        self._is_blocked = False
        self._is_paused = False
        self._is_pumping = False
        self.is_last = False
        self._left = service.limits.client_requests_max
        self._ends = service.wheel.now + round(service.limits.client_age_s / TICK_S)
        self._drained: Callable[[], None] | None = None
        self._linger_bytes = -1  # what may still be thrown away after an early answer; -1: none was given
        self._memo_head = b""
        self._memo_plan: Plan | None = None

    def __repr__(self) -> str:
        state = "busy" if self.exchange else "idle"
        return f"ClientConnection({self.peer.decode()}, {state}, {len(self._buffer)} bytes waiting)"

    @property
    def is_idle(self) -> bool:
        """Whether closing it now takes nothing from anybody."""
        return self.exchange is None and not self._buffer

    # What asyncio reports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport from asyncio."""
        # uvloop's transports have the methods of asyncio.Transport and not its type.
        self.transport = cast("asyncio.Transport", transport)
        if not self._service.admit(self):
            self.transport.abort()
            return
        self.transport.set_write_buffer_limits(high=self._service.limits.write_buffer_bytes_max)
        self._origin = self._door.origin(transport, self._header)
        self.peer = self._origin.peer
        secured = transport.get_extra_info("ssl_object")
        if secured is not None and secured.selected_alpn_protocol() == "h2":
            self._service.speak_http2(self, self.transport, self._origin, b"")
            return
        self._service.wheel.set(self, self._service.limits.head_s)

    def data_received(self, data: bytes) -> None:
        """Take bytes: of a head, of a body, sent ahead, or to be thrown away."""
        exchange = self.exchange
        if self._linger_bytes >= 0:
            self._linger_bytes -= len(data)
            if self._linger_bytes < 0:
                self.reset()
        elif exchange is None:
            is_first = not self._buffer
            self._buffer = data if is_first else self._buffer + data
            self._pump()
            # The patience for a head counts from its first byte; the next ones do not renew it.
            if is_first and self._buffer and self.exchange is None and self._linger_bytes < 0:
                self._service.wheel.set(self, self._service.limits.head_s)
        elif exchange.upload is not None and not exchange.is_passing:
            self._service.wheel.set(self, self._service.limits.body_idle_s)
            end = exchange.receive(data)
            if end >= 0:
                self._buffer = data[end:]
                if self._serves(exchange):
                    self._service.wheel.clear(self)
            self.update_reading()
        else:
            self._buffer += data
            self.update_reading()

    def eof_received(self) -> None:
        """Take the end of what a client sends for the end of its interest, as nginx and Go do."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.on_client_gone()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self._service.wheel.clear(self)
        self._service.forget(self)
        self._buffer = b""
        self._memo_plan = None
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.on_client_gone()

    def pause_writing(self) -> None:
        """The client does not read: stop reading the server, and be patient only for so long."""
        self._is_blocked = True
        self._service.wheel.set(self, self._service.limits.write_stall_s)
        if self.exchange is not None and self.exchange.connection is not None:
            self.exchange.connection.read_no_more()

    @property
    def is_plain(self) -> bool:
        """Whether what is written goes out as it is."""
        return self.transport.get_extra_info("ssl_object") is None

    def when_drained(self, call: Callable[[], None]) -> None:
        """Call ``call`` once nothing that was written is left here."""
        if not self.transport.get_write_buffer_size():
            call()
            return
        self._drained = call
        self.transport.set_write_buffer_limits(high=0)

    def resume_writing(self) -> None:
        """The client reads again."""
        self._is_blocked = False
        self._service.wheel.clear(self)
        if self._drained is not None:
            call, self._drained = self._drained, None
            self.transport.set_write_buffer_limits(high=self._service.limits.write_buffer_bytes_max)
            call()
            return
        if self.exchange is not None and self.exchange.connection is not None:
            self.exchange.connection.read_on()
        elif self.exchange is None and self._linger_bytes < 0:
            self._wait_for_next()
            self._pump()

    def on_deadline(self) -> None:
        """Act on what took too long; which it was follows from the state."""
        exchange = self.exchange
        if self._is_blocked and exchange is not None:
            exchange.cut()
        elif self._is_blocked or self._linger_bytes >= 0:
            self.reset()
        elif exchange is None:
            if self._buffer:
                self._refuse(BadRequest(408, "the request did not come in time"))
            else:
                self.transport.close()
        elif exchange.upload is not None:
            if self._is_paused:
                self._service.wheel.set(self, self._service.limits.body_idle_s)  # We do not read it.
            else:
                exchange.fail_request(408, "the request body did not come in time")

    # What the exchange asks for

    def on_exchange_over(self, *, keep_alive: bool, is_complete: bool) -> None:
        """The answer is on its way; go on with the next request, or end."""
        self.exchange = None
        if not is_complete:
            self._linger()
        elif not keep_alive:
            (self._linger if self._buffer else self.transport.close)()
        else:
            if not self._is_blocked:
                self._wait_for_next()
            if self._buffer:
                self._pump()

    def expect_last(self) -> None:
        """The proxy drains: a request that is already on its way is answered, and then this ends."""
        if self.is_idle and not self._is_blocked:
            self._service.wheel.set(self, self._service.limits.drain_idle_s)

    def reset(self) -> None:
        """End the connection so that the client sees that something is missing, whatever the framing."""
        self.exchange = None
        if self.transport.is_closing():
            return
        # Without this, closing would look like the regular end of a response that ends with the connection.
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE
        )
        self.transport.abort()

    def update_reading(self) -> None:
        """Read, or do not: a body that the server cannot take yet, or too much sent ahead, has to wait."""
        exchange = self.exchange
        hold = len(self._buffer) > self._service.limits.pipeline_bytes_max
        if exchange is not None and exchange.upload is not None:
            connection = exchange.connection
            hold = not exchange.is_gathering and (connection is None or connection.is_blocked)
        if hold is not self._is_paused and not self.transport.is_closing():
            self._is_paused = hold
            if hold and exchange is not None:
                exchange.excuse_pace()
            (self.transport.pause_reading if hold else self.transport.resume_reading)()

    def hand_over(self) -> bytes:
        """Return what the client sent ahead; the connection belongs to somebody else from now on."""
        data, self._buffer = self._buffer, b""
        self.exchange = None
        self._service.wheel.clear(self)
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()
        return data

    # Requests

    def _pump(self) -> None:
        """Serve what has arrived, one request at a time, until one has to wait."""
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            while self._buffer and self._can_start() and self._take_request():
                pass
        finally:
            self._is_pumping = False
        if self._is_paused or self._buffer:
            self.update_reading()

    def _can_start(self) -> bool:
        """Whether to start on a request; a client that does not read answers gets no more of them."""
        if self.exchange is not None or self._is_blocked:
            return False
        return self._linger_bytes < 0 and not self.transport.is_closing()

    def _take_request(self) -> bool:
        """Start on one request from the buffer; False when its head is not complete."""
        data = self._buffer
        if data.startswith(b"\r\n"):
            # RFC 9112, section 2.2: ignore at least one empty line before a request line.
            data = self._buffer = data[2:]
        if data.startswith(_HTTP2_START):
            return self._turn_to_http2(data)
        end = data.find(b"\r\n\r\n") + 4
        limits = self._service.limits
        if end < 4 or end > limits.head_bytes_max:
            if (
                len(data) > limits.request_line_bytes_max
                and data.find(b"\n", 0, limits.request_line_bytes_max) < 0
            ):
                self._refuse(BadRequest(414, "request target too long"))
            elif end >= 4 or len(data) > limits.head_bytes_max:
                self._refuse(BadRequest(431, "request head too long"))
            elif has_bare_line_feed(data):
                self._refuse(BadRequest(400, "a line ends without a carriage return"))
            return False
        head = data if end == len(data) else data[:end]
        plan = self._memo_plan
        if plan is None or head != self._memo_head or plan.snapshot is not self._service.snapshot:
            try:
                plan = self._service.plan(head, self._origin)
            except BadRequest as error:
                self._refuse(error)
                return False
            self._memo_head, self._memo_plan = head, plan
        self._start(plan, data[end:])
        return True

    def _turn_to_http2(self, data: bytes) -> bool:
        """Step aside for a client that speaks HTTP/2 from the start (RFC 9113, section 3.3)."""
        if len(data) >= len(_HTTP2_PREFACE):
            self._buffer = b""
            self._service.wheel.clear(self)
            self._service.speak_http2(self, self.transport, self._origin, data)
        return False

    def _start(self, plan: "Plan", rest: bytes) -> None:
        self._left -= 1
        self.is_last = self._left <= 0 or self._service.wheel.now >= self._ends
        exchange = self.exchange = Http1Exchange(self._service, self, plan)
        self._service.wheel.clear(self)
        self._buffer = rest
        if exchange.upload is not None:
            self._service.wheel.set(self, self._service.limits.body_idle_s)
            limit = plan.body_bytes_max
            if limit and plan.request.length > limit:
                exchange.fail_request(413, "request body too large")
                return
            if plan.refusal is None and plan.target.chain is None:
                self.take_body()
                if not self._serves(exchange):
                    return
        exchange.begin()
        if exchange.upload is not None and self._serves(exchange):
            self.update_reading()

    def _serves(self, exchange: Http1Exchange) -> bool:
        """Whether ``exchange`` is still what this connection waits for."""
        return self.exchange is exchange

    def say_continue(self) -> None:
        """Have the client send its body (RFC 9110, section 15.2.1)."""
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def take_body(self) -> None:
        """Hand over what came of the request's body along with its head."""
        exchange, rest = self.exchange, self._buffer
        if rest and exchange is not None and exchange.upload is not None:
            self._buffer = b""
            end = exchange.receive(rest)
            if end >= 0 and self._serves(exchange):
                self._buffer = rest[end:]
                self._service.wheel.clear(self)

    def _wait_for_next(self) -> None:
        limits = self._service.limits
        self._service.wheel.set(self, limits.head_s if self._buffer else limits.client_idle_s)
        if self._is_paused:
            self.update_reading()

    def _refuse(self, error: BadRequest) -> None:
        """Answer what could not be planned, and end: after a malformed request nothing can be trusted."""
        self._service.stats.refused += 1
        self._service.stats.answered(error.status, 0)
        record = Refused(error.status, peer=self.peer)
        for observer in self._service.observers:
            observer(record)
        self.transport.write(error_response(error.status, error.reason))
        self._linger()

    def _linger(self) -> None:
        """Close, but read for a while: closing on unread bytes would take the answer back from the client."""
        self._buffer = b""
        if self.transport.is_closing():
            return
        self._linger_bytes = self._service.limits.linger_bytes_max
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._service.wheel.set(self, self._service.limits.linger_s)
        if self._is_paused:
            self._is_paused = False
            self.transport.resume_reading()
