"""The table of the state machine: the states, what each asks for, and where success and failure lead.

Each function looks at one attempt and notes in it what was learnt; the machine does the going.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from fairlead.render.change import words
from fairlead.render.change.actions import Action
from fairlead.render.change.attempt import Attempt
from fairlead.render.change.memory import Phase, remember
from fairlead.render.change.model import Change, Found, plan_change
from fairlead.render.change.outcome import Step
from fairlead.render.errors import GuardError, QuarantinedError
from fairlead.render.guards import refusal


class State(Enum):
    """Where an attempt is."""

    IDLE = auto()
    INSPECTING = auto()
    REPAIRING = auto()
    STAGING = auto()
    CHECKING = auto()
    THROTTLED = auto()
    ACQUIRING = auto()
    WAITING_FOR_SLOT = auto()
    PREPARING = auto()
    SWAPPING = auto()
    RELOADING = auto()
    VERIFYING = auto()
    SOAKING = auto()
    VERIFYING_AGAIN = auto()
    SETTLING = auto()
    RELEASING = auto()
    UNSWAPPING = auto()
    ABANDONING = auto()
    UNDOING = auto()
    RESTORING = auto()
    RELOADING_OLD = auto()
    VERIFYING_OLD = auto()
    QUARANTINING = auto()
    DISCARDING = auto()


INTERRUPTIBLE = frozenset({State.THROTTLED, State.WAITING_FOR_SLOT})
"""Where something newer takes the place of what waits."""


def owed(attempt: Attempt, otherwise: State) -> State:
    """Return where to go on with what an earlier attempt has begun and not ended."""
    if attempt.memory.phase is Phase.SETTLED:
        return otherwise
    attempt.change = attempt.memory.change
    if attempt.memory.phase is Phase.PENDING:
        attempt.step = Step.RELOAD
        return State.SWAPPING
    attempt.step = Step.ROLL_BACK
    return State.RESTORING


# Where success leads


def _decide(attempt: Attempt, found: Found) -> State:
    """Compare what is with what ought to be."""
    rendered, memory = attempt.rendered, attempt.memory
    assert rendered.files is not None
    wanted = {file.dest for file in rendered.files}
    change = attempt.change = plan_change(
        rendered,
        found,
        orphans={dest: digest for dest, digest in memory.prunable.items() if dest not in wanted},
        before=memory.before,
        cause=attempt.offer.cause,
        hold=attempt.offer.hold,
    )
    if memory.is_running_on(change.installed) and not attempt.is_reload_owed and not change.changed:
        is_in_place = all(found.files.get(file.dest) == file.new for file in change.files)
        attempt.step = Step.NOTHING if is_in_place else Step.REPAIR
        if not is_in_place:
            return State.REPAIRING
        return State.IDLE if attempt.owed_release is None else State.RELEASING
    attempt.step = Step.REPLACE if change.changed else Step.RELOAD
    return State.STAGING if _may_change(attempt, change) else owed(attempt, State.IDLE)


def _may_change(attempt: Attempt, change: Change) -> bool:
    """Whether neither a quarantine nor a guard stands in the way."""
    resource, memory = attempt.resource, attempt.memory
    if change.output == memory.quarantined:
        text = words.quarantined(attempt.group, memory.reason)
        attempt.error = QuarantinedError(resource.name, text)
        return False
    reason = refusal(resource.guards, change.counts, memory.counts)
    if reason is not None:
        attempt.error = GuardError(resource.name, words.guarded(attempt.group, reason))
    return reason is None


def _checked(attempt: Attempt, warnings: tuple[str, ...] | None) -> State:
    attempt.warnings += warnings or ()
    return State.THROTTLED


def _acquired(_: Attempt, waiting_for: str | None) -> State:
    return State.WAITING_FOR_SLOT if waiting_for else State.PREPARING


def _prepared(attempt: Attempt, record: Mapping[str, Any]) -> State:
    attempt.memory = remember(attempt.memory, record)
    return State.SWAPPING


def _swapped(attempt: Attempt, warnings: tuple[str, ...]) -> State:
    attempt.warnings += warnings
    return State.RELOADING


def _settled(attempt: Attempt, record: Mapping[str, Any]) -> State:
    attempt.memory = remember(attempt.memory, record)
    return State.RELEASING


def _undoing(attempt: Attempt, record: Mapping[str, Any]) -> State:
    attempt.memory = remember(attempt.memory, record)
    attempt.step = Step.ROLL_BACK
    return State.RESTORING


def _quarantined(attempt: Attempt, record: Mapping[str, Any]) -> State:
    attempt.error = words.rolled_back(attempt.resource, attempt.changing, attempt.memory.reason)
    attempt.memory = remember(attempt.memory, record)
    attempt.is_halting = True
    return State.RELEASING


def _discarded(attempt: Attempt, _: None) -> State:
    return owed(attempt, State.RELEASING)


# Where failure leads


def _give_up(attempt: Attempt) -> State:
    """The host does not let us; nothing was touched."""
    attempt.error = words.refused_by_the_host(attempt.resource, attempt.problem)
    attempt.is_retry_due = True
    return State.DISCARDING


def _refuse(attempt: Attempt) -> State:
    """The check said no."""
    attempt.error = words.check_failed(attempt.resource, attempt.changing, attempt.problem)
    attempt.is_retry_due = True
    return State.DISCARDING


def _no_slot(attempt: Attempt) -> State:
    """The rollout is halted or frozen, or the store does not answer: nothing is begun."""
    attempt.error = words.no_slot(attempt.resource, attempt.problem)
    attempt.is_retry_due = True
    return State.DISCARDING


def _unswap(attempt: Attempt) -> State:
    """Not every file could be put in place, and the program has read none yet."""
    attempt.error = words.refused_by_the_host(attempt.resource, attempt.problem)
    attempt.is_retry_due = True
    # What is being ended here may have been read before the crash.
    return State.UNSWAPPING if attempt.step is Step.REPLACE else State.RELEASING


def _not_taken(attempt: Attempt) -> State:
    """The program has not taken the new files."""
    if _may_roll_back(attempt):
        return State.UNDOING
    attempt.error = words.reload_failed(attempt.resource, attempt.changing, attempt.problem)
    attempt.is_halting = True
    return State.RELEASING


def _may_roll_back(attempt: Attempt) -> bool:
    resource, change = attempt.resource, attempt.changing
    if resource.on_failure != "rollback" or not change.changed:
        return False
    is_first = change.is_first and attempt.memory.running is None
    return not is_first or resource.remove_on_first_failure


def _nor_the_old(attempt: Attempt) -> State:
    """The old files are back, and the program does not take them either."""
    attempt.error = words.rollback_failed(
        attempt.resource, attempt.changing, attempt.memory.reason, again=attempt.problem
    )
    attempt.is_halting = True
    return State.RELEASING


def _stuck(attempt: Attempt) -> State:
    """The disk takes nothing: what was begun stays begun, and is tried again."""
    attempt.error = words.refused_by_the_host(attempt.resource, attempt.problem)
    attempt.is_retry_due = True
    return State.IDLE


def _litter(attempt: Attempt) -> State:
    """A staged file that cannot be removed does no harm; the next one takes its place."""
    return _discarded(attempt, None)


def _released(attempt: Attempt, _: None) -> State:
    attempt.owed_release = None
    return State.IDLE


def _later(attempt: Attempt) -> State:
    """The slot stays ours until the store is back."""
    attempt.owed_release = str(attempt.error) if attempt.is_halting else attempt.owed_release or ""
    attempt.is_retry_due = True
    return State.IDLE


@dataclass(frozen=True, slots=True)
class Arrow:
    """One state: what it asks for (None: nothing, go on), and where success and failure lead."""

    act: Callable[[Attempt], Action | None]
    done: Callable[[Attempt, Any], State]
    failed: Callable[[Attempt], State]


def _to(state: State) -> Callable[[Attempt, Any], State]:
    return lambda _, __: state


TABLE: Mapping[State, Arrow] = {
    State.INSPECTING: Arrow(Attempt.inspect, _decide, _give_up),
    State.REPAIRING: Arrow(Attempt.repair, _to(State.IDLE), _give_up),
    State.STAGING: Arrow(Attempt.stage, _to(State.CHECKING), _give_up),
    State.CHECKING: Arrow(Attempt.check, _checked, _refuse),
    State.THROTTLED: Arrow(Attempt.throttle, _to(State.ACQUIRING), _give_up),
    State.ACQUIRING: Arrow(Attempt.acquire, _acquired, _no_slot),
    State.WAITING_FOR_SLOT: Arrow(Attempt.wait_for_slot, _to(State.ACQUIRING), _no_slot),
    State.PREPARING: Arrow(Attempt.prepare, _prepared, _give_up),
    # From here on a crash is gone on from.
    State.SWAPPING: Arrow(Attempt.swap, _swapped, _unswap),
    State.RELOADING: Arrow(Attempt.reload, _to(State.VERIFYING), _not_taken),
    State.VERIFYING: Arrow(Attempt.verify, _to(State.SOAKING), _not_taken),
    State.SOAKING: Arrow(Attempt.soak, _to(State.VERIFYING_AGAIN), _not_taken),
    State.VERIFYING_AGAIN: Arrow(Attempt.verify_again, _to(State.SETTLING), _not_taken),
    State.SETTLING: Arrow(Attempt.settle, _settled, _stuck),
    State.RELEASING: Arrow(Attempt.release, _released, _later),
    # The ways back.
    State.UNSWAPPING: Arrow(Attempt.restore, _to(State.ABANDONING), _stuck),
    State.ABANDONING: Arrow(Attempt.abandon, _settled, _stuck),
    State.UNDOING: Arrow(Attempt.undo, _undoing, _stuck),
    State.RESTORING: Arrow(Attempt.restore, _to(State.RELOADING_OLD), _stuck),
    State.RELOADING_OLD: Arrow(Attempt.reload, _to(State.VERIFYING_OLD), _nor_the_old),
    State.VERIFYING_OLD: Arrow(Attempt.verify, _to(State.QUARANTINING), _nor_the_old),
    State.QUARANTINING: Arrow(Attempt.quarantine, _quarantined, _stuck),
    State.DISCARDING: Arrow(Attempt.discard, _discarded, _litter),
}
