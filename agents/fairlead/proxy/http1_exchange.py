"""One exchange whose client speaks HTTP/1.x: how its answer is framed there, and how the two step out of the way."""

from typing import TYPE_CHECKING, Final

from fairlead.proxy.body import chunk
from fairlead.proxy.exchange import Exchange
from fairlead.proxy.response import Response
from fairlead.proxy.server_side import ServerConnection
from fairlead.proxy.trailers import announcement, last_chunk

if TYPE_CHECKING:
    from fairlead.proxy.client_side import ClientConnection
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.service import Service

_JOINED_BYTES_MAX: Final = 16 * 1024
"""A larger piece of a body is not copied to stand behind its head."""


class Http1Exchange(Exchange):
    """Writes to the client's connection, which is nobody else's until this is over."""

    __slots__ = ("_connection", "_is_chunking")

    def __init__(self, service: "Service", client: "ClientConnection", plan: "Plan") -> None:
        super().__init__(service, client, plan)
        self._connection = client
        self._is_chunking = False

    def _send_interim(self, response: Response) -> None:
        self._connection.transport.write(response.start() + b"\r\n")

    def _may_keep(self, response: Response) -> bool:
        request = self.plan.request
        # An early answer: the rest of the request is still coming, so that the connection ends with it.
        is_last = self._service.is_draining or self._connection.is_last
        keep = request.keep_alive and self.upload is None and not is_last
        if response.is_of_unknown_length:
            self._is_chunking = request.minor == 1
            keep = keep and self._is_chunking
        return keep

    def _send_head(self, response: Response, pieces: list[bytes], added: bytes, *, is_end: bool) -> None:
        if response.announced and self._is_chunking and self._tells_trailers:
            added += announcement(response.announced, self._trailer_names)
        head = response.head_for(minor=self.plan.request.minor, keep_alive=self._keep, added=added)
        if self._is_chunking or len(pieces) > 1:
            head = b"".join([head, *self._framed(pieces, is_end=is_end)])
        elif pieces:
            body = pieces[0]
            self.sent_bytes += len(body)
            if len(body) > _JOINED_BYTES_MAX:
                self._connection.transport.writelines((head, body))
                return
            head += body
        self._connection.transport.write(head)

    def _framed(self, pieces: list[bytes], *, is_end: bool) -> list[bytes]:
        self.sent_bytes += sum(map(len, pieces))
        if self._is_chunking:
            pieces = chunk(pieces)
            if is_end:
                pieces.append(last_chunk(self.trailers if self._tells_trailers else []))
        return pieces

    def _send_body(self, pieces: list[bytes], *, is_end: bool) -> None:
        if pieces := self._framed(pieces, is_end=is_end):
            self._connection.transport.writelines(pieces)

    @property
    def _tells_trailers(self) -> bool:
        """Whether the client reads them, and what they say of the body still holds."""
        return self.plan.request.takes_trailers and not self._is_body_changed

    def splice_target(self) -> "ClientConnection | None":
        """Return the client's connection if the rest of the body may go there as it is."""
        is_changed = self._is_chunking or self._is_body_changed
        return None if self.is_over or is_changed or not self._connection.is_plain else self._connection

    def on_upgrade(self, response: Response, early: bytes) -> None:
        """Both sides agreed to speak something else: step out of the way."""
        connection = self.connection
        assert isinstance(connection, ServerConnection), "streams of HTTP/2 agree on nothing else"
        assert self._server is not None
        if self._call is not None:
            response = self._through_chain(response)
        self.status = 101
        self.is_over = True
        self._connection.transport.write(
            b"%bConnection: Upgrade\r\nUpgrade: %b\r\n\r\n" % (response.start(), response.upgrade)
        )
        is_websocket = response.upgrade == b"websocket"
        self._service.tunnel(
            self._connection, connection, self._leave_server, early, is_websocket=is_websocket
        )
        self._record()
