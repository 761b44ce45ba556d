"""One request and its response, between a client's connection and a server's.

    planned ── no server ─────────────────────────────► answered by the proxy (404, 503, 413, ...)
       │
       ├── pooled connection ──┐                    ┌── died before a byte came: once more, if safe
       └── new connection ─────┴─► sent ─► head ─► body ─► over
                 └── failed: 502, 504      └── broken off: the client's connection is reset

Nothing is read or written here: the two connections tell the exchange what came, and the exchange tells
them what goes. It owns the rules in between: framing anew, when to repeat, who waits for whom, what a
failure means.
"""

from time import perf_counter
from typing import TYPE_CHECKING

from fairlead.proxy.body import LAST_CHUNK, BodyError, chunk
from fairlead.proxy.request import CHUNKED, NO_BODY
from fairlead.proxy.response import Response

if TYPE_CHECKING:
    from fairlead.proxy.client_side import ClientConnection
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.server_side import ServerConnection
    from fairlead.proxy.service import Service
    from fairlead.proxy.state import ServerState

_METHODS_ALLOWED = b"Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
_ADDED_FIELDS = {405: _METHODS_ALLOWED, 503: b"Retry-After: 1\r\n"}


class Exchange:
    """The state machine above; one per request.

    Attributes:
        upload: takes the request body apart; None once the request is complete.
        connection: the server's connection while there is one.
        status: of the final response once its head is on its way, else 0.
    """

    __slots__ = (
        "_body_is_sent", "_client", "_has_retried", "_is_chunking", "_is_over", "_keep", "_kept",
        "_kept_bytes", "_server", "_service", "_started_s", "_upload_bytes", "connection", "plan", "status",
        "upload",
    )  # fmt: skip

    def __init__(self, service: "Service", client: "ClientConnection", plan: "Plan") -> None:
        self.plan = plan
        self.upload = plan.request.decoder()
        self.connection: ServerConnection | None = None
        self.status = 0
        self._service = service
        self._client = client
        self._server: ServerState | None = None
        self._started_s = perf_counter()
        # The request body so far, framed for the server; None when it has outgrown what may be sent again.
        self._kept: list[bytes] | None = []
        self._kept_bytes = 0
        self._upload_bytes = 0
        self._body_is_sent = False
        self._has_retried = False
        self._is_chunking = False
        self._keep = False
        self._is_over = False

    # The request

    def begin(self) -> None:
        """Choose a server and send what is there of the request."""
        plan = self.plan
        if plan.refusal is not None:
            self.answer(*plan.refusal)
            return
        group = plan.group
        assert group is not None, "a plan without refusal has a group"
        server = group.next_server()
        assert server is not None, "a plan without refusal has servers"
        self._server = server
        server.requests += 1
        server.in_flight += 1
        connection = self._service.pooled(server, is_repeatable=plan.request.is_idempotent)
        if connection is not None:
            self.attach(connection)
        else:
            self._service.connect(self, server, dial_s=group.dial_s)

    def attach(self, connection: "ServerConnection") -> None:
        """Send what there is of the request over ``connection``."""
        if self._is_over:
            connection.release(is_reusable=True)
            return
        assert self._server is not None
        self.connection = connection
        head = self.plan.head_for(self._server)
        kept = self._kept
        if kept:
            self._body_is_sent = True
            head = b"".join([head, *kept])
        connection.start(self, head)
        if self.upload is not None:
            self._keep_only_if_small()
            self._client.update_reading()

    def receive(self, data: bytes) -> int:
        """Take request body; return where it ended in ``data``, or -1 for not yet."""
        upload = self.upload
        assert upload is not None
        pieces: list[bytes] = []
        try:
            end = upload.feed(data, pieces)
        except BodyError:
            self.fail_request(400, "malformed body")
            return len(data)
        limit = self.plan.body_bytes_max
        if limit:
            self._upload_bytes += sum(map(len, pieces))
            if self._upload_bytes > limit:
                self.fail_request(413, "request body too large")
                return len(data)
        if self.plan.request.framing is CHUNKED:
            pieces = chunk(pieces)
            if end >= 0:
                pieces.append(LAST_CHUNK)
        if end >= 0:
            self.upload = None
        if self._kept is not None:
            self._kept += pieces
            self._kept_bytes += sum(map(len, pieces))
        if self.connection is not None and pieces:
            self._body_is_sent = True
            self.connection.send_body(pieces)
            self._keep_only_if_small()
        return end

    def on_server_writable(self) -> None:
        """The server takes more, or no more, of the request."""
        self._client.update_reading()

    def fail_request(self, status: int, reason: str) -> None:
        """The client's fault in the middle of its request: answer if that is still possible."""
        self._service.stats.refused += 1
        if self.status:
            self.cut()
        else:
            self.answer(status, reason)

    def _keep_only_if_small(self) -> None:
        if self._kept_bytes > self._service.limits.replay_bytes_max:
            self._kept = None

    def _may_repeat(self) -> bool:
        """Whether sending the request again cannot do anything twice (RFC 9110, section 9.2.2)."""
        if self.plan.request.is_idempotent:
            return self._kept is not None
        return self.plan.request.framing is not NO_BODY and not self._body_is_sent

    # The response, as the server's connection reports it

    def on_interim(self, response: Response) -> None:
        """Pass 1xx on to whom it means something."""
        request = self.plan.request
        if request.minor == 1 and (response.status != 100 or request.expects_continue):
            self._client.transport.write(response.head + b"\r\n")

    def on_response(self, response: Response, pieces: list[bytes], *, is_end: bool) -> None:
        """Send the head on, with what came of the body in the same write."""
        request = self.plan.request
        self.status = response.status
        # An early answer: the rest of the request is still coming, so that the connection ends with it.
        keep = request.keep_alive and self.upload is None and not self._service.is_draining
        if response.is_of_unknown_length:
            self._is_chunking = request.minor == 1
            keep = keep and self._is_chunking
            if self._is_chunking:
                pieces = chunk(pieces)
                if is_end:
                    pieces.append(LAST_CHUNK)
        self._keep = keep
        head = response.head_for(minor=request.minor, keep_alive=keep)
        self._client.transport.write(b"".join([head, *pieces]) if pieces else head)
        if is_end:
            self._finish()

    def on_body(self, pieces: list[bytes], *, is_end: bool) -> None:
        """Send body on."""
        if self._is_chunking:
            pieces = chunk(pieces)
            if is_end:
                pieces.append(LAST_CHUNK)
        if pieces:
            self._client.transport.writelines(pieces)
        if is_end:
            self._finish()

    def on_upgrade(self, response: Response, early: bytes) -> None:
        """Both sides agreed to speak something else: step out of the way."""
        assert self.connection is not None
        self.status = 101
        self._is_over = True
        self._client.transport.write(
            b"%bConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % (response.head, response.upgrade)
        )
        self._record()
        assert self._server is not None
        self._service.tunnel(self._client, self.connection, self._server, early)

    def on_server_failure(self, status: int, reason: str) -> None:
        """The server's fault: answer if that is still possible, else let the client see that it was cut."""
        self.connection = None
        if self._is_over:
            return
        if self._server is not None:
            self._server.failures += 1
        if self.status:
            self._service.stats.truncated += 1
            self.cut()
        else:
            self.answer(status, reason)

    def on_server_lost(self, *, was_reused: bool) -> None:
        """The connection ended before a single byte of the response."""
        self.connection = None
        if was_reused and not self._has_retried and self._may_repeat() and self._server is not None:
            # The server closed it as idle while the request was on its way: no fault of the server.
            self._has_retried = True
            self._service.stats.retries += 1
            assert self.plan.group is not None
            self._service.connect(self, self._server, dial_s=self.plan.group.dial_s)
            if self.upload is not None:
                self._client.update_reading()
            return
        self.on_server_failure(502, "the server closed the connection without an answer")

    # The end

    def answer(self, status: int, reason: str) -> None:
        """Answer in the server's place."""
        self._drop_connection()
        self.status = status
        request = self.plan.request
        keep = request.keep_alive and self.upload is None and not self._service.is_draining
        self._keep = keep
        self._client.transport.write(
            error_response(
                status, reason, keep_alive=keep, minor=request.minor, is_head=request.method == b"HEAD"
            )
        )
        self._finish()

    def cut(self) -> None:
        """Reset the client's connection: nothing clean may end a body that is not whole."""
        self._end()
        self._client.reset()

    def on_client_gone(self) -> None:
        """The client left; nobody wants the response any more."""
        if not self._is_over:
            self.status = 0
            self._end()

    def _end(self) -> None:
        self._is_over = True
        self._drop_connection()
        self._leave_server()
        self._record()

    def _finish(self) -> None:
        self._is_over = True
        self._leave_server()
        self._record()
        client = self._client
        is_complete = self.upload is None
        if not is_complete:
            self._drop_connection()
        client.on_exchange_over(keep_alive=self._keep, is_complete=is_complete)

    def _leave_server(self) -> None:
        if self._server is not None:
            self._server.in_flight -= 1
            self._server = None

    def _drop_connection(self) -> None:
        if self.connection is not None:
            self.connection.release(is_reusable=False)
            self.connection = None

    def _record(self) -> None:
        duration_us = int((perf_counter() - self._started_s) * 1e6)
        self._service.stats.answered(self.status, duration_us)
        if self._service.access_log is not None:
            self._service.access_log.note(self.plan, self.status, duration_us, peer=self._client.peer)


def error_response(
    status: int, reason: str, *, keep_alive: bool, minor: int = 1, is_head: bool = False
) -> bytes:
    """Return a whole response that says what went wrong, in JSON, as vulcand does."""
    body = b'{"error":"%b"}' % reason.encode()
    connection = b"" if keep_alive and minor == 1 else b"Connection: keep-alive\r\n" if keep_alive else None
    return b"".join(
        [
            b"HTTP/1.1 %d %b\r\n" % (status, _PHRASES[status]),
            b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(body),
            _ADDED_FIELDS.get(status, b""),
            b"Connection: close\r\n" if connection is None else connection,
            b"\r\n",
            b"" if is_head else body,
        ]
    )


_PHRASES = {
    400: b"Bad Request",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    414: b"URI Too Long",
    417: b"Expectation Failed",
    431: b"Request Header Fields Too Large",
    501: b"Not Implemented",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
    508: b"Loop Detected",
}
