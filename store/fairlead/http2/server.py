"""The server's end of a connection, from the client's preface on.

Source: RFC 9113; the number behind each rule is its section.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from mypy_extensions import mypyc_attr

from fairlead.http2 import frames, handlers
from fairlead.http2.connection import Connection
from fairlead.http2.errors import ConnectionFault, StreamFault
from fairlead.http2.frames import ErrorCode, Setting
from fairlead.http2.guard import Event
from fairlead.http2.rules import check_trailers, malformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairlead.http2.headers import HeaderReader
    from fairlead.http2.limits import Limits
    from fairlead.http2.stream import Stream

_DRAIN_PING: Final = b"draining"
_WHOLE: Final = frames.END_HEADERS | frames.END_STREAM


@mypyc_attr(allow_interpreted_subclasses=True)
class ServerConnection(Connection):
    """Streams come from the client: each is made by the head that opens it.

    Args:
        limits: what the client may ask.
        headers: its heads make the streams.
        wake: called once when there is something to ``take`` outside of ``receive``.
        now_s: a clock that never goes back; all times are read on it.
    """

    __slots__ = ()

    is_client: ClassVar[bool] = False

    def __init__(
        self, limits: Limits, headers: HeaderReader, *, wake: Callable[[], None], now_s: float = 0.0
    ) -> None:
        super().__init__(limits, headers, wake=wake, now_s=now_s)
        self.state = handlers.BEFORE_PREFACE
        self.sender.is_awake = True  # The first bytes have arrived: receive is about to be called.
        self._greet((Setting.MAX_CONCURRENT_STREAMS, limits.concurrent_streams_max))

    def drain(self) -> None:
        """Begin a graceful end: ask for no more streams, and learn by a PING when the client knows (6.8)."""
        if not self.is_closed:
            self.sender.control(
                frames.goaway(frames.STREAM_ID_MASK, ErrorCode.NO_ERROR, "server is shutting down")
                + frames.frame(frames.PING, 0, 0, _DRAIN_PING)
            )

    def stop_accepting(self) -> None:
        """Finish what is open and nothing else: the second step of a graceful end."""
        if self.resting is OPEN:
            self.sender.control(frames.goaway(self.last_id, ErrorCode.NO_ERROR, "server is shutting down"))
            if self.state is not handlers.IN_BLOCK:
                self.state = DRAINING
            self.resting = DRAINING
            self.is_closed = not self.streams

    def forget(self, stream: Stream) -> None:
        """Close a stream whose answer has ended."""
        del self.streams[stream.stream_id]
        if not stream.has_half_closed:
            # "... a RST_STREAM with an error code of NO_ERROR after sending a complete response" (8.1).
            self.abandon(stream.stream_id, ErrorCode.NO_ERROR)
        if self.resting is DRAINING:
            self.stream_closed()

    def stream_closed(self) -> None:
        """End after the last one."""
        if self.resting is DRAINING and not self.streams:
            self.is_closed = True

    def pong_received(self, payload: bytes) -> None:
        """Take the answer to ``drain``: whatever the client had begun is here."""
        if payload == _DRAIN_PING:
            self.stop_accepting()

    def read_preface(self, data: bytes) -> int:
        """Return where the client's preface ends in ``data``; 0: not yet."""
        head = data[: len(frames.PREFACE)]
        if not frames.PREFACE.startswith(head):
            raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "not the HTTP/2 connection preface")
        if len(head) == len(frames.PREFACE):
            self.state = handlers.BEFORE_SETTINGS
            return len(head)
        return 0

    def block_received(self, flags: int, stream_id: int, block: bytes) -> None:
        """Take a whole header block: a request, trailers, or what comes too late."""
        stream = self.streams.get(stream_id)
        if stream is None and stream_id > self.last_id and self.resting is OPEN:
            self.last_id = stream_id
            self._open(flags, stream_id, block)
            return
        fields = self.headers.fields(block)  # Even what is refused moves the table.
        if stream is not None:
            if stream.has_half_closed:
                raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "the stream is half-closed")
            if not flags & frames.END_STREAM:
                raise malformed(stream_id, "trailers that do not end the stream")
            check_trailers(fields, stream_id)
            stream.trailers_received(fields)
            handlers.end_message(self, stream, b"")
        elif self.resting is not OPEN and stream_id > self.last_id:
            self.guard.spend(Event.OTHER, self.now_s)
            self.disregard(stream_id)  # After GOAWAY it is the client's to retry (6.8).
        elif stream_id not in self.abandoned:
            # "... an unexpected stream identifier MUST respond with a connection error" (5.1.1).
            raise ConnectionFault(
                ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that has been closed or passed over"
            )

    def _open(self, flags: int, stream_id: int, block: bytes) -> None:
        head = self.headers.head(block, stream_id)
        if len(self.streams) >= self.limits.concurrent_streams_max:
            raise StreamFault(stream_id, ErrorCode.REFUSED_STREAM, "too many streams")
        is_last = bool(flags & frames.END_STREAM)
        if is_last and head.content_length:
            raise malformed(stream_id, "a length without a body")
        self.streams[stream_id] = stream = head.open(self, stream_id)
        stream.has_half_closed = is_last
        stream.opened()
        if is_last and stream.is_open:
            stream.data_received(b"", is_last=True)


def _on_headers(connection: ServerConnection, flags: int, stream_id: int, payload: bytes) -> None:
    """Take a request whose head has come before, which is nearly every one; else look closer."""
    if flags | frames.END_STREAM == _WHOLE and stream_id > connection.last_id and stream_id & 1:
        head = connection.headers.known.get(payload)
        if (
            head is not None
            and len(connection.streams) < connection.limits.concurrent_streams_max
            and not (head.content_length and flags == _WHOLE)
        ):
            connection.last_id = stream_id
            connection.streams[stream_id] = stream = head.open(connection, stream_id)
            if flags == _WHOLE:
                stream.has_half_closed = True
                stream.opened()
                if stream.is_open:
                    stream.data_received(b"", is_last=True)
            else:
                stream.opened()
            return
    handlers.read_headers(connection, flags, stream_id, payload)


OPEN: Final = handlers.opened({frames.HEADERS: _on_headers})
DRAINING: Final = handlers.opened({})
ServerConnection.open_state = OPEN
