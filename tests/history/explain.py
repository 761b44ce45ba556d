"""Why no order was found, for a person: what fits up to where, the state there, and what each next call lacks."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.history.calls import Call
from tests.history.clues import Clues
from tests.history.model import State, step
from tests.history.words import changes_text, kv_text, operation_text, outcome_text

_KEYS_SHOWN_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """The place at which the longest way ended."""

    placed: int
    total: int
    last: Sequence[Call | str]
    state: State
    open: Sequence[Call]
    """What might be next by its time."""


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
    witness = clues.witness(after.past) if after.past is not None and after.revision > revision else None
    return f"but this says otherwise: {operation_text(witness.operation)}" if witness else ""


def _gap(state: State, clues: Clues) -> list[str]:
    following = state.revision + 1
    if not clues.is_gap(following):
        return []
    seen = ", ".join(sorted(map(kv_text, clues.seen_at(following)))) or "nothing"
    if clues.timeline is not None:
        seen = changes_text(clues.timeline.changes(following))
    return [f"nobody who could have made revision {following} is known; it holds: {seen}"]
