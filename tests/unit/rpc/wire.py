"""Two independent clients in memory for one connection of ours: frames by hand, and the ``h2`` library.

Neither shares a line with the server: frames are packed and read by ``hyperframe``, header blocks by ``hpack``.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import h2.config
import h2.connection
import h2.events
import hpack
from hyperframe import frame as frames

from fairlead.rpc import Call, Code, HttpReply, HttpRequest, Limits, Stream, Unary
from fairlead.rpc.dispatch import Service
from fairlead.rpc.h2 import Http2Connection

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ECHO, KEEP, BOOM, CHAT = "/t.T/Echo", "/t.T/Keep", "/t.T/Boom", "/t.T/Chat"

Headers = Sequence[tuple[str, str]]


def grpc_head(path: str = ECHO, *extra: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "store"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        *extra,
    ]


def http_head(path: str = "/hello", method: str = "GET", *extra: tuple[str, str]) -> list[tuple[str, str]]:
    return [(":method", method), (":scheme", "http"), (":path", path), (":authority", "store"), *extra]


def message(body: bytes, flag: int = 0) -> bytes:
    return struct.pack(">BI", flag, len(body)) + body


def messages(data: bytes) -> list[bytes]:
    """The gRPC messages that ``data`` consists of."""
    found = []
    while data:
        _, length = struct.unpack_from(">BI", data)
        assert len(data) >= 5 + length
        found.append(data[5 : 5 + length])
        data = data[5 + length :]
    return found


class Chat:
    """A stream handler that writes down what it is told, and echoes."""

    def __init__(self, call: Call, log: list[Any]) -> None:
        self.call = call
        self.log = log

    def on_message(self, message: bytes) -> None:
        self.log.append(message)
        if message == b"boom":
            raise ValueError("boom")
        if message == b"bye":
            self.call.finish()
        self.call.send(message)

    def on_half_close(self) -> None:
        self.log.append("half-close")
        self.call.finish()

    def on_cancel(self) -> None:
        self.log.append("cancel")

    def on_writable(self) -> None:
        self.log.append("writable")


class World:
    """A service with something of each kind, and what happened to it."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.calls: list[Call] = []
        self.requests: list[bytes] = []
        self.chats: list[Chat] = []
        self.log: list[Any] = []
        self.errors: list[BaseException] = []
        self.http: list[tuple[HttpRequest, HttpReply]] = []
        self.app: Callable[[HttpRequest, HttpReply], None] = lambda _, reply: reply.send(200, [], b"hello")
        self.service = Service(
            {
                ECHO: Unary(self._echo),
                KEEP: Unary(self._keep),
                BOOM: Unary(self._boom),
                CHAT: Stream(self._chat),
            },
            self._http,
            status_of=lambda error: (Code.UNKNOWN, str(error)),
            on_error=self.errors.append,
            limits=limits or Limits(),
        )

    def _echo(self, request: bytes, call: Call) -> bytes:
        self.calls.append(call)
        return request

    def _keep(self, request: bytes, call: Call) -> None:
        self.calls.append(call)
        self.requests.append(request)

    def _boom(self, _: bytes, __: Call) -> bytes:
        raise ValueError("bööm 100%")

    def _chat(self, call: Call) -> Chat:
        self.chats.append(Chat(call, self.log))
        return self.chats[-1]

    def _http(self, request: HttpRequest, reply: HttpReply) -> None:
        self.http.append((request, reply))
        self.app(request, reply)


def limits(**changes: Any) -> Limits:
    return replace(Limits(), **changes)


class _Wired(World):
    def __init__(self, limits: Limits | None = None) -> None:
        super().__init__(limits)
        self.wakes = 0
        self.now_s = 100.0
        self.connection = Http2Connection(
            self.service.resolve,
            self.service.limits,
            wake=self._woken,
            peer="192.0.2.1:5",
            common_name="root",
            now_s=self.now_s,
        )

    def _woken(self) -> None:
        self.wakes += 1

    # Asked as calls, since a type checker takes an attribute to stay what it was.

    def has_closed(self) -> bool:
        return self.connection.is_closed

    def has_more(self) -> bool:
        return self.connection.has_more


