"""What a frame of each kind does to a connection, in each state of the connection.

A state is a table from the kind of a frame to the function that handles it; the connection looks the frame
up and knows no more.  The states::

    BEFORE_PREFACE -> BEFORE_SETTINGS -> open <-> IN_BLOCK
                                         open -> draining <-> IN_BLOCK        any -> CLOSED

Each end has tables of its own where it is open; a client's end begins before the server's SETTINGS.

Source: RFC 9113; the number behind each rule is its section.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from fairlead.http2 import frames
from fairlead.http2.errors import ConnectionFault, StreamFault
from fairlead.http2.frames import ErrorCode, Setting
from fairlead.http2.guard import Event
from fairlead.http2.rules import malformed

if TYPE_CHECKING:
    from fairlead.http2.connection import Connection
    from fairlead.http2.limits import Limits
    from fairlead.http2.stream import Stream

Handler = Callable[[Any, int, int, bytes], None]
"""Takes the connection, at either end, and a frame's flags, stream id and payload."""
State = tuple[Handler, ...]

DRAIN_PING: Final = b"draining"
ALIVE_PING: Final = b"is alive"

_PRIORITY_BYTES: Final = 5
_PING_BYTES: Final = 8
_GOAWAY_BYTES_MIN: Final = 8
_SETTING_BYTES: Final = 6
# A large frame to no effect costs its sender more than us; many of them are what a window was full of.
_SMALL_BYTES: Final = 1024


class Block:
    """A header block that is not complete."""

    __slots__ = ("flags", "pieces", "size", "stream_id")

    def __init__(self, flags: int, stream_id: int, piece: bytes) -> None:
        self.flags = flags
        self.stream_id = stream_id
        self.pieces = [piece]
        self.size = len(piece)


class PingWatch:
    """Counts the PINGs of a peer that come too often, as grpc-go does; what we send forgives them."""

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


def _check_not_idle(connection: Connection, stream_id: int) -> None:
    if not stream_id & 1 or (stream_id > connection.last_id and stream_id not in connection.abandoned):
        raise _protocol_error("frame on stream 0 or on an idle stream")


def _check_size(payload: bytes, size: int, kind: str) -> None:
    if len(payload) != size:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, f"{kind} of {len(payload)} bytes instead of {size}")


def on_data(connection: Connection, flags: int, stream_id: int, payload: bytes) -> None:
    """Take DATA (6.1)."""
    length = len(payload)
    connection.unacknowledged += length
    if connection.unacknowledged > connection.limits.connection_window_bytes:
        raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the connection's window")
    stream = connection.streams.get(stream_id)
    if stream is None or stream.has_half_closed:
        _judge_stray(connection, stream_id, stream, length)
        return
    if flags & frames.PADDED:
        payload = _unpadded(payload)
    stream.body_bytes += len(payload)
    if flags & frames.END_STREAM:
        end_message(connection, stream, payload)
        return
    expected = stream.expected_bytes
    if expected is not None and expected < stream.body_bytes:
        raise malformed(stream_id, "more was sent than content-length says")
    if not payload:
        connection.guard.spend(Event.EMPTY_DATA, connection.now_s)
    window = connection.limits.stream_window_bytes
    stream.unacknowledged += length
    if stream.unacknowledged > window:
        raise StreamFault(stream_id, ErrorCode.FLOW_CONTROL_ERROR, "more DATA than the stream's window")
    stream.data_received(payload, is_last=False)
    if stream.is_reading and stream.unacknowledged * 2 >= window:
        connection.grant(stream)


def end_message(connection: Connection, stream: Stream, payload: bytes) -> None:
    """Take the last part of the peer's message."""
    expected = stream.expected_bytes
    if expected is not None and expected != stream.body_bytes:
        raise malformed(stream.stream_id, "content-length is not what was sent")
    stream.has_half_closed = True
    connection.peer_ended(stream)
    stream.data_received(payload, is_last=True)


def _judge_stray(connection: Connection, stream_id: int, stream: Stream | None, length: int) -> None:
    """Refuse DATA for a stream that takes none, but for what was in flight when we ended it (5.1)."""
    if stream is None:
        _check_not_idle(connection, stream_id)
        if length < _SMALL_BYTES or stream_id not in connection.abandoned:
            connection.guard.spend(Event.OTHER, connection.now_s)
        if stream_id in connection.abandoned:
            return
    raise StreamFault(stream_id, ErrorCode.STREAM_CLOSED, "the stream is closed")


def read_headers(connection: Connection, flags: int, stream_id: int, payload: bytes) -> None:
    """Take HEADERS of whatever shape (6.2)."""
    if not stream_id & 1:
        raise _protocol_error("HEADERS on stream 0 or one of even number")
    if flags & frames.PADDED:
        payload = _unpadded(payload)
    if flags & frames.PRIORITY_FLAG:
        if len(payload) < _PRIORITY_BYTES:
            raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "HEADERS too short for its priority")
        payload = payload[_PRIORITY_BYTES:]
    if flags & frames.END_HEADERS:
        connection.block_received(flags, stream_id, payload)
    else:
        connection.block = Block(flags, stream_id, payload)
        connection.state = IN_BLOCK


def _on_continuation(connection: Connection, flags: int, stream_id: int, payload: bytes) -> None:
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
        connection.block_received(block.flags, stream_id, b"".join(block.pieces))


def _on_priority(connection: Connection, _: int, stream_id: int, payload: bytes) -> None:
    if stream_id == 0:
        raise _protocol_error("PRIORITY on stream 0")
    connection.guard.spend(Event.OTHER, connection.now_s)
    if len(payload) != _PRIORITY_BYTES:
        raise StreamFault(stream_id, ErrorCode.FRAME_SIZE_ERROR, "PRIORITY is not 5 bytes")


