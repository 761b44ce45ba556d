"""One HTTP/1.1 connection, server side and sans-IO, around the parser of httptools.

Requests are answered in their order: those that arrive while one is being answered wait, bounded, and
reading stops meanwhile.  Deliberately absent: upgrades (a request that asks for one is answered as it is) and
trailers.

Source: RFC 9112; the number behind each rule is its section.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import httptools

from fairlead.rpc.h1_exchange import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairlead.rpc.dispatch import Service


class Http1Connection:
    """The server's end of one connection.

    Args:
        service: what the server's connections share.
        wake: called once when there is something to ``take`` outside of ``receive``.
        peer: the client's address, for the application.
        common_name: of the client's certificate, or None.
        now_s: a clock that never goes back.
    """

    __slots__ = (
        "_exchanges",
        "_fields",
        "_has_told",
        "_heard_s",
        "_in_head",
        "_incoming",
        "_is_awake",
        "_is_draining",
        "_is_turning",
        "_kept_bytes",
        "_out",
        "_parser",
        "_paused_s",
        "_target",
        "_wake",
        "common_name",
        "is_closed",
        "limits",
        "now_s",
        "peer",
        "service",
    )

    def __init__(
        self,
        service: Service,
        *,
        wake: Callable[[], None],
        peer: str = "",
        common_name: str | None = None,
        now_s: float = 0.0,
    ) -> None:
        self.service = service
        self.limits = service.limits
        self.peer = peer
        self.common_name = common_name
        self.now_s = now_s
        self.is_closed = False
        """Whether the transport is to be closed once everything is written."""
        self._wake = wake
        self._is_awake = False
        self._out: list[bytes] = []
        self._paused_s: float | None = None
        self._exchanges: deque[Exchange] = deque()
        self._incoming: Exchange | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._kept_bytes = 0
        self._has_told = False
        self._in_head = False
        self._heard_s = now_s
        self._is_draining = False
        self._is_turning = False

    def __repr__(self) -> str:
        return f"<Http1Connection {self.peer} {len(self._exchanges)} requests>"

    # What the shell calls.

    def receive(self, data: bytes, now_s: float) -> bytes:
        """Take what arrived, and return what is to be written."""
        self.now_s = now_s
        self._is_awake = True
        if not self.is_closed and (self._incoming is not None or not self._is_final):
            # A head that comes in drops is as old as its first drop.
            if not self._in_head:
                self._heard_s = now_s
            self._feed(data)
        return self.take()

    def take(self) -> bytes:
        """Return what has come up to be written since; nothing while paused but the last words."""
        self._is_awake = False
        if self._paused_s is not None and not self.is_closed:
            return b""
        data = b"".join(self._out)
        self._out.clear()
        if data and self._paused_s is None and self._exchanges:
            self._exchanges[0].drained(len(data))
        return data

    @property
    def has_more(self) -> bool:
        """Whether a further ``take`` would find something."""
        return bool(self._out) and self._paused_s is None

    @property
    def is_reading(self) -> bool:
        """Whether the transport is to be read."""
        if self.is_closed or len(self._exchanges) > 1 or self._paused_s is not None:
            return False
        return not self._exchanges or self._exchanges[0].is_reading

    @property
    def lingers(self) -> bool:
        """Whether the client may still be sending, and would lose our last words to a reset (9.6)."""
        return self._incoming is not None

    def pause(self) -> None:
        """Hold back what is written: the transport has enough."""
        if self._paused_s is None:
            self._paused_s = self.now_s

    def resume(self) -> None:
        """Go on writing."""
        self._paused_s = None
        self.rouse()

    def tick(self, now_s: float) -> None:
        """Let time pass.  Call about once in a second."""
        self.now_s = now_s
        silent_s = now_s - self._heard_s
        if self._paused_s is not None:
            if now_s - self._paused_s >= self.limits.stall_s:
                self.close()
        elif self._exchanges:
            incoming = self._incoming
            if incoming is not None and self.is_reading and silent_s >= self.limits.stall_s:
                self._refuse(408)
        elif self._in_head:
            if silent_s >= self.limits.header_timeout_s:
                self._refuse(408)
        elif silent_s >= self.limits.idle_timeout_s:
            self.is_closed = True
            self.rouse()

    def drain(self) -> None:
        """Finish what is being answered, and take no more."""
        self._is_draining = True
        if not self._exchanges:
            self.is_closed = True
            self.rouse()

    def stop_accepting(self) -> None:
        """Nothing beyond ``drain``: HTTP/1.1 has no second step."""

    def close(self) -> None:
        """End at once: whoever still waits for an answer is cancelled."""
        self.is_closed = True
        exchanges, self._exchanges = self._exchanges, deque()
        for exchange in exchanges:
            exchange.cancel()
        self.rouse()

    # What exchanges call.

    @property
    def is_draining(self) -> bool:
        """Whether this answer is the last."""
        return self._is_draining

    def write(self, data: bytes) -> None:
        """Write a part of the answer whose turn it is."""
        self._out.append(data)
        self.rouse()

    def rouse(self) -> None:
        """Have the shell look at what is to be written and read."""
        if not self._is_awake:
            self._is_awake = True
            self._wake()

    def finished(self, exchange: Exchange) -> None:
        """Turn to the next request, once both the answer and the request of this one have ended."""
        if not self._exchanges or self._exchanges[0] is not exchange:
            return
        self._exchanges.popleft()
        if exchange.is_last or self._is_draining:
            self.close()
        elif not self._exchanges:
            self._heard_s = self.now_s
            self.rouse()
        elif not self._is_turning:
            # An answer given at once comes back here: a loop, so that many of them need no stack.
            self._is_turning = True
            while self._exchanges and not self._exchanges[0].has_begun:
                self._exchanges[0].begin()
            self._is_turning = False

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begin a head."""
        self._in_head = True
        self._target = b""
        self._fields = []

    def on_url(self, url: bytes) -> None:
        """Take a part of the request target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head; trailers are dropped."""
        if self._in_head:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Line the request up."""
        self._in_head = False
        self._has_told = True
        parser = self._parser
        if parser.should_upgrade() and parser.get_method() != b"CONNECT":
            return
        exchange = Exchange(
            self,
            method=parser.get_method().decode("latin-1"),
            target=self._target,
            fields=self._fields,
            version=parser.get_http_version(),
            keeps_alive=parser.should_keep_alive(),
        )
        self._incoming = exchange
        self._line_up(exchange)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._has_told = True
        if self._incoming is not None:
            self._incoming.body_received(body)

    def on_message_complete(self) -> None:
        """End the request."""
        self._has_told = True
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.request_ended()

    def _feed(self, data: bytes) -> None:
        self._has_told = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._parser.get_method() != b"CONNECT":  # That one has been refused already.
                self._feed_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(400)
        # The parser keeps unfinished lines and heads for itself: this is what bounds them.
        self._kept_bytes = 0 if self._has_told else self._kept_bytes + len(data)
        if self._kept_bytes > self.limits.header_bytes_max:
            self._refuse(431)

    def _feed_without_upgrade(self, rest: bytes) -> None:
        """Read a request that asks for another protocol as one that does not (RFC 9110, section 7.8).

        The parser stops at the end of such a head, body or not, so that a new one reads it again.
        """
        parser, self._parser = self._parser, httptools.HttpRequestParser(self)
        lines = [b"%s %s HTTP/1.1" % (parser.get_method(), self._target)]
        lines += [b"%s: %s" % field for field in self._fields if field[0].lower() != b"upgrade"]
        self._feed(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    @property
    def _is_final(self) -> bool:
        return bool(self._exchanges) and self._exchanges[-1].is_last

    def _line_up(self, exchange: Exchange) -> None:
        if len(self._exchanges) > self.limits.pipelined_requests_max:
            self._exchanges[-1].is_last = True
            self._incoming = None
            return
        if self._is_final:
            self._incoming = None
            return
        self._exchanges.append(exchange)
        if len(self._exchanges) == 1:
            exchange.begin()

    def _refuse(self, status: int) -> None:
        """Answer what is no request, or not a whole one, in its turn; then close."""
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.refuse(status)
            return
        exchange = Exchange.refused(self, status)
        self._line_up(exchange)
        exchange.request_ended()
