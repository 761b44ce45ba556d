"""One HTTP/2 connection, of a client or to a server: frames by the h2 library, flow control by what is taken.

Bodies are not buffered here beyond what a window lets pass: what a peer sends is acknowledged only once it has been
passed on, and what cannot be sent holds back whoever sends it.  Source: RFC 9113.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from hyperframe.frame import Frame, GoAwayFrame

from fairlead.proxy.headers import Fields
from fairlead.proxy.timers import Timed

if TYPE_CHECKING:
    from fairlead.proxy.service import Service

STREAM_WINDOW_BYTES = 256 * 1024
CONNECTION_WINDOW_BYTES = 4 * 1024 * 1024
RESETS_MAX = 200
"""Streams that a peer may cancel on one connection for each tick of the wheel ("rapid reset")."""
ErrorCodes = h2.errors.ErrorCodes


class Connection(h2.connection.H2Connection):
    """The library's, but for GOAWAY: what is under way may end (RFC 9113, section 6.8), where the library ends all."""

    def _receive_goaway_frame(self, frame: GoAwayFrame) -> tuple[list[Frame], list[h2.events.Event]]:
        event = h2.events.ConnectionTerminated()
        event.error_code = next((each for each in ErrorCodes if each == frame.error_code), None)
        event.last_stream_id = frame.last_stream_id
        return [], [event]


class Stream(Timed):
    """One request and its answer, as this side of the connection sees them.

    Attributes:
        is_blocked: more waits to be sent than the peer takes for now.
        held_bytes: received, and not acknowledged yet.
        is_done: it is forgotten as soon as all of it is out.
    """

    __slots__ = (
        "_ended_with",
        "_outgoing",
        "_outgoing_bytes",
        "held_bytes",
        "id",
        "is_blocked",
        "is_done",
        "wire",
    )

    def __init__(self, wire: "Wire", stream_id: int) -> None:
        super().__init__()
        self.wire = wire
        self.id = stream_id
        self.is_blocked = False
        self.is_done = False
        self.held_bytes = 0
        self._outgoing: deque[bytes] = deque()
        self._outgoing_bytes = 0
        self._ended_with: Fields | None = None  # how it ends once all is out: with these trailers, if any

    # What the wire reports

    def on_head(self, fields: Fields, *, is_end: bool) -> None:
        """The head of a message; of an answer there may be interim ones before."""
        raise NotImplementedError

    def on_data(self, data: bytes) -> None:
        """A piece of its body."""
        raise NotImplementedError

    def on_trailers(self, fields: Fields) -> None:
        """Fields behind the body."""

    def on_end(self) -> None:
        """The message is complete."""
        raise NotImplementedError

    def on_lost(self) -> None:
        """The stream was reset, or the connection is gone."""
        raise NotImplementedError

    def on_blocked(self) -> None:
        """``is_blocked`` has changed."""

    # What whoever uses it asks for

    def send_data(self, pieces: Iterable[bytes], *, is_end: bool, trailers: Fields | None = None) -> None:
        """Send body as the peer takes it."""
        for piece in pieces:
            self._outgoing.append(piece)
            self._outgoing_bytes += len(piece)
        if is_end:
            self._ended_with = trailers or []
        self.pump()

    def pump(self) -> None:
        """Send what the windows let pass."""
        connection = self.wire.connection
        try:
            self._send(connection)
        except h2.exceptions.ProtocolError:
            self._outgoing.clear()  # The peer has closed the stream; its event comes, or has come.
            return
        finally:
            self.wire.flush_soon()
        if self.is_done:
            self.finish()
            return
        blocked = self._outgoing_bytes > self.wire.service.limits.write_buffer_bytes_max
        if blocked is not self.is_blocked:
            self.is_blocked = blocked
            self.on_blocked()

    def _send(self, connection: Any) -> None:
        outgoing = self._outgoing
        while outgoing:
            room = min(connection.local_flow_control_window(self.id), connection.max_outbound_frame_size)
            if room <= 0 or self.wire.is_blocked:
                return
            piece = outgoing.popleft()
            if len(piece) > room:
                outgoing.appendleft(piece[room:])
                piece = piece[:room]
            self._outgoing_bytes -= len(piece)
            is_last = not outgoing and self._ended_with == []
            connection.send_data(self.id, piece, end_stream=is_last)
            if is_last:
                self._ended_with = None
        if self._ended_with is not None:
            trailers, self._ended_with = self._ended_with, None
            if trailers:
                fields = [(name.lower(), value) for name, value in trailers]
                connection.send_headers(self.id, fields, end_stream=True)
            else:
                connection.send_data(self.id, b"", end_stream=True)

    def finish(self) -> None:
        """Nothing more will be sent: forget the stream as soon as all is out."""
        self.is_done = True
        if not self._outgoing and self._ended_with is None:
            self.wire.forget(self)

    def acknowledge(self) -> None:
        """What was received has been passed on: the peer may send as much again."""
        if self.held_bytes:
            held, self.held_bytes = self.held_bytes, 0
            self.wire.acknowledge(self, held)

    def cancel(self, code: ErrorCodes) -> None:
        """End it at once, for both sides."""
        self._outgoing.clear()
        self.wire.forget(self)
        try:
            self.wire.connection.reset_stream(self.id, code)
        except h2.exceptions.ProtocolError:
            return  # It has ended by itself.
        self.wire.flush_soon()


