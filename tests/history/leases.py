"""Leases: none ends early.

A key on a lease goes when somebody deletes it, when somebody revokes the lease, or when the lease expires; and it
expires only when its TTL has passed since the last grant or renewal that was acknowledged: since its invocation,
for the store may have taken it up right then.

The log says at which revision the keys went, but not when.  Whoever was told of that revision or of a later one was
told after it, and whoever was told of an earlier one had asked before it.  A lease without keys leaves no trace in
the log; that it is gone shows when the store refuses to know it.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from tests.history.calls import Call, prepare, puts_of
from tests.history.model import Change, State, step
from tests.history.operations import History, Operation, revision_of, written_revision
from tests.history.requests import Grant, KeepAlive, Revoke, is_serializable
from tests.history.responses import Error, GrantResponse, KeepAliveResponse, Refused, RevokeResponse
from tests.history.timeline import Timeline
from tests.history.verdict import OK, Verdict, broken
from tests.history.words import operation_text, text


def check_leases(
    history: History,
    timeline: Timeline,
    *,
    sightings: Iterable[tuple[int, float]] = (),
    ttl_share: float = 1.0,
) -> Verdict:
    """Judge that no lease ended early.

    Args:
        history: the operations of all clients.
        timeline: what truly happened.
        sightings: further moments at which a revision was known to somebody, as (revision, time in seconds): what
            watches told, for instance.
        ttl_share: how much of a TTL must pass at least; below 1 where members' clocks run faster than ours.
    """
    lives = _Lives(history, ttl_share)
    ends = [*_refusals(history), *_expiries(history, timeline, _Moments(history, sightings, timeline.last))]
    found = [fault for end in ends if (fault := end if isinstance(end, str) else lives.fault(end))]
    return broken("\n".join(found)) if found else OK


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """A lease ended by itself, no later than ``by_s``; what had returned before ``after_s`` came before it."""

    lease_id: int
    by_s: float
    after_s: float
    revision: int | None
    what: str


class _Moments:
    """Between which times each revision was made."""

    def __init__(self, history: History, sightings: Iterable[tuple[int, float]], last: int) -> None:
        by_s, after_s = [math.inf] * (last + 2), [-math.inf] * (last + 2)
        for revision, time_s in sightings:
            place = min(revision, last)
            by_s[place] = min(by_s[place], time_s)
        for operation in history:
            revision = min(revision_of(operation) or 0, last)
            if not revision or isinstance(operation.request, KeepAlive):
                continue
            by_s[revision] = min(by_s[revision], operation.returned_s)
            if not is_serializable(operation.request):
                after_s[revision + 1] = max(after_s[revision + 1], operation.invoked_s)
        self.by_s = list(accumulate(reversed(by_s), min))[::-1]
        self.after_s = list(accumulate(after_s, max))


class _Lives:
    """When each lease was surely alive, and who may have ended it on purpose."""

    def __init__(self, history: History, ttl_share: float) -> None:
        self._ttl_share = ttl_share
        self._proofs: dict[int, list[tuple[Operation, float]]] = defaultdict(list)
        self._revocations: dict[int, list[Operation]] = defaultdict(list)
        self._grants: Counter[int] = Counter()
        for operation in history:
            request, outcome = operation.request, operation.outcome
            match request:
                case Grant() if isinstance(outcome, GrantResponse):
                    self._grants[outcome.lease_id] += 1
                    self._proofs[outcome.lease_id].append((operation, outcome.ttl_s))
                case Grant():
                    self._grants[request.lease_id] += 1
                case KeepAlive() if isinstance(outcome, KeepAliveResponse) and outcome.ttl_s > 0:
                    self._proofs[request.lease_id].append((operation, outcome.ttl_s))
                case Revoke():
                    self._revocations[request.lease_id].append(operation)
                case _:
                    pass

    def fault(self, end: _End) -> str:
        """Return what is wrong with the end of a lease; empty if it came late enough."""
        for proof, ttl_s in self._proofs[end.lease_id]:
            is_early = end.by_s < proof.invoked_s + ttl_s * self._ttl_share
            if is_early and self._is_before(proof, end) and not self._is_revoked(proof, end):
                return (
                    f"lease {end.lease_id} ended no later than {end.by_s:.6f}, "
                    f"less than {ttl_s:g} s after it was alive:\n  {operation_text(proof)}\n  {end.what}"
                )
        return ""

    def _is_before(self, proof: Operation, end: _End) -> bool:
        if proof.returned_s < end.after_s:
            return True
        if end.revision is None:
            return False
        is_granted_before = isinstance(proof.outcome, GrantResponse) and proof.outcome.revision < end.revision
        # A lease that is granted once does not come back, so whatever found it alive came before.
        return is_granted_before or self._grants[end.lease_id] == 1

    def _is_revoked(self, proof: Operation, end: _End) -> bool:
        return any(
            revocation.returned_s >= proof.invoked_s and revocation.invoked_s <= end.by_s
            for revocation in self._revocations[end.lease_id]
        )


def _refusals(history: History) -> Iterator[_End]:
    """Yield the ends that show because the store did not know a lease (any more)."""
    for operation in history:
        request, outcome = operation.request, operation.outcome
        lost: set[int] = set()
        if isinstance(request, KeepAlive) and isinstance(outcome, KeepAliveResponse) and outcome.ttl_s == 0:
            lost = {request.lease_id}
        elif isinstance(outcome, Refused) and outcome.error is Error.LEASE_NOT_FOUND:
            lost = {put.lease for put in puts_of(request) if put.lease}
        # Of several leases in one transaction, nobody says which was missing.
        if len(lost) == 1:
            yield _End(
                lease_id=lost.pop(),
                by_s=operation.returned_s,
                after_s=operation.invoked_s,
                revision=None,
                what=operation_text(operation),
            )


def _expiries(history: History, timeline: Timeline, moments: _Moments) -> Iterator[_End | str]:
    """Yield the ends that show in the log, or what is wrong with one."""
    written = {written_revision(operation) for operation in history}
    revoked = {revision_of(o) for o in history if isinstance(o.outcome, RevokeResponse)}
    lurking = prepare(history).ambiguous
    for revision in range(2, timeline.last + 1):
        changes = timeline.changes(revision)
        leases = {change.before.lease for change in changes if change.before and not change.after}
        if revision in written | revoked or len(leases) != 1 or any(change.after for change in changes):
            continue
        lease_id, by_s = leases.pop(), moments.by_s[revision]
        before = State(revision - 1, 0, timeline.range(b"", b"\0", revision=revision - 1))
        if lease_id == 0 or any(
            c.invoked_s <= by_s and _explains(c, before, changes, lease_id) for c in lurking
        ):
            continue
        gone = ", ".join(text(change.key) for change in changes)
        if before.keys_of(lease_id) != tuple(change.key for change in changes):
            yield f"revision {revision} deleted {gone}: not all keys of lease {lease_id}, yet nobody asked for it"
            continue
        yield _End(
            lease_id=lease_id,
            by_s=by_s,
            after_s=moments.after_s[revision],
            revision=revision,
            what=f"revision {revision} deleted {gone}",
        )


def _explains(call: Call, before: State, changes: tuple[Change, ...], lease_id: int) -> bool:
    if isinstance(call.request, Revoke):
        return call.request.lease_id == lease_id
    after, _ = step(before, call.request)
    return after.past is not None and after.past.changes == changes
