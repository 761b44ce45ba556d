"""Serializable reads: what a member says of its own state, which may be old but never wrong.

- The keys read are those of the revision that the header names (or of the revision that was asked for).
- Within a session revisions never go back (see ``Operation.session``).
- Nobody reads a revision before somebody asked for what made it.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable
from itertools import accumulate

from tests.history.model import answer_range, holds
from tests.history.operations import History, Operation, revision_of, written_revision
from tests.history.requests import KeepAlive, Range, Request, Txn, is_serializable
from tests.history.responses import RangeResponse, TxnResponse
from tests.history.timeline import Timeline
from tests.history.verdict import OK, Verdict, broken
from tests.history.words import operation_text, outcome_text


def check_serializable(history: History, timeline: Timeline) -> Verdict:
    """Judge the serializable reads of a history against the log, and the revisions of every session."""
    reads = [
        operation
        for operation in history
        if is_serializable(operation.request) and isinstance(operation.outcome, RangeResponse | TxnResponse)
    ]
    faults = [_wrong(read, timeline) for read in reads]
    faults += _early(history, reads)
    faults += _backwards(history)
    found = [fault for fault in faults if fault]
    return broken("\n".join(found)) if found else OK


def _wrong(read: Operation, timeline: Timeline) -> str:
    revision = revision_of(read)
    assert revision is not None
    if revision > timeline.last:
        return (
            f"read at a revision that never was, the log ends at {timeline.last}:\n  {operation_text(read)}"
        )
    expected = _expected(timeline, read.request, revision)
    if expected == read.outcome:
        return ""
    return (
        f"not what the store held at revision {revision}:\n  {operation_text(read)}\n"
        f"  it held: {outcome_text(expected)}"
    )


def _expected(timeline: Timeline, request: Request, revision: int) -> RangeResponse | TxnResponse:
    if isinstance(request, Range):
        keys = timeline.range(request.key, request.range_end, revision=request.revision or revision)
        return answer_range(keys, request, revision=revision)
    assert isinstance(request, Txn), request
    succeeded = all(
        holds(timeline.range(compare.key, b"", revision=revision), compare) for compare in request.compares
    )
    ops = request.success if succeeded else request.failure
    parts = [_expected(timeline, op, revision) for op in ops]
    responses = tuple(part for part in parts if isinstance(part, RangeResponse))
    return TxnResponse(revision=revision, succeeded=succeeded, responses=responses)


def _early(history: History, reads: Iterable[Operation]) -> list[str]:
    """Find reads that returned before the request was made that wrote what they read."""
    writes = sorted(
        (revision, operation.invoked_s)
        for operation in history
        if (revision := written_revision(operation)) is not None
    )
    revisions = [revision for revision, _ in writes]
    begun_s = list(accumulate((invoked_s for _, invoked_s in writes), max))
    faults = []
    for read in reads:
        place = bisect_right(revisions, revision_of(read) or 0)
        if place and begun_s[place - 1] > read.returned_s:
            faults.append(
                f"a read of the future, what it read was asked for only at {begun_s[place - 1]:.6f}:\n"
                f"  {operation_text(read)}"
            )
    return faults


def _backwards(history: History) -> list[str]:
    """Find the first two operations of each session of which the later one was answered an older revision."""
    sessions: dict[Hashable, list[Operation]] = defaultdict(list)
    for operation in history:
        # A renewal is answered by the leader, past the state of the member that was asked.
        is_local = not isinstance(operation.request, KeepAlive)
        if operation.session is not None and is_local and revision_of(operation) is not None:
            sessions[operation.session].append(operation)
    return [fault for session, operations in sessions.items() if (fault := _backward(session, operations))]


def _backward(session: Hashable, operations: list[Operation]) -> str:
    returned = sorted(operations, key=lambda operation: operation.returned_s)
    newest: Operation | None = None
    following = 0
    for later in sorted(operations, key=lambda operation: operation.invoked_s):
        while returned[following].returned_s < later.invoked_s:
            if newest is None or (revision_of(returned[following]) or 0) > (revision_of(newest) or 0):
                newest = returned[following]
            following += 1
        if newest is not None and (revision_of(later) or 0) < (revision_of(newest) or 0):
            return (
                f"the revision went back in session {session!r}:\n  {operation_text(newest)}\n"
                f"  {operation_text(later)}"
            )
    return ""
