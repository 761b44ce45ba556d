"""What is known of a request once it is over: for the access log, the metrics and the middlewares.

An ``Exchange`` is the record of itself, so that a request costs no second object.
"""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.seams import Ended


class Record(Protocol):
    """One request that is over.  Holders read it soon and let it go: an exchange hangs on it.

    Attributes:
        plan: None when the head was refused before anything could be planned.
        peer: the client's address.
        status: as the client got it; 499 when it left first.
        flag: why, when the proxy had a part in it; Envoy's letters (UF UH UT UC UPE NR DC DPE), or a
            middleware's; else empty.
        backend_id, server_id: who answered, or failed last; empty when nobody was asked.
        attempts: how many servers were asked.
        duration_us: from the head of the request to the end of the answer.
        head_us: from choosing the server to the head of its answer; 0 without one.
        received_bytes: of the request's body; sent_bytes: of the response's.
        request_id: X-Request-Id as sent on; empty when none is.
    """

    @property
    def plan(self) -> "Plan | None": ...  # noqa: D102
    @property
    def peer(self) -> bytes: ...  # noqa: D102
    @property
    def status(self) -> int: ...  # noqa: D102
    @property
    def flag(self) -> str: ...  # noqa: D102
    @property
    def backend_id(self) -> str: ...  # noqa: D102
    @property
    def server_id(self) -> str: ...  # noqa: D102
    @property
    def attempts(self) -> int: ...  # noqa: D102
    @property
    def duration_us(self) -> int: ...  # noqa: D102
    @property
    def head_us(self) -> int: ...  # noqa: D102
    @property
    def received_bytes(self) -> int: ...  # noqa: D102
    @property
    def sent_bytes(self) -> int: ...  # noqa: D102
    @property
    def request_id(self) -> bytes: ...  # noqa: D102


class Observer(Protocol):
    """Somebody who is told of every request: a metric, a trace, the guard of a rollback."""

    def __call__(self, record: "Ended") -> None:
        """Take note, in a microsecond."""


class Refused:
    """The record of a request that was refused before there was an exchange."""

    __slots__ = (
        "attempts", "backend_id", "duration_us", "flag", "head_us", "peer", "plan", "received_bytes", "request_id",
        "sent_bytes", "server_id", "status",
    )  # fmt: skip

    def __init__(self, status: int, *, peer: bytes) -> None:
        self.plan: Plan | None = None
        self.peer = peer
        self.status = status
        self.flag = "DPE"
        self.backend_id = self.server_id = ""
        self.attempts = self.duration_us = self.head_us = self.received_bytes = self.sent_bytes = 0
        self.request_id = b""
