"""One request and its answer on an HTTP/1.1 connection."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final, Self

from fairlead.rpc.http import HttpReply, HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairlead.http2 import Field
    from fairlead.rpc.h1 import Http1Connection

_PHRASES: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_BODILESS: Final = frozenset({204, 304})
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class Exchange:
    """What the reply of one request is written to.

    It waits, with what has arrived of its body, until the requests before it are answered.
    """

    __slots__ = (
        "_body_bytes",
        "_connection",
        "_has_body",
        "_is_chunked",
        "_is_whole",
        "_parked",
        "_refusal",
        "_reply",
        "_request",
        "_version",
        "buffered_bytes",
        "has_begun",
        "is_last",
        "is_open",
        "is_reading",
    )

    def __init__(
        self,
        connection: Http1Connection,
        *,
        method: str,
        target: bytes,
        fields: list[Field],
        version: str,
        keeps_alive: bool,
    ) -> None:
        self._connection = connection
        self._version = version
        self._request = HttpRequest(
            method,
            _origin_form(target.decode("latin-1")),
            _merged(fields),
            peer=connection.peer,
            common_name=connection.common_name,
        )
        self._reply = HttpReply(self)
        self._refusal = _judge(self._request, fields, connection=connection, version=version)
        self.has_begun = False
        """Whether it has been its turn."""
        self._is_whole = False
        self._parked: list[bytes] = []
        self._body_bytes = 0
        self._is_chunked = False
        self._has_body = method != "HEAD"
        self.is_open = True
        self.is_reading = True
        """Whether the application takes more of the body."""
        self.is_last = not keeps_alive
        """Whether the connection closes after this answer."""
        self.buffered_bytes = 0

    @classmethod
    def refused(cls, connection: Http1Connection, status: int) -> Self:
        """Return the exchange for bytes that make no request."""
        exchange = cls(connection, method="", target=b"", fields=[], version="1.1", keeps_alive=False)
        exchange._refusal = status
        return exchange

    def begin(self) -> None:
        """Call the application: it is this request's turn."""
        self.has_begun = True
        if self._refusal is not None:
            self.refuse(self._refusal)
            return
        self._guarded(lambda: self._connection.service.http(self._request, self._reply))
        expects = self._request.headers.get("expect", "").lower() == "100-continue"
        if expects and self._version != "1.0" and not self._reply.has_started and not self._is_whole:
            self._connection.write(_CONTINUE)
        parked, self._parked = self._parked, []
        for piece in parked:
            self._deliver(piece)
        if self._is_whole:
            self._deliver_end()

    def body_received(self, data: bytes) -> None:
        """Take a part of the body."""
        self._body_bytes += len(data)
        if self._body_bytes > self._connection.limits.body_bytes_max:
            self.is_last = True
            self.refuse(413)
        elif self.has_begun:
            self._deliver(data)
        else:
            self._parked.append(data)

    def request_ended(self) -> None:
        """Learn that the body is complete."""
        self._is_whole = True
        if self.has_begun:
            self._deliver_end()
            if not self.is_open:
                self._connection.finished(self)

    def refuse(self, status: int) -> None:
        """Answer without the application, and close."""
        self.is_last = True
        self._is_whole = True
        if not self.has_begun:
            self._refusal = status
        elif not self.is_open:
            self._connection.finished(self)
        elif self._reply.has_started:
            self.cancel()
            self._connection.close()
        else:
            self._tell_cancelled()
            self._reply.send(status)

    def cancel(self) -> None:
        """Learn that the connection has ended."""
        if self.is_open:
            self.is_open = False
            self._tell_cancelled()

    def drained(self, size: int) -> None:
        """Learn that ``size`` bytes were handed to the transport."""
        before = self.buffered_bytes
        self.buffered_bytes = max(0, before - size)
        if before and not self.buffered_bytes and self.is_open and self._request.on_writable is not None:
            self._guarded(self._request.on_writable)

    # What the reply calls.

    def start(self, status: int, fields: list[Field]) -> None:
        """Write the head."""
        self._has_body = self._has_body and status not in _BODILESS
        names = {name for name, _ in fields}
        own = [(b"date", self._connection.service.date)]
        if self._has_body and b"content-length" not in names:
            if self._version == "1.0":
                self.is_last = True
            else:
                self._is_chunked = True
                own.append((b"transfer-encoding", b"chunked"))
        if self._connection.is_draining:
            self.is_last = True
        if self.is_last:
            own.append((b"connection", b"close"))
        elif self._version == "1.0":
            own.append((b"connection", b"keep-alive"))
        lines = [b"HTTP/1.1 %d %s" % (status, _PHRASES.get(status, b""))]
        lines += [b"%s: %s" % field for field in (*own, *fields)]
        self._write(b"\r\n".join(lines) + b"\r\n\r\n")

    def write(self, data: bytes) -> None:
        """Write a part of the body."""
        if self._has_body:
            self._write(b"%x\r\n%s\r\n" % (len(data), data) if self._is_chunked else data)

    def end(self) -> None:
        """End the answer; the next begins when the request has ended too."""
        self.is_open = False
        self.is_reading = True
        if self._is_chunked and self._has_body:
            self._write(b"0\r\n\r\n")
        if self._is_whole or self.is_last:
            self._connection.finished(self)

    def abort(self) -> None:
        """Close, so that the client sees the body to be incomplete."""
        self.is_open = False
        self._connection.close()

    def pause(self) -> None:
        """Stop reading the body."""
        self.is_reading = False
        self._connection.rouse()

    def resume(self) -> None:
        """Read on."""
        self.is_reading = True
        self._connection.rouse()

    def _write(self, data: bytes) -> None:
        self.buffered_bytes += len(data)
        self._connection.write(data)
        if self.buffered_bytes > self._connection.limits.send_buffer_bytes_max:
            self.cancel()
            self._connection.close()

    def _deliver(self, data: bytes) -> None:
        on_data = self._request.on_data
        if self.is_open and on_data is not None:
            self._guarded(lambda: on_data(data))

    def _deliver_end(self) -> None:
        if self.is_open and self._request.on_end is not None:
            self._guarded(self._request.on_end)

    def _tell_cancelled(self) -> None:
        on_cancel, self._request.on_cancel = self._request.on_cancel, None
        if on_cancel is not None:
            self._guarded(on_cancel)

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - the application's bug costs its own request
            self._connection.service.on_error(error)
            if self._reply.has_started:
                self.abort()
            else:
                self._reply.send(500)


