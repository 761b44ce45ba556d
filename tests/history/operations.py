"""A history: what each client asked, when, and what it was told."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

from tests.history.requests import Request
from tests.history.responses import Refused, Response, has_written


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It certainly did not happen and never will, for instance because it was refused before it was proposed."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """It may have happened at any moment after the invocation, may happen later, or may never happen."""

    reason: str = ""


Outcome = Response | Failed | Ambiguous


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One request and what became of it.

    Times are seconds on one clock that never goes back.  An operation precedes another if it returned
    *before* the other was invoked; at equal times the two count as concurrent, which proves less: take times
    from a ``Recorder`` where the clock may stand still.  What is ambiguous never returns (infinity).

    ``session`` names whatever has revisions that never go back for its user: one connection to one member, or
    one run of one member.  None: nothing is known.
    """

    client: int
    invoked_s: float
    returned_s: float = math.inf
    request: Request
    outcome: Outcome
    session: Hashable = None

    def __post_init__(self) -> None:
        assert self.invoked_s <= self.returned_s, f"returned before it was invoked: {self}"
        is_open = isinstance(self.outcome, Ambiguous)
        assert math.isinf(self.returned_s) == is_open, (
            f"what is ambiguous, and only that, never returns: {self}"
        )


History = Sequence[Operation]


def revision_of(operation: Operation) -> int | None:
    """Return the revision in the header of the answer; None if there was none."""
    if isinstance(operation.outcome, Failed | Ambiguous | Refused):
        return None
    return operation.outcome.revision


def written_revision(operation: Operation) -> int | None:
    """Return the revision that an operation says it made; None if it does not say so."""
    if isinstance(operation.outcome, Failed | Ambiguous) or not has_written(operation.outcome):
        return None
    return revision_of(operation)


@dataclass(slots=True)
class Recorder:
    """Writes a history down; gives every call and return a time of its own, in the order of recording."""

    _operations: list[Operation] = field(default_factory=list)
    _last_s: float = -math.inf

    def begin(self, client: int, request: Request, *, now_s: float, session: Hashable = None) -> int:
        """Note that a request leaves; return the token for ``end``.  What never ends stays ambiguous."""
        operation = Operation(
            client=client,
            invoked_s=self._tick(now_s),
            request=request,
            outcome=Ambiguous(reason="never answered"),
            session=session,
        )
        self._operations.append(operation)
        return len(self._operations) - 1

    def end(self, token: int, outcome: Outcome, *, now_s: float) -> None:
        """Note what the client was told."""
        returned_s = math.inf if isinstance(outcome, Ambiguous) else self._tick(now_s)
        self._operations[token] = replace(self._operations[token], returned_s=returned_s, outcome=outcome)

    def history(self) -> History:
        """Return all that was recorded so far."""
        return tuple(self._operations)

    def _tick(self, now_s: float) -> float:
        self._last_s = max(now_s, math.nextafter(self._last_s, math.inf))
        return self._last_s
