"""Plain HTTP over an HTTP/2 stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairlead.http2 import ErrorCode, Stream, encoded
from fairlead.rpc.http import HttpReply, HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairlead.http2 import Field
    from fairlead.rpc.dispatch import Service
    from fairlead.rpc.h2 import Http2Connection
    from fairlead.rpc.headers import RequestHead


class HttpStream(Stream):
    """One exchange with the HTTP application; also what its reply is written to."""

    __slots__ = ("_is_head", "_reply", "_request", "_service", "head")

    connection: Http2Connection

    def __init__(
        self, service: Service, head: RequestHead, connection: Http2Connection, stream_id: int
    ) -> None:
        super().__init__(connection, stream_id, head.content_length)
        self.head = head
        self._service = service
        self._is_head = head.method == "HEAD"
        self._reply = HttpReply(self)
        self._request = HttpRequest(
            head.method,
            head.path,
            head.fields,
            peer=connection.peer,
            common_name=connection.common_name,
        )

    def opened(self) -> None:
        """Call the application, or answer what it is not to see."""
        limits = self.connection.limits
        if self.head.list_bytes > limits.header_bytes_max:
            self._reply.send(431)
        elif (self.head.content_length or 0) > limits.body_bytes_max:
            self._reply.send(413)
        elif self.head.method == "CONNECT":
            self._reply.send(501)
        else:
            self._guarded(lambda: self._service.http(self._request, self._reply))

    def data_received(self, payload: bytes, *, is_last: bool) -> None:
        """Hand the body on."""
        if not self.is_open:
            return
        if self.body_bytes > self.connection.limits.body_bytes_max:
            self._give_up(413)
            return
        on_data, on_end = self._request.on_data, self._request.on_end
        if payload and on_data is not None:
            self._guarded(lambda: on_data(payload))
        if is_last and on_end is not None and self.is_open:
            self._guarded(on_end)

    def cancelled(self) -> None:
        """Tell the application."""
        if self.is_open:
            self.is_open = False
            if self._request.on_cancel is not None:
                self._guarded(self._request.on_cancel)

    def writable(self) -> None:
        """Let the application produce again."""
        if self.is_open and self._request.on_writable is not None:
            self._guarded(self._request.on_writable)

    def start(self, status: int, fields: list[Field]) -> None:
        """Send the head."""
        self.connection.sender.headers(
            self, encoded([(b":status", b"%d" % status), (b"date", self._service.date), *fields])
        )

    def write(self, data: bytes) -> None:
        """Send a part of the body."""
        if not self._is_head:
            self.connection.sender.data(self, data)

    def end(self) -> None:
        """End the stream on its last DATA."""
        self.is_open = False
        self.connection.sender.end(self, b"")

    def abort(self) -> None:
        """Reset the stream."""
        self.is_open = False
        self.connection.reset(self, ErrorCode.INTERNAL_ERROR)

    def _give_up(self, status: int) -> None:
        if self._reply.has_started:
            self.abort()
        else:
            self._reply.send(status)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the application's bug costs its own request
            self._service.on_error(error)
            self._give_up(500)
