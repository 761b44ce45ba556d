"""``bodylimit`` and ``buffer``: how large request bodies may be, and whether servers get them in one piece.

    bodylimit  {"MaxBodyBytes": 1048576}     larger ones get 413, before the server has seen all of them
    buffer     {"MaxBodyBytes": 1048576}     the same, and the server is asked only once the whole body is here

Buffering keeps slow clients from holding a server, and lets every request be sent again to another one.
"""

from fairlead.proxy.middleware.chain import Call
from fairlead.proxy.middleware.hooks import Answer, Middleware
from fairlead.proxy.middleware.limits import BUFFER_BYTES_MAX
from fairlead.proxy.middleware.making import Tools
from fairlead.proxy.middleware.spec import Spec

_TOO_LARGE = b'{"error":"request body too large"}'


class BodyLimit(Middleware):
    """Bounds the bodies of one frontend."""

    def __init__(self, bytes_max: int) -> None:
        self.body_bytes_max = bytes_max

    def on_request(self, call: Call) -> Answer | None:
        """Refuse what says that it is too large."""
        if call.request.length > self.body_bytes_max:
            return Answer(413, _TOO_LARGE, fields=[(b"Content-Type", b"application/json")], flag="BL")
        return None


class Buffer(BodyLimit):
    """Holds requests until they are complete."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(bytes_max)
        self.body_first_bytes_max = bytes_max


def make_limit(spec: Spec, *, tools: Tools, previous: Middleware | None) -> BodyLimit:  # noqa: ARG001
    """Read the JSON above."""
    return BodyLimit(spec.whole("MaxBodyBytes"))


def make_buffer(spec: Spec, *, tools: Tools, previous: Middleware | None) -> Buffer:  # noqa: ARG001
    """Read the JSON above."""
    return Buffer(spec.number("MaxBodyBytes", 1024 * 1024, low=1, high=BUFFER_BYTES_MAX))
