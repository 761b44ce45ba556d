"""Copies of requests for another backend, whose answers nobody sees.

A copy is made when the request is over, of what is still here of it: its head, and its body if that was small enough
to be kept for another attempt.  So a mirror costs its clients nothing, and a slow one is skipped, not waited for.
"""

from random import Random
from time import perf_counter
from typing import TYPE_CHECKING

from fairlead.proxy.balance.deck import Deck
from fairlead.proxy.config import MIRRORED_MAX
from fairlead.proxy.exchange import Exchange
from fairlead.proxy.model import Mirror
from fairlead.proxy.state import ServerState

if TYPE_CHECKING:
    from fairlead.proxy.balance import Chance, Failure
    from fairlead.proxy.client_side import ClientConnection
    from fairlead.proxy.headers import Fields
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.response import Response
    from fairlead.proxy.seams import Ended, ServerSide
    from fairlead.proxy.service import Service
    from fairlead.proxy.state import Group
    from fairlead.proxy.upload import Upload

_DECKS_MAX = 1024


class Mirroring:
    """Sends copies; ``observe`` is one of the service's observers.

    Attributes:
        sent: copies so far; dropped: those that there was no room for, or whose body was not here any more.
    """

    def __init__(self, service: "Service", *, rng: "Chance | None" = None) -> None:
        self.sent = self.dropped = 0
        self._service = service
        self._rng = rng or Random()  # noqa: S311  it samples, and keeps no secret
        self._under_way = 0
        self._decks: dict[Mirror, Deck] = {}

    def observe(self, record: "Ended") -> None:
        """Copy a request that is over, once for each mirror of its frontend."""
        plan = record.plan
        if plan is None or plan.frontend is None or not plan.frontend.mirrors:
            return
        if isinstance(record, Exchange) and not plan.request.upgrade:
            for mirror in plan.frontend.mirrors:
                if self._deck_of(mirror).random() < mirror.ratio:
                    self._copy(plan, mirror.backend_id, record.whole_body())

    def _deck_of(self, mirror: Mirror) -> Deck:
        deck = self._decks.get(mirror)
        if deck is None:
            if len(self._decks) >= _DECKS_MAX:
                self._decks.clear()
            deck = self._decks[mirror] = Deck([mirror.ratio], rng=self._rng)
        return deck

    def _copy(self, plan: "Plan", backend_id: str, body: list[bytes] | None) -> None:
        group = self._service.snapshot.groups.get(backend_id)
        if group is None or body is None or self._under_way >= MIRRORED_MAX:
            self.dropped += 1
            return
        server = group.balancer.choose(plan, (), perf_counter())
        if not isinstance(server, ServerState):
            self.dropped += 1
            return
        self.sent += 1
        self._under_way += 1
        Copy(self, self._service, plan, group, server).begin(body)

    def ended(self) -> None:
        """A copy has got its answer, or will get none."""
        self._under_way -= 1


class Copy:
    """One copy: what an exchange is to a server's connection, without anybody behind it."""

    __slots__ = (
        "_body", "_mirroring", "_server", "_service", "connection", "group", "is_over", "plan", "sent_bytes", "upload",
    )  # fmt: skip

    def __init__(
        self, mirroring: Mirroring, service: "Service", plan: "Plan", group: "Group", server: ServerState
    ) -> None:
        self.plan = plan
        self.group = group
        self.upload: Upload | None = None
        self.sent_bytes = 0
        self.connection: ServerSide | None = None
        self._mirroring = mirroring
        self._service = service
        self._server = server
        self._body: list[bytes] = []
        self.is_over = False

    def begin(self, body: list[bytes]) -> None:
        """Send it."""
        self._body = body
        self._server.requests += 1
        self._server.in_flight += 1
        connection = self._service.pooled(self._server, is_repeatable=False)
        if connection is not None:
            self.attach(connection)
        else:
            self._service.connect(self, self._server, dial_s=self.group.dial_s)

    def attach(self, connection: "ServerSide") -> None:
        """Send it over ``connection``."""
        self.connection = connection
        connection.start(self, self.plan.head_for(self._server), self._body)

    def patience_s(self) -> tuple[float, float]:
        """As for any request."""
        return self.group.read_s, self.group.read_s

    def splice_target(self) -> "ClientConnection | None":
        """Nobody gets the body."""
        return None

    def request_trailers(self) -> "Fields":
        """None are kept for a copy."""
        return []

    # What the server's connection reports; nobody is told of it

    def on_interim(self, response: "Response") -> None:
        """The final answer follows."""

    def on_response(self, response: "Response", pieces: list[bytes], *, is_end: bool) -> None:
        """Count the answer."""
        if is_end:
            self._end(response.status, None)

    def on_body(self, pieces: list[bytes], *, is_end: bool) -> None:
        """Throw it away."""
        if is_end:
            self._end(200, None)

    def on_trailers(self, fields: "Fields", *, is_framed: bool = False) -> None:
        """Throw them away."""

    def on_upgrade(self, response: "Response", early: bytes) -> None:
        """Never: what asks for another protocol is not copied."""
        raise NotImplementedError

    def on_client_broken(self) -> None:
        """Never: there is none."""
        raise NotImplementedError

    def on_server_writable(self) -> None:
        """All of it was sent at once."""

    def on_server_lost(self, *, was_reused: bool, was_seen: bool = True) -> None:
        """Do not try again."""
        self._end(0, None)

    def on_server_failure(self, failure: "Failure", reason: str) -> None:
        """Count it as the server's fault."""
        self._end(0, failure)

    def _end(self, status: int, failure: "Failure | None") -> None:
        if not self.is_over:
            self.is_over = True
            self._server.in_flight -= 1
            self.group.balancer.ended(
                self._server, status=status, failure=failure, head_us=0, now_s=perf_counter()
            )
            self._mirroring.ended()
