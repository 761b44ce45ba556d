"""What a renderer needs of its host to change anything: the journal, threads, and a lane for each group."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import structlog

from fairlead.agent import ConfigError
from fairlead.render.change import Machine, Outcome
from fairlead.render.change.effects import Effects, SignalChild
from fairlead.render.change.journal import Journal
from fairlead.render.config import RenderSettings
from fairlead.render.errors import JournalError, JournalInUseError
from fairlead.render.lane import Gate, Lane
from fairlead.render.resource import Resource
from fairlead.render.steering import Steering
from fairlead.render.supervisor import Supervisor


def open_journal(settings: RenderSettings) -> Journal:
    """Open the journal.

    Raises:
        ConfigError: another renderer has it, it is damaged, or its folder cannot be used.
    """
    folder = settings.state_folder
    try:
        return Journal(folder)
    except (JournalInUseError, JournalError) as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        problem = f"cannot keep a journal in {folder}: {error.strerror or error}"
        raise ConfigError(problem, "give --state-dir DIR, which survives a reboot") from error


class Host:
    """The lanes of one renderer.  Use it as an async context manager; leaving it waits for what runs.

    Attributes:
        steering: what an operator may tell it.
    """

    def __init__(
        self,
        settings: RenderSettings,
        journal: Journal,
        *,
        gate: Gate,
        report: Callable[[Outcome], None],
        log: structlog.stdlib.BoundLogger | None = None,
    ) -> None:
        """Make no lane yet.

        Args:
            settings: for commands and files.
            journal: open, and closed here.
            gate: where the slots of rollouts are.
            report: called in the loop with each outcome.
            log: for the programs that are supervised; None where none is, because we shall end soon.
        """
        self._settings = settings
        self._log = log
        self._supervisors: dict[str, tuple[Supervisor, asyncio.Task[None]]] = {}
        self._journal = journal
        self._gate = gate
        self._report = report
        self._lanes: dict[str, Lane] = {}
        self._busy: set[str] = set()
        self.steering = Steering(journal)
        self._threads = ThreadPoolExecutor(settings.limits.apply_threads, "apply")
        self._tasks = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for lane in self._lanes.values():
            lane.stop()
        for lane in self._lanes.values():
            await lane.settled()
        for _, task in self._supervisors.values():
            task.cancel()
        try:
            await self._tasks.__aexit__(kind, error, trace)
        finally:
            self._threads.shutdown()
            self._journal.close()

    @property
    def lanes(self) -> dict[str, Lane]:
        """The lanes there are, by group."""
        return self._lanes

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._busy

    @property
    def unfinished(self) -> list[str]:
        """The groups whose change was begun and whose resource is gone."""
        return [group for group in self._journal.unfinished() if group not in self._lanes]

    def lane(self, resource: Resource) -> Lane:
        """Return the group's lane; a new one first ends what an earlier process began."""
        lane = self._lanes.get(resource.group)
        if lane is None:
            machine = Machine(
                resource.group,
                self._journal.memory(resource.group),
                is_sync_only=self._settings.sync_only,
            )
            lane = self._lanes[resource.group] = Lane(
                machine,
                Effects(self._journal, self._settings, signal_child=self._supervise(resource)),
                gate=self._gate,
                tasks=self._tasks,
                executor=self._threads,
                report=self._tell,
                busy=self._busy,
            )
            lane.resume(resource)
        self.steering.add(resource, lane)
        return lane

    def _supervise(self, resource: Resource) -> SignalChild:
        """Return what signals the group's program; it does not run before its files are there."""
        if resource.child is None or self._log is None:
            return lambda _: None
        supervisor = Supervisor(resource.group, resource.child, log=self._log)
        task = self._tasks.create_task(supervisor.run(), name=f"program of {resource.group}")
        self._supervisors[resource.group] = (supervisor, task)
        return supervisor.take_up

    def _tell(self, outcome: Outcome) -> None:
        """A program whose files are in place is started, though nothing has changed since it last ran."""
        supervised = self._supervisors.get(outcome.resource.group)
        if supervised is not None and outcome.error is None and supervised[0].pid is None:
            supervised[0].want()
        self._report(outcome)