def _on_rst_stream(connection: Connection, _: int, stream_id: int, payload: bytes) -> None:
    _check_size(payload, frames.WORD.size, "RST_STREAM")
    _check_not_idle(connection, stream_id)
    stream = connection.streams.get(stream_id)
    if stream is None or not connection.is_client:
        connection.guard.spend(Event.RESET, connection.now_s)
    if stream is not None:
        del connection.streams[stream_id]
        connection.sender.discard(stream)
        connection.reset_received(stream, frames.WORD.unpack(payload)[0])
        connection.stream_closed()


def _on_settings(connection: Connection, flags: int, stream_id: int, payload: bytes) -> None:
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
        connection.state = connection.resting
        connection.greeted()


def _set_header_table_size(connection: Connection, value: int) -> None:
    connection.sender.shrink_table(value)


def _set_enable_push(connection: Connection, value: int) -> None:
    if value not in {0, 1} or (value and connection.is_client):
        raise _protocol_error("SETTINGS_ENABLE_PUSH is neither 0 nor 1, or 1 from a server")


def _set_max_concurrent_streams(connection: Connection, value: int) -> None:
    connection.peer_streams_max = value


def _set_initial_window_size(connection: Connection, value: int) -> None:
    if value > frames.WINDOW_MAX:
        raise ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "SETTINGS_INITIAL_WINDOW_SIZE above 2^31-1")
    connection.sender.set_initial_window(value, connection.streams.values())


def _set_max_frame_size(connection: Connection, value: int) -> None:
    if not frames.FRAME_BYTES_MIN <= value <= frames.FRAME_BYTES_MAX:
        raise _protocol_error("SETTINGS_MAX_FRAME_SIZE outside 2^14 to 2^24-1")
    connection.sender.frame_bytes_max = min(value, connection.limits.sent_frame_bytes_max)


_SETTINGS: Final[dict[int, Callable[[Connection, int], None]]] = {
    Setting.HEADER_TABLE_SIZE: _set_header_table_size,
    Setting.ENABLE_PUSH: _set_enable_push,
    Setting.MAX_CONCURRENT_STREAMS: _set_max_concurrent_streams,
    Setting.INITIAL_WINDOW_SIZE: _set_initial_window_size,
    Setting.MAX_FRAME_SIZE: _set_max_frame_size,
}


def _on_push_promise(_: Connection, __: int, ___: int, ____: bytes) -> None:
    raise _protocol_error("PUSH_PROMISE from a client, or from a server that was told not to")


def _on_ping(connection: Connection, flags: int, stream_id: int, payload: bytes) -> None:
    if stream_id != 0:
        raise _protocol_error("PING on a stream")
    _check_size(payload, _PING_BYTES, "PING")
    if not flags & frames.ACK:
        connection.guard.spend(Event.PING, connection.now_s)
        connection.pings.heard(sent_bytes=connection.sender.sent_bytes, now_s=connection.now_s)
        connection.sender.control(frames.frame(frames.PING, frames.ACK, 0, payload))
    else:
        connection.pong_received(payload)


def _on_goaway(connection: Connection, _: int, stream_id: int, payload: bytes) -> None:
    if stream_id != 0:
        raise _protocol_error("GOAWAY on a stream")
    if len(payload) < _GOAWAY_BYTES_MIN:
        raise ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "GOAWAY shorter than 8 bytes")
    connection.goaway_received(frames.WORD.unpack_from(payload)[0] & frames.STREAM_ID_MASK)


def _on_window_update(connection: Connection, _: int, stream_id: int, payload: bytes) -> None:
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


def _ignore(connection: Connection, _: int, __: int, ___: bytes) -> None:
    """Let a frame of an unknown kind pass, as extensions may send (5.5)."""
    connection.guard.spend(Event.OTHER, connection.now_s)


def _drop(_: Connection, __: int, ___: int, ____: bytes) -> None:
    """Take no notice: the connection has ended."""


def _expect_settings(_: Connection, __: int, ___: int, ____: bytes) -> None:
    raise _protocol_error("the first frame is not SETTINGS")


def _expect_continuation(_: Connection, __: int, ___: int, ____: bytes) -> None:
    raise _protocol_error("a header block interrupted by another frame")


_KINDS: Final = 256


def _state(handlers: dict[int, Handler], otherwise: Handler) -> State:
    return tuple(handlers.get(kind, otherwise) for kind in range(_KINDS))


_OPEN: Final[dict[int, Handler]] = {
    frames.DATA: on_data,
    frames.HEADERS: read_headers,
    frames.PRIORITY: _on_priority,
    frames.RST_STREAM: _on_rst_stream,
    frames.SETTINGS: _on_settings,
    frames.PUSH_PROMISE: _on_push_promise,
    frames.PING: _on_ping,
    frames.GOAWAY: _on_goaway,
    frames.WINDOW_UPDATE: _on_window_update,
    frames.CONTINUATION: _on_continuation,
}


def opened(own: dict[int, Handler]) -> State:
    """Return the state of a connection that is open, with what one end does in its ``own`` way."""
    return _state({**_OPEN, **own}, _ignore)


BEFORE_PREFACE: Final = _state({}, _drop)
BEFORE_SETTINGS: Final = _state({frames.SETTINGS: _on_settings}, _expect_settings)
IN_BLOCK: Final = _state({frames.CONTINUATION: _on_continuation}, _expect_continuation)
CLOSED: Final = _state({}, lambda *_: None)
