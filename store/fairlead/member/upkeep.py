"""What goes on beside the requests: commits of the database, compaction, slow watchers, cuts of the log."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import BinaryIO

import structlog

from fairlead.member.checkpoints import Checkpoints
from fairlead.member.config import MemberConfig
from fairlead.member.histogram import Histogram
from fairlead.member.opening import Opened, db_dir, mark_applied
from fairlead.member.writer import Writer
from fairlead.mvcc import BackendError, Commit
from fairlead.wal import Checkpoint

# Watchers that are behind read so many revisions in one turn: about two milliseconds.
_REVISIONS_MAX = 250
_log = structlog.get_logger("fairlead.store")


class Upkeep:
    """Runs the slow work of a member in slices, so that no request waits long for it."""

    def __init__(
        self, config: MemberConfig, opened: Opened, writer: Writer, *, on_error: Callable[[Exception], None]
    ) -> None:
        self._config = config
        self._opened = opened
        self._writer = writer
        self._on_error = on_error
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._compacting: asyncio.TimerHandle | None = None
        self._compacted: list[Callable[[], None]] = []
        self._finishing: asyncio.Task[None] | None = None
        self._committing: asyncio.Task[None] | None = None
        self._holding = asyncio.Lock()
        self._free = asyncio.Event()
        self._free.set()
        self._writes = 0
        self.committed_index = opened.replica.applied
        """Of the last entry whose effects are in the database, durably."""
        self.checkpoints = Checkpoints(
            opened.replica,
            every_entries=config.snapshot_count,
            keep_entries=config.snapshot_catchup_entries,
        )
        self._watchers_are_due = False
        self._is_stopped = False
        self.commit_histogram = Histogram()

    def start(self) -> None:
        """Begin the regular rounds."""
        self._timer = self._loop.call_later(self._config.commit_interval_s, self._round)
        self.compact_soon()

    def _round(self) -> None:
        self.commit_soon()
        self.sync_watchers_soon()
        if self._opened.machine.store.has_compaction_left:
            self.compact_soon()  # proposed by another member
        self._timer = self._loop.call_later(self._config.commit_interval_s, self._round)

    # ---- the database file ----

    def written(self, entries: int) -> None:
        """Take the news that so many entries were applied."""
        self._writes += entries
        if self._writes >= self._config.commit_writes_max:
            self.commit_soon()

    def commit_soon(self) -> None:
        """Bring the database file up to what is applied, unless that is going on."""
        if self._committing is None and self._free.is_set() and not self._is_stopped and self._is_behind():
            self._committing = self._loop.create_task(self._commit())
            self._committing.add_done_callback(self._commit_ended)

    def _is_behind(self) -> bool:
        return self._opened.replica.applied > self.committed_index or self._opened.backend.pending_count > 0

    async def _commit(self) -> None:
        opened, backend = self._opened, self._opened.backend
        self._writes = 0
        mark_applied(opened.replica)
        index = opened.replica.applied
        commit: Commit = backend.begin_commit()
        began_s = self._loop.time()
        await asyncio.to_thread(commit.run)
        backend.finish(commit)
        self.commit_histogram.observe(self._loop.time() - began_s)
        self.committed_index = index
        opened.machine.quota.used_bytes = backend.size_bytes + backend.pending_bytes
        if (checkpoint := self.checkpoints.after_commit(index)) is not None:
            self._writer.checkpoint(checkpoint, partial(self._checkpointed, checkpoint))

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Hold off commits, after the one that runs: somebody reads the database, or replaces it, alone."""
        async with self._holding:
            self._free.clear()
            try:
                while self._committing is not None:
                    await asyncio.wait({self._committing})
                yield
            finally:
                self._free.set()

    async def copy(self) -> BinaryIO:
        """Return a dump of the database with all that is applied by now; see ``Backend.copy``.

        Raises:
            BackendError: the disk refused.
        """
        await self.committed()
        async with self.held():
            return await self.copy_held()

    async def copy_held(self) -> BinaryIO:
        """Return a dump of the database as it is, to whoever holds commits off."""
        scratch = db_dir(self._config).with_name("db.copy")
        copying = self._loop.run_in_executor(None, self._opened.backend.copy, scratch)
        try:
            return await asyncio.shield(copying)
        except asyncio.CancelledError:
            # Commits must not go on, nor the database be closed, while a thread still reads it.
            await asyncio.wait({copying})
            if copying.exception() is None:
                copying.result().close()
            raise

    def _commit_ended(self, task: asyncio.Task[None]) -> None:
        self._committing = None
        if not task.cancelled() and (error := task.exception()) is not None:
            self._is_stopped = True  # what the disk holds, nobody knows: nothing is tried again
            self._on_error(error if isinstance(error, Exception) else RuntimeError(str(error)))

    def _checkpointed(self, checkpoint: Checkpoint, error: Exception | None) -> None:
        if error is not None:
            self._on_error(error)
        elif not self._is_stopped:
            self.checkpoints.durable(checkpoint)

    # ---- compaction ----

    def compact_soon(self) -> None:
        """Go on with a compaction, slice by slice."""
        if self._compacting is None and not self._is_stopped:
            self._compacting = self._loop.call_later(self._config.compaction_pause_s, self._compact_slice)

    def when_compacted(self, done: Callable[[], None]) -> None:
        """Call ``done`` when no compaction is left to do and the database file says so."""
        self._compacted.append(done)
        self.compact_soon()

    def _compact_slice(self) -> None:
        self._compacting = None
        try:
            is_done = self._opened.machine.store.compact_step(self._config.compaction_batch)
        except BackendError as error:
            self._on_error(error)
            return
        if not is_done:
            self.compact_soon()
            return
        waiters, self._compacted = self._compacted, []
        if waiters:
            self._finishing = self._loop.create_task(self._finish_compaction(waiters))

    async def _finish_compaction(self, waiters: list[Callable[[], None]]) -> None:
        await self.committed()
        for done in waiters:
            done()

    async def committed(self) -> None:
        """Wait until everything applied so far is in the database file."""
        wanted = self._opened.replica.applied
        while self.committed_index < wanted or self._opened.backend.pending_count:
            self.commit_soon()
            if self._committing is not None:
                await asyncio.wait({self._committing})
            elif self._is_stopped:
                return
            else:
                await self._free.wait()

    async def defragment(self) -> None:
        """Rewrite the database file without its holes."""
        await self.committed()
        async with self.held():
            backend = self._opened.backend
            before = backend.size_bytes
            backend.defragment()
            self._opened.machine.quota.used_bytes = backend.size_bytes
        _log.info("defragmented", bytes_before=before, bytes_after=backend.size_bytes)

    # ---- watchers ----

    def sync_watchers_soon(self) -> None:
        """Let watchers that are behind catch up, a slice at a turn."""
        if (
            not self._watchers_are_due
            and self._opened.machine.store.hub.behind_count > 0
            and not self._is_stopped
        ):
            self._watchers_are_due = True
            self._loop.call_soon(self._sync_watchers)

    def _sync_watchers(self) -> None:
        self._watchers_are_due = False
        if self._opened.machine.store.hub.sync_step(revisions_max=_REVISIONS_MAX):
            self.sync_watchers_soon()

    async def stop(self) -> None:
        """Commit a last time, unless that has failed before, and end the rounds."""
        for timer in (self._timer, self._compacting):
            if timer is not None:
                timer.cancel()
        if self._committing is not None:
            await asyncio.wait({self._committing})
        if self._is_behind() and not self._is_stopped:
            await self._commit()
        self._is_stopped = True
