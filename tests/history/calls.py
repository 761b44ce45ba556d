"""A history made ready for the search: what each answer already says about its place among the revisions."""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tests.history.operations import Ambiguous, Failed, History, Operation
from tests.history.requests import (
    Compact,
    Delete,
    Grant,
    KeepAlive,
    Put,
    Range,
    Request,
    Revoke,
    Txn,
    is_serializable,
)
from tests.history.responses import (
    CompactResponse,
    Error,
    GrantResponse,
    KeepAliveResponse,
    Refused,
    Response,
    RevokeResponse,
    has_written,
    key_values,
)

COMPACTION = "compaction"
Tag = int | str
"""A lease by its id, or the compaction: what exists beside the keys, and makes no revision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One operation that has to be placed, or may be (``response`` None: it was never answered)."""

    operation: Operation
    request: Request
    invoked_s: float
    returned_s: float = math.inf
    response: Response | None = None
    after: int | None = None
    """The revision of the store right after it; None if the answer does not say."""
    is_writer: bool = False
    """The answer says that it made the revision ``after``."""
    is_quiet: bool = False
    """The answer says that it changed nothing at all."""
    tags: frozenset[Tag] = frozenset()
    pin: int | None = None
    """The revision at which somebody saw what only this call can have written."""

    def agrees(self, answer: Response) -> bool:
        """Whether the model answers what the store answered."""
        if isinstance(answer, KeepAliveResponse) and isinstance(self.response, KeepAliveResponse):
            # A renewal goes past the log: its header names no moment, and its TTL may have been rounded up.
            return (answer.ttl_s > 0) == (self.response.ttl_s > 0)
        return answer == self.response


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Both kinds of calls, each in the order of invocation."""

    answered: tuple[Call, ...]
    ambiguous: tuple[Call, ...]


def prepare(history: History) -> Calls:
    """Leave out what says nothing about the present, and derive what the answers say."""
    answered, ambiguous = [], []
    for operation in sorted(history, key=lambda operation: operation.invoked_s):
        match operation.outcome:
            case Failed():
                continue
            case Ambiguous():
                if _matters(operation.request):
                    ambiguous.append(_ambiguous(operation))
            case response:
                if not is_serializable(operation.request):
                    answered.append(_answered(operation, response))
    return Calls(answered=tuple(answered), ambiguous=_pinned(answered, ambiguous))


def _answered(operation: Operation, response: Response) -> Call:
    request = operation.request
    if isinstance(request, Grant) and isinstance(response, GrantResponse):
        # The store chooses an id that was left open, and may lengthen the TTL.
        ttl_s = max(request.ttl_s, response.ttl_s)
        request = Grant(lease_id=request.lease_id or response.lease_id, ttl_s=ttl_s)
    return Call(
        operation=operation,
        request=request,
        invoked_s=operation.invoked_s,
        returned_s=operation.returned_s,
        response=response,
        after=None if isinstance(response, Refused | KeepAliveResponse) else response.revision,
        is_writer=has_written(response),
        is_quiet=_is_quiet(response),
        tags=_tags(request, response),
    )


def _ambiguous(operation: Operation) -> Call:
    request = operation.request
    return Call(
        operation=operation, request=request, invoked_s=operation.invoked_s, tags=_tags(request, None)
    )


def _is_quiet(response: Response) -> bool:
    match response:
        case GrantResponse() | RevokeResponse() | CompactResponse():
            return False
        case KeepAliveResponse():
            return response.ttl_s == 0
        case _:
            return not has_written(response)


def _matters(request: Request) -> bool:
    """Whether somebody else could ever notice that an unanswered request was done."""
    match request:
        case Range() | KeepAlive():
            return False
        case Grant():
            return request.lease_id != 0
        case Txn():
            return any(not isinstance(op, Range) for op in (*request.success, *request.failure))
        case _:
            return True


def _tags(request: Request, response: Response | None) -> frozenset[Tag]:
    tags: set[Tag] = {put.lease for put in puts_of(request) if put.lease}
    match request:
        case Grant() | Revoke() | KeepAlive():
            tags.add(request.lease_id)
        case Compact():
            tags.add(COMPACTION)
        case _:
            if isinstance(response, Refused) and response.error is Error.COMPACTED:
                tags.add(COMPACTION)
    return frozenset(tags)


def puts_of(request: Request) -> tuple[Put, ...]:
    """Return every put that a request may do, in either branch."""
    match request:
        case Put():
            return (request,)
        case Txn():
            return tuple(op for op in (*request.success, *request.failure) if isinstance(op, Put))
        case _:
            return ()


def may_write(request: Request) -> bool:
    """Whether a request may make a revision by what it says itself."""
    return isinstance(request, Put | Delete | Txn)


def _pinned(answered: Sequence[Call], ambiguous: Sequence[Call]) -> tuple[Call, ...]:
    """Fix the revision of each unanswered write whose value nobody else wrote and somebody saw."""
    seen: dict[tuple[bytes, bytes], set[int]] = defaultdict(set)
    for call in answered:
        for kv in key_values(call.response) if call.response is not None else ():
            seen[kv.key, kv.value].add(kv.mod_revision)
    writers = Counter(pair for call in (*answered, *ambiguous) for pair in _pairs(call))

    def pin(call: Call) -> int | None:
        revisions = {rev for pair in _pairs(call) if writers[pair] == 1 for rev in seen.get(pair, ())}
        return revisions.pop() if len(revisions) == 1 else None

    return tuple(replace(call, pin=pin(call)) for call in ambiguous)


def _pairs(call: Call) -> set[tuple[bytes, bytes]]:
    return {(put.key, put.value) for put in puts_of(call.request)}
