"""HTTP/2 for DNS over HTTPS, on the library h2."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from fairlead.dns.doh.exchange import BODY_BYTES_MAX, TARGET_BYTES_MAX, Request, Response

STREAMS_MAX: Final = 100
"""Requests of one connection at a time."""

RESETS_MAX: Final = 200
"""Requests that a client may give up before its connection ends: giving up is free for it, not for us."""

FRAME_BYTES_MAX: Final = 32768
"""Bytes that make no whole frame."""

HEADERS_BYTES_MAX: Final = 2 * TARGET_BYTES_MAX


@dataclass(slots=True)
class _Stream:
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)
    unsent: bytes = b""
    is_answered: bool = False


class Http2Session:
    """One connection."""

    def __init__(self) -> None:
        self.is_over = False
        config = h2.config.H2Configuration(client_side=False, header_encoding="latin-1")
        self._connection = h2.connection.H2Connection(config)
        self._connection.local_settings = h2.settings.Settings(
            client=False,
            initial_values={
                h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS_MAX,
                h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: HEADERS_BYTES_MAX,
            },
        )
        self._connection.initiate_connection()
        self._streams: dict[int, _Stream] = {}
        self._resets = 0
        self._partial_bytes = 0

    def receive(self, data: bytes) -> list[Request]:
        """Take in bytes; return the requests that they complete."""
        completed: list[Request] = []
        try:
            events = self._connection.receive_data(data)
        except h2.exceptions.ProtocolError:
            self.is_over = True  # what GOAWAY says is in to_send
            return completed
        # A frame is small; the library would wait for as much as its header promises.
        self._partial_bytes = 0 if events else self._partial_bytes + len(data)
        self.is_over = self.is_over or self._partial_bytes > FRAME_BYTES_MAX
        for event in events:
            request = self._take(event)
            if request is not None:
                completed.append(request)
        return completed

    def respond(self, number: int, response: Response) -> None:
        """Answer the request on the stream ``number``; nothing, when its client has given it up."""
        stream = self._streams.get(number)
        if stream is None:
            return
        is_head = stream.headers.get(":method") == "HEAD"
        headers = [(":status", str(response.status.value)), *response.headers]
        headers.append(("content-length", str(len(response.body))))
        stream.is_answered = True
        stream.unsent = b"" if is_head else response.body
        try:
            self._connection.send_headers(number, headers, end_stream=not stream.unsent)
            self._send(number)
        except h2.exceptions.ProtocolError:  # the connection has ended meanwhile
            self.is_over = True

    def to_send(self) -> bytes:
        """Return what is to be written now."""
        return self._connection.data_to_send()

    def _take(self, event: h2.events.Event) -> Request | None:
        match event:
            case h2.events.RequestReceived():
                headers = {str(name): str(value) for name, value in event.headers or ()}
                self._streams[event.stream_id] = _Stream(headers)
            case h2.events.DataReceived():
                self._take_data(event)
            case h2.events.StreamEnded():
                return self._complete(event.stream_id)
            case h2.events.StreamReset():
                self._streams.pop(event.stream_id, None)
                self._resets += 1
                self.is_over = self.is_over or self._resets > RESETS_MAX
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                for number in [n for n, stream in self._streams.items() if stream.is_answered]:
                    self._send(number)
            case h2.events.ConnectionTerminated():
                self.is_over = True
            case _:
                pass
        return None

    def _take_data(self, event: h2.events.DataReceived) -> None:
        self._connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
        stream = self._streams.get(event.stream_id)
        if stream is None or stream.is_answered:
            return
        stream.body += event.data or b""
        if len(stream.body) > BODY_BYTES_MAX:
            self.respond(event.stream_id, Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE))

    def _complete(self, number: int) -> Request | None:
        stream = self._streams.get(number)
        if stream is None or stream.is_answered:
            return None
        headers = stream.headers
        return Request(
            number,
            headers.get(":method", ""),
            headers.get(":path", ""),
            headers.get("content-type", ""),
            bytes(stream.body),
        )

    def _send(self, number: int) -> None:
        """Send as much of an answer as the client's windows take; the stream is done with when all is sent."""
        stream = self._streams[number]
        connection = self._connection
        while stream.unsent:
            room = min(connection.local_flow_control_window(number), connection.max_outbound_frame_size)
            if room <= 0:
                return
            piece, stream.unsent = stream.unsent[:room], stream.unsent[room:]
            connection.send_data(number, piece, end_stream=not stream.unsent)
        del self._streams[number]
