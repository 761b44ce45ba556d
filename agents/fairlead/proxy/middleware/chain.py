"""What middlewares are to the data path: hooks at the points of an exchange, and nothing where there are none.

    request head ─► on_request of each, in order: pass, answer, or wait (an awaitable)
                      └► request_filter: the body, piece by piece, on its way to the server
    response head ─► on_response of those that were passed, the last one first
                      └► response_filter: the body on its way to the client
    the end ──────► on_end of those that were passed

A frontend's middlewares are compiled once, into a ``Chain``; the state that they keep is theirs, and outlives
the chain.  Answers that the proxy makes itself go back through ``on_response`` too.  What a hook raises is a
bug: it is logged, and answered 500.
"""

from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Final

from fairlead.proxy.headers import FORWARDED_FIELDS, REQUEST_FIELDS
from fairlead.proxy.middleware.hooks import BodyFilter, Middleware, Verdict
from fairlead.proxy.request import BY_LENGTH, CHUNKED, NO_BODY

if TYPE_CHECKING:
    from fairlead.proxy.plan import Plan
    from fairlead.proxy.record import Record
    from fairlead.proxy.request import Request
    from fairlead.proxy.response import Response


_ALL: Final = 1 << 30


class Chain:
    """The middlewares of one frontend, compiled: for each point those that have something to do there."""

    __slots__ = (
        "body_bytes_max", "body_first_bytes_max", "ends", "request_filters", "requests", "response_filters", "responses",
        "sees_answers",
    )  # fmt: skip

    def __init__(self, middlewares: Sequence[Middleware]) -> None:
        self.requests = _overriding(middlewares, "on_request")
        self.request_filters = _overriding(middlewares, "request_filter")
        self.responses = _overriding(middlewares, "on_response")[::-1]
        self.response_filters = _overriding(middlewares, "response_filter")[::-1]
        self.sees_answers = bool(self.responses or self.response_filters)
        self.ends = _overriding(middlewares, "on_end")
        bounds = [each.body_first_bytes_max for each in middlewares if each.body_first_bytes_max]
        self.body_first_bytes_max = min(bounds, default=0)
        limits = [each.body_bytes_max for each in middlewares if each.body_bytes_max]
        self.body_bytes_max = min(limits, default=0)


def _overriding(middlewares: Sequence[Middleware], name: str) -> "tuple[tuple[int, Middleware], ...]":
    """Who overrides ``name``, each with its place in the chain."""
    plain = getattr(Middleware, name)
    return tuple(
        (place, each) for place, each in enumerate(middlewares) if getattr(type(each), name) != plain
    )


class Call:
    """One exchange on its way through the chain, as its middlewares see it.

    Attributes:
        plan: where the request goes; ``plan.peer`` is the client's address.
        request: its head; shared and not to be changed, but for the one that ``edit`` returns.
        added: lines for the server, each with its CR LF, that are this request's alone (its id); cheaper than an
            edit, for a field that the client did not send.
        now_s: when the request came; monotonic.
        is_edited: ``request`` is this call's own copy.
        request_id: the name of the request, for the log; empty when it has none.
        sees_answers: whether anybody in the chain has something to do with responses.
    """

    __slots__ = (
        "_chain",
        "_next",
        "_notes",
        "_request_filters",
        "_response_filters",
        "added",
        "is_edited",
        "now_s",
        "passed",
        "plan",
        "request",
        "request_id",
        "sees_answers",
    )  # fmt: skip

    def __init__(self, plan: "Plan", chain: Chain, *, now_s: float) -> None:
        self.plan = plan
        self.request: Request = plan.request
        self.added = b""
        self.now_s = now_s
        self.is_edited = False
        self.request_id = b""
        self.sees_answers = chain.sees_answers
        self.passed = 0  # how many middlewares let it pass
        self._chain = chain
        self._next = 0
        self._notes: dict[object, object] | None = None
        self._request_filters: list[BodyFilter] = []
        self._response_filters: list[BodyFilter] = []

    @property
    def is_through(self) -> bool:
        """Whether every middleware has let the request pass."""
        return self.passed == _ALL

    @property
    def notes(self) -> dict[object, object]:
        """What one hook wants another to know, by a key of its own."""
        if self._notes is None:
            self._notes = {}
        return self._notes

    def edit(self) -> "Request":
        """Return the request to be changed: method, target, path, host_field and fields go to the server."""
        if not self.is_edited:
            self.request = self.request.copy()
            self.is_edited = True
        return self.request

    def header(self, name: bytes) -> bytes:
        """Return the first value of the field ``name`` (lower-case) as the server will see it, or ``b""``.

        Those fields that the proxy writes itself are as the client sent them.
        """
        if self.is_edited and name not in REQUEST_FIELDS and name not in FORWARDED_FIELDS:
            return next((value for each, value in self.request.fields if each.lower() == name), b"")
        return self.request.header(name)

    # What the exchange asks for

    def advance(self) -> Verdict | Awaitable[Verdict]:
        """Go on to the next middleware that does not simply pass.  None: all have passed."""
        hooks = self._chain.requests
        while self._next < len(hooks):
            place, middleware = hooks[self._next]
            self.passed = place
            verdict = middleware.on_request(self)
            if verdict is not None:
                return verdict
            self._next += 1
        self.passed = _ALL
        self._make_request_filters()
        return None

    def resume(self) -> Verdict | Awaitable[Verdict]:
        """Go on after the one that waited has passed."""
        self._next += 1
        return self.advance()

    def _make_request_filters(self) -> None:
        if self.request.framing is NO_BODY:
            return
        made = [middleware.request_filter(self) for _, middleware in self._chain.request_filters]
        self._request_filters = [each for each in made if each is not None]
        if self._request_filters:
            self.edit().framing = CHUNKED

    def filter_request(self, pieces: list[bytes], *, is_end: bool) -> list[bytes]:
        """Return the request body as the server gets it."""
        return _filtered(self._request_filters, pieces, is_end=is_end) if self._request_filters else pieces

    def respond(self, response: "Response") -> "Response":
        """Return the head of the response as the client gets it."""
        passed = self.passed
        chain = self._chain
        if chain.responses or chain.response_filters:
            response = response.copy()
        for place, middleware in chain.responses:
            if place < passed:
                middleware.on_response(self, response)
        if response.status != 101:
            for place, middleware in chain.response_filters:
                made = middleware.response_filter(self, response) if place < passed else None
                if made is not None:
                    self._response_filters.append(made)
            if self._response_filters:
                response.forget_length()
        return response

    def filter_response(
        self, response: "Response", pieces: list[bytes], *, is_end: bool, is_start: bool
    ) -> list[bytes]:
        """Return the response body as the client gets it; a body that is all here gets its length back."""
        if not self._response_filters:
            return pieces
        pieces = _filtered(self._response_filters, pieces, is_end=is_end)
        if is_start and is_end and response.is_of_unknown_length:
            response.framing = BY_LENGTH
            response.length = sum(map(len, pieces))
        return pieces

    @property
    def has_response_filters(self) -> bool:
        """Whether the response body is changed on its way."""
        return bool(self._response_filters)

    def end(self, record: "Record") -> None:
        """Tell those that were passed."""
        for place, middleware in self._chain.ends:
            if place < self.passed:
                middleware.on_end(self, record)


def _filtered(filters: Sequence[BodyFilter], pieces: list[bytes], *, is_end: bool) -> list[bytes]:
    for each in filters:
        pieces = [made for piece in pieces if (made := each.feed(piece))]
        if is_end and (last := each.end()):
            pieces.append(last)
    return pieces
