"""What is wrong whatever the order: faults that need no search, and make the plainest explanations."""

from collections.abc import Sequence

from tests.history.calls import Call
from tests.history.model import Lease, State, step
from tests.history.requests import Delete, Put, Range, Txn
from tests.history.responses import KeyValue, Refused, key_values
from tests.history.timeline import Timeline
from tests.history.words import changes_text, kv_text, operation_text, outcome_text


def find_fault(answered: Sequence[Call], timeline: Timeline | None) -> str:
    """Return the first fault that stands out; empty if a search has to decide.  Calls are in order of invocation."""
    return (
        _two_claims(answered)
        or _against_time(answered)
        or _two_stories(answered)
        or (_not_as_logged(answered, timeline) if timeline is not None else "")
    )


def _two_claims(answered: Sequence[Call]) -> str:
    """Find two writes that were answered one and the same revision."""
    writers: dict[int | None, Call] = {}
    for call in answered:
        if call.is_writer and writers.setdefault(call.after, call) is not call:
            return f"two writes made revision {call.after}:{_both(writers[call.after], call)}"
    return ""


def _against_time(answered: Sequence[Call]) -> str:
    """Find an answer of an older revision than one that had returned before it was even asked for."""
    dated = [call for call in answered if call.after is not None]
    returned = sorted(dated, key=lambda call: call.returned_s)
    newest, newest_call, following = 0, None, 0
    for call in dated:
        while returned[following].returned_s < call.invoked_s:
            if (returned[following].after or 0) > newest:
                newest_call = returned[following]
                newest = newest_call.after or 0
            following += 1
        if newest_call is not None and (call.after or 0) - call.is_writer < newest:
            return f"revision {newest} had been answered before this was asked for:{_both(newest_call, call)}"
    return ""


def _two_stories(answered: Sequence[Call]) -> str:
    """Find two answers that differ on what one revision made of a key."""
    stories: dict[tuple[bytes, int], tuple[KeyValue, Call]] = {}
    for call in answered:
        for kv in key_values(call.response) if call.response is not None else ():
            other, teller = stories.setdefault((kv.key, kv.mod_revision), (kv, call))
            if other != kv:
                return f"two answers differ, {kv_text(other)} and {kv_text(kv)}:{_both(teller, call)}"
    return ""


def _not_as_logged(answered: Sequence[Call], timeline: Timeline) -> str:
    """Find an answer that the log contradicts; the keys of each revision leave nothing to choose."""
    leases = {tag: Lease(0, 0) for call in answered for tag in call.tags if isinstance(tag, int)}
    state = State(leases=leases)  # Whether a lease was alive is another question.
    for call in sorted(filter(_is_of_keys, answered), key=_base):
        base = _base(call)
        if base + call.is_writer > timeline.last:
            return f"the log ends at revision {timeline.last}:\n  {operation_text(call.operation)}"
        while state.revision < base:
            state = state.changed(timeline.changes(state.revision + 1))
        after, answer = step(state, call.request)
        words = f"\n  {operation_text(call.operation)}\n  by the log"
        if not call.agrees(answer):
            return f"not what the store held:{words} the answer would be: {outcome_text(answer)}"
        if call.is_writer and (after.past is None or after.past.changes != timeline.changes(after.revision)):
            return f"not what the store did:{words}: {changes_text(timeline.changes(after.revision))}"
    return ""


def _is_of_keys(call: Call) -> bool:
    return isinstance(call.request, Range | Put | Delete | Txn) and not isinstance(call.response, Refused)


def _base(call: Call) -> int:
    """Return the revision that a call was done at."""
    return (call.after or 0) - call.is_writer


def _both(first: Call, second: Call) -> str:
    return f"\n  {operation_text(first.operation)}\n  {operation_text(second.operation)}"
