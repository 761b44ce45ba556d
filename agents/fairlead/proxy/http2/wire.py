"""The shell of one HTTP/2 connection: carries bytes and time between a transport and ``fairlead.http2``.

Bodies are not buffered here beyond what a window lets pass: what a peer sends is acknowledged only once it has been
passed on, and what cannot be sent holds back whoever sends it.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from fairlead import http2
from fairlead.proxy.config import TICK_S
from fairlead.proxy.timers import Alarm, Timed

if TYPE_CHECKING:
    from fairlead.proxy.config import Limits
    from fairlead.proxy.service import Service

STREAM_WINDOW_BYTES = 256 * 1024
CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024
SEND_BUFFER_BYTES_MAX = 64 * 1024 * 1024
"""All that flow control holds back; what one stream may is in ``Limits``, so that this is never reached."""
PAUSED_BYTES_MAX = 256 * 1024
"""Answers without bodies, queued for a peer that does not read, before it is not read either."""
STREAMS_MAX = 128
_LOOK_S = 5.0
"""How often a connection with streams is looked at: whether the peer is there, and takes what we send."""


def protocol_limits(limits: "Limits", *, keepalive_idle_s: float) -> http2.Limits:
    """Return what a peer may ask of one connection."""
    return http2.Limits(
        header_bytes_max=limits.head_bytes_max,
        known_heads_max=256,
        concurrent_streams_max=STREAMS_MAX,
        stream_window_bytes=STREAM_WINDOW_BYTES,
        connection_window_bytes=CONNECTION_WINDOW_BYTES,
        send_buffer_bytes_max=SEND_BUFFER_BYTES_MAX,
        writable_bytes=limits.write_buffer_bytes_max // 2,
        stall_s=limits.write_stall_s,
        keepalive_idle_s=keepalive_idle_s,
    )


class Wire(asyncio.Protocol, Timed):
    """A transport and the connection in it; decides nothing about the protocol.

    Attributes:
        is_open: until asyncio says that it is not.
    """

    transport: asyncio.Transport
    connection: http2.Connection

    def __init__(self, service: "Service") -> None:
        super().__init__()
        self.service = service
        self.is_open = False
        self._is_idle = False
        self._is_reading = True
        self._alarms: list[Alarm] = []
        self._call_soon: Any = asyncio.get_running_loop().call_soon

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.connection!r})"

    @property
    def now_s(self) -> float:
        """The time of the wheel, which is as exact as anything here needs it."""
        return self.service.wheel.now * TICK_S

    def begin(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        # uvloop's transports have the methods of asyncio.Transport and not its type.
        self.transport = cast("asyncio.Transport", transport)
        self.is_open = True

    def wake(self) -> None:
        """Write at the end of this turn of the loop, with whatever else comes up."""
        self._call_soon(self.flush)

    def flush(self) -> None:
        """Write what there is to write."""
        if self.is_open:
            self._write(self.connection.take())

    def data_received(self, data: bytes) -> None:
        """Take frames."""
        if self.is_open:
            self._write(self.connection.receive(data, self.now_s))

    def _write(self, data: bytes) -> None:
        connection = self.connection
        if data:
            self.transport.write(data)
        if connection.is_closed:
            self._close()
            return
        if connection.has_more:
            connection.rouse()
        if connection.sender.is_paused:
            self._steer_reading()
        if not connection.streams and not self._is_idle:
            self._is_idle = True
            self.service.wheel.set(self, self.idle_s)

    def _close(self) -> None:
        self.is_open = False
        # A peer that does not read would keep what is left for ever.
        (self.transport.abort if self.connection.sender.is_paused else self.transport.close)()

    def _steer_reading(self) -> None:
        wanted = self.transport.get_write_buffer_size() <= PAUSED_BYTES_MAX
        if wanted is not self._is_reading and not self.transport.is_closing():
            self._is_reading = wanted
            (self.transport.resume_reading if wanted else self.transport.pause_reading)()

    def on_stream(self) -> None:
        """A stream has been opened."""
        if self._is_idle:
            self._is_idle = False
            self.service.wheel.set(self, _LOOK_S)

    def lend_alarm(self, ring: Callable[[], None]) -> Alarm:
        """Return an alarm for a stream that has a deadline; they are as many as there were such streams at a time."""
        alarm = self._alarms.pop() if self._alarms else Alarm()
        alarm.ring = ring
        return alarm

    def take_alarm(self, alarm: Alarm) -> None:
        """Take it back: it rings no more."""
        self.service.wheel.clear(alarm)
        alarm.ring = None
        self._alarms.append(alarm)

    @property
    def idle_s(self) -> float:
        """How long it may be without streams."""
        raise NotImplementedError

    def on_idle(self) -> None:
        """It has been without streams for too long."""
        raise NotImplementedError

    def on_deadline(self) -> None:
        """Look at a connection with streams; end one without."""
        if self.connection.streams:
            self.connection.tick(self.now_s)
            self.service.wheel.set(self, _LOOK_S)
        else:
            self.on_idle()
        self.flush()

    def pause_writing(self) -> None:
        """The transport is full."""
        self.connection.pause()
        self._steer_reading()

    def resume_writing(self) -> None:
        """The transport takes more."""
        self.connection.resume()
        self._steer_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self.is_open = False
        self.service.wheel.clear(self)
        self.connection.close()
