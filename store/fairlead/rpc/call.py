"""gRPC calls: one slotted object per call, which is the stream, the handle of the handler, and the reply.

Source: the gRPC project, "gRPC over HTTP2"; where that leaves room, as grpc-go does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fairlead.http2 import Stream
from fairlead.rpc import grpc
from fairlead.rpc.codes import Code
from fairlead.rpc.errors import RpcError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fairlead.rpc.deadlines import Bucket
    from fairlead.rpc.dispatch import Opening
    from fairlead.rpc.h2 import Http2Connection
    from fairlead.rpc.routes import StreamHandler

_OK: Final = Code.OK  # an enumeration is slow to ask in a hot path


class Call(Stream):
    """One gRPC call, as its handler sees it.

    Answering a call that is over does nothing: a handler need not know whether the client is still there.
    """

    __slots__ = ("_bucket", "_deframer", "_opening", "deadline_s", "has_head", "head", "on_cancel")

    connection: Http2Connection

    def __init__(self, opening: Opening, connection: Http2Connection, stream_id: int) -> None:
        head = self.head = opening.head
        super().__init__(connection, stream_id, head.content_length)
        self._opening = opening
        self._bucket: Bucket | None = None
        self._deframer: grpc.Deframer | None = None
        self.has_head = False
        """Whether the head of the answer has been sent."""
        self.on_cancel: Callable[[], None] | None = None
        """Called once when nobody waits for the answer any more; for a stream its handler's ``on_cancel``."""
        timeout_s = opening.timeout_s
        self.deadline_s = None if timeout_s is None else connection.now_s + timeout_s
        """When the client stops waiting, on the server's clock; None: it waits for ever."""

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.stream_id} {self.head.path} held back {self.buffered_bytes} bytes>"
        )

    @property
    def path(self) -> str:
        """The method, for example ``/etcdserverpb.KV/Range``."""
        return self.head.path

    @property
    def peer(self) -> str:
        """The client's address."""
        return self.connection.peer

    @property
    def common_name(self) -> str | None:
        """The common name of the client's certificate, where it had to show one."""
        return self.connection.common_name

    def metadata(self, name: str) -> str | None:
        """Return the metadata under a lower-case ``name``; repeated ones are joined by commas, ``-bin`` as is."""
        return self.head.fields.get(name)

    def reply(self, message: bytes) -> None:
        """Answer with one message and status OK."""
        if not self.is_open:
            return
        if self.has_head:
            self.send(message)
            self.finish()
            return
        self._close(_OK)
        sender = self.connection.sender
        size = len(message) + grpc.PREFIX_BYTES
        if sender.has_room(self, size):
            sender.whole(self, grpc.unary_frames(self.stream_id, message, size), size)
        else:
            sender.headers(self, grpc.HEAD_BLOCK)
            sender.data(self, grpc.PREFIX.pack(0, len(message)) + message)
            sender.end(self, grpc.OK_BLOCK)

    def send(self, message: bytes) -> None:
        """Send one message of a stream; what flow control holds back counts in ``buffered_bytes``."""
        if not self.is_open:
            return
        sender = self.connection.sender
        if not self.has_head:
            self.has_head = True
            sender.headers(self, grpc.HEAD_BLOCK)
        sender.data(self, grpc.PREFIX.pack(0, len(message)) + message)

    def finish(self, code: Code = Code.OK, detail: str = "") -> None:
        """End a stream once everything sent has reached the client's window."""
        self.fail(code, detail)

    def fail(self, code: Code, detail: str = "", *, trailers: Iterable[tuple[str, str]] = ()) -> None:
        """End the call with a status, and ``trailers`` beside it."""
        if self.is_open:
            self._close(code)
            self.connection.sender.end(
                self, grpc.trailer_block(code, detail, trailers, has_head=self.has_head)
            )

    def opened(self) -> None:
        """Begin to watch the deadline."""
        if self.deadline_s is not None:
            self._bucket = self._opening.service.deadlines.add(self, self.deadline_s)

    def cancelled(self) -> None:
        """Tell the handler that the client is gone."""
        if self.is_open:
            self._close(Code.CANCELLED)
            self._tell_cancelled()

    def expire(self) -> None:
        """End the call for its deadline: the client learns it, and so does the handler."""
        if self.is_open:
            self._bucket = None
            self.connection.sender.discard(self)
            self.fail(Code.DEADLINE_EXCEEDED, "context deadline exceeded")
            self._tell_cancelled()

    def _close(self, code: Code) -> None:
        self.is_open = False
        self._opening.handled[code] += 1
        if self._bucket is not None:
            self._bucket.pop(self, None)
            self._bucket = None
        if self._deframer is not None:
            self.connection.held_bytes -= self._deframer.held_bytes
            self._deframer = None

    def _tell_cancelled(self) -> None:
        on_cancel, self.on_cancel = self.on_cancel, None
        if on_cancel is not None:
            try:
                on_cancel()
            except Exception as error:  # noqa: BLE001 - a handler's bug must not end the connection
                self._opening.service.on_error(error)

    def _fail_by(self, error: Exception) -> None:
        """End the call with the status that an exception of the handler stands for."""
        code, detail = self._opening.service.status_for(error)
        self.fail(code, detail)

    def _messages(self, payload: bytes) -> list[bytes]:
        """Cut what arrived into messages; one that cannot be read ends the call."""
        deframer = self._deframer
        connection = self.connection
        if deframer is None:
            opening = self._opening
            self._deframer = deframer = grpc.Deframer(opening.bytes_max, opening.decompress)
        connection.held_bytes -= deframer.held_bytes
        try:
            messages = deframer.feed(payload)
        except RpcError as error:
            self._deframer = None
            self.fail(error.code, error.detail)
            return []
        connection.held_bytes += deframer.held_bytes
        if connection.held_bytes > connection.limits.receive_buffer_bytes_max:
            self.fail(Code.RESOURCE_EXHAUSTED, "too many unfinished requests on this connection")
            return []
        return messages


