"""One request and its response, between a client's connection and a server's.

    planned ─► middlewares ── answered, or no route ────────────► answered by the proxy (404, 503, 413, ...)
                    │
                 choose ◄──────────────────────────────────────────────┐
                    ├── a queue: wait for a turn                        │
                    ├── pooled connection ──┐                           │ another attempt, if the policy says so
                    └── new connection ─────┴─► sent ─► head ─► body ─► over
                              └── failed ───────┘        └── broken off: the client's connection is reset

Nothing is read or written here: the two connections tell the exchange what came, and the exchange tells
them what goes.  It owns the rules in between: framing anew, when to repeat, who waits for whom, what a
failure means.
"""

import logging
from time import perf_counter
from typing import TYPE_CHECKING

from fairlead.proxy.answers import as_response
from fairlead.proxy.balance import Failure
from fairlead.proxy.headers import Fields
from fairlead.proxy.middleware import Answer
from fairlead.proxy.outward import Outward
from fairlead.proxy.response import Response
from fairlead.proxy.trailers import USUAL, passed_on

if TYPE_CHECKING:
    from fairlead.proxy.client_side import ClientConnection
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.seams import ClientSide, ServerSide
    from fairlead.proxy.service import Service

_LOG = logging.getLogger(__name__)


class Exchange(Outward):
    """The state machine above; one per request, and the ``Record`` of it at the end.

    Attributes:
        status: of the final response once its head is on its way, else 0.
        duration_us, sent_bytes, request_id: as in ``Record``.
        trailers: fields that go to the client behind the body.
    """

    is_framed = False  # the client speaks HTTP/2
    __slots__ = ("_keep", "_response", "duration_us", "request_id", "sent_bytes", "trailers")

    def __init__(self, service: "Service", client: "ClientSide", plan: "Plan") -> None:
        super().__init__(service, client, plan)
        self.duration_us = self.sent_bytes = 0
        self.request_id = b""
        self.trailers: Fields = []
        self._response: Response | None = None
        self._keep = False

    def attach(self, connection: "ServerSide") -> None:
        """Send what there is of the request over ``connection``."""
        server = self._server
        if self.is_over or server is None:
            connection.release(is_reusable=True)
            return
        self.connection = connection
        self.trailers = []
        head = self.plan.head_for(server, self._call.added if self._call is not None else b"")
        self._is_sent = True
        body = self._body
        if body is None:
            connection.start(self, head)
            return
        connection.start(self, head, body.kept(), is_end=body.is_complete)
        if self.upload is not None:
            body.forget_if_large()
            self._client.update_reading()

    # The response, as the server's connection reports it

    def on_interim(self, response: Response) -> None:
        """Pass 1xx on to whom it means something."""
        request = self.plan.request
        if request.minor == 1 and (response.status != 100 or request.expects_continue):
            self._send_interim(response)

    def on_response(self, response: Response, pieces: list[bytes], *, is_end: bool) -> None:
        """Send the head on, with what came of the body in the same write."""
        self.head_us = int((perf_counter() - self._chosen_s) * 1e6)
        if self.plan.target.retry.sees_answers and self._try_another(None, response):
            return
        self._respond(response, pieces, is_end=is_end)

    def _respond(self, response: Response, pieces: list[bytes], *, is_end: bool) -> None:
        if self._call is not None and self._call.sees_answers:
            response = self._through_chain(response)
            pieces = self._call.filter_response(response, pieces, is_end=is_end, is_start=True)
        self._response = response
        self.status = response.status
        self._keep = self._may_keep(response)
        added = self._stay
        if self._server is not None and self.group.balancer.marks:
            added += self.group.balancer.lines_for(self.plan, self._server)
        self._send_head(response, pieces, added, is_end=is_end)
        if is_end:
            self._finish()

    def _through_chain(self, response: Response) -> Response:
        assert self._call is not None
        try:
            return self._call.respond(response)
        except Exception:  # noqa: BLE001  anything that third parties may raise
            _LOG.exception("a middleware failed on an answer")
            return response

    def on_body(self, pieces: list[bytes], *, is_end: bool) -> None:
        """Send body on."""
        if self._call is not None and self._response is not None:
            pieces = self._call.filter_response(self._response, pieces, is_end=is_end, is_start=False)
        self._send_body(pieces, is_end=is_end)
        if is_end:
            self._finish()

    # Trailers

    @property
    def _trailer_names(self) -> frozenset[bytes] | None:
        """The frontend's list, or None if it has none."""
        return self.plan.frontend.trailers if self.plan.frontend is not None else None

    @property
    def _is_body_changed(self) -> bool:
        """Whether a middleware changes the response body on its way."""
        return self._call is not None and self._call.has_response_filters

    def on_trailers(self, fields: Fields, *, is_framed: bool = False) -> None:
        """Keep for the end what may go on of the server's; ``is_framed``: it speaks HTTP/2."""
        names = self._trailer_names
        if names is None and not (is_framed and self.is_framed):
            names = USUAL
        self.trailers = passed_on(fields, names)

    def request_trailers(self) -> Fields:
        """Return what may go on of those behind the request's body."""
        body, names = self._body, self._trailer_names
        if body is None or not body.trailers:
            return []
        return passed_on(body.trailers, USUAL if names is None else names)

    def on_client_broken(self) -> None:
        """The client takes no more of a body that the kernel has in hand."""
        self.flag = "DC"
        self.cut()

    def on_server_failure(self, failure: Failure, reason: str) -> None:
        """The server's fault: ask another, answer if that is still possible, or let the client see the cut."""
        self.connection = None
        if self.is_over:
            return
        self._failure = failure
        if self._server is not None:
            self._server.failures += 1
        if self.status:
            self._service.stats.truncated += 1
            self.flag = failure.flag
            self.cut()
        elif not self._try_another(failure, None):
            self.fail(failure.status, reason, failure.flag)

    # The end

    def answer(self, answer: Answer) -> None:
        """Answer in the server's place."""
        self._drop_connection()
        self.flag = answer.flag
        response = as_response(answer)
        pieces = [answer.body] if answer.body else []
        if self.plan.request.method == b"HEAD" or answer.status in {204, 304}:
            pieces = []
            response.without_body()
        self._respond(response, pieces, is_end=True)

    def cut(self) -> None:
        """Reset the client's connection: nothing clean may end a body that is not whole."""
        self._end()
        self._client.reset()

    def on_client_gone(self) -> None:
        """The client left; nobody wants the response any more."""
        if not self.is_over:
            self.status = 499
            self.flag = "DC"
            self._end()

    def _end(self) -> None:
        self.is_over = True
        if self._task is not None:
            self._task.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._queue is not None:
            self._queue.leave(self)
        self._drop_connection()
        self._leave_server(0)
        self._record()

    def _finish(self) -> None:
        self.is_over = True
        self._leave_server(self.status)
        is_complete = self.upload is None
        if not is_complete:
            self._drop_connection()
        self._record()
        self._client.on_exchange_over(keep_alive=self._keep, is_complete=is_complete)

    def _record(self) -> None:
        self.duration_us = int((perf_counter() - self._started_s) * 1e6)
        if self._total is not None:
            self._total.cancel()
        service = self._service
        service.stats.answered(self.status, self.duration_us)
        if self._call is not None:
            self.request_id = self._call.request_id
            self._call.end(self)
        for observer in service.observers:
            observer(self)

    # What is said differently in the two versions of HTTP

    def _may_keep(self, response: Response) -> bool:
        """Return whether the client's connection may serve another request after this answer."""
        raise NotImplementedError

    def _send_interim(self, response: Response) -> None:
        raise NotImplementedError

    def _send_head(self, response: Response, pieces: list[bytes], added: bytes, *, is_end: bool) -> None:
        """Send the head with ``added`` lines, and what there is of the body."""
        raise NotImplementedError

    def _send_body(self, pieces: list[bytes], *, is_end: bool) -> None:
        raise NotImplementedError

    def splice_target(self) -> "ClientConnection | None":
        """Return the client's connection if the rest of the body may go there as it is."""
        raise NotImplementedError

    def on_upgrade(self, response: Response, early: bytes) -> None:
        """Both sides agreed to speak something else; only HTTP/1.1 lets a client ask for that."""
        raise NotImplementedError
