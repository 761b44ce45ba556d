"""Is there one order of all operations that explains every answer?

The search is that of Wing and Gong with Lowe's memory of configurations ("Testing for linearizability", 2017),
as porcupine has it: take any operation that no unplaced one precedes in time, let the model do it, go on if the
model answers what the store answered, else come back and try another.

What etcd answers makes the search short.  Every write and every read carries the revision of its moment:

- A write that answered revision r is the r-th change of the store, and no other is.
- What changed nothing is placed at its revision as soon as nothing precedes it: placing it earlier among
  operations of one revision can neither break it nor anything else.
- The store may not move on from a revision before everything answered at that revision is placed.
- A request that was never answered can only fill a revision that nobody claims, and only if it would have
  written what others saw of that revision; or the log, where there is one, says what it was.
- What makes no revision either (an unanswered grant, revocation or compaction) is placed only just before
  something that could tell the difference.
- A lease may expire by itself, its keys with it, once its TTL has passed since the invocation of the latest
  grant or renewal that was placed.  Until then a key that is gone has to be explained otherwise.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.history.calls import Call, Calls, Tag, may_write, prepare
from tests.history.clues import Clues
from tests.history.explain import Stuck, explain
from tests.history.forced import find_fault
from tests.history.model import EMPTY, Lease, State, expire, step
from tests.history.operations import History
from tests.history.requests import KeepAlive, Request
from tests.history.timeline import Timeline
from tests.history.verdict import Status, Verdict, broken

_PLACED_SHOWN_MAX = 8


def check_linearizable(
    history: History,
    *,
    timeline: Timeline | None = None,
    ttl_share: float = 1.0,
    steps_max: int = 1_000_000,
) -> Verdict:
    """Judge all but serializable reads, for which see ``check_serializable``.  The store was empty at first.

    Args:
        history: the operations of all clients, in any order.
        timeline: the log, if known; then each of its revisions must have been made by some operation (or the end
            of a lease), and every acknowledged write must be in it.
        ttl_share: how much of a TTL must pass at least; below 1 where members' clocks run faster than ours.
        steps_max: bound on the requests that the model does; beyond it the verdict is unknown.
    """
    calls = prepare(history)
    fault = find_fault(calls.answered, timeline)
    if fault:
        return broken(fault)
    return _Search(calls, Clues(calls.answered, timeline), ttl_share, steps_max).run()


@dataclass(frozen=True, slots=True)
class _Path:
    """What was placed, last first; a text for what no call did."""

    last: Call | str
    parent: "_Path | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    """Where a search stands: some calls are placed, and ``state`` is what they made."""

    following: int = 0
    """Index of the first answered call that has to wait for one in ``open``."""
    open: tuple[int, ...] = ()
    """The calls before it that are unplaced: any of them may be next."""
    limit_s: float = math.inf
    """The earliest return among them: whatever is next happened no later."""
    used: int = 0
    """Bit i is set if the i-th ambiguous call is placed."""
    left: int
    """How many calls that were answered at the state's revision are unplaced."""
    state: State
    path: _Path | None = None

    @property
    def placed(self) -> int:
        return self.following - len(self.open)


