"""One HTTP/2 connection, server side and sans-IO: bytes in, bytes out, streams told what arrived.

Errors follow the RFC's two kinds: ConnectionFault becomes GOAWAY and ends the connection, StreamFault becomes
RST_STREAM and ends one stream.  What each frame does is in ``handlers``, a table for every state.

Deliberately absent: server push, priorities (RFC 9113 deprecates them), and the upgrade from HTTP/1.1.
Source: RFC 9113; the number behind each rule is its section.
"""

from collections.abc import Callable
from typing import Final

from fairlead.rpc import frames, handlers
from fairlead.rpc.errors import ConnectionFault, StreamFault
from fairlead.rpc.flow import Sender
from fairlead.rpc.frames import ErrorCode, Setting
from fairlead.rpc.guard import Event, Guard
from fairlead.rpc.headers import HeaderReader, RequestHead
from fairlead.rpc.limits import Limits
from fairlead.rpc.stream import Stream

Resolve = Callable[[RequestHead], Callable[["Http2Connection", int], Stream]]
"""Says what makes the stream that answers a request."""

# How many streams that we ended early are remembered, so that what was in flight for them is let pass.
_ABANDONED_MAX: Final = 1024


class Http2Connection:
    """The server's end of one connection, from the client's preface on.

    Args:
        resolve: says what answers a request.
        limits: the port's limits.
        wake: called once when there is something to ``take`` outside of ``receive``.
        peer: the client's address, for handlers.
        common_name: of the client's certificate, or None.
        now_s: a clock that never goes back; all times are read on it.
    """

    __slots__ = (
        "_heard_s",
        "_pinged_s",
        "_rest",
        "_stall",
        "abandoned",
        "block",
        "common_name",
        "fault",
        "guard",
        "headers",
        "held_bytes",
        "is_closed",
        "last_id",
        "limits",
        "now_s",
        "peer",
        "pings",
        "resolve",
        "resting",
        "sender",
        "sent_bytes_seen",
        "state",
        "streams",
        "unacknowledged",
        "wake",
    )

    def __init__(
        self,
        resolve: Resolve,
        limits: Limits,
        *,
        wake: Callable[[], None],
        peer: str = "",
        common_name: str | None = None,
        now_s: float = 0.0,
    ) -> None:
        self.resolve = resolve
        self.limits = limits
        self.wake = wake
        self.peer = peer
        self.common_name = common_name
        self.now_s = now_s
        """When the client was last heard of, or the last tick."""
        self.sender = Sender(self, limits)
        self.streams: dict[int, Stream] = {}
        """Every stream that is open or half-closed (remote)."""
        self.is_closed = False
        """Whether the transport is to be closed once everything is written."""
        self.fault: ConnectionFault | None = None
        """Why the connection ended, where the client is to blame."""
        self.held_bytes = 0
        """Parts of unfinished request messages, in all streams."""
        self.headers = HeaderReader(limits)
        self.guard = Guard(now_s)
        self.pings = handlers.PingWatch(limits, now_s)
        self.state = handlers.BEFORE_PREFACE
        self.resting = handlers.OPEN
        """The state to return to after a header block."""
        self.block: handlers.Block | None = None
        """A header block that has begun."""
        self.last_id = 0
        """The highest stream that the client has opened."""
        self.unacknowledged = 0
        """DATA received on all streams that no WINDOW_UPDATE has given back yet."""
        self.sent_bytes_seen = 0
        """The DATA that we had sent when the client last widened a window."""
        self.abandoned: dict[int, None] = {}
        """Streams that we ended before the client did, the latest of them."""
        self._rest = b""
        self._heard_s = now_s
        self._pinged_s: float | None = None
        self._stall = (0, now_s)
        self._greet()

    def __repr__(self) -> str:
        return f"<Http2Connection {self.peer} {len(self.streams)} streams, last {self.last_id}>"

    def _greet(self) -> None:
        limits = self.limits
        self.sender.is_awake = True  # The first bytes have arrived: receive is about to be called.
        self.sender.control(
            frames.settings(
                [
                    (Setting.MAX_CONCURRENT_STREAMS, limits.concurrent_streams_max),
                    (Setting.INITIAL_WINDOW_SIZE, limits.stream_window_bytes),
                    (Setting.MAX_FRAME_SIZE, limits.frame_bytes_max),
                    (Setting.MAX_HEADER_LIST_SIZE, limits.header_bytes_max),
                ]
            )
        )
        if limits.connection_window_bytes > frames.WINDOW_DEFAULT:
            grant = limits.connection_window_bytes - frames.WINDOW_DEFAULT
            self.sender.control(frames.window_update(0, grant))

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
            if self.unacknowledged * 2 >= self.limits.connection_window_bytes:
                self.sender.control(frames.window_update(0, self.unacknowledged))
                self.unacknowledged = 0
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

    @property
    def is_reading(self) -> bool:
        """Whether the transport is to be read: always, since streams are held back by their windows."""
        return True

    @property
    def lingers(self) -> bool:
        """Whether to wait for the client before closing: never, GOAWAY has told it."""
        return False

    def pause(self) -> None:
        """Hold DATA back: the transport has enough."""
        self.sender.is_paused = True

    def resume(self) -> None:
        """Go on writing DATA."""
        self.sender.resume()

    def tick(self, now_s: float) -> None:
        """Let time pass: keepalive, and clients that hold our data back.  Call about once in a second."""
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

    def drain(self) -> None:
        """Begin a graceful end: ask for no more streams, and learn by a PING when the client knows (6.8)."""
        if not self.is_closed:
            self.sender.control(
                frames.goaway(frames.STREAM_ID_MASK, ErrorCode.NO_ERROR, "server is shutting down")
                + frames.frame(frames.PING, 0, 0, handlers.DRAIN_PING)
            )

    def close(self) -> None:
        """End at once: every stream that still waits for its answer is cancelled."""
        self._end()

    # What streams, the sender and the handlers call.

    def give_up(self, fault: ConnectionFault) -> None:
        """Say why, and end the connection (5.4.1)."""
        if not self.is_closed:
            self.fault = fault
            self.sender.control(frames.goaway(self.last_id, fault.code, fault.reason))
            self._end()

    def forget(self, stream: Stream) -> None:
        """Close a stream whose answer has ended."""
        del self.streams[stream.stream_id]
        if not stream.has_half_closed:
            # "... a RST_STREAM with an error code of NO_ERROR after sending a complete response" (8.1).
            self._abandon(stream.stream_id, ErrorCode.NO_ERROR)
        if self.resting is handlers.DRAINING and not self.streams:
            self.is_closed = True

    def reset(self, stream: Stream, code: ErrorCode) -> None:
        """End a stream without an answer, or in the middle of one (5.4.2)."""
        if self.streams.pop(stream.stream_id, None) is not None:
            self.sender.discard(stream)
            self._abandon(stream.stream_id, code)

    def grant(self, stream: Stream) -> None:
        """Let the client send as much again as it has sent on ``stream`` (6.9)."""
        if stream.unacknowledged and not stream.has_half_closed and stream.stream_id in self.streams:
            self.sender.control(frames.window_update(stream.stream_id, stream.unacknowledged))
            stream.unacknowledged = 0

    def stop_accepting(self) -> None:
        """Finish what is open and nothing else: the second step of a graceful end."""
        if self.resting is handlers.OPEN:
            self.sender.control(frames.goaway(self.last_id, ErrorCode.NO_ERROR, "server is shutting down"))
            self.state = self.resting = handlers.DRAINING
            self.is_closed = not self.streams

    def disregard(self, stream_id: int) -> None:
        """Let pass what is in flight for a stream that the client does not know to have ended."""
        if len(self.abandoned) >= _ABANDONED_MAX:
            del self.abandoned[next(iter(self.abandoned))]
        self.abandoned[stream_id] = None

    def _abandon(self, stream_id: int, code: ErrorCode) -> None:
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
        """End one stream for what the client did to it; what it provokes so is budgeted."""
        stream = self.streams.get(fault.stream_id)
        if stream is None:
            self._abandon(fault.stream_id, fault.code)
        else:
            self.reset(stream, fault.code)
            stream.cancelled()
        self.guard.spend(Event.RESET, self.now_s)

    def _read_frames(self, data: bytes) -> int:
        """Handle every whole frame; return how far they reach."""
        size = len(data)
        position = 0
        if self.state is handlers.BEFORE_PREFACE:
            position = self._read_preface(data)
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

    def _read_preface(self, data: bytes) -> int:
        head = data[: len(frames.PREFACE)]
        if not frames.PREFACE.startswith(head):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "not the HTTP/2 connection preface")
        if len(head) == len(frames.PREFACE):
            self.state = handlers.BEFORE_SETTINGS
            return len(head)
        return 0
