"""What a frame of each kind does to a connection, in each state of the connection.

A state is a table from the kind of a frame to the function that handles it; the connection looks the frame
up and knows no more.  The states::

    BEFORE_PREFACE -> BEFORE_SETTINGS -> OPEN <-> IN_BLOCK
                                         OPEN -> DRAINING <-> IN_BLOCK        any -> CLOSED

Source: RFC 9113; the number behind each rule is its section.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from fairlead.rpc import frames
from fairlead.rpc.errors import ConnectionFault, StreamFault
from fairlead.rpc.frames import ErrorCode, Setting
from fairlead.rpc.guard import Event
from fairlead.rpc.headers import check_trailers

if TYPE_CHECKING:
    from fairlead.rpc.h2 import Http2Connection
    from fairlead.rpc.limits import Limits
    from fairlead.rpc.stream import Stream

Handler = Callable[["Http2Connection", int, int, bytes], None]
"""Takes the connection, and a frame's flags, stream id and payload."""
State = tuple[Handler, ...]

DRAIN_PING: Final = b"draining"
ALIVE_PING: Final = b"is alive"

_PRIORITY_BYTES: Final = 5
_PING_BYTES: Final = 8
_GOAWAY_BYTES_MIN: Final = 8
_SETTING_BYTES: Final = 6


class Block:
    """A header block that is not complete."""

    __slots__ = ("flags", "pieces", "size", "stream_id")

    def __init__(self, flags: int, stream_id: int, piece: bytes) -> None:
        self.flags = flags
        self.stream_id = stream_id
        self.pieces = [piece]
        self.size = len(piece)


class PingWatch:
    """Counts the PINGs of a client that come too often, as grpc-go does; what we send forgives them."""

    __slots__ = ("_heard_s", "_limits", "_sent_bytes", "_strikes")

    def __init__(self, limits: Limits, now_s: float) -> None:
        self._limits = limits
        self._heard_s = now_s - limits.client_ping_interval_s
        self._sent_bytes = 0
        self._strikes = 0

    def heard(self, *, sent_bytes: int, now_s: float) -> None:
        """Note a PING.

        Raises:
            ConnectionFault: it was one too many.
        """
        if sent_bytes != self._sent_bytes:
            self._strikes = 0
        elif now_s - self._heard_s < self._limits.client_ping_interval_s:
            self._strikes += 1
        self._sent_bytes = sent_bytes
        self._heard_s = now_s
        if self._strikes > self._limits.ping_strikes_max:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings")


def _protocol_error(reason: str) -> ConnectionFault:
    return ConnectionFault(ErrorCode.PROTOCOL_ERROR, reason)


def _unpadded(payload: bytes) -> bytes:
    """Return ``payload`` without its padding (6.1)."""
    if not payload or payload[0] >= len(payload):
        raise _protocol_error("padding is longer than the frame")
    return payload[1 : len(payload) - payload[0]]


def _check_not_idle(connection: Http2Connection, stream_id: int) -> None:
    if not stream_id & 1 or (stream_id > connection.last_id and stream_id not in connection.abandoned):
        raise _protocol_error("frame on stream 0 or on an idle stream")


def _check_size(payload: bytes, size: int, kind: str) -> None:
    if len(payload) != size:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"{kind} of {len(payload)} bytes instead of {size}")