class _Search:
    def __init__(self, calls: Calls, clues: Clues, ttl_share: float, steps_max: int) -> None:
        self._answered = calls.answered
        self._ambiguous = calls.ambiguous
        self._clues = clues
        self._ttl_share = ttl_share
        self._steps_max = steps_max
        self._steps = 0

    def run(self) -> Verdict:
        best = self._opened(_Point(left=self._clues.count_at(EMPTY.revision), state=EMPTY))
        stack, known = [best], set()
        while stack:
            point = self._settled(stack.pop())
            if (point.placed, point.state.revision) > (best.placed, best.state.revision):
                best = point
            if self._is_done(point):
                return Verdict(status=Status.OK, steps=self._steps)
            if self._steps > self._steps_max:
                return self._verdict(Status.UNKNOWN, best)
            key = (point.following, point.open, point.used, point.state.digest)
            if key not in known:
                known.add(key)
                stack.extend(reversed(list(self._successors(point))))
        return self._verdict(Status.BROKEN, best)

    def _verdict(self, status: Status, point: _Point) -> Verdict:
        path, last = point.path, list[Call | str]()
        while path is not None and len(last) < _PLACED_SHOWN_MAX:
            last.append(path.last)
            path = path.parent
        stuck = Stuck(
            placed=point.placed,
            total=len(self._answered),
            last=last[::-1],
            state=point.state,
            open=[self._answered[i] for i in point.open],
        )
        return Verdict(status=status, text=explain(stuck, self._clues), steps=self._steps)

    def _is_done(self, point: _Point) -> bool:
        all_placed = point.placed == len(self._answered)
        return all_placed and (self._clues.timeline is None or point.state.revision >= self._clues.horizon)

    def _opened(self, point: _Point) -> _Point:
        """Take in every call that now precedes or overlaps all unplaced ones."""
        waiting, following = list(point.open), point.following
        limit_s = min((self._answered[i].returned_s for i in waiting), default=math.inf)
        while following < len(self._answered) and self._answered[following].invoked_s <= limit_s:
            limit_s = min(limit_s, self._answered[following].returned_s)
            waiting.append(following)
            following += 1
        return replace(point, following=following, open=tuple(waiting), limit_s=limit_s)

    def _moved(self, point: _Point, state: State, by: Call | str) -> _Point:
        """Return the point after what made ``state``."""
        left = point.left if state.revision == point.state.revision else self._clues.count_at(state.revision)
        if isinstance(by, Call) and by.after == state.revision:
            left -= 1
        return replace(point, state=state, left=left, path=_Path(by, point.path))

    def _placed(self, point: _Point, index: int, state: State) -> _Point:
        moved = self._moved(point, state, self._answered[index])
        return self._opened(replace(moved, open=tuple(i for i in point.open if i != index)))

    def _settled(self, point: _Point) -> _Point:
        """Place whatever changes nothing and is right here."""
        while True:
            index = next((i for i in point.open if self._is_right(point, self._answered[i])), None)
            if index is None:
                return point
            point = self._placed(point, index, point.state)

    def _is_right(self, point: _Point, call: Call) -> bool:
        if not call.is_quiet or call.after not in {None, point.state.revision}:
            return False
        if isinstance(call.request, KeepAlive):
            # A lease whose time has passed is not renewed, though its end may not be in the log yet.
            lease = point.state.leases.get(call.request.lease_id)
            return lease is None or self._is_due(lease, point)
        self._steps += 1
        return call.agrees(step(point.state, call.request)[1])

    def _successors(self, point: _Point) -> Iterator[_Point]:
        """Yield every point one step on, the likely ones first."""
        revision = point.state.revision
        calls = [(i, self._answered[i]) for i in point.open]
        if any(call.is_quiet and call.after == revision for _, call in calls):
            return  # No other call of this revision makes wrong content right.
        changing = [
            (state.revision, i, state)
            for i, call in calls
            if not call.is_quiet and (state := self._after(point, call)) is not None
        ]
        for _, i, state in sorted(changing, key=lambda change: change[:2]):
            yield self._placed(point, i, state)
        yield from self._unasked(point)

    def _after(self, point: _Point, call: Call) -> State | None:
        """Return the state after an answered call; None if it cannot be next."""
        revision = point.state.revision
        if call.after is not None and not revision + call.is_writer <= call.after <= revision + 1:
            return None
        state = self._stepped(point.state, call)
        return state if self._may_become(point, state) else None

    def _stepped(self, state: State, call: Call) -> State | None:
        self._steps += 1
        after, answer = step(state, call.request, at_s=call.invoked_s)
        return after if call.response is None or call.agrees(answer) else None

    def _may_become(self, point: _Point, state: State | None) -> bool:
        if state is None or state.past is None or state.revision == point.state.revision:
            return state is not None
        return point.left == 0 and self._clues.allows(state.past)

    def _unasked(self, point: _Point) -> Iterator[_Point]:
        """Yield the points after what nobody was told of: unanswered calls, and leases at their end."""
        revision = point.state.revision
        wanted = {tag for i in point.open for tag in self._answered[i].tags}
        is_gap = point.left == 0 and self._clues.is_gap(revision + 1, is_open_ended=bool(wanted))
        if not is_gap and not wanted:
            return
        lurking = self._lurking(point)
        if is_gap:
            wanted.update(tag for _, call in lurking if may_write(call.request) for tag in call.tags)

        def is_worth_it(state: State | None, tags: frozenset[Tag]) -> bool:
            if state is None or state == point.state:
                return False
            if state.revision == revision:
                return not wanted.isdisjoint(tags)
            return is_gap and self._may_become(point, state)

        for i, call in lurking:
            if call.pin in {None, revision + 1} and (is_gap or wanted & call.tags):
                state = self._stepped(point.state, call)
                if state is not None and is_worth_it(state, call.tags):
                    yield replace(self._moved(point, state, call), used=point.used | 1 << i)
        for lease_id, lease in point.state.leases.items():
            if self._is_due(lease, point) and (is_gap or lease_id in wanted):
                self._steps += 1
                state = expire(point.state, lease_id)
                if is_worth_it(state, frozenset({lease_id})):
                    yield self._moved(point, state, f"lease {lease_id} expires")

    def _lurking(self, point: _Point) -> list[tuple[int, Call]]:
        """Return the unanswered calls that may be done by now; what was done at all was most likely done soon.

        Of several that ask the same, the first in time may do whatever a later one may.
        """
        begun = bisect_right(self._ambiguous, point.limit_s, key=lambda call: call.invoked_s)
        first: dict[Request, tuple[int, Call]] = {}
        for i in range(begun):
            if not point.used >> i & 1:
                first.setdefault(self._ambiguous[i].request, (i, self._ambiguous[i]))
        return list(first.values())[::-1]

    def _is_due(self, lease: Lease, point: _Point) -> bool:
        """Whether the time of a lease may have passed by now."""
        return lease.renewed_s + lease.ttl_s * self._ttl_share <= point.limit_s
