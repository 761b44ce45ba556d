"""A connection to a server: sends one request at a time, and reads the response that belongs to it.

Whatever arrives outside of a response ends the connection: it would be taken for the answer to somebody
else's request ("response-queue poisoning").
"""

import asyncio
import select
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from fairlead.proxy import splicing
from fairlead.proxy.balance import LOST, MALFORMED, TIMEOUT, Failure
from fairlead.proxy.body import BodyError, Chunked, Counted, Decoder, chunk
from fairlead.proxy.errors import BadResponse
from fairlead.proxy.lines import has_bare_line_feed
from fairlead.proxy.request import BY_LENGTH, CHUNKED, NO_BODY
from fairlead.proxy.response import Response
from fairlead.proxy.timers import Timed
from fairlead.proxy.trailers import last_chunk

if TYPE_CHECKING:
    from fairlead.proxy.seams import Asker
    from fairlead.proxy.service import Service
    from fairlead.proxy.state import ServerState

_INTERIM_MAX = 16


class ServerConnection(asyncio.Protocol, Timed):
    """asyncio's callbacks on one side, the exchange on the other.

    Attributes:
        is_open: until asyncio says that it is not.
        is_blocked: the server does not take what is sent; then the client is not read.
    """

    __slots__ = (
        "_body_s", "_buffer", "_decoder", "_exchange", "_interims", "_is_paused", "_memo", "_moving", "_read_s", "_response",
        "_server", "_service", "_was_used", "is_blocked", "is_open", "transport",
    )  # fmt: skip

    transport: asyncio.Transport

    def __init__(self, service: "Service", server: "ServerState") -> None:
        super().__init__()
        self.is_open = False
        self.is_blocked = False
        self._service = service
        self._server = server
        self._exchange: Asker | None = None
        self._buffer = b""
        self._response: Response | None = None
        self._decoder: Decoder | None = None
        self._interims = 0
        self._is_paused = False
        self._was_used = False
        self._moving: splicing.Splice | None = None  # the kernel has the rest of the body in hand
        self._read_s = self._body_s = 0.0
        # The last head, whether it answered HEAD, and what it meant: servers repeat themselves.
        self._memo: tuple[bytes, bool, Response] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport from asyncio."""
        # uvloop's transports have the methods of asyncio.Transport and not its type.
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=self._service.limits.write_buffer_bytes_max)
        self.is_open = True

    # What the exchange asks for

    def start(
        self, exchange: "Asker", head: bytes, pieces: Sequence[bytes] = (), *, is_end: bool = True
    ) -> None:
        """Send the beginning of a request, or all of it, and expect its response."""
        self._exchange = exchange
        self._response = None
        self._read_s, self._body_s = exchange.patience_s()
        self._service.wheel.set(self, self._read_s)
        if exchange.plan.request.framing is not NO_BODY:
            head = b"".join([head, *_framed(exchange, pieces, is_end=is_end)])
        self.transport.write(head)

    def send_body(self, pieces: list[bytes], *, is_end: bool) -> None:
        """Send more of the request; the server need not answer before it has it."""
        self._service.wheel.set(self, self._read_s)
        if framed := _framed(self._exchange, pieces, is_end=is_end):
            self.transport.writelines(framed)

    def release(self, *, is_reusable: bool) -> None:
        """Let the exchange go; the connection waits for another, or closes."""
        self._exchange = None
        self._response = self._decoder = None
        self._was_used = True
        if is_reusable and self.is_open and self._server.pool.put(self):
            self._service.wheel.set(self, self._service.limits.server_idle_s)
            if self._is_paused:
                self.read_on()
        else:
            self.close()

    def close(self) -> None:
        """Close it at once; nobody waits for what it might still send or take."""
        self.is_open = False
        if self._moving is not None:
            self._moving.close()
            self._moving = None
        self._service.wheel.clear(self)
        self.transport.abort()

    def is_quiet(self) -> bool:
        """Whether nothing has come in that asyncio has not reported yet, not even the end."""
        poll = select.poll()
        poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not poll.poll(0)

    def read_no_more(self) -> None:
        """Stop reading: the client is slow."""
        if not self._is_paused:
            self._is_paused = True
            self.transport.pause_reading()

    def read_on(self) -> None:
        """Read again."""
        if self._is_paused:
            self._is_paused = False
            self._service.wheel.set(self, self._read_s)
            self.transport.resume_reading()

    # What asyncio reports

    def data_received(self, data: bytes) -> None:
        """Take bytes of the response."""
        exchange = self._exchange
        if exchange is None:
            self._server.pool.discard(self)
            self.close()
        elif self._response is None:
            self._read_heads(exchange, self._buffer + data if self._buffer else data)
        else:
            self._read_body(exchange, data)

    def eof_received(self) -> None:
        """Let asyncio close the connection and report it lost."""

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection for what it means to the response."""
        self.is_open = False
        if self._moving is not None:
            self._moving.close()
            self._moving = None
        self._service.wheel.clear(self)
        exchange = self._exchange
        if exchange is None:
            self._server.pool.discard(self)
            return
        self._exchange = None
        decoder = self._decoder
        if decoder is not None and decoder.ends_at_eof and exc is None:
            exchange.connection = None
            exchange.on_body([], is_end=True)
        elif self._response is None and not self._buffer and not self._interims:
            exchange.on_server_lost(was_reused=self._was_used)
        else:
            exchange.on_server_failure(LOST, "the server closed the connection in the middle of its answer")

    def pause_writing(self) -> None:
        """Hold the client back."""
        self.is_blocked = True
        if self._exchange is not None:
            self._exchange.on_server_writable()

    def resume_writing(self) -> None:
        """Let the client go on."""
        self.is_blocked = False
        if self._exchange is not None:
            self._exchange.on_server_writable()

    def on_deadline(self) -> None:
        """Close what has been idle for too long; give up on a server that does not answer."""
        exchange = self._exchange
        if exchange is None:
            self._server.pool.discard(self)
            self.close()
        elif self._is_paused or (exchange.upload is not None and not self.is_blocked):
            self._service.wheel.set(self, self._read_s)  # It is the client that is slow, and its timer runs.
        else:
            self._fail(TIMEOUT, "the server did not answer in time")

    # The response

    def _read_heads(self, exchange: "Asker", data: bytes) -> None:
        """Read interim heads and the final one."""
        while True:
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                if len(data) > self._service.limits.head_bytes_max:
                    self._fail(MALFORMED, "the head of the answer is too long")
                elif has_bare_line_feed(data):
                    self._fail(MALFORMED, "the server's answer is malformed")
                self._buffer = data
                return
            try:
                response = self._parse(exchange, data if end == len(data) else data[:end])
            except BadResponse:
                self._fail(MALFORMED, "the server's answer is malformed")
                return
            if response.status >= 200:
                self._buffer = b""
                self._interims = 0
                self._begin_response(exchange, response, data, end)
                return
            data = data[end:]
            if not self._take_interim(exchange, response, data):
                return

    def _parse(self, exchange: "Asker", head: bytes) -> Response:
        is_head = exchange.plan.request.method == b"HEAD"
        memo = self._memo
        if memo is not None and memo[0] == head and memo[1] is is_head:
            return memo[2]
        if len(head) > self._service.limits.head_bytes_max:
            raise BadResponse("head too long")
        response = self._service.response_parser.parse(head, is_head=is_head)
        self._memo = (head, is_head, response)
        return response

    def _take_interim(self, exchange: "Asker", response: Response, rest: bytes) -> bool:
        """Deal with 1xx; return whether there is more to read."""
        self._interims += 1
        self._buffer = b""
        if response.status == 101:
            if not response.upgrade or response.upgrade != exchange.plan.request.upgrade:
                self._fail(MALFORMED, "the server switched to a protocol that nobody asked for")
            else:
                self._service.wheel.clear(self)
                exchange.on_upgrade(response, rest)
            return False
        if self._interims > _INTERIM_MAX:
            self._fail(MALFORMED, "the server sends interim answers without end")
            return False
        exchange.on_interim(response)
        return bool(rest)

    def _begin_response(self, exchange: "Asker", response: Response, data: bytes, end: int) -> None:
        if response.framing is BY_LENGTH and len(data) - end == response.length:
            # The common case: all of it is here.
            self._end_response(exchange, response, is_clean=True)
            exchange.on_response(response, [data[end:]], is_end=True)
            return
        decoder = response.decoder()
        if decoder is None:
            self._end_response(exchange, response, is_clean=end == len(data))
            exchange.on_response(response, [], is_end=True)
            return
        self._response, self._decoder = response, decoder
        self._read_s = self._body_s
        pieces: list[bytes] = []
        body = data[end:]
        try:
            stop = decoder.feed(body, pieces)
        except BodyError:
            self._fail(MALFORMED, "the body of the answer is malformed")
            return
        if stop >= 0:
            self._end_response(exchange, response, is_clean=stop == len(body))
        else:
            self._service.wheel.set(self, self._read_s)
        exchange.on_response(response, pieces, is_end=stop >= 0)
        if stop < 0 and response.framing is BY_LENGTH and response.length >= splicing.BYTES_MIN:
            self._splice_if_plain(exchange)

    def _splice_if_plain(self, exchange: "Asker") -> None:
        """Leave the rest of a large body to the kernel, once what was sent before it is out."""
        client = exchange.splice_target() if splicing.IS_POSSIBLE and self._exchange is exchange else None
        if client is not None and self.transport.get_extra_info("ssl_object") is None:
            self.read_no_more()
            client.when_drained(self._splice)

    def _splice(self) -> None:
        exchange, decoder = self._exchange, self._decoder
        client = exchange.splice_target() if exchange is not None else None
        if client is None or not isinstance(decoder, Counted) or not self.is_open or self._moving is not None:
            return
        if decoder.remaining < splicing.BYTES_MIN:
            self.read_on()
            return
        self.read_no_more()
        self._service.wheel.clear(self)
        self._moving = moving = splicing.Splice(
            self._service,
            length=decoder.remaining,
            idle_s=self._read_s,
            on_end=self._on_spliced,
            on_failure=self._on_splice_failure,
        )
        sockets = (each.get_extra_info("socket") for each in (self.transport, client.transport))
        try:
            self._service.stats.spliced += 1
            moving.start(*sockets)
        except OSError:
            self._moving = None  # No descriptors are left: then through here, as everything else.
            self.read_on()

    def _on_spliced(self) -> None:
        exchange, response, decoder = self._exchange, self._response, self._decoder
        self._moving = None
        assert exchange is not None
        assert response is not None
        assert isinstance(decoder, Counted)
        exchange.sent_bytes += decoder.remaining
        decoder.remaining = 0
        self._end_response(exchange, response, is_clean=True)
        exchange.on_body([], is_end=True)

    def _on_splice_failure(self, who: str) -> None:
        exchange, self._moving = self._exchange, None
        if who == "client" and exchange is not None:
            exchange.on_client_broken()
        else:
            failure = TIMEOUT if who == "timeout" else LOST
            self._fail(failure, "the server broke off in the middle of its answer")

    def _read_body(self, exchange: "Asker", data: bytes) -> None:
        assert self._decoder is not None
        assert self._response is not None
        pieces: list[bytes] = []
        try:
            stop = self._decoder.feed(data, pieces)
        except BodyError:
            self._fail(MALFORMED, "the body of the answer is malformed")
            return
        if stop >= 0:
            self._end_response(exchange, self._response, is_clean=stop == len(data))
        else:
            self._service.wheel.set(self, self._read_s)
        exchange.on_body(pieces, is_end=stop >= 0)

    def _end_response(self, exchange: "Asker", response: Response, *, is_clean: bool) -> None:
        """Part from the exchange before it sends the end on, so that what it does next cannot meet us."""
        exchange.connection = None
        decoder = self._decoder
        if isinstance(decoder, Chunked) and decoder.trailers:
            exchange.on_trailers(decoder.trailers)
        is_done = exchange.upload is None and not self.is_blocked
        self.release(is_reusable=is_clean and is_done and response.keep_alive)

    def _fail(self, failure: Failure, reason: str) -> None:
        exchange, self._exchange = self._exchange, None
        self.is_open = False
        self.transport.abort()
        if exchange is not None:
            exchange.on_server_failure(failure, reason)


def _framed(exchange: "Asker | None", pieces: Sequence[bytes], *, is_end: bool) -> Sequence[bytes]:
    if exchange is None or exchange.plan.request.framing is not CHUNKED:
        return pieces
    framed = chunk(pieces)
    if is_end:
        framed.append(last_chunk(exchange.request_trailers()))
    return framed
