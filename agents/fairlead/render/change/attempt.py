"""One attempt to bring a group up to date: what is known of it, and what each step of it would ask for.

A method that returns an action returns None where the resource calls for none: there is nothing to check, no slot
to take.  Which step comes when is the machine's.
"""

from dataclasses import dataclass
from typing import Any

from fairlead.render.change import actions
from fairlead.render.change.actions import Action
from fairlead.render.change.memory import Memory, Phase
from fairlead.render.change.model import Change
from fairlead.render.change.outcome import Outcome, Step
from fairlead.render.errors import RenderError
from fairlead.render.rendered import Rendered
from fairlead.render.resource.model import LogProbe, Resource

ROLLOUT_PAUSE_S = 1.0
"""Between two attempts to get a slot of the rollout."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What was rendered.

    Attributes:
        cause: the keys that were touched.
        hold: an output that shall not come back by itself; empty for none.
    """

    rendered: Rendered
    cause: tuple[str, ...] = ()
    hold: str = ""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt.

    Attributes:
        memory: of the group, as of now.
        change: None until it is known.
        step: what is being done.
        error: why it does not come to what was offered.
        is_overtaken: it gave way to something newer, and its end is no news.
        problem: what the last action that failed had to say.
        is_halting: the host has come to harm, so no other shall follow.
        is_retry_due: another attempt on the same keys may succeed.
        reloaded_at_s: when the last reload began; None before the first.
        owed_release: a slot could not be given back, and what was to be said with it; None when all is well.
    """

    group: str
    memory: Memory
    offer: Offer
    now_s: float
    is_sync_only: bool = False
    reloaded_at_s: float | None = None
    owed_release: str | None = None
    change: Change | None = None
    step: Step = Step.NOTHING
    error: RenderError | None = None
    problem: str = ""
    is_halting: bool = False
    is_overtaken: bool = False
    is_retry_due: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def rendered(self) -> Rendered:
        """What was offered."""
        return self.offer.rendered

    @property
    def resource(self) -> Resource:
        """Whose commands are run."""
        return self.offer.rendered.resource

    @property
    def changing(self) -> Change:
        """The change, where there must be one."""
        assert self.change is not None
        return self.change

    @property
    def is_reload_owed(self) -> bool:
        """Whether a change was begun of which nobody knows yet whether the program has taken it."""
        return self.memory.phase is not Phase.SETTLED

    def outcome(self) -> Outcome:
        """Return how it ended."""
        return Outcome(
            resource=self.resource,
            step=self.step,
            change=self.change,
            error=self.error,
            is_reload_owed=self.is_reload_owed,
            is_retry_due=self.is_retry_due or self.is_reload_owed,
            warnings=self.warnings,
        )

    # Files

    def inspect(self) -> Action | None:
        """Look at what is to be made, and at what an earlier list made."""
        assert self.rendered.files is not None
        dests = dict.fromkeys([file.dest for file in self.rendered.files])
        return actions.Inspect(dests=tuple(dests | dict.fromkeys(self.memory.prunable)))

    def repair(self) -> Action | None:
        """Set mode and owner."""
        return actions.Repair(files=self.changing.files)

    def stage(self) -> Action | None:
        """Stage what changes."""
        files = tuple(file for file in self.changing.changed if file.new is not None)
        return actions.Stage(files=files, contents=self._contents()) if files else None

    def swap(self) -> Action | None:
        """Put everything in place."""
        return actions.Swap(files=self.changing.files)

    def restore(self) -> Action | None:
        """Put everything back."""
        return actions.Restore(files=self.changing.files)

    def discard(self) -> Action | None:
        """Remove what was staged."""
        changed = () if self.change is None else self.change.changed
        dests = tuple(file.dest for file in changed if file.new is not None)
        return actions.Discard(dests=dests) if dests else None

    def _contents(self) -> dict[str, bytes]:
        return {file.dest: file.content for file in self.rendered.files or ()}

    # Commands

    def check(self) -> Action | None:
        """Check what was staged."""
        check = self.resource.check
        if check is None or not self.changing.changed or self.is_sync_only:
            return None
        return actions.RunCheck(check=check, files=self.changing.files)

    def throttle(self) -> Action | None:
        """Wait out the time since the last reload; nothing is in place yet, so nothing can be lost."""
        reload = self.resource.reload
        if reload is None or self.reloaded_at_s is None or self.is_sync_only:
            return None
        until_s = self.reloaded_at_s + reload.min_interval_s
        return actions.Pause(until_s=until_s) if until_s > self.now_s else None

    def reload(self) -> Action | None:
        """Have the program read its files."""
        reload = self.resource.reload
        if reload is None or self.is_sync_only:
            return None
        self.reloaded_at_s = self.now_s
        return actions.RunReload(reload=reload, dest=self._dest)

    def verify(self) -> Action | None:
        """Ask the probes."""
        verify = self.resource.verify
        if not verify or self.is_sync_only:
            return None
        is_rollback = self.step is Step.ROLL_BACK
        return actions.RunVerify(
            verify=verify, dest=self._dest, marks=self.memory.marks, is_rollback=is_rollback
        )

    @property
    def _dest(self) -> str:
        """What ``{{ dest }}`` stands for once the files are in place: the first of them."""
        files = self.changing.files
        return files[0].dest if files else ""

    # The rollout

    def acquire(self) -> Action | None:
        """Take a slot."""
        rollout = self.resource.rollout
        return None if rollout is None else actions.Acquire(rollout=rollout, revision=self.changing.inputs)

    def wait_for_slot(self) -> Action | None:
        """Wait before asking again."""
        return actions.Pause(until_s=self.now_s + ROLLOUT_PAUSE_S)

    def soak(self) -> Action | None:
        """Keep the slot for a while."""
        rollout = self.resource.rollout
        if rollout is None or not rollout.soak_s:
            return None
        return actions.Pause(until_s=self.now_s + rollout.soak_s, is_interruptible=False)

    def verify_again(self) -> Action | None:
        """See whether it has stayed good."""
        rollout = self.resource.rollout
        return self.verify() if rollout is not None and rollout.soak_s else None

    def release(self) -> Action | None:
        """Give the slot back; halt the rollout where the host has come to harm."""
        rollout = self.resource.rollout
        if rollout is None:
            return None
        return actions.Release(
            rollout=rollout,
            revision=0 if self.change is None else self.change.inputs,
            error=str(self.error) if self.is_halting else self.owed_release or "",
        )

    # The journal

    def prepare(self) -> Action | None:
        """Write down what is about to be done."""
        return actions.Prepare(
            group=self.group, change=self.changing, contents=self._contents(), logs=self._logs()
        )

    def settle(self) -> Action | None:
        """Write down that the program runs on the new files."""
        return self._append("done")

    def abandon(self) -> Action | None:
        """Write down that nothing came of it."""
        return self._append("abandoned")

    def undo(self) -> Action | None:
        """Write down that the old files come back."""
        return self._append("rolling_back", error=self.problem)

    def quarantine(self) -> Action | None:
        """Write down that the program runs on the old files."""
        return self._append("rolled_back")

    def _append(self, kind: str, **more: Any) -> Action:
        return actions.Append(record={"group": self.group, "kind": kind, **more})

    def _logs(self) -> tuple[str, ...]:
        probes = [one.probe for one in self.resource.verify]
        return tuple(sorted({probe.path for probe in probes if isinstance(probe, LogProbe)}))
