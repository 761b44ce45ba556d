"""The way of a request out: through the middlewares, to a server that is chosen, and to another if that fails.

    planned ─► middlewares ─► choose ─► pooled or new connection ─► sent
                                ▲  └─ a queue: wait for a turn        │
                                └────── another attempt, if the policy says so

What comes back, and what it means to the client, is in ``exchange``.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING

from fairlead.proxy.answers import error_answer
from fairlead.proxy.balance import LOST, NO_RETRY, TIMEOUT, Attempt, Failure, Queue
from fairlead.proxy.body import BodyError
from fairlead.proxy.middleware import Answer, Call, Verdict
from fairlead.proxy.pace import Pace
from fairlead.proxy.request import NO_BODY
from fairlead.proxy.response import Response
from fairlead.proxy.state import ServerState
from fairlead.proxy.upload import TooLarge, Upload

if TYPE_CHECKING:
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.seams import ClientSide, ServerSide
    from fairlead.proxy.service import Service
    from fairlead.proxy.state import Group

_LOG = logging.getLogger(__name__)
_BROKEN = (500, "a middleware failed", "MW")


class Outward:
    """One exchange as far as its request goes; ``Exchange`` adds the way back.

    Attributes:
        upload: the request body while it is coming; None once the request is complete.
        is_gathering: the whole body is wanted before a server is asked.
        group: whose servers are asked; there is one as soon as a server has been chosen.
        connection: the server's connection while there is one.
        status: of the final response once its head is on its way, else 0.
        is_over: all is done, or nobody waits any more.
    """

    __slots__ = (
        "_body", "_call", "_chosen_s", "_client", "_failure", "_has_repeated", "_is_sent", "_pace", "_queue",
        "_server", "_service", "_started_s", "_stay", "_task", "_timer", "_total", "_tried", "attempts", "connection",
        "flag", "group", "head_us", "is_gathering", "is_over", "peer", "plan", "server", "status", "upload",
    )  # fmt: skip

    group: "Group"

    def __init__(self, service: "Service", client: "ClientSide", plan: "Plan") -> None:
        self.plan = plan
        self.peer = plan.peer
        self._body = self.upload = self._pace = None
        if plan.request.framing is not NO_BODY:
            keep = plan.kept_bytes_max(service.limits.replay_bytes_max)
            self._body = Upload(plan.request, limit=plan.body_bytes_max, keep_bytes_max=keep)
            self.upload = None if self._body.is_complete else self._body
            self._pace = Pace(service.limits)
        self.is_gathering = False
        self.connection: ServerSide | None = None
        self.server: ServerState | None = None
        self.status = self.attempts = self.head_us = 0
        self.flag = ""
        self._service = service
        self._client = client
        self._server: ServerState | None = None  # as long as a place there is taken
        self._started_s = self._chosen_s = perf_counter()
        self._call: Call | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._total: asyncio.TimerHandle | None = None
        self._queue: Queue | None = None
        self._stay = b""
        self._tried: tuple[ServerState, ...] = ()
        self._failure: Failure | None = None
        self._is_sent = False
        self._has_repeated = False
        self.is_over = False

    @property
    def backend_id(self) -> str:
        """Of whose backend was asked last; empty when nobody was."""
        return self.server.server.backend_id if self.server is not None else ""

    @property
    def server_id(self) -> str:
        """Who was asked last; empty when nobody was."""
        return self.server.server.id if self.server is not None else ""

    def whole_body(self) -> list[bytes] | None:
        """Return the request body as a server got it; None when not all of it is here."""
        if self._body is None:
            return []
        return self._body.kept() if self._body.is_complete and self._body.is_kept else None

    @property
    def received_bytes(self) -> int:
        """Of the request's body."""
        return self._body.received_bytes if self._body is not None else 0

    # The request, up to a server

    def begin(self) -> None:
        """Go through the middlewares, choose a server, and send what is there of the request."""
        plan = self.plan
        patience = plan.target.patience
        if patience is not None and patience.total_s is not None:
            self._total = asyncio.get_running_loop().call_later(patience.total_s, self._on_total)
        if plan.refusal is not None:
            self.fail(*plan.refusal)
        elif (chain := plan.target.chain) is not None:
            self._call = call = Call(plan, chain, now_s=self._started_s)
            self._go_through(call.advance)
        else:
            self._choose()

    @property
    def is_passing(self) -> bool:
        """Whether middlewares have still to see the request, so that its body has to wait."""
        return self._call is not None and not self._call.is_through

    def _go_through(self, step: Callable[[], Verdict | Awaitable[Verdict]]) -> None:
        try:
            verdict = step()
        except Exception:  # noqa: BLE001  anything that third parties may raise
            _LOG.exception("a middleware failed on a request")
            self.fail(*_BROKEN)
            return
        if verdict is None:
            self._leave_chain()
        elif isinstance(verdict, Answer):
            self.answer(verdict)
        else:
            self._task = self._service.spawn(self._wait_for(verdict))

    async def _wait_for(self, verdict: Awaitable[Verdict]) -> None:
        answer: Verdict
        try:
            answer = await verdict
        except Exception:  # noqa: BLE001  anything that third parties may raise
            _LOG.exception("a middleware failed on a request")
            answer = error_answer(*_BROKEN[:2], flag=_BROKEN[2])
        self._task = None
        if self.is_over or self._call is None:
            return
        if answer is None:
            self._go_through(self._call.resume)
        else:
            self.answer(answer)

    def _leave_chain(self) -> None:
        """All middlewares have passed the head."""
        call, chain = self._call, self.plan.target.chain
        assert call is not None
        assert chain is not None
        if chain.body_bytes_max and self.upload is not None:
            self.upload.bound(chain.body_bytes_max)
        if chain.body_first_bytes_max and self.upload is not None:
            self.is_gathering = True
            self.upload.keep_all(chain.body_first_bytes_max)
            if call.request.expects_continue:
                call.edit().expects_continue = False
                self._client.say_continue()
        if call.is_edited:
            self.plan = self.plan.with_request(call.request)
        if self.upload is not None:
            self._client.take_body()
            self._client.update_reading()
        if not self.is_over and not self.is_gathering and self._server is None:
            self._choose()

    def _choose(self) -> None:
        target = self.plan.target
        # The servers of now, not of when the request came: it may have waited, or failed elsewhere.
        groups = self._service.snapshot.groups
        now_s = perf_counter()
        split = target.split
        group = groups.get(target.backend_id) if split is None else split(self.plan, groups, now_s)
        if split is not None:
            self._stay = self.plan.stay  # of this request; the plan is that of others too
        chosen: ServerState | Queue | None = None
        if group is not None:
            self.group = group
            self._chosen_s = now_s
            chosen = group.balancer.choose(self.plan, self._tried, now_s)
        if isinstance(chosen, ServerState):
            self._ask(chosen)
        elif chosen is None:
            self.fail(503, "no servers in the pool", "UH")
        else:
            self._queue = chosen
            chosen.join(self)

    def on_turn(self) -> None:
        """A place may be free."""
        self._queue = None
        self._choose()

    def on_turned_away(self) -> None:
        """There was none in time."""
        self._queue = None
        self.fail(503, "no server became free in time", "UO")

    def patience_s(self) -> tuple[float, float]:
        """Return how long a server may take for the first byte of its answer, and between two pieces of it."""
        patience, default_s = self.plan.target.patience, self.group.read_s
        if patience is None:
            return default_s, default_s
        read_s = patience.read_s or default_s
        return patience.try_s or read_s, read_s

    def _dial_s(self) -> float:
        patience = self.plan.target.patience
        return patience.dial_s or self.group.dial_s if patience is not None else self.group.dial_s

    def _on_total(self) -> None:
        """The patience for all of the request is over."""
        if self._timer is not None:
            self._timer.cancel()
        if self._queue is not None:
            self._queue.leave(self)
            self._queue = None
        if self.status:
            self.flag = TIMEOUT.flag
            self.cut()
        else:
            self.fail(TIMEOUT.status, "the request took too long", TIMEOUT.flag)

    def _ask(self, server: ServerState) -> None:
        self.server = self._server = server
        self.attempts += 1
        self._is_sent = False
        server.requests += 1
        server.in_flight += 1
        connection = self._service.pooled(server, is_repeatable=self.plan.request.is_idempotent)
        if connection is not None:
            self.attach(connection)
        else:
            self._service.connect(self, server, dial_s=self._dial_s())

    def receive(self, data: bytes) -> int:
        """Take request body; return where it ended in ``data``, or -1 for not yet."""
        upload = self.upload
        assert upload is not None
        try:
            pieces, end = upload.take(data)
        except BodyError:
            self.fail_request(400, "malformed body")
            return len(data)
        except TooLarge:
            self.fail_request(413, "request body too large")
            return len(data)
        if end < 0 and self._is_trickling(upload):
            self.fail_request(408, "the request body comes too slowly")
            return len(data)
        self._pass_on(upload, pieces, is_end=end >= 0)
        return end

    def _is_trickling(self, upload: Upload) -> bool:
        """Whether it comes too slowly; once it is answered, both sides may take their time."""
        pace = self._pace
        if pace is None or self.status:
            return False
        return not pace.holds(self._service.wheel.now, upload.received_bytes)

    def excuse_pace(self) -> None:
        """The client is not read for now."""
        if self._pace is not None:
            self._pace.excuse()

    def end_upload(self) -> None:
        """The client has ended its body, in a way that is not part of it."""
        if self.upload is not None:
            self.upload.end()
            self._pass_on(self.upload, [], is_end=True)

    def _pass_on(self, upload: Upload, pieces: list[bytes], *, is_end: bool) -> None:
        if is_end:
            self.upload = None
        if self._call is not None:
            pieces = self._call.filter_request(pieces, is_end=is_end)
        upload.keep(pieces)
        if self.connection is not None and (pieces or is_end):
            self.connection.send_body(pieces, is_end=is_end)
            upload.forget_if_large()
        elif self.is_gathering and is_end:
            self.is_gathering = False
            self._choose()

    def on_server_writable(self) -> None:
        """The server takes more, or no more, of the request."""
        self._client.update_reading()

    def fail_request(self, status: int, reason: str) -> None:
        """The client's fault in the middle of its request: answer if that is still possible."""
        self._service.stats.refused += 1
        if self.status:
            self.flag = "DPE"
            self.cut()
        else:
            self.fail(status, reason, "DPE")

    def _may_repeat(self) -> bool:
        """Whether sending the request again cannot do anything twice (RFC 9110, section 9.2.2)."""
        body = self._body
        if self.plan.request.is_idempotent:
            return body is None or body.is_kept
        return body is not None and not body.kept()

    # Another attempt

    def on_server_lost(self, *, was_reused: bool, was_seen: bool = True) -> None:
        """The connection ended before a single byte of the response; ``was_seen``: the server may have acted on it."""
        self.connection = None
        may_repeat = self._may_repeat() if was_seen else self._body is None or self._body.is_kept
        if was_reused and not self._has_repeated and may_repeat and self._server is not None:
            # The server closed it as idle while the request was on its way: no fault of the server.
            self._has_repeated = True
            self._service.stats.retries += 1
            self._service.connect(self, self._server, dial_s=self._dial_s())
            if self.upload is not None:
                self._client.update_reading()
            return
        self.on_server_failure(LOST, "the server closed the connection without an answer")

    def _try_another(self, failure: Failure | None, response: Response | None) -> bool:
        """Make another attempt if the policy wants one; False: there is none."""
        policy = self.plan.target.retry
        if policy is NO_RETRY or self._server is None:
            return False
        status = response.status if response is not None else failure.status if failure is not None else 0
        attempt = Attempt(
            failure=failure,
            status=status,
            may_have_acted=self._is_sent,
            is_repeatable=self._body is None or self._body.is_kept,
            attempts=self.attempts,
            retry_after=b"" if response is None else response.header(b"retry-after"),
        )
        delay_s = policy.delay_s(self.plan, attempt, perf_counter())
        if delay_s is None:
            return False
        self._drop_connection()
        self._tried = (*self._tried, self._server)
        self._leave_server(status if failure is None else 0)
        self._service.stats.retries += 1
        if self.upload is not None:
            self._client.update_reading()
        if delay_s > 0:
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._choose)
        else:
            self._choose()
        return True

    def _leave_server(self, status: int) -> None:
        server = self._server
        if server is not None:
            self._server = None
            server.in_flight -= 1
            failure, self._failure = self._failure, None
            self.group.balancer.ended(
                server,
                status=0 if failure else status,
                failure=failure,
                head_us=self.head_us,
                now_s=perf_counter(),
            )

    def _drop_connection(self) -> None:
        if self.connection is not None:
            self.connection.release(is_reusable=False)
            self.connection = None

    # What the way back adds

    def attach(self, connection: "ServerSide") -> None:
        """Send what there is of the request over ``connection``."""
        raise NotImplementedError

    def answer(self, answer: Answer) -> None:
        """Answer in the server's place."""
        raise NotImplementedError

    def fail(self, status: int, reason: str, flag: str) -> None:
        """Answer that something went wrong."""
        self.answer(error_answer(status, reason, flag=flag))

    def cut(self) -> None:
        """Reset the client's connection: nothing clean may end a body that is not whole."""
        raise NotImplementedError

    def on_server_failure(self, failure: Failure, reason: str) -> None:
        """The server's fault."""
        raise NotImplementedError
