"""An upgraded connection: bytes both ways, untouched, until both sides have ended.

It hangs on no configuration: a WebSocket outlives any change of the routes that led to it.
"""

import asyncio
from collections.abc import Callable

from fairlead.proxy.timers import Timed, Wheel


class Tunnel(Timed):
    """Two sides and the one patience they share."""

    __slots__ = ("_idle_s", "_on_end", "_sides", "_wheel")

    def __init__(self, wheel: Wheel, *, idle_s: float, on_end: Callable[["Tunnel"], None]) -> None:
        super().__init__()
        self._wheel = wheel
        self._idle_s = idle_s
        self._on_end: Callable[[Tunnel], None] | None = on_end
        self._sides: tuple[TunnelSide, ...] = ()

    def join(self, left: asyncio.Transport, right: asyncio.Transport) -> None:
        """Take both transports over."""
        self._sides = (TunnelSide(self, left, right), TunnelSide(self, right, left))
        for side, transport in zip(self._sides, (left, right), strict=True):
            transport.set_protocol(side)
        self.touch()

    def touch(self) -> None:
        """Something passed."""
        self._wheel.set(self, self._idle_s)

    @property
    def is_over(self) -> bool:
        """Whether both sides have said all they had to say."""
        return all(side.has_ended for side in self._sides)

    def on_deadline(self) -> None:
        """Nothing passed for too long."""
        self.abort()

    def abort(self) -> None:
        """End both sides at once."""
        for side in self._sides:
            side.transport.abort()

    def on_side_lost(self) -> None:
        """One side is gone: let what is buffered for the other out, then end it too."""
        for side in self._sides:
            side.transport.close()
        if self._on_end is not None:
            self._wheel.clear(self)
            on_end, self._on_end = self._on_end, None
            on_end(self)


class TunnelSide(asyncio.Protocol):
    """One side: what comes in goes out on the other."""

    __slots__ = ("_other", "_tunnel", "has_ended", "transport")

    def __init__(self, tunnel: Tunnel, transport: asyncio.Transport, other: asyncio.Transport) -> None:
        self.has_ended = False
        self._tunnel = tunnel
        self._other = other
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self._tunnel.touch()
        self._other.write(data)

    def eof_received(self) -> bool:
        """Pass the end on; the other side may still have something to say, and then this one stays open."""
        self.has_ended = True
        if not self._other.is_closing():
            # TLS has no half of a connection to close.
            (self._other.write_eof if self._other.can_write_eof() else self._other.close)()
        return not self._tunnel.is_over

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other side too."""
        self._tunnel.on_side_lost()

    def pause_writing(self) -> None:
        """This side does not take more: do not read the other."""
        if not self._other.is_closing():
            self._other.pause_reading()

    def resume_writing(self) -> None:
        """Read the other again."""
        if not self._other.is_closing():
            self._other.resume_reading()