class Wire(asyncio.Protocol, Timed):
    """A transport and the streams on it.

    Attributes:
        connection: the h2 library's.
        is_blocked: the transport takes no more for now.
    """

    transport: asyncio.Transport

    def __init__(self, service: "Service", *, is_client: bool) -> None:
        super().__init__()
        self.service = service
        self.connection: Any = Connection(
            h2.config.H2Configuration(
                client_side=is_client,
                header_encoding=None,
                # What is sent has been checked and is in lower case.
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.is_client = is_client
        self.streams: dict[int, Stream] = {}
        self.is_blocked = False
        self.is_open = False
        self._is_flushing = False
        self._resets = (0, 0)  # the tick, and how many in it

    def begin(self, transport: asyncio.BaseTransport, settings: dict[h2.settings.SettingCodes, int]) -> None:
        """Take the transport and greet the peer."""
        self.transport = cast("asyncio.Transport", transport)
        self.is_open = True
        window = {h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: STREAM_WINDOW_BYTES}
        # Given before the greeting, so that they are part of it.
        self.connection.local_settings = h2.settings.Settings(
            client=self.is_client, initial_values={**settings, **window}
        )
        self.connection.initiate_connection()
        self.connection.increment_flow_control_window(CONNECTION_WINDOW_BYTES - 65_535)
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Take frames."""
        try:
            events = self.connection.receive_data(data)
        except h2.exceptions.ProtocolError:
            self.flush()  # GOAWAY says why.
            self.transport.close()
            return
        for event in events:
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                handler(self, event)
        self.flush()

    def flush(self) -> None:
        """Write what there is to write."""
        self._is_flushing = False
        if (data := self.connection.data_to_send()) and self.is_open and not self.transport.is_closing():
            self.transport.write(data)

    def flush_soon(self) -> None:
        """Write at the end of this turn of the loop, with whatever else comes up."""
        if not self._is_flushing:
            self._is_flushing = True
            asyncio.get_running_loop().call_soon(self.flush)

    def acknowledge(self, stream: Stream, count: int) -> None:
        """Give ``count`` bytes back to the windows."""
        try:
            self.connection.acknowledge_received_data(count, stream.id)
        except h2.exceptions.ProtocolError:
            return  # The connection has ended.
        self.flush_soon()

    def forget(self, stream: Stream) -> None:
        """The stream is over."""
        if self.streams.pop(stream.id, None) is not None and stream.held_bytes:
            stream.acknowledge()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self.is_open = False
        self.service.wheel.clear(self)
        streams, self.streams = self.streams, {}
        for stream in streams.values():
            stream.on_lost()

    def pause_writing(self) -> None:
        """The transport is full."""
        self.is_blocked = True

    def resume_writing(self) -> None:
        """The transport takes more."""
        self.is_blocked = False
        self._pump_all()

    def _pump_all(self) -> None:
        for stream in list(self.streams.values()):
            stream.pump()

    # Events of the library

    def on_message(self, event: Any) -> None:
        """A head has come."""
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.on_head(event.headers, is_end=event.stream_ended is not None)

    def on_data(self, event: Any) -> None:
        """Body has come."""
        stream = self.streams.get(event.stream_id)
        if stream is None:
            self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            return
        stream.held_bytes += event.flow_controlled_length
        if event.data:
            stream.on_data(event.data)

    def on_trailers(self, event: Any) -> None:
        """Trailers have come."""
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.on_trailers(event.headers)

    def on_end(self, event: Any) -> None:
        """A message is complete."""
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            stream.on_end()

    def on_window(self, event: Any) -> None:
        """The peer takes more."""
        if event.stream_id:
            stream = self.streams.get(event.stream_id)
            if stream is not None:
                stream.pump()
        else:
            self._pump_all()

    def on_settings(self, _: Any) -> None:
        """Windows may be wider now."""
        self._pump_all()

    def on_reset(self, event: Any) -> None:
        """The peer has cancelled a stream."""
        tick, count = self._resets
        now = self.service.wheel.now
        self._resets = (now, count + 1 if tick == now else 1)
        stream = self.streams.pop(event.stream_id, None)
        if stream is not None:
            stream.on_lost()
        if self._resets[1] > RESETS_MAX:
            self.connection.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
            self.flush()
            self.transport.close()

    def on_goaway(self, event: Any) -> None:
        """The peer wants no more streams."""


_HANDLERS: dict[type, Any] = {
    h2.events.RequestReceived: lambda wire, event: wire.on_message(event),
    h2.events.ResponseReceived: lambda wire, event: wire.on_message(event),
    h2.events.InformationalResponseReceived: lambda wire, event: wire.on_message(event),
    h2.events.DataReceived: Wire.on_data,
    h2.events.TrailersReceived: Wire.on_trailers,
    h2.events.StreamEnded: Wire.on_end,
    h2.events.WindowUpdated: Wire.on_window,
    h2.events.RemoteSettingsChanged: Wire.on_settings,
    h2.events.StreamReset: Wire.on_reset,
    h2.events.ConnectionTerminated: lambda wire, event: wire.on_goaway(event),
}
