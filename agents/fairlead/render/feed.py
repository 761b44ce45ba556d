"""The mirror's changes, one at hand at a time, for a loop that waits for other things too."""

import asyncio
import contextlib

from fairlead.client import Change, Changes


class Feed:
    """Fetches ahead by one, and wakes the loop."""

    def __init__(self, changes: Changes, *, woken: asyncio.Event) -> None:
        """Begin to fetch.

        Args:
            changes: of a mirror.
            woken: set whenever there is something to ``take``.
        """
        self._changes = changes
        self._woken = woken
        self._task = self._fetch()

    def take(self) -> Change | None:
        """Return what has arrived, merged as far as it was waiting; None when nothing has."""
        if not self._task.done():
            return None
        change = self._task.result()
        self._task = self._fetch()
        return change

    def _fetch(self) -> asyncio.Task[Change]:
        task = asyncio.create_task(anext(self._changes), name="render feed")
        task.add_done_callback(lambda _: self._woken.set())
        return task

    async def close(self) -> None:
        """Stop listening."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
