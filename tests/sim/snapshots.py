"""Snapshots in virtual time: made on demand, sent in bulk, installed; and broken off on the way."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.sim.machines import Job

from fairlead.member.configurations import configuration_at
from fairlead.member.opening import load_applied, prepare_database, snap_dir, swap_database
from fairlead.mvcc import Store
from fairlead.raft import InstallSnapshot, Snapshot
from fairlead.wal import Checkpoint, load_snapshot, save_snapshot

if TYPE_CHECKING:
    from tests.sim.shell import Shell

_TRANSFER_S = 0.05
_HELD_S = 0.001


class Snapshots:
    """What one member does with snapshots."""

    def __init__(self, shell: "Shell") -> None:
        self._shell = shell
        self._world = shell.world
        self._opened = shell.opened

    # ---- the leader's side ----

    def deliver(self, message: InstallSnapshot) -> None:
        """Make a snapshot of what the database has, and send it."""
        self._shell.checkpoints.deliveries += 1
        self._shell.when_committed(lambda: self._dump(message))

    def _dump(self, message: InstallSnapshot) -> None:
        shell, opened = self._shell, self._opened
        index, term, _ = load_applied(opened.backend)
        made_at = Checkpoint(term, index)
        configuration = configuration_at(opened.backend, index)
        assert configuration is not None, "the database says who votes since it was made"
        snapshot = Snapshot(index, term, configuration)
        with opened.backend.copy(snap_dir(opened.config) / "scratch") as content:
            chunks = [content.read()]

        def job() -> Job:
            yield self._world.temper.write_s
            path = save_snapshot(opened.disk, snap_dir(opened.config), made_at, chunks)
            self._world.saved_snapshot(shell.machine, path)

        def done(error: Exception | None) -> None:
            if error is not None:
                shell.fail(error)
                return
            self._send(replace(message, snapshot=snapshot), made_at)

        shell.on_database(job(), done)

    def _send(self, message: InstallSnapshot, made_at: Checkpoint) -> None:
        opened = self._opened
        path = snap_dir(opened.config) / f"{made_at.term:016x}-{made_at.index:016x}.snap"
        try:
            chunks = list(load_snapshot(opened.disk, path))
        except Exception as error:  # noqa: BLE001 - a broken snapshot is not sent; another one will be made
            self._world.log(f"m{self._shell.machine.slot}", f"snapshot not sent: {type(error).__name__}")
            self._delivered(message.to, is_delivered=False)
            return
        self._world.coverage.event("snapshot sent")
        self._world.send_bulk(
            self._shell, message, chunks, lambda: self._delivered(message.to, is_delivered=True),
            lambda: self._delivered(message.to, is_delivered=False),
        )  # fmt: skip

    def _delivered(self, member: int, *, is_delivered: bool) -> None:
        self._shell.checkpoints.deliveries -= 1
        self._shell.replica.report_snapshot(member, is_delivered=is_delivered)
        self._shell.turn()

    # ---- the follower's side ----

    def take(self, message: InstallSnapshot, chunks: list[bytes], done: Callable[[bool], None]) -> None:
        """Keep a snapshot that has arrived whole, and hand it to the core."""
        shell, opened = self._shell, self._opened

        def job() -> Job:
            yield self._world.temper.write_s
            at = Checkpoint(message.snapshot.term, message.snapshot.index)
            path = save_snapshot(opened.disk, snap_dir(opened.config), at, chunks)
            self._world.saved_snapshot(shell.machine, path)

        def saved(error: Exception | None) -> None:
            if error is not None:
                shell.fail(error)
                return
            done(True)
            shell.receive(message)

        shell.on_database(job(), saved)

    def install(self, snapshot: Snapshot) -> Job:
        """Put the snapshot's state in place of this member's; the log begins behind it already."""
        shell, opened = self._shell, self._opened
        while shell.is_committing:
            yield _HELD_S
        shell.holds += 1
        yield self._world.temper.sync_s
        at = Checkpoint(snapshot.term, snapshot.index)
        path = snap_dir(opened.config) / f"{at.term:016x}-{at.index:016x}.snap"
        incoming = prepare_database(opened.config, path, disk=opened.disk, databases=opened.databases)
        yield self._world.temper.sync_s
        machine = opened.machine
        machine.backend.close()
        backend = swap_database(opened.config, incoming, databases=opened.databases)
        machine.adopt(backend, Store.open(backend))
        index, term, state_hash = load_applied(backend)
        shell.replica.installed(index=index, term=term, state_hash=state_hash)
        shell.committed = Checkpoint(term, index)
        shell.holds -= 1
        self._world.coverage.event("snapshot installed")