def _on_data(connection: Http2Connection, flags: int, stream_id: int, payload: bytes) -> None:
    length = len(payload)
    connection.unacknowledged += length
    if connection.unacknowledged > connection.limits.connection_window_bytes:
        raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window")
    stream = connection.streams.get(stream_id)
    if stream is None or stream.has_half_closed:
        _judge_stray(connection, stream_id, stream)
        return
    if flags & frames.PADDED:
        payload = _unpadded(payload)
    stream.body_bytes += len(payload)
    if flags & frames.END_STREAM:
        _end_request(stream, payload)
        return
    expected = stream.head.content_length
    if expected is not None and expected < stream.body_bytes:
        raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "more was sent than content-length says")
    if not payload:
        connection.guard.spend(Event.EMPTY_DATA, connection.now_s)
    window = connection.limits.stream_window_bytes
    stream.unacknowledged += length
    if stream.unacknowledged > window:
        raise StreamFault(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the stream's window")
    stream.data_received(payload, is_last=False)
    if stream.is_reading and stream.unacknowledged * 2 >= window:
        connection.grant(stream)


def _end_request(stream: Stream, payload: bytes) -> None:
    stream.has_half_closed = True
    expected = stream.head.content_length
    if expected is not None and expected != stream.body_bytes:
        raise StreamFault(stream.stream_id, ErrorCode.PROTOCOL_ERROR, "content-length is not what was sent")
    stream.data_received(payload, is_last=True)


def _judge_stray(connection: Http2Connection, stream_id: int, stream: Stream | None) -> None:
    """Refuse DATA for a stream that takes none, but for what was in flight when we ended it (5.1)."""
    if stream is None:
        _check_not_idle(connection, stream_id)
        connection.guard.spend(Event.OTHER, connection.now_s)
        if stream_id in connection.abandoned:
            return
    raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "the stream is closed")


def _on_headers(connection: Http2Connection, flags: int, stream_id: int, payload: bytes) -> None:
    if flags == frames.END_HEADERS and stream_id > connection.last_id and stream_id & 1:
        head = connection.headers.known.get(payload)
        if head is not None and len(connection.streams) < connection.limits.concurrent_streams_max:
            connection.last_id = stream_id
            connection.streams[stream_id] = stream = head.open(connection, stream_id)
            stream.opened()
            return
    _read_headers(connection, flags, stream_id, payload)


def _read_headers(connection: Http2Connection, flags: int, stream_id: int, payload: bytes) -> None:
    if not stream_id & 1:
        raise _protocol_error("HEADERS on stream 0 or one of even number")
    if flags & frames.PADDED:
        payload = _unpadded(payload)
    if flags & frames.PRIORITY_FLAG:
        if len(payload) < _PRIORITY_BYTES:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short for its priority")
        payload = payload[_PRIORITY_BYTES:]
    if flags & frames.END_HEADERS:
        _on_block(connection, flags, stream_id, payload)
    else:
        connection.block = Block(flags, stream_id, payload)
        connection.state = IN_BLOCK


def _on_continuation(connection: Http2Connection, flags: int, stream_id: int, payload: bytes) -> None:
    block = connection.block
    if block is None or block.stream_id != stream_id:
        raise _protocol_error("CONTINUATION that continues nothing")
    block.pieces.append(payload)
    block.size += len(payload)
    limits = connection.limits
    if len(block.pieces) > limits.continuations_max + 1 or block.size > limits.header_bytes_max:
        raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, "header block too long")
    if flags & frames.END_HEADERS:
        connection.block = None
        connection.state = connection.resting
        _on_block(connection, block.flags, stream_id, b"".join(block.pieces))


def _on_block(connection: Http2Connection, flags: int, stream_id: int, block: bytes) -> None:
    """Take a whole header block: a request, trailers, or what comes too late."""
    headers = connection.headers
    stream = connection.streams.get(stream_id)
    if stream is None and stream_id > connection.last_id and connection.resting is OPEN:
        connection.last_id = stream_id
        _open(connection, flags, stream_id, block)
        return
    fields = headers.fields(block)  # Even what is refused moves the table.
    if stream is not None:
        if stream.has_half_closed:
            raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "the stream is half-closed")
        if not flags & frames.END_STREAM:
            raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "trailers that do not end the stream")
        check_trailers(fields, stream_id)
        _end_request(stream, b"")
    elif connection.resting is not OPEN and stream_id > connection.last_id:
        connection.guard.spend(Event.OTHER, connection.now_s)
        connection.disregard(stream_id)  # After GOAWAY it is the client's to retry (6.8).
    elif stream_id not in connection.abandoned:
        # "... an unexpected stream identifier MUST respond with a connection error" (5.1.1).
        raise _protocol_error("HEADERS on a stream that has been closed or passed over")


