"""A client's connection that speaks HTTP/2: each stream is a request of its own, with an exchange of its own."""

import asyncio
from typing import TYPE_CHECKING

from fairlead import http2
from fairlead.proxy.answers import as_response, error_answer
from fairlead.proxy.config import TICK_S
from fairlead.proxy.errors import BadRequest, MalformedRequest
from fairlead.proxy.headers import Fields
from fairlead.proxy.http2.exchange import Http2Exchange
from fairlead.proxy.http2.messages import block_of, head_of
from fairlead.proxy.http2.wire import Wire, protocol_limits
from fairlead.proxy.record import Refused

if TYPE_CHECKING:
    from fairlead.proxy.origin import Origin
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.service import Service
    from fairlead.proxy.timers import Alarm


_CONTINUE = http2.encoded([(b":status", b"100")])


class ClientStream(http2.Stream):
    """One request; to its exchange, what a connection is to one over HTTP/1.1."""

    __slots__ = ("_alarm", "_client", "_head", "_is_blocked", "_waiting", "exchange")

    is_last = False  # Other streams go on; the connection says when it ends.

    def __init__(
        self, client: "Http2Client", head: "RequestHead", connection: http2.ServerConnection, stream_id: int
    ) -> None:
        super().__init__(connection, stream_id, head.content_length)
        self._client = client
        self._head = head
        self._alarm: Alarm | None = None
        self._is_blocked = False
        self._waiting: list[bytes] = []  # body, for middlewares that have still to see the head
        self.exchange: Http2Exchange | None = None

    # What the connection reports

    def opened(self) -> None:
        """Plan the request and begin."""
        client = self._client
        client.on_stream()
        try:
            plan = self._head.plan(client, has_body=not self.has_half_closed)
        except BadRequest as error:
            self._refuse(error)
            return
        self.exchange = exchange = Http2Exchange(client.service, self, plan)
        limit = plan.body_bytes_max
        if limit and plan.request.length > limit:
            exchange.fail_request(413, "request body too large")
        else:
            if exchange.upload is not None:
                self._ring_in(client.service.limits.body_idle_s)
            exchange.begin()

    def data_received(self, payload: bytes, *, is_last: bool) -> None:
        """Pass body on."""
        exchange = self.exchange
        if exchange is None or exchange.upload is None:
            return
        self.withhold(len(payload))
        if exchange.is_passing:
            self._waiting.append(payload)
        elif payload:
            exchange.receive(payload)
        if self.exchange is not exchange:
            return
        if is_last:
            self._quiet()
            self._end_upload()
        else:
            self._ring_in(self._client.service.limits.body_idle_s)
        self.update_reading()

    def trailers_received(self, fields: list[http2.Field]) -> None:
        """Keep them for the end of the request."""
        if self.exchange is not None and self.exchange.upload is not None:
            self.exchange.upload.trailers = fields

    def cancelled(self) -> None:
        """Nobody waits for the answer."""
        self.is_open = False
        self._let_go()
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.on_client_gone()

    def writable(self) -> None:
        """The client takes more: let whoever sends to it go on."""
        exchange = self.exchange
        self._quiet()
        if self._is_blocked and exchange is not None:
            if exchange.upload is not None:
                self._ring_in(self._client.service.limits.body_idle_s)
            if exchange.connection is not None:
                exchange.connection.read_on()
        self._is_blocked = False

    # What the exchange asks for

    @property
    def peer(self) -> bytes:
        """The client's address as text."""
        return self._client.peer

    def send_head(self, block: bytes) -> None:
        """Send a head, an interim one too."""
        if self.is_open:
            self.connection.sender.headers(self, block)

    def say_continue(self) -> None:
        """Have the client send its body (RFC 9110, section 15.2.1)."""
        self.send_head(_CONTINUE)

    def send_body(self, pieces: list[bytes]) -> None:
        """Send body as the client takes it."""
        for piece in pieces:
            if piece and self.is_open:
                self.connection.sender.data(self, piece)
        if self.buffered_bytes > self._client.service.limits.write_buffer_bytes_max and not self._is_blocked:
            self._is_blocked = True
            self._ring_in(self._client.service.limits.write_stall_s)
            if self.exchange is not None and self.exchange.connection is not None:
                self.exchange.connection.read_no_more()

    def end(self, trailers: Fields) -> None:
        """End the answer."""
        if self.is_open:
            self.is_open = False
            block = http2.encoded([(name.lower(), value) for name, value in trailers])
            self.connection.sender.end(self, block)

    def send_whole(self, block: bytes, body: bytes) -> None:
        """Send all of an answer."""
        if self.is_open:
            self.is_open = False
            self.connection.sender.message(self, block, body)

    def take_body(self) -> None:
        """Hand over what came while middlewares had still to see the head."""
        waiting, self._waiting = self._waiting, []
        for piece in waiting:
            if self.exchange is not None and self.exchange.upload is not None:
                self.exchange.receive(piece)
        self._end_upload()

    def update_reading(self) -> None:
        """Let the client send on once what it has sent is on its way."""
        exchange = self.exchange
        connection = exchange.connection if exchange is not None else None
        if (
            exchange is None
            or exchange.is_gathering
            or (connection is not None and not connection.is_blocked)
        ):
            self.give_back()
        else:
            self.is_reading = False
            exchange.excuse_pace()

    def on_exchange_over(self, *, keep_alive: bool, is_complete: bool) -> None:
        """The answer is on its way; the rest of a request that nobody wants is refused with its end."""
        self.exchange = None
        self._let_go()
        if self.buffered_bytes:
            self._ring_in(self._client.service.limits.write_stall_s)

    def reset(self) -> None:
        """Let the client see that something is missing."""
        self._end(http2.ErrorCode.INTERNAL_ERROR)

    # Within

    def _end_upload(self) -> None:
        exchange = self.exchange
        if exchange is not None and self.has_half_closed and not exchange.is_passing:
            exchange.end_upload()

    def _end(self, code: http2.ErrorCode) -> None:
        self.exchange = None
        self._let_go()
        self.is_open = False
        self.connection.reset(self, code)

    def _let_go(self) -> None:
        """Nothing of the request is held any more, and nobody waits for anything."""
        self._waiting = []
        self._quiet()
        self.give_back()

    def _ring_in(self, seconds: float) -> None:
        if self._alarm is None:
            self._alarm = self._client.lend_alarm(self._on_deadline)
        self._client.service.wheel.set(self._alarm, seconds)

    def _quiet(self) -> None:
        if self._alarm is not None:
            self._client.take_alarm(self._alarm)
            self._alarm = None

    def _on_deadline(self) -> None:
        """The client has sent none of its body, or taken none of the answer, for too long."""
        exchange = self.exchange
        if exchange is None:
            self._end(http2.ErrorCode.CANCEL)
        elif self._is_blocked:
            exchange.cut()
        elif exchange.upload is not None:
            if not self.is_reading or exchange.status:
                # We do not take it; or it is answered already, and both sides may take their time.
                self._ring_in(self._client.service.limits.body_idle_s)
            else:
                exchange.fail_request(408, "the request body did not come in time")

    def _refuse(self, error: BadRequest) -> None:
        service = self._client.service
        service.stats.refused += 1
        service.stats.answered(error.status, 0)
        record = Refused(error.status, peer=self.peer)
        for observer in service.observers:
            observer(record)
        answer = error_answer(error.status, error.reason, flag="DPE")
        block = block_of(as_response(answer))
        if isinstance(error, MalformedRequest):
            self.send_head(block)
            self._end(http2.ErrorCode.PROTOCOL_ERROR)
        else:
            self.send_whole(block, answer.body)


