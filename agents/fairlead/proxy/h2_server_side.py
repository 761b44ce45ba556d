"""A connection to a server that speaks HTTP/2, in clear text with prior knowledge (h2c) or over TLS.

All requests to one server share it; gRPC servers speak nothing else.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import h2.exceptions
import h2.settings

from fairlead.proxy.balance import LOST, MALFORMED, TIMEOUT
from fairlead.proxy.h2_wire import ErrorCodes, Stream, Wire
from fairlead.proxy.headers import RESPONSE_FIELDS, Fields, parse_length
from fairlead.proxy.request import BY_LENGTH, UNTIL_CLOSE
from fairlead.proxy.response import Response

if TYPE_CHECKING:
    from fairlead.proxy.balance import Failure
    from fairlead.proxy.exchange import Exchange
    from fairlead.proxy.service import Service

_DROPPED = frozenset({b"host", b"connection", b"transfer-encoding", b"upgrade", b"expect", b"te"})


class ServerStream(Stream):
    """One request; to its exchange, what a connection is to a server over HTTP/1.1."""

    __slots__ = ("_exchange", "_is_paused", "_read_s")

    def __init__(self, server: "Http2Server") -> None:
        super().__init__(server, 0)
        self._exchange: Exchange | None = None
        self._is_paused = False
        self._read_s = 0.0

    # What the exchange asks for

    def start(
        self, exchange: "Exchange", head: bytes, pieces: Sequence[bytes] = (), *, is_end: bool = True
    ) -> None:
        """Send the beginning of a request, or all of it, and expect its response."""
        self._exchange = exchange
        self._read_s = exchange.group.read_s
        self.wire.service.wheel.set(self, self._read_s)
        has_body = bool(pieces) or not is_end or bool(exchange.request_trailers())
        try:
            self.id = self.wire.connection.get_next_available_stream_id()
            self.wire.streams[self.id] = self
            self.wire.connection.send_headers(self.id, fields_of(head), end_stream=not has_body)
        except h2.exceptions.ProtocolError:
            self._fail(LOST, "the server takes no more requests")
            return
        if has_body:
            self._send_pieces(exchange, pieces, is_end=is_end)
        self.wire.flush_soon()

    def send_body(self, pieces: list[bytes], *, is_end: bool) -> None:
        """Send more of the request."""
        self.wire.service.wheel.set(self, self._read_s)
        self._send_pieces(self._exchange, pieces, is_end=is_end)

    def _send_pieces(self, exchange: "Exchange | None", pieces: Sequence[bytes], *, is_end: bool) -> None:
        trailers = exchange.request_trailers() if is_end and exchange is not None else []
        self.send_data(pieces, is_end=is_end, trailers=trailers)

    def release(self, *, is_reusable: bool) -> None:
        """Let the exchange go; a request that is not over is cancelled."""
        self._exchange = None
        self.wire.service.wheel.clear(self)
        if self.id in self.wire.streams:
            self.cancel(ErrorCodes.CANCEL)

    def read_no_more(self) -> None:
        """The client is slow: let the window fill."""
        self._is_paused = True

    def read_on(self) -> None:
        """The client takes more."""
        self._is_paused = False
        self.acknowledge()

    # What the wire reports

    def on_head(self, fields: Fields, *, is_end: bool) -> None:
        """The answer begins."""
        exchange = self._exchange
        if exchange is None:
            return
        try:
            response = response_of(fields, is_head=exchange.plan.request.method == b"HEAD", is_end=is_end)
        except ValueError:
            self._fail(MALFORMED, "the server's answer is malformed")
            return
        if response.status < 200:
            exchange.on_interim(response)
            return
        self.wire.service.wheel.set(self, self._read_s)
        if is_end:
            self._leave(exchange)
        exchange.on_response(response, [], is_end=is_end)

    def on_data(self, data: bytes) -> None:
        """Pass body on."""
        exchange = self._exchange
        if exchange is None:
            self.acknowledge()
            return
        self.wire.service.wheel.set(self, self._read_s)
        exchange.on_body([data], is_end=False)
        if not self._is_paused:
            self.acknowledge()

    def on_trailers(self, fields: Fields) -> None:
        """Pass them on with the end."""
        if self._exchange is not None:
            self._exchange.on_trailers(
                [(bytes(name), bytes(value)) for name, value in fields], is_framed=True
            )

    def on_end(self) -> None:
        """The answer is complete."""
        exchange = self._exchange
        if exchange is not None:
            self._leave(exchange)
            exchange.on_body([], is_end=True)

    def on_lost(self) -> None:
        """The server has reset it, or is gone."""
        self._fail(LOST, "the server ended the request")

    def on_blocked(self) -> None:
        """The server is slow: so is the client, from now on."""
        if self._exchange is not None:
            self._exchange.on_server_writable()

    def on_deadline(self) -> None:
        """Give up on a server that does not answer."""
        exchange = self._exchange
        if self._is_paused or (exchange is not None and exchange.upload is not None and not self.is_blocked):
            self.wire.service.wheel.set(self, self._read_s)  # It is the client that is slow.
        else:
            self._fail(TIMEOUT, "the server did not answer in time")

    def _leave(self, exchange: "Exchange") -> None:
        exchange.connection = None
        self._exchange = None
        self.wire.service.wheel.clear(self)
        self.wire.forget(self)

    def _fail(self, failure: "Failure", reason: str) -> None:
        exchange, self._exchange = self._exchange, None
        self.wire.service.wheel.clear(self)
        if self.id in self.wire.streams:
            self.cancel(ErrorCodes.CANCEL)
        if exchange is not None:
            exchange.on_server_failure(failure, reason)


class Http2Server(Wire):
    """All requests to one server."""

    def __init__(self, service: "Service") -> None:
        super().__init__(service, is_client=True)
        self._is_leaving = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport from asyncio."""
        self.begin(transport, {h2.settings.SettingCodes.ENABLE_PUSH: 0})

    @property
    def is_usable(self) -> bool:
        """Whether it takes another request."""
        if not self.is_open or self._is_leaving:
            return False
        return len(self.streams) < int(self.connection.remote_settings.max_concurrent_streams)

    def open_stream(self) -> ServerStream:
        """Return a stream for another request."""
        self.service.wheel.clear(self)
        return ServerStream(self)

    def on_goaway(self, event: Any) -> None:
        """What is under way may end; others go elsewhere."""
        self._is_leaving = True
        for stream in [each for number, each in self.streams.items() if number > event.last_stream_id]:
            self.streams.pop(stream.id)
            stream.on_lost()
        if not self.streams:
            self.transport.close()

    def forget(self, stream: Stream) -> None:
        """A request is over."""
        super().forget(stream)
        if not self.streams:
            if self._is_leaving:
                self.transport.close()
            else:
                self.service.wheel.set(self, self.service.limits.server_idle_s)

    def on_deadline(self) -> None:
        """It has been idle for too long."""
        if not self.streams:
            self.is_open = False
            self.transport.close()


