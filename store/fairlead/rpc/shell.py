"""One transport of the loop and the connection in it; decides nothing about a protocol."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from fairlead.http2 import PREFACE
from fairlead.rpc.counters import Counters
from fairlead.rpc.dispatch import Service
from fairlead.rpc.h1 import Http1Connection
from fairlead.rpc.h2 import Http2Connection
from fairlead.rpc.tls import common_name

_LINGER_S: Final = 1.0
"""How long a client may go on sending after our last words (RFC 9112, section 9.6)."""


class Shell(asyncio.Protocol):
    """Carries bytes and time between a transport and a connection.

    Args:
        service: what the server's connections share.
        counters: the server's.
        opened: called with this shell when its connection is made.
        closed: called with this shell when it is lost.
    """

    __slots__ = (
        "_closed",
        "_connection",
        "_counters",
        "_first_bytes",
        "_is_closing",
        "_is_reading",
        "_loop",
        "_opened",
        "_opened_s",
        "_service",
        "_transport",
    )

    def __init__(
        self,
        service: Service,
        counters: Counters,
        *,
        opened: Callable[["Shell"], None],
        closed: Callable[["Shell"], None],
    ) -> None:
        self._service = service
        self._counters = counters
        self._opened = opened
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._opened_s = self._loop.time()
        self._first_bytes = b""
        self._is_reading = True
        self._is_closing = False
        self._transport: asyncio.Transport
        self._connection: Http1Connection | Http2Connection | None = None

    def __repr__(self) -> str:
        return f"<Shell {self._connection!r}>"

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first bytes."""
        # uvloop's transports have asyncio's methods, but not its classes.
        self._transport = cast("asyncio.Transport", transport)
        self._counters.connections_open += 1
        self._counters.connections_total += 1
        self._opened(self)

    def data_received(self, data: bytes) -> None:
        """Let the connection take ``data``, and write its answer."""
        self._counters.received_bytes += len(data)
        connection = self._connection
        if connection is None:
            data = self._first_bytes + data
            connection = self._sniff(data)
            if connection is None:
                self._first_bytes = data
                return
        if not self._is_closing:
            self._write(connection, connection.receive(data, self._loop.time()))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter: it is gone
        """Let the handlers know."""
        self._is_closing = True
        self._counters.connections_open -= 1
        if self._connection is not None:
            self._connection.close()
        self._closed(self)

    def pause_writing(self) -> None:
        """Stop granting: the client reads more slowly than we write."""
        if self._connection is not None:
            self._connection.pause()

    def resume_writing(self) -> None:
        """Go on."""
        if self._connection is not None:
            self._connection.resume()
            self._steer_reading(self._connection)

    # What the server calls.

    def tick(self, now_s: float) -> None:
        """Let time pass."""
        connection = self._connection
        if connection is not None:
            connection.tick(now_s)
            if connection.is_closed:
                self._flush()
        elif now_s - self._opened_s >= self._service.limits.header_timeout_s:
            self._transport.abort()

    def drain(self) -> None:
        """Begin a graceful end."""
        if self._connection is None:
            self._transport.abort()
        else:
            self._connection.drain()

    def stop_accepting(self) -> None:
        """Go on to its second step."""
        if self._connection is not None:
            self._connection.stop_accepting()
            self._flush()

    def abort(self) -> None:
        """End at once."""
        if self._connection is not None:
            self._connection.close()
        self._transport.abort()

    def _sniff(self, data: bytes) -> Http1Connection | Http2Connection | None:
        """Make the connection that the first bytes ask for; None: they may become either."""
        is_h2 = data.startswith(PREFACE)
        if not is_h2 and PREFACE.startswith(data):
            return None
        info = self._transport.get_extra_info
        name = common_name(info("peercert"))
        host, port = (info("peername") or ("", 0))[:2]
        peer = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        now_s = self._loop.time()
        service = self._service
        connection: Http1Connection | Http2Connection
        if is_h2:
            connection = Http2Connection(
                service.resolve, service.limits, wake=self._wake, peer=peer, common_name=name, now_s=now_s
            )
        else:
            connection = Http1Connection(service, wake=self._wake, peer=peer, common_name=name, now_s=now_s)
        self._connection = connection
        self._first_bytes = b""
        return connection

    def _wake(self) -> None:
        self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        connection = self._connection
        if connection is not None and not self._is_closing:
            self._write(connection, connection.take())

    def _write(self, connection: Http1Connection | Http2Connection, data: bytes) -> None:
        if data:
            self._counters.sent_bytes += len(data)
            self._transport.write(data)
        if connection.is_closed:
            self._close(connection)
        else:
            if connection.has_more:
                connection.rouse()
            self._steer_reading(connection)

    def _steer_reading(self, connection: Http1Connection | Http2Connection) -> None:
        """Read from a client only while it takes what we write, and its request is wanted."""
        limit = self._service.limits.paused_bytes_max
        wanted = connection.is_reading and self._transport.get_write_buffer_size() <= limit
        if wanted != self._is_reading and not self._transport.is_closing():
            self._is_reading = wanted
            if wanted:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _close(self, connection: Http1Connection | Http2Connection) -> None:
        """Close once everything is written, and the client has had time to read it."""
        self._is_closing = True
        if isinstance(connection, Http2Connection) and connection.fault is not None:
            self._counters.faults[connection.fault.reason] += 1
        if connection.lingers and self._transport.can_write_eof():
            self._transport.write_eof()
            self._loop.call_later(_LINGER_S, self._transport.close)
        else:
            self._transport.close()
