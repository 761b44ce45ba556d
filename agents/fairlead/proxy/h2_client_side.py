"""A client's connection that speaks HTTP/2: each stream is a request of its own, with an exchange of its own.

A request is held against the same rules as one over HTTP/1.1: its fields are written as a head, and that head is
read by the same parser.  Nothing that HTTP/1.1 refuses comes in by this door.
"""

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING, Any, cast

import h2.exceptions
import h2.settings
from hyperframe.frame import GoAwayFrame

from fairlead.proxy.answers import as_response, error_answer
from fairlead.proxy.body import UntilClose
from fairlead.proxy.config import TICK_S
from fairlead.proxy.errors import BadRequest
from fairlead.proxy.exchange import Exchange
from fairlead.proxy.h2_wire import ErrorCodes, Stream, Wire
from fairlead.proxy.headers import Fields
from fairlead.proxy.record import Refused
from fairlead.proxy.request import BY_LENGTH, NO_BODY
from fairlead.proxy.upload import Upload

if TYPE_CHECKING:
    from fairlead.proxy.client_side import ClientConnection
    from fairlead.proxy.origin import Origin
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.response import Response
    from fairlead.proxy.service import Service

_STREAMS_MAX = 128
_KNOWN_MAX = 256
_BREAKS = re.compile(rb"[\r\n\0]")
_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path"})
_HOPPING = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})


class StreamExchange(Exchange):
    """An exchange whose client speaks HTTP/2."""

    is_framed = True
    __slots__ = ("_stream",)

    def __init__(
        self, service: "Service", stream: "ClientStream", plan: "Plan", *, is_complete: bool
    ) -> None:
        # A stream has all that an exchange asks of a client's connection.
        super().__init__(service, cast("ClientConnection", stream), plan)
        self._stream = stream
        if self._body is not None and not is_complete:
            self.upload = self._body = Upload(
                plan.request,
                limit=plan.body_bytes_max,
                keep_bytes_max=service.limits.replay_bytes_max,
                decoder=UntilClose(),
            )
        elif self._body is not None:
            self._body.end()
            self.upload = None
        if plan.request.header(b"content-type").startswith(b"application/grpc"):
            self._pace = None  # A stream of messages, each in its own time.

    def _send_interim(self, response: "Response") -> None:
        self._stream.send_head(response.status, response.fields, is_end=False)

    def _send_head(self, response: "Response", pieces: list[bytes], added: bytes, *, is_end: bool) -> None:
        fields = [(name.lower(), value) for name, value in response.fields]
        if added:
            lines = (line.partition(b": ") for line in added.split(b"\r\n") if line)
            fields += [(name.lower(), value) for name, _, value in lines]
        length = response.announced_length
        if response.framing is BY_LENGTH:
            length = response.length
        if length is not None:
            fields.append((b"content-length", b"%d" % length))
        is_last = is_end and not pieces and not self.trailers
        self._stream.send_head(response.status, fields, is_end=is_last)
        if not is_last:
            self._send_body(pieces, is_end=is_end)

    def _send_body(self, pieces: list[bytes], *, is_end: bool) -> None:
        self.sent_bytes += sum(map(len, pieces))
        trailers = self.trailers if self._tells_trailers else []
        self._stream.send_data([each for each in pieces if each], is_end=is_end, trailers=trailers)

    def splice_target(self) -> None:
        """Frames stand around every piece of a body."""

    @property
    def _tells_trailers(self) -> bool:
        """They are part of every message here, whether the client speaks of them or not."""
        return self._call is None or not self._call.has_response_filters