def _open(connection: Http2Connection, flags: int, stream_id: int, block: bytes) -> None:
    headers = connection.headers
    head = headers.known.get(block)
    if head is None:
        head = headers.head(block, stream_id)
        head.open = connection.resolve(head)
        headers.remember(block, head)
    if len(connection.streams) >= connection.limits.concurrent_streams_max:
        raise StreamFault(stream_id, ErrorCode.REFUSED_STREAM, "too many streams")
    connection.streams[stream_id] = stream = head.open(connection, stream_id)
    stream.opened()
    if flags & frames.END_STREAM and stream_id in connection.streams:
        _end_request(stream, b"")


def _on_priority(connection: Http2Connection, _: int, stream_id: int, payload: bytes) -> None:
    if stream_id == 0:
        raise _protocol_error("PRIORITY on stream 0")
    connection.guard.spend(Event.OTHER, connection.now_s)
    if len(payload) != _PRIORITY_BYTES:
        raise StreamFault(stream_id, ErrorCode.FRAME_SIZE_ERROR, "PRIORITY is not 5 bytes")


def _on_rst_stream(connection: Http2Connection, _: int, stream_id: int, payload: bytes) -> None:
    _check_size(payload, frames.WORD.size, "RST_STREAM")
    _check_not_idle(connection, stream_id)
    connection.guard.spend(Event.RESET, connection.now_s)
    stream = connection.streams.pop(stream_id, None)
    if stream is not None:
        connection.sender.discard(stream)
        stream.cancelled()
        if connection.resting is DRAINING and not connection.streams:
            connection.is_closed = True


def _on_settings(connection: Http2Connection, flags: int, stream_id: int, payload: bytes) -> None:
    if stream_id != 0:
        raise _protocol_error("SETTINGS on a stream")
    if flags & frames.ACK:
        _check_size(payload, 0, "SETTINGS with ACK")
        return
    if len(payload) % _SETTING_BYTES:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "SETTINGS is not a multiple of 6 bytes")
    connection.guard.spend(Event.SETTINGS, connection.now_s)
    for identifier, value in frames.setting_pairs(payload):
        apply = _SETTINGS.get(identifier)
        if apply is not None:  # "... MUST ignore that setting" (6.5.2), where it is unknown.
            apply(connection, value)
    connection.sender.control(frames.SETTINGS_ACK)
    if connection.state is BEFORE_SETTINGS:
        connection.state = OPEN


def _set_header_table_size(connection: Http2Connection, value: int) -> None:
    connection.sender.shrink_table(value)


def _set_enable_push(_: Http2Connection, value: int) -> None:
    if value not in {0, 1}:
        raise _protocol_error("SETTINGS_ENABLE_PUSH is neither 0 nor 1")


def _set_initial_window_size(connection: Http2Connection, value: int) -> None:
    if value > frames.WINDOW_MAX:
        raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1")
    connection.sender.set_initial_window(value, connection.streams.values())


def _set_max_frame_size(connection: Http2Connection, value: int) -> None:
    if not frames.FRAME_BYTES_MIN <= value <= frames.FRAME_BYTES_MAX:
        raise _protocol_error("SETTINGS_MAX_FRAME_SIZE outside 2^14 to 2^24-1")
    connection.sender.frame_bytes_max = min(value, connection.limits.sent_frame_bytes_max)


_SETTINGS: Final[dict[int, Callable[[Http2Connection, int], None]]] = {
    Setting.HEADER_TABLE_SIZE: _set_header_table_size,
    Setting.ENABLE_PUSH: _set_enable_push,
    Setting.INITIAL_WINDOW_SIZE: _set_initial_window_size,
    Setting.MAX_FRAME_SIZE: _set_max_frame_size,
}


