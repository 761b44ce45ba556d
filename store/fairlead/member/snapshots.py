"""Snapshots between members: made of the database when a follower asks for one, installed when one arrives.

A snapshot is a dump of the database at one commit, in a file of ``fairlead.wal`` named after the entry that was
applied last.  Everything slow runs in threads; commits are held off while the database is copied or replaced.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog

from fairlead.member.configurations import configuration_at
from fairlead.member.opening import Opened, load_applied, prepare_database, snap_dir, swap_database
from fairlead.member.upkeep import Upkeep
from fairlead.mvcc import Backend, BackendError, Store
from fairlead.peer import Transport
from fairlead.raft import InstallSnapshot, Snapshot
from fairlead.wal import Checkpoint, WalError, save_snapshot

_log = structlog.get_logger("fairlead.store")
_CHUNK_BYTES = 1 << 20


class Snapshots:
    """Those of one member, on their way out and in.

    Args:
        opened: whose.
        upkeep: holds off commits.
        transport: carries them.
        on_error: called when this member's own disk refuses to take one in.
        changed: called when the core has learnt something.
    """

    def __init__(
        self,
        opened: Opened,
        upkeep: Upkeep,
        transport: Transport,
        *,
        on_error: Callable[[Exception], None],
        changed: Callable[[], None],
    ) -> None:
        self._opened = opened
        self._upkeep = upkeep
        self._transport = transport
        self._on_error = on_error
        self._changed = changed
        self._making = asyncio.Lock()
        self._made: tuple[Snapshot, Path] | None = None
        self._sending: dict[int, Path] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.received: dict[Checkpoint, Path] = {}
        """Files that have arrived, until they are installed or found to be of no use."""

    # ---- out ----

    def deliver(self, message: InstallSnapshot) -> None:
        """Give a follower what it needs; the core hears how it went."""
        self._upkeep.checkpoints.deliveries += 1
        self._run(self._deliver(message))

    async def _deliver(self, message: InstallSnapshot) -> None:
        try:
            snapshot, path = await self._current()
        except (BackendError, WalError, OSError) as error:
            _log.error("no snapshot could be made", to=f"{message.to:x}", error=str(error))
            self._delivered(message.to, is_delivered=False)
            return
        self._sending[message.to] = path
        self._transport.send_snapshot(
            replace(message, snapshot=snapshot),
            path,
            lambda is_delivered: self._delivered(message.to, is_delivered=is_delivered),
        )

    def _delivered(self, member: int, *, is_delivered: bool) -> None:
        self._upkeep.checkpoints.deliveries -= 1
        self._sending.pop(member, None)
        if not self._sending and not self._making.locked():
            self._drop_made()
        self._opened.replica.report_snapshot(member, is_delivered=is_delivered)
        self._changed()

    def _drop_made(self) -> None:
        if self._made is not None:
            self._made[1].unlink(missing_ok=True)
            self._made = None

    async def _current(self) -> tuple[Snapshot, Path]:
        """Return a snapshot behind which the log still has every entry; one is enough for all who ask."""
        async with self._making:
            log = self._opened.replica.raft.log
            if self._made is None or self._made[0].index < log.first_index - 1:
                self._made = await self._make()
            return self._made

    async def _make(self) -> tuple[Snapshot, Path]:
        await self._upkeep.committed()
        backend, folder = self._opened.backend, snap_dir(self._opened.config)
        async with self._upkeep.held():
            index, term, _ = load_applied(backend)
            configuration = configuration_at(backend, index)
            assert configuration is not None, "the database says who votes since it was made"
            content = await self._upkeep.copy_held()

        def chunks() -> Iterator[bytes]:
            with content:
                while chunk := content.read(_CHUNK_BYTES):
                    yield chunk

        path = await asyncio.to_thread(
            save_snapshot, self._opened.disk, folder, Checkpoint(term, index), chunks()
        )
        _log.info("made a snapshot for a member that is behind", index=index, bytes=path.stat().st_size)
        return Snapshot(index, term, configuration), path

    # ---- in ----

    def arrived(self, message: InstallSnapshot, path: Path) -> None:
        """Keep a file that has arrived until the core says what becomes of it."""
        snapshot = message.snapshot
        self.received[Checkpoint(snapshot.term, snapshot.index)] = path

    def drop_received(self) -> None:
        """Remove the files that the core had no use for."""
        for path in self.received.values():
            path.unlink(missing_ok=True)
        self.received.clear()

    def install(self, snapshot: Snapshot, done: Callable[[], None]) -> None:
        """Make the received state this member's own; the log begins behind it already, durably."""
        self._run(self._install(snapshot, done))

    async def _install(self, snapshot: Snapshot, done: Callable[[], None]) -> None:
        opened = self._opened
        path = self.received.pop(Checkpoint(snapshot.term, snapshot.index))
        try:
            async with self._upkeep.held():
                incoming, store = await asyncio.to_thread(self._prepare, path)
                opened.backend.close()
                swap_database(opened.config, incoming, databases=opened.databases)
                opened.machine.adopt(incoming, store)
                index, term, state_hash = load_applied(incoming)
                assert index == snapshot.index, "the file is named after the entry that it was made at"
                opened.replica.installed(index=index, term=term, state_hash=state_hash)
                self._upkeep.committed_index = index
        except (BackendError, WalError, OSError) as error:
            self._on_error(error)
            return
        path.unlink(missing_ok=True)
        _log.info("installed a snapshot of the leader's", index=index, revision=store.revision)
        done()
        self._upkeep.sync_watchers_soon()

    def _prepare(self, path: Path) -> tuple[Backend, Store]:
        opened = self._opened
        incoming = prepare_database(opened.config, path, disk=opened.disk, databases=opened.databases)
        return incoming, Store.open(incoming)

    # ---- both ----

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._on_error(error)

    async def stop(self) -> None:
        """Give up what is on its way."""
        for task in tuple(self._tasks):
            task.cancel()
        for task in tuple(self._tasks):
            with suppress(asyncio.CancelledError, Exception):
                await task
        self._drop_made()