def _origin_form(target: str) -> str:
    """Return path and query of a target that may be in absolute form (3.2.2)."""
    if target[:1] in {"/", "*", ""} or "://" not in target:
        return target
    authority_and_path = target.partition("://")[2]
    _, slash, path = authority_and_path.partition("/")
    return slash + path or "/"


def _merged(fields: list[Field]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for raw_name, raw_value in fields:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        merged[name] = (
            f"{merged[name]}{'; ' if name == 'cookie' else ','}{value}" if name in merged else value
        )
    return merged


def _judge(
    request: HttpRequest, fields: list[Field], *, connection: Http1Connection, version: str
) -> int | None:
    """Return the status of a request that the application is not to see, or None."""
    limits = connection.limits
    hosts = sum(name.lower() == b"host" for name, _ in fields)
    length = request.headers.get("content-length", "0")
    if version not in {"1.0", "1.1"}:
        return 505
    if len(request.path) + sum(len(name) + len(value) for name, value in fields) > limits.header_bytes_max:
        return 431
    if hosts > 1 or (hosts == 0 and version == "1.1"):
        return 400  # "A server MUST respond with a 400 ... to any HTTP/1.1 request message that lacks a Host" (3.2).
    if request.method == "CONNECT":
        return 501
    if not length.isdigit():
        return 400
    if len(length) > 18 or int(length) > limits.body_bytes_max:
        return 413
    if request.headers.get("expect", "100-continue").lower() != "100-continue":
        return 417
    return None