def fields_of(head: bytes) -> Fields:
    """Return our own request head as fields of HTTP/2."""
    line, *lines = head[:-4].split(b"\r\n")
    method, target, _ = line.split(b" ")
    fields = [(b":method", method), (b":scheme", b"http"), (b":path", target)]
    others: Fields = []
    for each in lines:
        name, _, value = each.partition(b": ")
        name = name.lower()
        if name == b"host":
            fields.append((b":authority", value))
        elif name not in _DROPPED:
            others.append((name, value))
    return [*fields, *others, (b"te", b"trailers")]


def response_of(fields: Fields, *, is_head: bool, is_end: bool) -> Response:
    """Return the response that ``fields`` describe.

    Raises:
        ValueError: they describe none that may be forwarded.
    """
    status, length = 0, None
    passed: Fields = []
    for raw_name, raw_value in fields:
        name, value = bytes(raw_name), bytes(raw_value)
        if b"\r" in value or b"\n" in value or b"\0" in value:
            raise ValueError(name)
        if name == b":status":
            status = int(value) if value.isdigit() and len(value) == 3 else 0
        elif name == b"content-length":
            length = parse_length(value)
        elif name not in RESPONSE_FIELDS:
            passed.append((name, value))
    if not 100 <= status <= 599 or status == 101:
        raise ValueError(status)
    response = Response(status=status, reason=b"", fields=passed)
    if is_head or status in {204, 304} or status < 200:
        response.announced_length = length if is_head or status == 304 else None
    elif length is not None and not is_end:
        response.framing, response.length = BY_LENGTH, length
    elif is_end:
        response.framing, response.length = BY_LENGTH, 0
    else:
        response.framing = UNTIL_CLOSE
    return response
