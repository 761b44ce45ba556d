"""One request and its answer on an HTTP/2 connection, as the connection sees it.

What a stream means (a gRPC call, a plain HTTP exchange) is the business of its subclasses, which the
connection tells what arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import deque

    from fairlead.rpc.h2 import Http2Connection
    from fairlead.rpc.headers import RequestHead


class Stream:
    """State of one stream that is open or half-closed (remote); a closed one is forgotten.

    There is no half-closed (local): once our answer has ended, what the client may still send is refused
    by RST_STREAM(NO_ERROR) (RFC 9113, section 8.1).
    """

    __slots__ = (
        "body_bytes",
        "buffered_bytes",
        "closing",
        "connection",
        "credit",
        "has_half_closed",
        "head",
        "is_open",
        "is_reading",
        "queue",
        "stream_id",
        "unacknowledged",
    )

    def __init__(self, connection: Http2Connection, stream_id: int, head: RequestHead) -> None:
        self.connection = connection
        self.stream_id = stream_id
        self.head = head
        self.is_open = True
        """Whether an answer may still be given: not yet ended by us, not given up by the client."""
        self.has_half_closed = False
        """Whether the client has sent all of its request."""
        self.is_reading = True
        """Whether the client is granted more of its request as it arrives."""
        self.body_bytes = 0
        """DATA received without padding, for the check against content-length."""
        self.unacknowledged = 0
        """DATA received, with padding, that no WINDOW_UPDATE has given back yet."""
        self.credit = 0
        """Send window, less the peer's initial window, which may change under an open stream."""
        self.queue: deque[bytes | memoryview] | None = None
        """DATA that flow control holds back."""
        self.buffered_bytes = 0
        """Bytes in the queue."""
        self.closing: bytes | None = None
        """Trailers to send after the queue; b"" ends the stream on its last DATA."""

    def opened(self) -> None:
        """Begin, now that the connection knows this stream."""

    def data_received(self, payload: bytes, *, is_last: bool) -> None:
        """Take a part of the request body."""
        raise NotImplementedError

    def cancelled(self) -> None:
        """Learn that the client, or the end of the connection, gave this stream up."""
        raise NotImplementedError

    def writable(self) -> None:
        """Learn that what was held back has drained."""

    def pause(self) -> None:
        """Grant the client no more than it has."""
        self.is_reading = False

    def resume(self) -> None:
        """Give back what was taken while paused."""
        self.is_reading = True
        self.connection.grant(self)

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} {self.stream_id} {self.head.path} held back {self.buffered_bytes} bytes>"
        )
