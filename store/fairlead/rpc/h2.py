"""One HTTP/2 connection of the client port: ``fairlead.http2``'s, with what calls ask of it beside."""

from collections.abc import Callable

from fairlead.http2 import ServerConnection
from fairlead.rpc.headers import RequestReader, Resolve
from fairlead.rpc.limits import Limits


class Http2Connection(ServerConnection):
    """The server's end of one connection.

    Args:
        resolve: says what answers a request.
        limits: the port's limits.
        wake: called once when there is something to ``take`` outside of ``receive``.
        peer: the client's address, for handlers.
        common_name: of the client's certificate, or None.
        now_s: a clock that never goes back; all times are read on it.
    """

    __slots__ = ("common_name", "held_bytes", "peer")

    limits: Limits

    def __init__(
        self,
        resolve: Resolve,
        limits: Limits,
        *,
        wake: Callable[[], None],
        peer: str = "",
        common_name: str | None = None,
        now_s: float = 0.0,
    ) -> None:
        super().__init__(limits, RequestReader(limits, resolve), wake=wake, now_s=now_s)
        self.peer = peer
        self.common_name = common_name
        self.held_bytes = 0
        """Parts of unfinished request messages, in all streams."""

    def __repr__(self) -> str:
        return f"<Http2Connection {self.peer} {len(self.streams)} streams, last {self.last_id}>"

    @property
    def is_reading(self) -> bool:
        """Whether the transport is to be read: always, since streams are held back by their windows."""
        return True

    @property
    def lingers(self) -> bool:
        """Whether to wait for the client before closing: never, GOAWAY has told it."""
        return False
