"""The client's end of a connection: streams are ours, and the server answers them.

Source: RFC 9113; the number behind each rule is its section.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from mypy_extensions import mypyc_attr

from fairlead.http2 import frames, handlers
from fairlead.http2.connection import Connection
from fairlead.http2.errors import ConnectionFault, StreamFault
from fairlead.http2.frames import ErrorCode, Setting
from fairlead.http2.headers import Head, HeaderReader
from fairlead.http2.rules import check_trailers, content_length, malformed, response_status
from fairlead.http2.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairlead.http2.fields import Field
    from fairlead.http2.limits import Limits

_INTERIM_MAX: Final = 16
_WITHOUT_BODY: Final = frozenset({204, 304})


@mypyc_attr(allow_interpreted_subclasses=True)
class ClientStream(Stream):
    """A request of ours.

    Attributes:
        is_for_head: the method is HEAD, so that no body follows whatever the answer says.
        has_ended: our request is complete.
        has_head: the head of the answer has come, interim ones not counted.
        interims: how many of those have come.
    """

    __slots__ = ("has_ended", "has_head", "interims", "is_for_head")

    def __init__(self, connection: Connection, *, is_for_head: bool = False) -> None:
        super().__init__(connection, 0)
        self.is_for_head = is_for_head
        self.has_ended = False
        self.has_head = False
        self.interims = 0

    def head_received(self, status: int, fields: list[Field], *, is_last: bool) -> None:
        """Take the head of the answer, or an interim one; ``fields`` are judged, ``:status`` is the first."""
        raise NotImplementedError

    def unprocessed(self) -> None:
        """Learn that the server gave it up without having looked at it (8.7)."""
        self.cancelled()


class ClientConnection(Connection):
    """The server may not open streams, and the streams that it answers are made by ``open``.

    Args:
        limits: what the server may ask.
        wake: called once when there is something to ``take`` outside of ``receive``.
        now_s: a clock that never goes back; all times are read on it.
        on_greeted: called once when it is known how many streams the server takes.
    """

    __slots__ = ("_on_greeted", "is_greeted", "is_leaving")

    is_client: ClassVar[bool] = True

    def __init__(
        self,
        limits: Limits,
        *,
        wake: Callable[[], None],
        now_s: float = 0.0,
        on_greeted: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(limits, HeaderReader(limits, _no_request), wake=wake, now_s=now_s)
        self.state = handlers.BEFORE_SETTINGS
        self.is_greeted = False
        """Whether the server's SETTINGS have come, and with them how many streams it takes."""
        self._on_greeted = on_greeted
        self.is_leaving = False
        """Whether no more streams may be opened."""
        self.sender.is_awake = True  # The transport is there: take is about to be called.
        self.sender.control(frames.PREFACE)
        self._greet((Setting.ENABLE_PUSH, 0))

    @property
    def is_usable(self) -> bool:
        """Whether another stream may be opened now."""
        return not (
            self.is_leaving
            or self.is_closed
            or len(self.streams) >= self.peer_streams_max
            or self.last_id >= frames.STREAM_ID_MASK - 1
        )

    def greeted(self) -> None:
        """Say that it is known now."""
        self.is_greeted = True
        self._on_greeted()

    def open(self, stream: ClientStream) -> None:
        """Give ``stream`` its number; its head is to be sent next.  Only while ``is_usable``."""
        assert self.is_usable
        stream.stream_id = self.last_id = self.last_id + 2 if self.last_id else 1
        self.streams[stream.stream_id] = stream

    def forget(self, stream: Stream) -> None:
        """Note that a request is complete."""
        assert isinstance(stream, ClientStream)
        stream.has_ended = True

    def peer_ended(self, stream: Stream) -> None:
        """Close a stream whose answer is complete; the rest of its request is of no use to anybody (8.1)."""
        assert isinstance(stream, ClientStream)
        stream.is_open = False
        del self.streams[stream.stream_id]
        if not stream.has_ended:
            self.sender.discard(stream)
            self.abandon(stream.stream_id, ErrorCode.CANCEL)
        self.stream_closed()

    def stream_closed(self) -> None:
        """End after the last one."""
        if self.is_leaving and not self.streams:
            self.is_closed = True

    def goaway_received(self, last_id: int) -> None:
        """Let what is under way end, and give up what the server has not looked at (6.8)."""
        self.is_leaving = True
        for number in [number for number in self.streams if number > last_id]:
            stream = self.streams.pop(number)
            self.sender.discard(stream)
            self.disregard(number)
            assert isinstance(stream, ClientStream)
            stream.unprocessed()
        self.stream_closed()

    def reset_received(self, stream: Stream, code: int) -> None:
        """Take what a server resets because it takes no more for one that may be asked for again."""
        if code == ErrorCode.REFUSED_STREAM and isinstance(stream, ClientStream):
            stream.unprocessed()
        else:
            stream.cancelled()

    def block_received(self, flags: int, stream_id: int, block: bytes) -> None:
        """Take a whole header block: the head of an answer, an interim one, or trailers."""
        fields = self.headers.fields(block)
        stream = self.streams.get(stream_id)
        if stream is None:
            if stream_id > self.last_id:
                raise ConnectionFault(ErrorCode.PROTOCOL_ERROR, "HEADERS on a stream that was not opened")
            if stream_id not in self.abandoned:
                raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "the stream is closed")
            return
        assert isinstance(stream, ClientStream)
        is_last = bool(flags & frames.END_STREAM)
        if not stream.has_head:
            self._take_head(stream, fields, is_last=is_last)
        elif not is_last:
            raise malformed(stream_id, "trailers that do not end the stream")
        else:
            check_trailers(fields, stream_id)
            stream.trailers_received(fields)
            handlers.end_message(self, stream, b"")

    def _take_head(self, stream: ClientStream, fields: list[Field], *, is_last: bool) -> None:
        status = response_status(fields, stream.stream_id)
        if status < 200:
            stream.interims += 1
            if is_last or stream.interims > _INTERIM_MAX:
                raise malformed(stream.stream_id, "an interim answer that ends the stream, or one too many")
            stream.head_received(status, fields, is_last=False)
            return
        length = content_length(fields, stream.stream_id)
        if stream.is_for_head or status in _WITHOUT_BODY:
            length = 0
        stream.has_head = True
        stream.expected_bytes = length
        if is_last:
            if length:
                raise malformed(stream.stream_id, "a length without a body")
            stream.has_half_closed = True
            self.peer_ended(stream)
        stream.head_received(status, fields, is_last=is_last)


def _no_request(_: list[Field], stream_id: int) -> Head:
    raise malformed(stream_id, "a request from a server")


def _on_data(connection: ClientConnection, flags: int, stream_id: int, payload: bytes) -> None:
    stream = connection.streams.get(stream_id)
    if isinstance(stream, ClientStream) and not stream.has_head:
        connection.unacknowledged += len(payload)
        raise malformed(stream_id, "DATA before the head of the answer")
    handlers.on_data(connection, flags, stream_id, payload)


ClientConnection.open_state = handlers.opened({frames.DATA: _on_data})
