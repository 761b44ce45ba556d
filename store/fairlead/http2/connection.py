"""One HTTP/2 connection, either end of it, sans-IO: bytes in, bytes out, streams told what arrived.

Errors follow the RFC's two kinds: ConnectionFault becomes GOAWAY and ends the connection, StreamFault becomes
RST_STREAM and ends one stream.  What each frame does is in ``handlers``, a table for every state; what is different
at the two ends is in ``server`` and ``client``.

Source: RFC 9113; the number behind each rule is its section.
"""

from collections.abc import Callable
from typing import ClassVar, Final

from mypy_extensions import mypyc_attr

from fairlead.http2 import frames, handlers
from fairlead.http2.errors import ConnectionFault, StreamFault
from fairlead.http2.flow import Sender
from fairlead.http2.frames import ErrorCode, Setting
from fairlead.http2.guard import Event, Guard
from fairlead.http2.headers import HeaderReader
from fairlead.http2.limits import Limits
from fairlead.http2.stream import Stream

# How many streams that we ended early are remembered, so that what was in flight for them is let pass.
_ABANDONED_MAX: Final = 1024


@mypyc_attr(allow_interpreted_subclasses=True)
class Connection:
    """What both ends have in common.

    Args:
        limits: what the peer may ask.
        headers: reads what the peer's header blocks say.
        wake: called once when there is something to ``take`` outside of ``receive``.
        now_s: a clock that never goes back; all times are read on it.
    """

    __slots__ = (
        "_heard_s",
        "_pinged_s",
        "_rest",
        "_stall",
        "abandoned",
        "block",
        "fault",
        "guard",
        "headers",
        "is_closed",
        "last_id",
        "limits",
        "now_s",
        "peer_streams_max",
        "pings",
        "resting",
        "sender",
        "sent_bytes_seen",
        "state",
        "streams",
        "unacknowledged",
        "wake",
        "withheld_bytes",
    )

    is_client: ClassVar[bool]
    open_state: ClassVar[handlers.State]

    def __init__(
        self, limits: Limits, headers: HeaderReader, *, wake: Callable[[], None], now_s: float
    ) -> None:
        self.limits = limits
        self.headers = headers
        self.wake = wake
        self.now_s = now_s
        """When the peer was last heard of, or the last tick."""
        self.sender = Sender(self, limits)
        self.streams: dict[int, Stream] = {}
        """Every stream that is open or half-closed."""
        self.is_closed = False
        """Whether the transport is to be closed once everything is written."""
        self.fault: ConnectionFault | None = None
        """Why the connection ended, where the peer is to blame."""
        self.guard = Guard(now_s)
        self.pings = handlers.PingWatch(limits, now_s)
        self.state = self.open_state
        self.resting = self.open_state
        """The state to return to after a header block."""
        self.block: handlers.Block | None = None
        """A header block that has begun."""
        self.last_id = 0
        """The highest stream that the client, whichever end that is, has opened."""
        self.peer_streams_max = frames.STREAM_ID_MASK
        """Streams of ours that the peer takes at a time."""
        self.unacknowledged = 0
        """DATA received on all streams that no WINDOW_UPDATE has given back yet."""
        self.withheld_bytes = 0
        """Part of it that is not to be given back yet; whoever holds it counts it here."""
        self.sent_bytes_seen = 0
        """The DATA that we had sent when the peer last widened a window."""
        self.abandoned: dict[int, None] = {}
        """Streams that we ended before the peer did, the latest of them."""
        self._rest = b""
        self._heard_s = now_s
        self._pinged_s: float | None = None
        self._stall = (0, now_s)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {len(self.streams)} streams, last {self.last_id}>"

    def _greet(self, *own: tuple[int, int]) -> None:
        """Say what may be sent here, with ``own`` settings of this end."""
        limits = self.limits
        self.sender.control(
            frames.settings(
                [
                    *own,
                    (Setting.INITIAL_WINDOW_SIZE, limits.stream_window_bytes),
                    (Setting.MAX_FRAME_SIZE, limits.frame_bytes_max),
                    (Setting.MAX_HEADER_LIST_SIZE, limits.header_bytes_max),
                ]
            )
        )
        if limits.connection_window_bytes > frames.WINDOW_DEFAULT:
            grant = limits.connection_window_bytes - frames.WINDOW_DEFAULT
            self.sender.control(frames.window_update(0, grant))

    # What one end does differently.

    def block_received(self, flags: int, stream_id: int, block: bytes) -> None:
        """Take a whole header block."""
        raise NotImplementedError

    def forget(self, stream: Stream) -> None:
        """Our message on ``stream`` has ended."""
        raise NotImplementedError

    def peer_ended(self, stream: Stream) -> None:
        """The peer's has; ``stream`` has not been told yet."""

    def reset_received(self, stream: Stream, code: int) -> None:
        """The peer has given up ``stream``, which is forgotten."""
        stream.cancelled()

    def stream_closed(self) -> None:
        """A stream has ended, by whatever means."""

    def greeted(self) -> None:
        """The peer's first SETTINGS are in force."""

    def pong_received(self, payload: bytes) -> None:
        """The answer to a PING of ours has come."""

    def goaway_received(self, last_id: int) -> None:
        """The peer takes no more streams of ours, and none above ``last_id``."""

    # What the shell calls.

    def receive(self, data: bytes, now_s: float) -> bytes:
        """Take what arrived, and return what is to be written."""
        self.now_s = self._heard_s = now_s
        self._pinged_s = None
        self.sender.is_awake = True
        if self._rest:
            data = self._rest + data
        try:
            self._rest = data[self._read_frames(data) :]
        except ConnectionFault as fault:
            self.give_up(fault)
        else:
            self.return_window()
        return self.sender.take()

    def take(self) -> bytes:
        """Return what has come up to be written since."""
        return self.sender.take()

    @property
    def has_more(self) -> bool:
        """Whether a further ``take`` would find something."""
        return self.sender.has_more

    def rouse(self) -> None:
        """Have ``take`` called soon, for what ``has_more`` says."""
        self.sender.rouse()

    def pause(self) -> None:
        """Hold DATA back: the transport has enough."""
        self.sender.is_paused = True

    def resume(self) -> None:
        """Go on writing DATA."""
        self.sender.resume()

    def tick(self, now_s: float) -> None:
        """Let time pass: keepalive, and peers that hold our data back.  Call about once in a second."""
        self.now_s = now_s
        limits = self.limits
        sender = self.sender
        if self._pinged_s is not None:
            if now_s - self._pinged_s >= limits.keepalive_timeout_s:
                self.close()
        elif now_s - self._heard_s >= limits.keepalive_idle_s:
            self._pinged_s = now_s
            sender.control(frames.frame(frames.PING, 0, 0, handlers.ALIVE_PING))
        if not (sender.buffered_bytes or sender.is_paused) or sender.sent_bytes != self._stall[0]:
            self._stall = (sender.sent_bytes, now_s)
        elif now_s - self._stall[1] >= limits.stall_s:
            self.give_up(ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "answers left unread for too long"))

    def close(self) -> None:
        """End at once: every stream is cancelled."""
        self._end()

    # What streams, the sender and the handlers call.

    def give_up(self, fault: ConnectionFault) -> None:
        """Say why, and end the connection (5.4.1)."""
        if not self.is_closed:
            self.fault = fault
            self.sender.control(
                frames.goaway(0 if self.is_client else self.last_id, fault.code, fault.reason)
            )
            self._end()

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """End a stream without an answer, or in the middle of one (5.4.2)."""
        if self.streams.pop(stream.stream_id, None) is not None:
            self.sender.discard(stream)
            self.abandon(stream.stream_id, code)
            self.stream_closed()

    def grant(self, stream: Stream) -> None:
        """Let the peer send as much again as it has sent on ``stream`` (6.9)."""
        if stream.unacknowledged and not stream.has_half_closed and stream.stream_id in self.streams:
            self.sender.control(frames.window_update(stream.stream_id, stream.unacknowledged))
            stream.unacknowledged = 0

    def return_window(self) -> None:
        """Let the peer send as much again on the connection, once half of what is not withheld is used up."""
        due = self.unacknowledged - self.withheld_bytes
        if due > 0 and due * 2 >= self.limits.connection_window_bytes - self.withheld_bytes:
            self.sender.control(frames.window_update(0, due))
            self.unacknowledged -= due

    def disregard(self, stream_id: int) -> None:
        """Let pass what is in flight for a stream that the peer does not know to have ended."""
        if len(self.abandoned) >= _ABANDONED_MAX:
            del self.abandoned[next(iter(self.abandoned))]
        self.abandoned[stream_id] = None

    def abandon(self, stream_id: int, code: ErrorCode) -> None:
        """Reset a stream that is no longer among ours."""
        self.disregard(stream_id)
        self.sender.control(frames.rst_stream(stream_id, code))

    def _end(self) -> None:
        self.is_closed = True
        self.sender.has_ended = True
        self.state = self.resting = handlers.CLOSED
        streams = list(self.streams.values())
        self.streams.clear()
        for stream in streams:
            self.sender.discard(stream)
            stream.cancelled()

    def _refuse(self, fault: StreamFault) -> None:
        """End one stream for what the peer did to it; what it provokes so is budgeted."""
        stream = self.streams.get(fault.stream_id)
        if stream is None:
            self.abandon(fault.stream_id, fault.code)
        else:
            self.reset(stream, fault.code)
            stream.refused(fault)
        self.guard.spend(Event.RESET, self.now_s)

    def _read_frames(self, data: bytes) -> int:
        """Handle every whole frame; return how far they reach."""
        size = len(data)
        position = 0
        if self.state is handlers.BEFORE_PREFACE:
            position = self.read_preface(data)
            if position == 0:
                return 0
        unpack = frames.HEADER.unpack_from
        word_max = self.limits.frame_bytes_max << 8 | 0xFF
        while size - position >= frames.HEADER_BYTES:
            word, flags, stream_id = unpack(data, position)
            if word > word_max:
                raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "frame larger than SETTINGS_MAX_FRAME_SIZE")
            start = position + frames.HEADER_BYTES
            stop = start + (word >> 8)
            if stop > size:
                break
            try:
                self.state[word & 0xFF](self, flags, stream_id & frames.STREAM_ID_MASK, data[start:stop])
            except StreamFault as fault:
                self._refuse(fault)
            position = stop
        return position

    def read_preface(self, data: bytes) -> int:
        """Return where the client's preface ends in ``data``; 0: not yet."""
        raise NotImplementedError
