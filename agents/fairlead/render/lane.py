"""One group's way to its destinations: does what its machine asks for, one action at a time.

Each group has its own lane, so that a check or a reload that hangs holds up nobody else.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, Protocol

from fairlead.render.change import Machine, Memory, Outcome, State
from fairlead.render.change.actions import Acquire, Action, Done, Failed, Pause, Release, Result
from fairlead.render.change.effects import Effects
from fairlead.render.rendered import Rendered
from fairlead.render.resource import Resource
from fairlead.render.secrets import redact


class Gate(Protocol):
    """Where a rollout's slots are taken and given back."""

    async def acquire(self, action: Acquire) -> Result:
        """Try once; ``Done`` carries what has to be waited for, or nothing."""

    async def release(self, action: Release) -> Result:
        """Give the slot back."""


class NoGate:
    """Where there is no store to ask: nothing is begun."""

    async def acquire(self, action: Acquire) -> Result:
        """Refuse."""
        return Failed(problem=f"rollout {action.rollout.group}: there is no store to ask for a slot")

    async def release(self, action: Release) -> Result:
        """Refuse."""
        return Failed(problem=f"rollout {action.rollout.group}: there is no store")


class Lane:
    """Applies what it is offered, the newest first.

    Attributes:
        machine: decides.
    """

    def __init__(
        self,
        machine: Machine,
        effects: Effects,
        *,
        gate: Gate,
        tasks: asyncio.TaskGroup,
        executor: Executor,
        report: Callable[[Outcome], None],
        busy: set[str],
    ) -> None:
        """Make an idle lane.

        Args:
            machine: at rest.
            effects: does what blocks.
            gate: does what concerns other hosts.
            tasks: whose end waits for the lane, and which a bug in the lane brings down.
            executor: the threads in which ``effects`` runs.
            report: called in the loop with each outcome.
            busy: the groups that have something under way; kept up to date.
        """
        self.machine = machine
        self._effects = effects
        self._gate = gate
        self._tasks = tasks
        self._executor = executor
        self._report = report
        self._busy = busy
        self._clock_s = asyncio.get_running_loop().time
        self._task: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._is_stopping = False
        # Of this offer and the one before: a rollback may still speak of those.
        self._secrets: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())

    @property
    def is_idle(self) -> bool:
        """Whether everything that was offered has come to its end."""
        return self.machine.state is State.IDLE

    @property
    def memory(self) -> Memory:
        """What the journal says of the group."""
        return self.machine.memory

    def resume(self, resource: Resource) -> None:
        """End what an earlier process began."""
        self.machine.resume(resource, now_s=self._clock_s())
        self._go(resource)

    def offer(self, rendered: Rendered, *, cause: tuple[str, ...] = (), hold: str = "") -> None:
        """Bring the host to ``rendered`` as soon as what runs now has ended, unless something newer comes."""
        if rendered.secrets != self._secrets[0]:
            self._secrets = (rendered.secrets, self._secrets[0])
        self.machine.offer(rendered, now_s=self._clock_s(), cause=cause, hold=hold)
        self._go(rendered.resource)

    def learn(self, record: Mapping[str, Any]) -> None:
        """Take note of a record that was written past the machine."""
        self.machine.learn(record)

    def stop(self) -> None:
        """Begin nothing after what runs now; what waits is dropped, or is gone on with at the next start."""
        self._is_stopping = True
        self.machine.drop_waiting()
        self._news.set()

    async def settled(self) -> None:
        """Return once it is idle."""
        if self._task is not None:
            await asyncio.shield(self._task)

    def _go(self, resource: Resource) -> None:
        self._news.set()
        self._tell()
        if self.machine.action is not None and (self._task is None or self._task.done()):
            self._task = self._tasks.create_task(self._run(), name=f"lane {resource.group}")

    async def _run(self) -> None:
        while (action := self.machine.action) is not None:
            self._news.clear()
            if self._is_stopping and isinstance(action, Pause):
                return
            result = await self._perform(action)
            # A wait may have been dropped meanwhile.
            if self.machine.action is action and not (self._is_stopping and isinstance(action, Pause)):
                self.machine.complete(result, now_s=self._clock_s())
                self._tell()

    def _tell(self) -> None:
        (self._busy.discard if self.is_idle else self._busy.add)(self.machine.group)
        for outcome in self.machine.take_outcomes():
            self._report(outcome)

    async def _perform(self, action: Action) -> Result:
        match action:
            case Pause():
                await self._pause(action)
                return Done()
            case Acquire():
                return await self._gate.acquire(action)
            case Release():
                return await self._gate.release(action)
            case _:
                loop = asyncio.get_running_loop()
                result = await loop.run_in_executor(self._executor, self._effects.run, action)
                return self._redacted(result)

    def _redacted(self, result: Result) -> Result:
        """Hide secrets that a command has printed, before anybody writes them down."""
        if not isinstance(result, Failed):
            return result
        return dataclasses.replace(result, problem=redact(result.problem, frozenset.union(*self._secrets)))

    async def _pause(self, action: Pause) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(action.until_s):
                while not self._is_stopping:
                    await self._news.wait()
                    self._news.clear()
                    if action.is_interruptible and self.machine.is_overtaken:
                        return
