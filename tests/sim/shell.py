"""The member's shell in virtual time: the same duties as `fairlead.member.Member`, in the same order.

It owns the timers, the threads of the log and of the database, and the way to the network.  What is decided is
decided in the replica, which is the one that runs in production.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tests.sim.machines import Job, Machine, Process, Thread
from tests.sim.oracles import check
from tests.sim.snapshots import Snapshots
from tests.sim.workload import Mode, Request

from fairlead.api.watch import WatchStream
from fairlead.member.acknowledgements import Acknowledgements
from fairlead.member.checkpoints import Checkpoints
from fairlead.member.leader import KEEP_ALIVE
from fairlead.member.opening import Opened, load_applied, mark_applied
from fairlead.member.ranges import answer_range
from fairlead.member.work import Work
from fairlead.mvcc import MvccError
from fairlead.mvcc.change import Change
from fairlead.wal import Checkpoint

if TYPE_CHECKING:
    from tests.sim.watchers import Connection
    from tests.sim.world import World

Reply = Callable[[bytes | Exception], None]
_SYNC_WATCHERS_S = 0.05
_PROGRESS_S = 0.4
_FAREWELL_S = 1.0
_TAKES_MAX = 1000
_COMPACT_SLICE = 20


class Shell:
    """One running member."""

    def __init__(self, world: "World", machine: Machine, process: Process, opened: Opened) -> None:
        self.world = world
        self.machine = machine
        self.process = process
        self.opened = opened
        self.replica = opened.replica
        self.member_id = opened.identity.member_id
        self.rng = world.chance(f"shell {machine.slot} {world.scheduler.steps}")
        self.protected = ("", 0)
        """File name and offset up to which a later mark of the log shows that all was synced."""
        self.seen: tuple[object, ...] = ()
        """What the oracles have looked at last."""
        self.holds = 0
        """Commits of the database wait while this is above 0."""
        self._log = Thread(process, rng=self.rng)
        self._database = Thread(process, rng=self.rng)
        self._works: list[Work] = []
        self._is_committing = False
        self._is_ending = False
        self._acknowledgements = Acknowledgements()
        index, term, _ = load_applied(opened.backend)
        self.committed = Checkpoint(term, index)
        self.checkpoints = Checkpoints(
            opened.replica,
            every_entries=world.temper.snapshot_count,
            keep_entries=world.temper.catch_up_entries,
        )
        self._config = opened.config
        self._after_commit: list[Callable[[], None]] = []
        self.snapshots = Snapshots(self)
        self._streams: set[WatchStream] = set()
        hub = opened.machine.store.hub
        notify = hub.notify

        def tapped(revision: int, changes: Sequence[Change]) -> None:
            world.judges.saw_revision(machine.slot, revision, changes)
            notify(revision, changes)

        hub.notify = tapped  # type: ignore[method-assign]

    def begin(self) -> None:
        """Start the timers."""
        self.world.oracle.restarted(self.member_id, self.replica.raft)
        self._every(self._config.heartbeat_s, self._tick)
        self._every(self.world.temper.commit_interval_s, self._keep_house)
        self._every(_SYNC_WATCHERS_S, self._sync_watchers)
        self._every(_PROGRESS_S, self._notify_progress)

    def _every(self, interval_s: float, action: Callable[[], None]) -> None:
        def fire() -> None:
            action()
            if not self.process.is_dead:
                self.process.after(interval_s, fire)

        self.process.after(interval_s * self.rng.random(), fire)

    # ---- the loop ----

    def _tick(self) -> None:
        self.replica.tick(now_s=self.machine.clock.now_s)
        self.turn()

    def receive(self, message: Any) -> None:
        """Take a message of another member."""
        self.replica.receive(message)
        self.turn()

    def turn(self) -> None:
        """Do what there is to do: send, write, apply, answer."""
        raft = self.replica.raft
        takes = 0
        while self._log.waiting < self.world.temper.depth:
            takes += 1
            check(takes <= _TAKES_MAX, "progress: a turn without an end", self.machine)
            work = self.replica.take(now_s=self.machine.clock.now_s)
            self._look()
            if work is None:
                break
            self._send(work.send)
            for snapshot in work.snapshots:
                self.snapshots.deliver(snapshot)
            ready = work.ready
            if ready is None:
                continue
            if work.needs_disk or self._works:
                index = 0 if ready.snapshot is None else ready.snapshot.index
                self.world.oracle.writes(self.member_id, raft, snapshot_index=index, entries=ready.entries)
                self._works.append(work)
                self._log.submit(self._write(work), self._written)
            else:
                self._finish(work)
        if self.replica.is_removed and not self._is_ending:
            # Those who follow have to hear that its removal is committed: so not at once.
            self._is_ending = True
            self.process.after(_FAREWELL_S, self.end_removed)

    def end_removed(self) -> None:
        """End: the cluster goes on without this member."""
        self.world.removed(self.machine)

    @property
    def is_committing(self) -> bool:
        """Whether a commit of the database is under way."""
        return self._is_committing

    def when_committed(self, action: Callable[[], None]) -> None:
        """Call ``action`` when what is applied now is in the database, at the end of a commit."""
        self._after_commit.append(action)
        self._commit()
        if not self._is_committing and not self.holds:
            self._run_after_commit()

    def on_database(self, job: Job, done: Callable[[Exception | None], None]) -> None:
        """Do a job on the database's thread."""
        self._database.submit(job, done)

    def _look(self) -> None:
        self.world.saw(self)

    def _send(self, messages: Any) -> None:
        sent = self._acknowledgements.sift(messages)
        for message in sent:
            self.world.oracle.sends(message)
        self.world.network.send(sent)

    def _write(self, work: Work) -> Job:
        wal, ready = self.opened.wal, work.ready
        assert ready is not None
        temper = self.world.temper
        yield temper.write_s
        before = (wal._segments[-1].file_name, wal._end)
        if ready.snapshot is not None:
            wal.checkpoint(Checkpoint(ready.snapshot.term, ready.snapshot.index))
        wal.append(ready.entries, work.hard_state)
        if not work.needs_disk:
            return
        yield temper.sync_s
        wal.sync()
        self.protected = before
        if ready.snapshot is not None:
            yield from self.snapshots.install(ready.snapshot)

    def _written(self, error: Exception | None) -> None:
        if error is not None:
            self.fail(error)
            return
        work = self._works.pop(0)
        self.world.oracle.wrote(self.member_id)
        self._finish(work)
        self.turn()

    def _finish(self, work: Work) -> None:
        messages = self.replica.written(work)
        self._look()
        self._send(messages)

    def fail(self, error: Exception) -> None:
        """End: the disk has failed, and nothing can be acknowledged any more."""
        self.world.log(f"m{self.machine.slot}", f"failed: {type(error).__name__}")
        self.world.failed(self.machine, error)

    # ---- what clients ask ----

    def serve(self, request: Request, reply: Reply) -> None:
        """Take a client's request."""
        replica = self.replica
        deadline_s = self.machine.clock.now_s + self._config.request_timeout_s
        try:
            match request.mode:
                case Mode.WRITE:
                    payload = request.message.SerializeToString()
                    replica.propose(request.kind, payload, request.message, reply, deadline_s=deadline_s)
                case Mode.READ:
                    self._read(request, reply, deadline_s)
                case Mode.SERIALIZABLE:
                    self._answer(request, reply)
                case Mode.KEEP_ALIVE:
                    self._keep_alive(request, reply, deadline_s)
        except Exception as error:  # noqa: BLE001 - the client is told, whatever it is
            reply(error)
        self.turn()

    def _read(self, request: Request, reply: Reply, deadline_s: float) -> None:
        began_at = self.world.oracle.commit

        def done(error: Exception | None) -> None:
            if error is not None:
                reply(error)
                return
            applied = self.replica.applied
            self.world.oracle.read_ends(self.member_id, applied, began_at=began_at)
            self._answer(request, reply)

        self.replica.read(done, deadline_s=deadline_s)

    def _answer(self, request: Request, reply: Reply) -> None:
        machine = self.replica.machine
        try:
            body = answer_range(machine.store, request.message)
        except MvccError as error:
            reply(error)
        else:
            reply(machine.headers.at(machine.store.revision) + body)

    def _keep_alive(self, request: Request, reply: Reply, deadline_s: float) -> None:
        def answer(result: bytes | Exception) -> None:
            machine = self.replica.machine
            header = machine.headers.at(machine.store.revision)
            reply(header + result if isinstance(result, bytes) else result)

        payload = request.message.SerializeToString()
        self.replica.ask_leader(KEEP_ALIVE, payload, answer, deadline_s=deadline_s, is_repeatable=True)

    # ---- who watches ----

    def watch(self, connection: "Connection") -> WatchStream:
        """Open a stream of watches over a connection."""
        return WatchStream(WatchedMember(self), connection, self._streams)  # type: ignore[arg-type]

    def has_stream(self, stream: WatchStream) -> bool:
        """Whether a stream belongs to this run of the member."""
        return stream in self._streams

    def _notify_progress(self) -> None:
        for stream in sorted(self._streams, key=_number_of):
            stream.notify_progress()

    # ---- housekeeping ----

    def _keep_house(self) -> None:
        store = self.replica.machine.store
        if not store.is_writing:
            store.compact_step(_COMPACT_SLICE)
        self._commit()

    def _sync_watchers(self) -> None:
        self.replica.machine.store.hub.sync_step(revisions_max=20)

    def _commit(self) -> None:
        """Bring the database up to what is applied, unless that is going on."""
        replica = self.replica
        backend = replica.machine.backend
        is_behind = replica.applied > self.committed.index or backend.pending_count
        if self._is_committing or self.holds or not is_behind:
            return
        self._is_committing = True
        mark_applied(replica)
        checkpoint = Checkpoint(replica.applied_term, replica.applied)
        commit = backend.begin_commit()

        def job() -> Job:
            yield self.world.temper.sync_s
            commit.run()

        def done(error: Exception | None) -> None:
            self._is_committing = False
            if error is not None:
                self.fail(error)
                return
            backend.finish(commit)
            self._commit_ended(checkpoint)

        self._database.submit(job(), done)

    def _commit_ended(self, applied: Checkpoint) -> None:
        self.committed = applied
        self._run_after_commit()
        cut = self.checkpoints.after_commit(applied.index)
        if cut is None:
            return
        self.world.coverage.event("log cut")

        def job() -> Job:
            wal, temper = self.opened.wal, self.world.temper
            yield temper.write_s
            wal.checkpoint(cut)
            wal.sync()
            yield temper.write_s
            wal.release(cut.index)

        def done(error: Exception | None) -> None:
            if error is not None:
                self.fail(error)
                return
            self.checkpoints.durable(cut)
            self.turn()

        self._log.submit(job(), done)

    def _run_after_commit(self) -> None:
        waiting, self._after_commit = self._after_commit, []
        for action in waiting:
            action()


def _number_of(stream: WatchStream) -> int:
    number: int = stream._call.number  # type: ignore[attr-defined]  # the call is a `Connection`
    return number


class WatchedMember:
    """As much of `fairlead.member.Member` as a stream of watches wants to know."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.config = shell.opened.config
        self.upkeep = self

    @property
    def machine(self) -> Any:
        """The state machine."""
        return self._shell.replica.machine

    @property
    def store(self) -> Any:
        """What is read."""
        return self._shell.replica.machine.store

    @property
    def hub(self) -> Any:
        """Who watches."""
        return self._shell.replica.machine.store.hub

    def header(self) -> bytes:
        """Return the header of a response that reads the present state."""
        machine = self._shell.replica.machine
        return machine.headers.at(machine.store.revision)

    def sync_watchers_soon(self) -> None:
        """See ``Upkeep``; here a timer does it."""
