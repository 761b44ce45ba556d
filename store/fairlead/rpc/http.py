"""Plain HTTP as an application sees it, whichever version carries it.

The application is called once with every request whose head has arrived.  It sets the callbacks of the
request that it needs, and answers through the reply, at once or later.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from fairlead.http2 import Field

Headers = Iterable[tuple[str, str]]

_BREAK: Final = re.compile(rb"[\x00\r\n]")


class HttpRequest:
    """One request; its body is streamed to ``on_data``."""

    __slots__ = (
        "common_name",
        "headers",
        "method",
        "on_cancel",
        "on_data",
        "on_end",
        "on_writable",
        "path",
        "peer",
        "query",
    )

    def __init__(
        self, method: str, target: str, headers: dict[str, str], *, peer: str, common_name: str | None
    ) -> None:
        path, _, query = target.partition("?")
        self.method = method
        self.path = path
        """As sent, percent-encoded."""
        self.query = query
        """What follows the question mark, undecoded."""
        self.headers = headers
        """By lower-case name; repeated fields joined by commas."""
        self.peer = peer
        self.common_name = common_name
        self.on_data: Callable[[bytes], None] | None = None
        """Called with each part of the body."""
        self.on_end: Callable[[], None] | None = None
        """Called when the body is complete."""
        self.on_cancel: Callable[[], None] | None = None
        """Called once when nobody waits for the reply any more."""
        self.on_writable: Callable[[], None] | None = None
        """Called when what the client had not taken of the reply has drained."""


class Exchange(Protocol):
    """What a reply is written to: the stream or connection below."""

    is_open: bool
    buffered_bytes: int

    def start(self, status: int, fields: list[Field]) -> None:
        """Send the head."""

    def write(self, data: bytes) -> None:
        """Send a part of the body."""

    def end(self) -> None:
        """End the body."""

    def abort(self) -> None:
        """Break off, so that the client sees the body to be incomplete."""

    def pause(self) -> None:
        """Take no more of the request's body for now."""

    def resume(self) -> None:
        """Go on."""


class HttpReply:
    """The answer to one request.  What is written after its end, or to a client that left, goes nowhere."""

    __slots__ = ("_exchange", "has_started")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.has_started = False

    @property
    def is_open(self) -> bool:
        """Whether more may be written."""
        return self._exchange.is_open

    @property
    def buffered_bytes(self) -> int:
        """What the client has not taken yet."""
        return self._exchange.buffered_bytes

    def start(self, status: int, headers: Headers = ()) -> None:
        """Begin the answer; without a content-length its body is of any length."""
        if self.is_open and not self.has_started:
            fields = [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers]
            assert not any(_BREAK.search(name + value) for name, value in fields), "a field is one line"
            self.has_started = True
            self._exchange.start(status, fields)

    def write(self, data: bytes) -> None:
        """Write a part of the body."""
        if self.is_open and data:
            self._exchange.write(data)

    def end(self) -> None:
        """End the answer."""
        if self.is_open:
            self._exchange.end()

    def send(self, status: int, headers: Headers = (), body: bytes = b"") -> None:
        """Answer in one go, with a content-length."""
        self.start(status, [*headers, ("content-length", str(len(body)))])
        self.write(body)
        self.end()

    def abort(self) -> None:
        """Break off an answer that cannot be completed."""
        if self.is_open:
            self._exchange.abort()

    def pause(self) -> None:
        """Let the client send no more of its body than is on the way."""
        self._exchange.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._exchange.resume()


HttpApp = Callable[[HttpRequest, HttpReply], None]