class Raw(_Wired):
    """A client that says exactly what it is told to, frame by frame."""

    def __init__(self, limits: Limits | None = None, *, greet: bool = True) -> None:
        super().__init__(limits)
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder()
        self._unread = b""
        if greet:
            self.greeting = self.send(PREFACE + frames.SettingsFrame(0).serialize())

    def send(self, *parts: bytes | frames.Frame) -> list[Any]:
        data = b"".join(part if isinstance(part, bytes) else part.serialize() for part in parts)
        return self._read(self.connection.receive(data, self.now_s))

    def take(self) -> list[Any]:
        return self._read(self.connection.take())

    def _read(self, data: bytes) -> list[Any]:
        data = self._unread + data
        found = []
        while len(data) >= 9:
            frame, length = frames.Frame.parse_frame_header(memoryview(data[:9]))
            if len(data) < 9 + length:
                break
            frame.parse_body(memoryview(data[9 : 9 + length]))
            found.append(frame)
            data = data[9 + length :]
        self._unread = data
        return found

    def block(self, headers: Headers) -> bytes:
        return self.encoder.encode(headers)

    def headers(self, stream_id: int, headers: Headers, *flags: str) -> frames.HeadersFrame:
        return frames.HeadersFrame(stream_id, self.block(headers), flags=["END_HEADERS", *flags])

    def data(self, stream_id: int, body: bytes, *flags: str) -> frames.DataFrame:
        return frames.DataFrame(stream_id, body, flags=flags)

    def request(self, stream_id: int, body: bytes = b"x", path: str = ECHO) -> bytes:
        head = self.headers(stream_id, grpc_head(path)).serialize()
        return bytes(head + self.data(stream_id, message(body), "END_STREAM").serialize())

    def fields(self, frame: frames.HeadersFrame) -> dict[str, str]:
        return {str(name): str(value) for name, value in self.decoder.decode(frame.data)}


def goaway_of(found: Iterable[Any]) -> tuple[int, str] | None:
    """Error code and reason of the GOAWAY among ``found``."""
    for frame in found:
        if isinstance(frame, frames.GoAwayFrame):
            return frame.error_code, frame.additional_data.decode()
    return None


def reset_of(found: Iterable[Any]) -> tuple[int, int] | None:
    """Stream and error code of the first RST_STREAM among ``found``."""
    for frame in found:
        if isinstance(frame, frames.RstStreamFrame):
            return frame.stream_id, frame.error_code
    return None


class Polite(_Wired):
    """The h2 library as the client; it judges every byte of ours by its own reading of the RFC."""

    def __init__(self, limits: Limits | None = None, *, settings: Mapping[Any, int] | None = None) -> None:
        super().__init__(limits)
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.client = h2.connection.H2Connection(config)
        self.client.initiate_connection()
        if settings:
            self.client.update_settings(dict(settings))
        self.events: list[Any] = []
        self.exchange()

    def exchange(self) -> None:
        """Carry bytes to and fro until nobody has more to say."""
        while True:
            up = self.client.data_to_send()
            down = self.connection.receive(up, self.now_s) if up else self.connection.take()
            if down:
                self.events += self.client.receive_data(down)
            elif not up:
                return

    def request(self, headers: Headers, body: bytes | None = None, *, end: bool = True) -> int:
        stream_id: int = self.client.get_next_available_stream_id()
        self.client.send_headers(stream_id, headers, end_stream=end and body is None)
        if body is not None:
            self.upload(stream_id, body, end=end)
        self.exchange()
        return stream_id

    def upload(self, stream_id: int, body: bytes, *, end: bool = False) -> None:
        """Send ``body`` as the server's windows allow."""
        while body:
            room = min(
                self.client.local_flow_control_window(stream_id),
                self.client.max_outbound_frame_size,
                len(body),
            )
            if room == 0:
                before = self.client.local_flow_control_window(stream_id)
                self.exchange()
                assert self.client.local_flow_control_window(stream_id) > before, "the server granted nothing"
                continue
            piece, body = body[:room], body[room:]
            self.client.send_data(stream_id, piece, end_stream=end and not body)

    def acknowledge(self) -> None:
        """Give back every byte received."""
        for event in self.events:
            if isinstance(event, h2.events.DataReceived) and not getattr(event, "given_back", False):
                event.given_back = True  # type: ignore[attr-defined]
                self.client.acknowledge_received_data(event.flow_controlled_length, event.stream_id)

    def body(self, stream_id: int) -> bytes:
        return b"".join(
            event.data
            for event in self.events
            if isinstance(event, h2.events.DataReceived) and event.stream_id == stream_id
        )

    def head(self, stream_id: int) -> dict[str, str]:
        return self._fields(stream_id, h2.events.ResponseReceived)

    def trailers(self, stream_id: int) -> dict[str, str]:
        """The trailers; those of a Trailers-Only answer are its head."""
        return self._fields(stream_id, h2.events.TrailersReceived) or self.head(stream_id)

    def status(self, stream_id: int) -> tuple[int, str]:
        trailers = self.trailers(stream_id)
        return int(trailers["grpc-status"]), trailers.get("grpc-message", "")

    def has_ended(self, stream_id: int) -> bool:
        return any(
            isinstance(event, h2.events.StreamEnded) and event.stream_id == stream_id for event in self.events
        )

    def _fields(self, stream_id: int, kind: type) -> dict[str, str]:
        own: list[Any] = [event for event in self.events if isinstance(event, kind)]
        found = [event.headers for event in own if event.stream_id == stream_id]
        return dict(found[0]) if found else {}