class RequestHead(http2.Head):
    """The fields of a request, and what is to be done with it while the configuration is the same."""

    __slots__ = ("_fields", "_plan", "_plan_with_body", "_size_bytes")

    def __init__(self, client: "Http2Client", fields: list[http2.Field]) -> None:
        self._fields = fields
        self._size_bytes = sum([len(name) + len(value) + http2.FIELD_OVERHEAD for name, value in fields])
        self._plan: Plan | None = None
        self._plan_with_body: Plan | None = None
        try:
            self.content_length = http2.content_length(fields, 0)
        except http2.StreamFault:
            self.content_length = None  # The plan refuses it.
        self.open = lambda connection, stream_id: ClientStream(client, self, connection, stream_id)

    def plan(self, client: "Http2Client", *, has_body: bool) -> "Plan":
        """Decide about a request.

        Raises:
            BadRequest: it may not be forwarded.
        """
        plan = self._plan_with_body if has_body else self._plan
        if plan is None or plan.snapshot is not client.service.snapshot:
            if self._size_bytes > client.service.limits.head_bytes_max:
                raise BadRequest(431, "request head too long")
            plan = client.service.plan(head_of(self._fields, has_body=has_body), client.origin)
            if has_body:
                self._plan_with_body = plan
            else:
                self._plan = plan
        return plan


class Http2Client(Wire):
    """All streams of one client.

    Attributes:
        peer: the client's address as text.
        origin: what all its requests have in common.
    """

    def __init__(self, service: "Service", origin: "Origin") -> None:
        super().__init__(service)
        limits = service.limits
        self.peer = origin.peer
        self.origin = origin
        own = protocol_limits(limits, keepalive_idle_s=limits.client_idle_s)
        headers = http2.HeaderReader(own, lambda fields, _: RequestHead(self, fields))
        self.connection = self._own = http2.ServerConnection(own, headers, wake=self.wake, now_s=self.now_s)
        self._left = limits.client_requests_max
        self._ends = service.wheel.now + round(limits.client_age_s / TICK_S)
        self._is_leaving = False

    def take_over(self, transport: asyncio.BaseTransport, data: bytes) -> None:
        """Speak HTTP/2 from here on; ``data`` is what has come already."""
        self.begin(transport)
        self.data_received(data)

    @property
    def is_idle(self) -> bool:
        """Whether closing it now takes nothing from anybody."""
        return not self.connection.streams

    @property
    def idle_s(self) -> float:
        """How long a client may be without requests."""
        limits = self.service.limits
        return limits.drain_idle_s if self._is_leaving else limits.client_idle_s

    def on_stream(self) -> None:
        """Count a request: one of them is the last."""
        super().on_stream()
        self._left -= 1
        if self._left <= 0 or self.service.wheel.now >= self._ends:
            self._own.stop_accepting()

    def expect_last(self) -> None:
        """Tell the client to go elsewhere, and answer what is under way: the proxy drains."""
        self._is_leaving = True
        self._own.drain()
        if not self.connection.streams:
            self.service.wheel.set(self, self.service.limits.drain_idle_s)

    def on_idle(self) -> None:
        """End it; a client of good manners has learned of a drain by now."""
        self._own.stop_accepting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        super().connection_lost(exc)
        self.service.forget(self)
