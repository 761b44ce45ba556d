"""The state machine of one group, without any IO.

It is told what was rendered (``offer``), asks for one action at a time (``action``) and is told how that went
(``complete``); between two attempts it rests and ``action`` is None.  The table in ``arrows`` says for
each state what it asks for, and where success and failure lead.  A state that asks for nothing is passed
through, as if it had succeeded.

What has to survive a crash is in ``memory``, and nothing gets there but by a record that is on the disk
already.  Where a crash leads is therefore read off the memory alone (``resume``):

    SETTLED        nothing was begun; the next offer finds out what there is to do
    PENDING        go on at SWAPPING: the contents are kept, swapping twice does no harm
    ROLLING_BACK   go on at RESTORING

A reload is skipped only when the memory says that the program runs on these very contents, never because the
files are equal.
"""

from collections.abc import Mapping
from typing import Any

from fairlead.render.change import words
from fairlead.render.change.actions import Action, Done, Result
from fairlead.render.change.arrows import INTERRUPTIBLE, TABLE, State, owed
from fairlead.render.change.attempt import Attempt, Offer
from fairlead.render.change.memory import Memory, remember
from fairlead.render.change.outcome import Outcome
from fairlead.render.rendered import Rendered
from fairlead.render.resource.model import Resource


class Machine:
    """One group's machine.  Times are seconds on a clock that never goes back.

    Attributes:
        state: where the attempt is; IDLE between two.
        action: what is to be done now; None at rest.
    """

    def __init__(self, group: str, memory: Memory, *, is_sync_only: bool = False) -> None:
        """Rest; ``resume`` ends what a crash has interrupted.

        Args:
            group: its name in the journal.
            memory: what the journal says of it.
            is_sync_only: put files in place, run neither checks, reloads nor probes.
        """
        self.group = group
        self.state = State.IDLE
        self.action: Action | None = None
        self._memory = memory
        self._is_sync_only = is_sync_only
        self._attempt: Attempt | None = None
        self._next: Offer | None = None
        self._outcomes: list[Outcome] = []

    def __repr__(self) -> str:
        return f"<Machine of {self.group}: {self.state.name}, {self.memory.phase.name}>"

    # Doors

    @property
    def memory(self) -> Memory:
        """What the journal says; also what is shown to people."""
        return self._memory if self._attempt is None else self._attempt.memory

    @property
    def is_overtaken(self) -> bool:
        """Whether something newer waits for the present attempt to end."""
        return self._next is not None

    def offer(self, rendered: Rendered, *, now_s: float, cause: tuple[str, ...] = (), hold: str = "") -> None:
        """Bring the host to ``rendered``, as soon as what is under way has ended; the newest offer wins.

        Args:
            rendered: what the keys want; with an error it only sees to a reload that is owed.
            now_s: the time.
            cause: the keys that were touched.
            hold: an output that shall not come back by itself, once this one is in force.
        """
        if self._next is not None:
            cause = tuple(dict.fromkeys([*self._next.cause, *cause]))
        self._next = Offer(rendered, cause, hold)
        if self.state is State.IDLE:
            self._begin(now_s)

    def resume(self, resource: Resource, *, now_s: float) -> None:
        """End what an earlier process began, with the commands that ``resource`` has now."""
        assert self.state is State.IDLE
        attempt = self._attempt = self._new_attempt(Offer(words.nothing_rendered(resource)), now_s)
        if attempt.is_reload_owed or resource.rollout is not None:
            # Without a debt a slot may still be ours: we were killed before we gave it back.
            self._enter(owed(attempt, State.RELEASING))

    def learn(self, record: Mapping[str, Any]) -> None:
        """Take note of a record that somebody else has written."""
        if self._attempt is None:
            self._memory = remember(self._memory, record)
        else:
            self._attempt.memory = remember(self._attempt.memory, record)

    def drop_waiting(self) -> None:
        """Begin nothing after the present attempt; one that only waits ends here."""
        self._next = None
        if self.state in INTERRUPTIBLE:
            self._overtake()

    def complete(self, result: Result, *, now_s: float) -> None:
        """Take note of how the action went."""
        attempt = self._attempt
        assert attempt is not None
        assert self.action is not None
        attempt.now_s = now_s
        if self._next is not None and self.state in INTERRUPTIBLE:
            self._overtake()
            return
        arrow = TABLE[self.state]
        if isinstance(result, Done):
            self._enter(arrow.done(attempt, result.value))
        else:
            attempt.problem = result.problem
            self._enter(arrow.failed(attempt))

    def take_outcomes(self) -> list[Outcome]:
        """Return how the attempts since the last call ended."""
        outcomes, self._outcomes = self._outcomes, []
        return outcomes

    # Going on

    def _new_attempt(self, offer: Offer, now_s: float) -> Attempt:
        return Attempt(
            group=self.group,
            memory=self.memory,
            offer=offer,
            now_s=now_s,
            is_sync_only=self._is_sync_only,
            reloaded_at_s=None if self._attempt is None else self._attempt.reloaded_at_s,
            owed_release=None if self._attempt is None else self._attempt.owed_release,
        )

    def _begin(self, now_s: float) -> None:
        """Take up what was offered last."""
        assert self._next is not None
        attempt = self._attempt = self._new_attempt(self._next, now_s)
        self._next = None
        if attempt.rendered.error is not None:
            attempt.error = attempt.rendered.error
            attempt.is_retry_due = attempt.rendered.error.is_transient
            self._enter(owed(attempt, State.IDLE))
        elif attempt.is_reload_owed and words.is_same_output(attempt.rendered, attempt.memory.change):
            self._enter(owed(attempt, State.IDLE))
        else:
            self._enter(State.INSPECTING)

    def _enter(self, state: State) -> None:
        """Go to ``state``, and on through every state that has nothing to do."""
        attempt = self._attempt
        assert attempt is not None
        while state is not State.IDLE:
            self.state = state
            arrow = TABLE[state]
            self.action = arrow.act(attempt)
            if self.action is not None:
                return
            state = arrow.done(attempt, None)
        self.state, self.action = State.IDLE, None
        if not attempt.is_overtaken:
            self._outcomes.append(attempt.outcome())
        if self._next is not None:
            self._begin(attempt.now_s)

    def _overtake(self) -> None:
        """Let what waits give way to what is newer."""
        assert self._attempt is not None
        self._attempt.is_overtaken = True
        self._enter(State.DISCARDING)