class ClientStream(Stream):
    """One request; to its exchange, what a connection is to one over HTTP/1.1."""

    is_last = False  # Other streams go on; the connection says when it ends.
    __slots__ = ("_client", "exchange", "is_cut_short")

    def __init__(self, client: "Http2Client", stream_id: int) -> None:
        super().__init__(client, stream_id)
        self._client = client
        self.exchange: StreamExchange | None = None
        self.is_cut_short = False  # the answer is complete, and the request is not

    # What the wire reports

    def on_head(self, fields: Fields, *, is_end: bool) -> None:
        """Plan the request and begin."""
        try:
            plan = self._client.plan(fields, has_body=not is_end)
        except BadRequest as error:
            self._refuse(error)
            return
        self.exchange = exchange = StreamExchange(self._client.service, self, plan, is_complete=is_end)
        limit = plan.body_bytes_max
        if limit and plan.request.length > limit:
            exchange.fail_request(413, "request body too large")
        else:
            if not is_end:
                self.wire.service.wheel.set(self, self.wire.service.limits.body_idle_s)
            exchange.begin()

    def on_data(self, data: bytes) -> None:
        """Pass body on."""
        if self.exchange is not None and self.exchange.upload is not None:
            self.wire.service.wheel.set(self, self.wire.service.limits.body_idle_s)
            self.exchange.receive(data)
            self.update_reading()
        else:
            self.acknowledge()

    def on_trailers(self, fields: Fields) -> None:
        """Keep them for the end of the request."""
        if self.exchange is not None and self.exchange.upload is not None:
            self.exchange.upload.trailers = [(bytes(name), bytes(value)) for name, value in fields]

    def on_end(self) -> None:
        """The request is complete."""
        self.wire.service.wheel.clear(self)
        if self.exchange is not None:
            self.exchange.end_upload()

    def on_lost(self) -> None:
        """Nobody waits for the answer."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            exchange.on_client_gone()

    def on_blocked(self) -> None:
        """The client is slow: so is whoever sends to it, from now on."""
        if self.exchange is not None and self.exchange.connection is not None:
            connection = self.exchange.connection
            (connection.read_no_more if self.is_blocked else connection.read_on)()

    # What the exchange asks for

    def send_head(self, status: int, fields: Fields, *, is_end: bool) -> None:
        """Send a head, an interim one too."""
        try:
            self.wire.connection.send_headers(
                self.id, [(b":status", b"%d" % status), *fields], end_stream=is_end
            )
        except h2.exceptions.ProtocolError:
            return  # The client has reset the stream meanwhile.
        self.wire.flush_soon()

    def take_body(self) -> None:
        """Nothing is kept back here: what came waits in the window."""

    def update_reading(self) -> None:
        """Let the client send on once what it has sent is on its way."""
        exchange = self.exchange
        connection = exchange.connection if exchange is not None else None
        if (
            exchange is None
            or exchange.is_gathering
            or (connection is not None and not connection.is_blocked)
        ):
            self.acknowledge()
        else:
            exchange.excuse_pace()

    def on_deadline(self) -> None:
        """The client has sent none of its body for too long."""
        exchange = self.exchange
        if exchange is not None and exchange.upload is not None:
            if self.held_bytes or exchange.status:
                # We do not take it; or it is answered already, and both sides may take their time.
                self.wire.service.wheel.set(self, self.wire.service.limits.body_idle_s)
            else:
                exchange.fail_request(408, "the request body did not come in time")

    def on_exchange_over(self, *, keep_alive: bool, is_complete: bool) -> None:
        """The answer is on its way.  The rest of a request that nobody wants is not asked for."""
        self.exchange = None
        self.is_cut_short = not is_complete
        self.finish()

    def reset(self) -> None:
        """Let the client see that something is missing."""
        self.exchange = None
        self.cancel(ErrorCodes.INTERNAL_ERROR)

    def _refuse(self, error: BadRequest) -> None:
        service = self._client.service
        service.stats.refused += 1
        service.stats.answered(error.status, 0)
        record = Refused(error.status, peer=self._client.peer)
        for observer in service.observers:
            observer(record)
        answer = error_answer(error.status, error.reason, flag="DPE")
        fields = [(name.lower(), value) for name, value in as_response(answer).fields]
        self.send_head(error.status, fields, is_end=False)
        self.send_data([answer.body], is_end=True)
        self.finish()


class Http2Client(Wire):
    """All streams of one client.

    Attributes:
        peer: the client's address as text.
    """

    def __init__(self, service: "Service", origin: "Origin") -> None:
        super().__init__(service, is_client=False)
        self.peer = origin.peer
        self._origin = origin
        self._known: dict[tuple[tuple[bytes, bytes], ...], Plan] = {}
        self._left = service.limits.client_requests_max
        self._ends = service.wheel.now + round(service.limits.client_age_s / TICK_S)
        self._last: int | None = None  # the stream after which none is taken any more

    def take_over(self, transport: asyncio.BaseTransport, data: bytes) -> None:
        """Speak HTTP/2 from here on; ``data`` is what has come already."""
        limits = self.service.limits
        self.begin(
            transport,
            {
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: _STREAMS_MAX,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: limits.head_bytes_max,
            },
        )
        self.service.wheel.set(self, limits.client_idle_s)
        if data:
            self.data_received(data)

    @property
    def is_idle(self) -> bool:
        """Whether closing it now takes nothing from anybody."""
        return not self.streams

    def plan(self, fields: list[Any], *, has_body: bool) -> "Plan":
        """Decide about a request.

        Raises:
            BadRequest: it may not be forwarded.
        """
        key = tuple((bytes(name), bytes(value)) for name, value in fields)
        known = self._known.get(key)
        if known is not None and known.snapshot is self.service.snapshot and not has_body:
            return known
        plan = self.service.plan(head_of(key, has_body=has_body), self._origin)
        if not has_body:
            if plan.request.framing is not NO_BODY and plan.request.length:
                raise BadRequest(400, "a length without a body")
            if len(self._known) >= _KNOWN_MAX:
                self._known.clear()
            self._known[key] = plan
        return plan

    def on_message(self, event: Any) -> None:
        """A request has come."""
        if self._last is not None and event.stream_id > self._last:
            # The client knows from GOAWAY that this one was not looked at, and asks again elsewhere.
            self.connection.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
            return
        stream = ClientStream(self, event.stream_id)
        self.streams[event.stream_id] = stream
        self.service.wheel.clear(self)
        stream.on_head(event.headers, is_end=event.stream_ended is not None)
        self._left -= 1
        if self._left <= 0 or self.service.wheel.now >= self._ends:
            self.expect_last()

    def forget(self, stream: Stream) -> None:
        """A request is over."""
        super().forget(stream)
        if isinstance(stream, ClientStream) and stream.is_cut_short:
            # RFC 9113, section 8.1: the rest of the request is not wanted.
            with contextlib.suppress(h2.exceptions.ProtocolError):
                self.connection.reset_stream(stream.id, ErrorCodes.NO_ERROR)
            self.flush_soon()
        if self.streams:
            return
        if self._last is not None:
            self.flush()
            self.transport.close()
        else:
            self.service.wheel.set(self, self.service.limits.client_idle_s)

    def expect_last(self) -> None:
        """Tell the client to go elsewhere, and answer what is under way: the proxy drains, or this has lasted enough."""
        if self._last is not None:
            return
        self._last = last = self.connection.highest_inbound_stream_id
        self.flush()
        self.transport.write(GoAwayFrame(0, last_stream_id=last).serialize())
        if not self.streams:
            self.transport.close()

    def on_deadline(self) -> None:
        """It has been idle for too long."""
        if not self.streams:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        super().connection_lost(exc)
        self.service.forget(self)


def head_of(fields: tuple[tuple[bytes, bytes], ...], *, has_body: bool) -> bytes:
    """Return the head that says the same in HTTP/1.1.

    Raises:
        BadRequest: it cannot be said there (RFC 9113, sections 8.2.1 and 8.3.1).
    """
    pseudo: dict[bytes, bytes] = {}
    lines: list[bytes] = []
    cookies: list[bytes] = []
    has_length = False
    for name, value in fields:
        if _BREAKS.search(value) or _BREAKS.search(name) or name != name.lower():
            raise BadRequest(400, "malformed header field")
        if name.startswith(b":"):
            if name not in _PSEUDO or name in pseudo or lines:
                raise BadRequest(400, "malformed pseudo-header field")
            pseudo[name] = value
        elif name in _HOPPING:
            raise BadRequest(400, "a field of the connection has no place in HTTP/2")
        elif name == b"cookie":
            cookies.append(value)  # Section 8.2.3: they may come in pieces.
        elif name == b"host" and b":authority" in pseudo:
            if value.lower() != pseudo[b":authority"].lower():
                raise BadRequest(400, "Host and :authority disagree")
        elif name != b"host" or b":authority" not in pseudo:
            has_length = has_length or name == b"content-length"
            lines.append(b"%b: %b\r\n" % (name, value))
    method, target = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    if b" " in target or b" " in method or not target:
        raise BadRequest(400, "malformed request target")
    if b":authority" in pseudo:
        lines.insert(0, b"host: %b\r\n" % pseudo[b":authority"])
    if cookies:
        lines.append(b"cookie: %b\r\n" % b"; ".join(cookies))
    if has_body and not has_length:
        lines.append(b"transfer-encoding: chunked\r\n")
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, b"".join(lines))
