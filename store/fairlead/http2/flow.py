"""The sending half of an HTTP/2 connection: windows, queues, and what is written next.

Frames that flow control does not count go out as they come.  DATA goes out at once while both windows have
room and nobody waits; otherwise it waits in its stream's queue, and the streams that may send take turns,
one frame each, so that no stream holds up another.

Source: RFC 9113, sections 5.2 and 6.9.
"""

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from fairlead.http2.errors import ConnectionFault, StreamFault
from fairlead.http2.frames import (
    END_HEADERS,
    END_STREAM,
    FRAME_BYTES_MIN,
    HEADER,
    HEADERS,
    WINDOW_DEFAULT,
    WINDOW_MAX,
    ErrorCode,
    header_frames,
)
from fairlead.http2.limits import Limits
from fairlead.http2.literals import EMPTY_TABLE, TABLE_BYTES_DEFAULT
from fairlead.http2.stream import Stream


class Owner(Protocol):
    """Whom a sender serves: its connection."""

    def wake(self) -> None:
        """Have ``take`` called soon."""

    def forget(self, stream: Stream) -> None:
        """Learn that the last frame of our message on ``stream`` is written."""

    def give_up(self, fault: ConnectionFault) -> None:
        """End the connection."""


class Sender:
    """What one connection has to write."""

    __slots__ = (
        "_granted",
        "_limits",
        "_owner",
        "_ready",
        "_table_update",
        "buffered_bytes",
        "frame_bytes_max",
        "has_ended",
        "initial_window",
        "is_awake",
        "is_paused",
        "out",
        "window",
    )

    def __init__(self, owner: Owner, limits: Limits) -> None:
        self._owner = owner
        self._limits = limits
        self._ready: dict[int, Stream] = {}
        self._granted = WINDOW_DEFAULT
        self._table_update = b""
        self.out: list[bytes | memoryview] = []
        self.buffered_bytes = 0
        """Bytes in all queues."""
        self.window = WINDOW_DEFAULT
        self.initial_window = WINDOW_DEFAULT
        self.frame_bytes_max = FRAME_BYTES_MIN
        self.has_ended = False
        """Whether the connection has: nothing is taken any more."""
        self.is_awake = False
        """Whether somebody is going to call ``take`` anyway."""
        self.is_paused = False
        """Whether the transport has enough; DATA waits, control frames do not."""

    @property
    def sent_bytes(self) -> int:
        """DATA sent since the connection began."""
        return self._granted - self.window

    @property
    def has_more(self) -> bool:
        """Whether a further ``take`` would find DATA to send."""
        return bool(self._ready) and self.window > 0 and not self.is_paused

    def control(self, frames: bytes) -> None:
        """Write frames that flow control does not count."""
        self.out.append(frames)
        if not self.is_awake:
            self.rouse()

    def has_room(self, stream: Stream, size: int) -> bool:
        """Whether a message with ``size`` bytes of DATA in one frame may go out whole, and at once."""
        return not (
            size > self.window
            or size > self.initial_window + stream.credit
            or size > self.frame_bytes_max
            or self._ready
            or stream.queue
            or self.is_paused
            or self._table_update
        )

    def whole(self, stream: Stream, frames: Iterable[bytes], size: int) -> None:
        """Write all ``frames`` of a message, ``size`` bytes of them DATA, once ``has_room`` has said so."""
        self.window -= size
        self.out += frames
        if not self.is_awake:
            self.rouse()
        self._owner.forget(stream)

    def message(self, stream: Stream, block: bytes, body: bytes) -> None:
        """Write a whole message, as fast as it goes."""
        size = len(body)
        if not size:
            self.headers(stream, block, is_last=True)
        elif len(block) <= FRAME_BYTES_MIN and self.has_room(stream, size):
            number = stream.stream_id
            head = HEADER.pack(len(block) << 8 | HEADERS, END_HEADERS, number)
            self.whole(stream, (head, block, HEADER.pack(size << 8, END_STREAM, number), body), size)
        else:
            self.headers(stream, block)
            self.data(stream, body)
            self.end(stream, b"")

    def headers(self, stream: Stream, block: bytes, *, is_last: bool = False) -> None:
        """Write the header block that begins a message, or is all of it."""
        self._block(stream.stream_id, block, end_stream=is_last)
        if is_last:
            self._owner.forget(stream)

    def data(self, stream: Stream, chunk: bytes) -> None:
        """Write ``chunk``, now or when the windows allow."""
        size = len(chunk)
        if (
            not stream.queue
            and not self._ready
            and not self.is_paused
            and size <= self.window
            and size <= self.initial_window + stream.credit
            and size <= self.frame_bytes_max
        ):
            self.window -= size
            stream.credit -= size
            self.out += (HEADER.pack(size << 8, 0, stream.stream_id), chunk)
            if not self.is_awake:
                self.rouse()
            return
        if self.buffered_bytes > self._limits.send_buffer_bytes_max:
            self._owner.give_up(ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too many answers left unread"))
            return
        if stream.queue is None:
            stream.queue = deque()
        stream.queue.append(chunk)
        stream.buffered_bytes += size
        self.buffered_bytes += size
        self._line_up(stream)

    def end(self, stream: Stream, trailers: bytes) -> None:
        """End the message after its DATA: with ``trailers``, or on the last DATA frame where there are none."""
        if stream.queue:
            stream.closing = trailers
        elif not self.has_ended:
            self._end_now(stream, trailers)

    def _end_now(self, stream: Stream, trailers: bytes) -> None:
        if trailers:
            self._block(stream.stream_id, trailers, end_stream=True)
        else:
            self.control(HEADER.pack(0, END_STREAM, stream.stream_id))
        self._owner.forget(stream)

    def _block(self, stream_id: int, block: bytes, *, end_stream: bool) -> None:
        block = self._table_update + block
        self._table_update = b""
        limit = self.frame_bytes_max
        self.control(header_frames(stream_id, block, end_stream=end_stream, frame_bytes_max=limit))

    def shrink_table(self, bytes_max: int) -> None:
        """Note the peer's limit on a table that we never use: the next block says so (RFC 7541, 4.2)."""
        if bytes_max < TABLE_BYTES_DEFAULT:
            self._table_update = EMPTY_TABLE

    def discard(self, stream: Stream) -> None:
        """Drop what ``stream`` holds back."""
        self._ready.pop(stream.stream_id, None)
        self.buffered_bytes -= stream.buffered_bytes
        stream.buffered_bytes = 0
        stream.queue = None
        stream.closing = None

    def grant(self, increment: int) -> None:
        """Widen the connection's window."""
        if self.window + increment > WINDOW_MAX:
            raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "connection window above 2^31-1")
        self.window += increment
        self._granted += increment
        if self._ready:
            self.rouse()

    def grant_stream(self, stream: Stream, increment: int) -> None:
        """Widen the window of one stream."""
        if self.initial_window + stream.credit + increment > WINDOW_MAX:
            raise StreamFault(stream.stream_id, ErrorCode.FLOW_CONTROL_ERROR, "window above 2^31-1")
        stream.credit += increment
        self._line_up(stream)

    def set_initial_window(self, value: int, streams: Iterable[Stream]) -> None:
        """Move the window of every stream by the difference, below zero where it comes to that (6.9.2)."""
        self.initial_window = value
        for stream in streams:
            if value + stream.credit > WINDOW_MAX:
                raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a stream's window above 2^31-1")
            self._line_up(stream)

    def resume(self) -> None:
        """Go on after a pause."""
        self.is_paused = False
        if self._ready:
            self.rouse()

    def take(self) -> bytes:
        """Return what is to be written now: control frames, and one burst of DATA at most."""
        self.is_awake = True
        if self._ready and not self.is_paused:
            self._take_turns()
        self.is_awake = False
        data = b"".join(self.out)
        self.out.clear()
        return data

    def rouse(self) -> None:
        """Have ``take`` called soon."""
        if not self.is_awake:
            self.is_awake = True
            self._owner.wake()

    def _line_up(self, stream: Stream) -> None:
        if stream.queue and self.initial_window + stream.credit > 0:
            self._ready[stream.stream_id] = stream
            if self.window > 0:
                self.rouse()

    def _take_turns(self) -> None:
        ready = self._ready
        burst = self._limits.send_burst_bytes
        while ready and self.window > 0 and burst > 0:
            stream_id = next(iter(ready))
            stream = ready.pop(stream_id)
            room = min(self.window, self.initial_window + stream.credit, self.frame_bytes_max)
            # A stream without room comes back with its WINDOW_UPDATE.
            if room > 0:
                burst -= self._send_frame(stream, room)
                self._line_up(stream)

    def _send_frame(self, stream: Stream, room: int) -> int:
        """Send one DATA frame of at most ``room`` bytes from the queue; return its payload's length."""
        queue = stream.queue
        assert queue, "a stream in line has something to send"
        parts: list[bytes | memoryview] = []
        size = 0
        while queue and size < room:
            chunk = queue.popleft()
            if len(chunk) > room - size:
                view = memoryview(chunk)
                queue.appendleft(view[room - size :])
                chunk = view[: room - size]
            parts.append(chunk)
            size += len(chunk)
        is_last = not queue and stream.closing == b""
        self.out.append(HEADER.pack(size << 8, END_STREAM if is_last else 0, stream.stream_id))
        self.out += parts
        self._account(stream, size)
        if is_last:
            self._owner.forget(stream)
        elif not queue and stream.closing is not None:
            self._end_now(stream, stream.closing)
        return size

    def _account(self, stream: Stream, size: int) -> None:
        before = stream.buffered_bytes
        self.window -= size
        self.buffered_bytes -= size
        stream.credit -= size
        stream.buffered_bytes = after = before - size
        if after == 0 or before > self._limits.writable_bytes >= after:
            stream.writable()
