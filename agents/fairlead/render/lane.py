"""One resource's way to its destination: one rendering at a time, always the newest.

Each resource has its own lane, so that a check or a reload that hangs holds up nobody else.  A rendering that
is overtaken while it waits is dropped; an owed reload is not, it stays with the lane.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from fairlead.render.apply import Outcome, apply
from fairlead.render.config import RenderSettings
from fairlead.render.rendered import Rendered


class Lane:
    """Applies what it is offered.

    Attributes:
        is_idle: everything that was offered is applied.
        is_reload_owed: the program has not taken the file that is in place.
    """

    def __init__(
        self,
        settings: RenderSettings,
        *,
        tasks: asyncio.TaskGroup,
        executor: Executor,
        report: Callable[[Outcome], None],
    ) -> None:
        """Make an idle lane.

        Args:
            settings: for ``apply``.
            tasks: whose end waits for the lane, and which a bug in the lane brings down.
            executor: the threads in which commands are waited for.
            report: called in the loop with each outcome.
        """
        self.is_reload_owed = False
        self._settings = settings
        self._tasks = tasks
        self._executor = executor
        self._report = report
        self._next: Rendered | None = None
        self.is_idle = True

    def offer(self, rendered: Rendered) -> None:
        """Apply ``rendered`` as soon as what runs now has ended, unless something newer comes by then."""
        self._next = rendered
        if self.is_idle:
            self.is_idle = False
            self._tasks.create_task(self._run(), name=f"lane {rendered.resource.name}")

    def drop_waiting(self) -> None:
        """Begin nothing after what runs now."""
        self._next = None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while (rendered := self._next) is not None:
            self._next = None
            outcome = await loop.run_in_executor(self._executor, self._apply, rendered)
            self.is_reload_owed = outcome.is_reload_owed
            self.is_idle = self._next is None
            self._report(outcome)

    def _apply(self, rendered: Rendered) -> Outcome:
        return apply(rendered, self._settings, is_reload_owed=self.is_reload_owed)
