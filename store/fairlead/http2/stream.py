"""One request and its answer, as the connection sees them, at either end.

What a stream means (a gRPC call, a proxied request) is the business of its subclasses, which the connection tells
what arrived.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

if TYPE_CHECKING:
    from collections import deque

    from fairlead.http2.connection import Connection
    from fairlead.http2.errors import StreamFault
    from fairlead.http2.fields import Field


@mypyc_attr(allow_interpreted_subclasses=True)
class Stream:
    """State of one stream that is open or half-closed; a closed one is forgotten.

    A server's is closed once its answer has ended: what the client may still send is refused by RST_STREAM(NO_ERROR)
    (RFC 9113, section 8.1).  A client's is closed once the answer has ended, whatever is left of the request.
    """

    __slots__ = (
        "body_bytes",
        "buffered_bytes",
        "closing",
        "connection",
        "credit",
        "expected_bytes",
        "has_half_closed",
        "is_open",
        "is_reading",
        "queue",
        "stream_id",
        "unacknowledged",
        "withheld_bytes",
    )

    def __init__(self, connection: Connection, stream_id: int, expected_bytes: int | None = None) -> None:
        self.connection = connection
        self.stream_id = stream_id
        self.expected_bytes = expected_bytes
        """What the peer's Content-Length says; None: nothing."""
        self.is_open = True
        """Whether anything may still be sent: not ended by us, not given up by the peer."""
        self.has_half_closed = False
        """Whether the peer has sent its last."""
        self.is_reading = True
        """Whether the peer is granted more to send."""
        self.body_bytes = 0
        """Body received so far, padding not counted."""
        self.unacknowledged = 0
        """DATA received that no WINDOW_UPDATE has given back yet."""
        self.withheld_bytes = 0
        """What of the connection's window is not given back before this stream says so."""
        self.credit = 0
        """What we may send beyond the peer's SETTINGS_INITIAL_WINDOW_SIZE; negative for what was sent."""
        self.queue: deque[bytes | memoryview] | None = None
        """DATA that flow control holds back."""
        self.buffered_bytes = 0
        """Bytes in the queue."""
        self.closing: bytes | None = None
        """Trailers to send after the queue; b"" ends the stream on its last DATA."""

    def opened(self) -> None:
        """Begin, now that the connection knows this stream."""

    def data_received(self, payload: bytes, *, is_last: bool) -> None:
        """Take a part of the body."""
        raise NotImplementedError

    def trailers_received(self, fields: list[Field]) -> None:
        """Take the fields behind the body, which ends with them; ``data_received`` says so next."""

    def cancelled(self) -> None:
        """Learn that the peer, or the end of the connection, gave this stream up."""
        raise NotImplementedError

    def refused(self, fault: StreamFault) -> None:
        """Learn that the peer broke a rule of this stream, which has ended for that."""
        self.cancelled()

    def writable(self) -> None:
        """Learn that what was held back has drained."""

    def pause(self) -> None:
        """Grant the peer no more than it has."""
        self.is_reading = False

    def resume(self) -> None:
        """Give back what was taken while paused."""
        self.is_reading = True
        self.connection.grant(self)

    def withhold(self, size: int) -> None:
        """Keep ``size`` bytes of what arrived from being sent again on any stream, until they are passed on."""
        self.withheld_bytes += size
        self.connection.withheld_bytes += size

    def give_back(self) -> None:
        """Let the peer send as much again as is withheld here, and be read."""
        if self.withheld_bytes:
            self.connection.withheld_bytes -= self.withheld_bytes
            self.withheld_bytes = 0
            self.connection.return_window()
        if not self.is_reading:
            self.resume()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.stream_id} held back {self.buffered_bytes} bytes>"
