"""What a server serves: gRPC methods by their full paths.

A handler is plain and synchronous.  It gets the request message as bytes and gives the response as bytes, or
keeps the call and answers later; nothing here knows what the bytes mean.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from fairlead.rpc.call import Call


class StreamHandler(Protocol):
    """The server's side of one streaming call; every method is called on the loop's thread."""

    def on_message(self, message: bytes) -> None:
        """Take one request message."""

    def on_half_close(self) -> None:
        """Learn that no more requests come; the call stays open until ``finish`` or ``fail``."""

    def on_cancel(self) -> None:
        """Learn that the client gave up, went away, or that the deadline passed; nothing more can be sent."""

    def on_writable(self) -> None:
        """Learn that what flow control held back has drained."""


@dataclass(frozen=True, slots=True)
class Unary:
    """A method with one request and one response.

    ``handler`` returns the response, which is sent at once with status OK, or None: it kept the call and
    will ``reply`` or ``fail`` later.
    """

    handler: "Callable[[bytes, Call], bytes | None]"


@dataclass(frozen=True, slots=True)
class Stream:
    """A method with a stream of requests, of responses, or of both; ``open`` begins one call."""

    open: "Callable[[Call], StreamHandler]"


Route = Unary | Stream
