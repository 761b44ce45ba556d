"""The seams between the data path and what decides about servers: who is asked, and who is asked again.

    choose ─► a server ─► ... ─► ended          a place is taken by choose, and given back by ended
        ├───► a queue: join ─► on_turn (choose again) or on_turned_away, or the client leaves: leave
        └───► None: answered 503

An implementation is plain and fast: ``choose`` and ``ended`` are called for every attempt.  Nothing of it
reads a clock or does IO.  The defaults here are what a backend has that asks for nothing.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.state import ServerState


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """A way in which a server fails; compared by identity.

    Attributes:
        status: what the client is told when nobody else is asked.
        flag: Envoy's letters for it, for the access log.
    """

    name: str
    status: int
    flag: str


REFUSED: Final = Failure("refused", 502, "UF")
"""No connection; nothing was sent."""
DIAL_TIMEOUT: Final = Failure("dial timeout", 504, "UF")
"""No connection in time; nothing was sent."""
LOST: Final = Failure("lost", 502, "UC")
"""The connection ended before or within the answer."""
TIMEOUT: Final = Failure("timeout", 504, "UT")
"""No answer, or no more of it, in time."""
MALFORMED: Final = Failure("malformed", 502, "UPE")
"""What came is no HTTP/1.1 answer that may be forwarded."""


class Chance(Protocol):
    """Where chance comes from; ``random.Random`` is one."""

    def random(self) -> float:
        """Return a number from 0 up to 1."""


class Waiter(Protocol):
    """Who waits in a queue; an exchange."""

    @property
    def plan(self) -> "Plan":
        """Its request."""

    def on_turn(self) -> None:
        """A place may be free: choose again."""

    def on_turned_away(self) -> None:
        """It took too long."""


class Queue(Protocol):
    """Where exchanges wait for a place at a server; who made it bounds its length and the time in it."""

    def join(self, waiter: Waiter) -> None:
        """Wait."""

    def leave(self, waiter: Waiter) -> None:
        """The client is gone; called only for one that waits."""


class Balancer(Protocol):
    """Chooses among the servers of one backend as of one revision; what it has learned outlives it.

    Attributes:
        marks: whether ``lines_for`` has something to say (sticky cookies).
    """

    marks: bool

    def choose(
        self, plan: "Plan", tried: "tuple[ServerState, ...]", now_s: float
    ) -> "ServerState | Queue | None":
        """Return who is asked, a queue to wait in, or None: nobody can be asked.

        Args:
            plan: the request is ``plan.request``, the client ``plan.peer``.
            tried: who has failed this request already; choose another one if there is one.
            now_s: monotonic.
        """

    def ended(
        self, server: "ServerState", *, status: int, failure: Failure | None, head_us: int, now_s: float
    ) -> None:
        """Take note of the end of an attempt, and give the place back.

        Args:
            server: as ``choose`` returned it.
            status: of the answer; 0 when there was none.
            failure: None when the server did its part, and when the client left first.
            head_us: from choosing to the head of the answer; 0 without one.
            now_s: monotonic.
        """

    def is_fit(self, now_s: float) -> bool:
        """Whether there is anybody who is fit to be asked, be there a place or not."""

    def lines_for(self, plan: "Plan", server: "ServerState") -> bytes:
        """Return field lines to add to the answer, each with its CR LF."""


class Attempt(NamedTuple):
    """What became of one attempt, for the decision whether there is another.

    Attributes:
        failure: None when the server answered.
        status: of the answer; when there is none, what the client would be told.
        may_have_acted: bytes of the request have reached the server.
        is_repeatable: all of the request that has come is still here, to be sent again.
        attempts: made so far, from 1.
        retry_after: the answer's Retry-After; ``b""`` without one.
    """

    failure: Failure | None
    status: int
    may_have_acted: bool
    is_repeatable: bool
    attempts: int
    retry_after: bytes


class RetryPolicy(Protocol):
    """Decides whether a request goes to another server after a failure.

    It is asked only before the first byte of the answer has gone to the client.  The one repeat after a
    kept connection that had died is not its business: that was no attempt.

    Attributes:
        sees_answers: ask it about every answer too, not about failures alone.
    """

    sees_answers: bool

    def delay_s(self, plan: "Plan", attempt: Attempt, now_s: float) -> float | None:
        """Return how long to wait before the next attempt; None: answer."""


class NoRetry:
    """What failed is answered."""

    __slots__ = ()
    sees_answers = False

    def delay_s(self, plan: "Plan", attempt: Attempt, now_s: float) -> float | None:
        """See ``RetryPolicy``."""
        return None


NO_RETRY: Final = NoRetry()
