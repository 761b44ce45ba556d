"""An upgraded connection: bytes both ways, untouched, until both sides have ended.

It hangs on no configuration: a WebSocket outlives any change of the routes that led to it.  When the proxy itself
goes, both sides of a WebSocket are told so between two frames; of other protocols nothing is known.
"""

import asyncio
from collections.abc import Callable

from fairlead.proxy.timers import Timed, Wheel
from fairlead.proxy.websocket import TO_CLIENT, TO_SERVER, Frames


class Tunnel(Timed):
    """Two sides and the one patience they share."""

    __slots__ = ("_idle_s", "_on_end", "_sides", "_wheel", "is_leaving", "is_websocket")

    def __init__(
        self, wheel: Wheel, *, idle_s: float, on_end: Callable[["Tunnel"], None], is_websocket: bool = False
    ) -> None:
        super().__init__()
        self._wheel = wheel
        self._idle_s = idle_s
        self._on_end: Callable[[Tunnel], None] | None = on_end
        self._sides: tuple[TunnelSide, ...] = ()
        self.is_websocket = is_websocket
        self.is_leaving = False

    def join(self, client: asyncio.Transport, server: asyncio.Transport) -> None:
        """Take both transports over."""
        self._sides = (
            TunnelSide(self, client, server, goodbye=TO_SERVER),
            TunnelSide(self, server, client, goodbye=TO_CLIENT),
        )
        for side in self._sides:
            side.transport.set_protocol(side)
        self.touch()

    def pass_on(self, ahead: bytes, early: bytes) -> None:
        """Pass on what came before this did: ``ahead`` from the client, ``early`` from the server."""
        for side, data in zip(self._sides, (ahead, early), strict=True):
            if data:
                side.data_received(data)

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

    def leave(self) -> None:
        """Tell both sides that the proxy goes; it ends once the client has answered that."""
        if self.is_websocket:
            self.is_leaving = True
            for side in self._sides:
                side.say_goodbye()

    def abort(self) -> None:
        """End both sides at once."""
        self.is_leaving = False
        for side in self._sides:
            side.transport.abort()

    def on_side_lost(self, lost: "TunnelSide") -> None:
        """One side is gone: let what is buffered for the other out, then end it too."""
        if self.is_leaving and lost is not self._sides[0]:
            return  # The client has been told, and ends this when it has heard it.
        for side in self._sides:
            side.transport.close()
        if self._on_end is not None:
            self._wheel.clear(self)
            on_end, self._on_end = self._on_end, None
            on_end(self)


class TunnelSide(asyncio.Protocol):
    """One side: what comes in goes out on the other."""

    __slots__ = ("_frames", "_goodbye", "_has_left", "_other", "_tunnel", "has_ended", "transport")

    def __init__(
        self, tunnel: Tunnel, transport: asyncio.Transport, other: asyncio.Transport, *, goodbye: bytes
    ) -> None:
        """Pass on what ``transport`` receives; ``goodbye`` is what ends that for the other."""
        self.has_ended = False
        self._tunnel = tunnel
        self._other = other
        self._frames = Frames() if tunnel.is_websocket else None
        self._goodbye = goodbye
        self._has_left = False
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self._tunnel.touch()
        if not self._has_left:
            self._other.write(data)
        if self._frames is not None:
            self._frames.feed(data)
            if self._tunnel.is_leaving:
                self.say_goodbye()
                if self._frames.has_closed:
                    self.transport.close()

    def say_goodbye(self) -> None:
        """End what passes to the other side, as soon as a frame has ended; what comes after it is dropped."""
        frames = self._frames
        if frames is not None and frames.is_between and not self._has_left:
            self._has_left = True
            if not frames.has_closed and not self._other.is_closing():
                self._other.write(self._goodbye)

    def eof_received(self) -> bool:
        """Pass the end on; the other side may still have something to say, and then this one stays open."""
        self.has_ended = True
        if not self._other.is_closing() and not self._tunnel.is_leaving:
            # TLS has no half of a connection to close.
            (self._other.write_eof if self._other.can_write_eof() else self._other.close)()
        return not self._tunnel.is_over and not self._tunnel.is_leaving

    def connection_lost(self, exc: Exception | None) -> None:
        """End the other side too."""
        self._tunnel.on_side_lost(self)

    def pause_writing(self) -> None:
        """This side does not take more: do not read the other."""
        if not self._other.is_closing():
            self._other.pause_reading()

    def resume_writing(self) -> None:
        """Read the other again."""
        if not self._other.is_closing():
            self._other.resume_reading()
