"""Why no order was found, for a person: what fits up to where, the state there, and what each next call lacks."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.history.calls import Call
from tests.history.clues import Clues
from tests.history.model import Change, Past, State, step
from tests.history.words import kv_text, operation_text, outcome_text

_KEYS_SHOWN_MAX = 20
_BEHIND_SHOWN_MAX = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """The place at which the longest way ended."""

    placed: int
    total: int
    last: Sequence[Call | str]
    state: State
    open: Sequence[Call]
    """What might be next by its time."""
    later: Sequence[Call]
    """What has to wait for one of those."""


def two_claims(answered: Sequence[Call]) -> str:
    """Name two writes that were answered one and the same revision; empty if there are none."""
    writers: dict[int | None, Call] = {}
    for call in answered:
        if call.is_writer and writers.setdefault(call.after, call) is not call:
            first, second = (operation_text(one.operation) for one in (writers[call.after], call))
            return f"two writes made revision {call.after}:\n  {first}\n  {second}"
    return ""


def explain(stuck: Stuck, clues: Clues) -> str:
    """Return the text: the first line is the fault in short, if one stands out."""
    state = stuck.state
    reasons = [(call, _reason(stuck, clues, call)) for call in stuck.open]
    blame = [f"  {operation_text(call.operation)}\n    {reason}" for call, reason in reasons if reason]
    later = [f"  {operation_text(call.operation)}" for call, reason in reasons if not reason]
    return "\n".join(
        [
            f"no order explains the answers: {stuck.placed} of {stuck.total} operations have a place",
            "placed last:",
            *(f"  {_placed(one)}" for one in stuck.last),
            f"then the store was at revision {state.revision} (compacted to {state.compacted}):",
            *_state_lines(state, stuck.open),
            "next would be, but cannot:",
            *(blame or ["  nothing"]),
            *_behind(stuck),
            *_gap(state, clues),
            *(["at the same time, but for a later revision:", *later] if later else []),
        ]
    )


def _placed(one: Call | str) -> str:
    return one if isinstance(one, str) else operation_text(one.operation)


def _state_lines(state: State, calls: Sequence[Call]) -> list[str]:
    names = sorted(state.keys)[:_KEYS_SHOWN_MAX]
    lines = [f"  {kv_text(state.keys[name])}" for name in names] or ["  no keys"]
    if len(state.keys) > len(names):
        lines.append(f"  and {len(state.keys) - len(names)} more keys")
    lines += [
        f"  lease {lease_id}, {lease.ttl_s:g} s since {lease.renewed_s:.6f}"
        for lease_id, lease in sorted(state.leases.items())
        if any(lease_id in call.tags for call in calls) or state.keys_of(lease_id)
    ]
    return lines


def _reason(stuck: Stuck, clues: Clues, call: Call) -> str:
    """Return why a call cannot be next; empty if it is simply not its turn."""
    revision = stuck.state.revision
    if call.after is not None and call.after - call.is_writer < revision:
        return f"its revision is over: the store is at {revision} before it"
    if call.after is not None and call.after - call.is_writer > revision:
        return ""
    after, answer = step(stuck.state, call.request, at_s=call.invoked_s)
    if not call.agrees(answer):
        return f"but here the answer would be: {outcome_text(answer)}"
    if after.past is not None and after.revision > revision and not clues.allows(after.past):
        return _contradiction(clues, after.past)
    return ""


def _contradiction(clues: Clues, made: Past) -> str:
    timeline = clues.timeline
    if timeline is None:
        witness = clues.witness(made)
        return f"but this says otherwise: {operation_text(witness.operation)}" if witness else ""
    if made.revision > timeline.last:
        return f"but the log ends at revision {timeline.last}"
    return f"but the log holds at revision {made.revision}: {_changes(timeline.changes(made.revision))}"


def _changes(changes: Sequence[Change]) -> str:
    return ", ".join(f"{kv_text(change.before)} becomes {kv_text(change.after)}" for change in changes)


def _behind(stuck: Stuck) -> list[str]:
    """Name what belongs to this revision, yet was asked for only after something later had returned."""
    revision = stuck.state.revision
    late = [c for c in stuck.later if c.after is not None and c.after <= revision]
    if not late:
        return []
    first = min(stuck.open, key=lambda call: call.returned_s)
    return [
        f"answered as of revision {revision} or before, yet asked only after others had returned:",
        *(f"  {operation_text(call.operation)}" for call in late[:_BEHIND_SHOWN_MAX]),
        "  that had returned:",
        f"  {operation_text(first.operation)}",
    ]


def _gap(state: State, clues: Clues) -> list[str]:
    following = state.revision + 1
    if not clues.is_gap(following):
        return []
    seen = ", ".join(sorted(map(kv_text, clues.seen_at(following)))) or "nothing"
    if clues.timeline is not None:
        seen = _changes(clues.timeline.changes(following))
    return [f"nobody who could have made revision {following} is known; it holds: {seen}"]
