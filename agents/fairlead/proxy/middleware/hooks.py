"""What a middleware is: the hooks that it may override, and what it may answer.

This is what third parties write against.  It is never compiled (see ``fairlead.proxy.compiled``): a class that
overrides an attribute of its base by one of its own could not do so to a compiled one.
"""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Protocol

from fairlead.proxy.headers import Fields

if TYPE_CHECKING:
    from fairlead.proxy.middleware.chain import Call
    from fairlead.proxy.record import Record
    from fairlead.proxy.response import Response


class Answer:
    """What a middleware answers in the server's place.

    Attributes:
        fields: without Content-Length and Connection, which are added.
        flag: for the access log: why, in a few capital letters (``RL``: rate limited).
    """

    __slots__ = ("body", "fields", "flag", "status")

    def __init__(self, status: int, body: bytes = b"", *, fields: Fields | None = None, flag: str) -> None:
        self.status = status
        self.body = body
        self.fields = fields or []
        self.flag = flag


class BodyFilter(Protocol):
    """Changes a body while it passes; the framing is made anew around what it returns."""

    def feed(self, piece: bytes) -> bytes:
        """Return what goes on for now; empty holds back."""

    def end(self) -> bytes:
        """Return what is still to come at the end of the body."""


Verdict = Answer | None


class Middleware:
    """One compiled middleware.  Only what a subclass overrides is called, and costs."""

    body_first_bytes_max = 0
    """Above 0: servers are asked only once the whole request body is here; larger ones are answered 413."""
    body_bytes_max = 0
    """Above 0: larger request bodies are answered 413, however they are framed."""

    def on_request(self, call: "Call") -> Verdict | Awaitable[Verdict]:
        """Pass (None), answer, or make the request wait; an ``async def`` fits too.

        ``call.edit()`` gives a request that may be changed.
        """
        return None

    def on_response(self, call: "Call", response: "Response") -> None:
        """Change ``response``: its status, reason and fields are the client's own copy."""

    def request_filter(self, call: "Call") -> BodyFilter | None:
        """Return what the request body goes through; None: it passes untouched."""
        return None

    def response_filter(self, call: "Call", response: "Response") -> BodyFilter | None:
        """Return what the response body goes through; None: it passes untouched.  Called after all heads."""
        return None

    def on_end(self, call: "Call", record: "Record") -> None:
        """The exchange is over; ``record`` is what the access log gets."""
