"""What can go wrong in the proxy, and whose fault it is.

    ProxyError
    ├── KeyProblem          the operator's: a key of the store does not hold what it should
    │   └── ExpressionError     the route or condition in it; carries the position
    ├── BadRequest          the client's: answered with a status, then the connection closes
    │   └── MalformedRequest    over HTTP/2: the stream is reset, too
    └── BadResponse         the server's: answered 502

Anything else is a bug and is not caught.
"""


class ProxyError(Exception):
    """The root of this package's errors."""


class KeyProblem(ProxyError):  # noqa: N818  the operator's word for it, as in AgentContext.status.problem
    """A key holds something that cannot be used; the text says what is wrong and what would be right."""


class ExpressionError(KeyProblem):
    """A route or a condition cannot be read.

    Attributes:
        position: offset in characters, from 0, at which reading stopped.
    """

    def __init__(self, text: str, *, position: int, what: str = "route") -> None:
        super().__init__(f"{what}, character {position + 1}: {text}")
        self.position = position


class BadRequest(ProxyError):  # noqa: N818  the name of the answer, RFC 9110, section 15.5.1
    """The request cannot be forwarded.

    Attributes:
        status: what to answer, 400 to 599.
        reason: what to put into the answer; never echoes the client's bytes.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status}: {reason}")
        self.status = status
        self.reason = reason


class MalformedRequest(BadRequest):
    """What HTTP/2 calls malformed: the stream itself is in error, whatever is answered (RFC 9113, section 8.1.1)."""

    def __init__(self, reason: str) -> None:
        super().__init__(400, reason)


class BadResponse(ProxyError):  # noqa: N818  the counterpart of BadRequest
    """The server's bytes are not an HTTP/1.1 response that may be forwarded."""