class UnaryCall(Call):
    """A call whose handler sees its one request once the client has half-closed."""

    __slots__ = ("_request",)

    def __init__(self, opening: Opening, connection: Http2Connection, stream_id: int) -> None:
        super().__init__(opening, connection, stream_id)
        self._request: bytes | None = None

    def data_received(self, payload: bytes, *, is_last: bool) -> None:
        """Take a part of the request; nearly always it is the whole."""
        if is_last and self._deframer is None and len(payload) >= grpc.PREFIX_BYTES:
            flag, length = grpc.PREFIX.unpack_from(payload)
            if flag == 0 and length == len(payload) - grpc.PREFIX_BYTES <= self._opening.bytes_max:
                self._handle(payload[grpc.PREFIX_BYTES :])
                return
        if not self.is_open:
            return
        for message in self._messages(payload):
            if self._request is not None:
                self.fail(Code.INTERNAL, "grpc: a unary call has one request message, this one has more")
            self._request = message
        if is_last and self.is_open:
            if self._request is None or (self._deframer is not None and self._deframer.held_bytes):
                self.fail(Code.INTERNAL, "grpc: the request ended before its message was complete")
            else:
                self._handle(self._request)

    def _handle(self, request: bytes) -> None:
        try:
            response = self._opening.handler(request, self)
        except Exception as error:  # noqa: BLE001 - every exception of a handler is some status
            self._fail_by(error)
        else:
            if response is not None:
                self.reply(response)


class StreamCall(Call):
    """A call whose handler sees every request as it arrives."""

    __slots__ = ("_handler",)

    def __init__(self, opening: Opening, connection: Http2Connection, stream_id: int) -> None:
        super().__init__(opening, connection, stream_id)
        self._handler: StreamHandler | None = None

    def opened(self) -> None:
        """Begin to watch the deadline, and open the handler."""
        super().opened()
        try:
            self._handler = handler = self._opening.open_stream(self)
        except Exception as error:  # noqa: BLE001 - as for unary calls
            self._fail_by(error)
        else:
            self.on_cancel = handler.on_cancel

    def data_received(self, payload: bytes, *, is_last: bool) -> None:
        """Hand over the messages that are complete, and the half-close."""
        if self._handler is not None and self.is_open:
            try:
                self._deliver(self._handler, payload, is_last=is_last)
            except Exception as error:  # noqa: BLE001 - as for unary calls
                self._fail_by(error)

    def _deliver(self, handler: StreamHandler, payload: bytes, *, is_last: bool) -> None:
        for message in self._messages(payload):
            if self.is_open:  # The handler may end the call on any message.
                handler.on_message(message)
        if is_last and self.is_open:
            if self._deframer is not None and self._deframer.held_bytes:
                self.fail(Code.INTERNAL, "grpc: the request ended in the middle of a message")
                self._tell_cancelled()
            else:
                handler.on_half_close()

    def writable(self) -> None:
        """Let the handler produce again."""
        if self.is_open and self._handler is not None:
            try:
                self._handler.on_writable()
            except Exception as error:  # noqa: BLE001 - as for unary calls
                self._fail_by(error)


class RefusedCall(Call):
    """A call that no handler sees: it ends as it begins, with the status its opening holds."""

    __slots__ = ()

    def opened(self) -> None:
        """Answer at once."""
        assert self._opening.refusal is not None, "a refused call has its reason"
        self.fail(self._opening.refusal.code, self._opening.refusal.detail)

    def data_received(self, payload: bytes, *, is_last: bool) -> None:
        """Take no notice."""
