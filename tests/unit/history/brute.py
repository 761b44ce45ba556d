"""Linearizability by its definition: try every order.  For a handful of operations."""

from collections.abc import Sequence

from tests.history import Ambiguous, Failed, GrantResponse, History, KeepAliveResponse, Operation
from tests.history.model import EMPTY, State, expire, step
from tests.history.requests import Grant, KeepAlive, Request, is_serializable
from tests.history.responses import Response


def is_linearizable(history: History) -> bool:
    """Whether any order explains every answer; a lease may end by itself once its time has come."""
    operations = [o for o in history if not isinstance(o.outcome, Failed) and not is_serializable(o.request)]
    return _search(operations, EMPTY)


def _search(left: Sequence[Operation], state: State) -> bool:
    if all(isinstance(o.outcome, Ambiguous) for o in left):
        return True
    limit_s = min(o.returned_s for o in left)
    for index, operation in enumerate(left):
        if operation.invoked_s > limit_s:
            continue
        after, answer = step(state, _understood(operation), at_s=operation.invoked_s)
        rest = [*left[:index], *left[index + 1 :]]
        if _is_same(answer, operation) and _search(rest, after):
            return True
        if _is_refused_when_due(operation, state, limit_s) and _search(rest, state):
            return True
    return any(
        lease.renewed_s + lease.ttl_s <= limit_s and _search(left, expire(state, lease_id))
        for lease_id, lease in state.leases.items()
    )


def _understood(operation: Operation) -> Request:
    request, outcome = operation.request, operation.outcome
    if isinstance(request, Grant) and isinstance(outcome, GrantResponse):
        return Grant(lease_id=outcome.lease_id, ttl_s=max(outcome.ttl_s, request.ttl_s))
    return request


def _is_same(answer: Response, operation: Operation) -> bool:
    outcome = operation.outcome
    if isinstance(answer, KeepAliveResponse) and isinstance(outcome, KeepAliveResponse):
        return (answer.ttl_s > 0) == (outcome.ttl_s > 0)
    return isinstance(outcome, Ambiguous) or answer == outcome


def _is_refused_when_due(operation: Operation, state: State, limit_s: float) -> bool:
    if not isinstance(operation.request, KeepAlive) or not isinstance(operation.outcome, KeepAliveResponse):
        return False
    lease = state.leases.get(operation.request.lease_id)
    is_due = lease is not None and lease.renewed_s + lease.ttl_s <= limit_s
    return is_due and operation.outcome.ttl_s == 0