def _on_push_promise(_: Http2Connection, __: int, ___: int, ____: bytes) -> None:
    raise _protocol_error("PUSH_PROMISE from a client")


def _on_ping(connection: Http2Connection, flags: int, stream_id: int, payload: bytes) -> None:
    if stream_id != 0:
        raise _protocol_error("PING on a stream")
    _check_size(payload, _PING_BYTES, "PING")
    if not flags & frames.ACK:
        connection.guard.spend(Event.PING, connection.now_s)
        connection.pings.heard(sent_bytes=connection.sender.sent_bytes, now_s=connection.now_s)
        connection.sender.control(frames.frame(frames.PING, frames.ACK, 0, payload))
    elif payload == DRAIN_PING:
        connection.stop_accepting()


def _on_goaway(_: Http2Connection, __: int, stream_id: int, payload: bytes) -> None:
    """A client that goes away takes no streams of ours, which we never open: it may finish its own."""
    if stream_id != 0:
        raise _protocol_error("GOAWAY on a stream")
    if len(payload) < _GOAWAY_BYTES_MIN:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY shorter than 8 bytes")


def _on_window_update(connection: Http2Connection, _: int, stream_id: int, payload: bytes) -> None:
    _check_size(payload, frames.WORD.size, "WINDOW_UPDATE")
    sender = connection.sender
    if sender.sent_bytes == connection.sent_bytes_seen:
        connection.guard.spend(Event.WINDOW_UPDATE, connection.now_s)
    connection.sent_bytes_seen = sender.sent_bytes
    increment = frames.WORD.unpack(payload)[0] & frames.STREAM_ID_MASK
    if stream_id == 0:
        if increment == 0:
            raise _protocol_error("WINDOW_UPDATE by nothing")
        sender.grant(increment)
        return
    _check_not_idle(connection, stream_id)
    if increment == 0:
        raise StreamFault(stream_id, ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE by nothing")
    stream = connection.streams.get(stream_id)
    if stream is not None:
        sender.grant_stream(stream, increment)


def _ignore(connection: Http2Connection, _: int, __: int, ___: bytes) -> None:
    """Let a frame of an unknown kind pass, as extensions may send (5.5)."""
    connection.guard.spend(Event.OTHER, connection.now_s)


def _drop(_: Http2Connection, __: int, ___: int, ____: bytes) -> None:
    """Take no notice: the connection has ended."""


def _expect_settings(_: Http2Connection, __: int, ___: int, ____: bytes) -> None:
    raise _protocol_error("the first frame is not SETTINGS")


def _expect_continuation(_: Http2Connection, __: int, ___: int, ____: bytes) -> None:
    raise _protocol_error("a header block interrupted by another frame")


_KINDS: Final = 256


def _state(handlers: dict[int, Handler], otherwise: Handler) -> State:
    return tuple(handlers.get(kind, otherwise) for kind in range(_KINDS))


_ALL: Final[dict[int, Handler]] = {
    frames.DATA: _on_data,
    frames.HEADERS: _on_headers,
    frames.PRIORITY: _on_priority,
    frames.RST_STREAM: _on_rst_stream,
    frames.SETTINGS: _on_settings,
    frames.PUSH_PROMISE: _on_push_promise,
    frames.PING: _on_ping,
    frames.GOAWAY: _on_goaway,
    frames.WINDOW_UPDATE: _on_window_update,
    frames.CONTINUATION: _on_continuation,
}
BEFORE_PREFACE: Final = _state({}, _drop)
BEFORE_SETTINGS: Final = _state({frames.SETTINGS: _on_settings}, _expect_settings)
OPEN: Final = _state(_ALL, _ignore)
IN_BLOCK: Final = _state({frames.CONTINUATION: _on_continuation}, _expect_continuation)
DRAINING: Final = _state({**_ALL, frames.HEADERS: _read_headers}, _ignore)
CLOSED: Final = _state({}, lambda *_: None)
