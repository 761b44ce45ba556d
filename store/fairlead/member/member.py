"""One member, running: the replica bound to an event loop, a log thread, a database and its peers.

This shell owns the clock, the threads and the order of starting and stopping.  What is decided is decided
in ``replica`` and what it is made of.
"""

import asyncio
import random
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from fairlead.lease import LeaseTable
from fairlead.member.cluster import Cluster, MembershipChange
from fairlead.member.config import MemberConfig
from fairlead.member.corruption import CorruptionChecks
from fairlead.member.errors import (
    CorruptClusterError,
    RemovedError,
    RequestTooLargeError,
    StoppedError,
)
from fairlead.member.histogram import Histogram
from fairlead.member.joining import founding_by_asking
from fairlead.member.leader import KEEP_ALIVE, TIME_TO_LIVE
from fairlead.member.machine import ATTRIBUTES
from fairlead.member.opening import Opened, is_new, open_member
from fairlead.member.peering import Peering
from fairlead.member.pending import Reply
from fairlead.member.pipeline import Pipeline
from fairlead.member.ranges import answer_range
from fairlead.member.reads import Done
from fairlead.member.snapshots import Snapshots
from fairlead.member.txn import read_only_body
from fairlead.member.upkeep import Upkeep
from fairlead.member.writer import Writer
from fairlead.mvcc import Store, WatchHub
from fairlead.peer import PeerMessage
from fairlead.proto import command_pb2
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import NOBODY, InstallSnapshot

_log = structlog.get_logger("fairlead.store")
_FAREWELL_TICKS = 10
"""A member that was removed stays for so long, to let the others know that this is committed."""


class Member:
    """A running member.  Made by ``start``; everything happens on the loop that called it."""

    def __init__(
        self, config: MemberConfig, opened: Opened, *, on_fatal: Callable[[Exception], None]
    ) -> None:
        self.config = config
        self.identity = opened.identity
        self.replica = opened.replica
        self.machine = opened.machine
        self._opened = opened
        self._on_fatal = on_fatal
        self._loop = asyncio.get_running_loop()
        self._clock_s: Callable[[], float] = time.monotonic
        self._writer = Writer(opened.wal, self._loop.call_soon_threadsafe)
        self._flush_is_due = False
        self._is_stopped = False
        self._ticking: asyncio.TimerHandle | None = None
        self._farewell_ticks = 0
        self.upkeep = Upkeep(config, opened, self._writer, on_error=self._fail)
        self.peers = Peering(self)
        self._corruption = CorruptionChecks(self)
        self._snapshots = Snapshots(
            opened, self.upkeep, self.peers.transport, on_error=self._fail, changed=self.flush_soon
        )
        self.is_restricted = True
        """Whether nobody leads, or this member is a learner: not everything can be served now."""
        self._pipeline = Pipeline(
            self.replica,
            self._writer,
            self.peers,
            self._snapshots,
            on_error=self._fail,
            on_durable=self._flush,
        )

    @classmethod
    async def start(cls, config: MemberConfig, *, on_fatal: Callable[[Exception], None]) -> "Member":
        """Open the data directory, or join a cluster; return once the cluster knows this member.

        Args:
            config: what the member is told.
            on_fatal: called once when the disk fails, an entry cannot be applied, or the cluster has removed this
                member; it answers nothing from then on.

        Raises:
            WalError: the directory is in use, or the log is damaged; the text names the file.
            MvccError: the database cannot be opened.
            JoinError: the cluster to be joined does not answer, or does not know this member.
            PeerError: the port for the peers cannot be had.
        """
        rng = random.Random(secrets.randbits(64))  # noqa: S311 - election timeouts, not secrets
        founding = await founding_by_asking(config) if config.is_join and is_new(config) else None
        opened = await asyncio.to_thread(open_member, config, rng=rng, founding=founding)
        member = cls(config, opened, on_fatal=on_fatal)
        try:
            await member._begin()
        except BaseException:
            await member.stop()
            raise
        return member

    async def _begin(self) -> None:
        self.machine.now_s = self._clock_s()
        if self.replica.is_removed:
            raise RemovedError(self.config.data_dir)
        await self.peers.start()
        if self.replica.raft.lone_voter:
            self.replica.raft.campaign()
        elif self.config.election_tick_advance:
            # Nobody has to be given time to be heard who has not begun either; one that leads wins any pre-vote.
            for _ in range(self.config.election_ticks - 1):
                self.replica.raft.tick()
        self._ticking = self._loop.call_later(self.config.heartbeat_s, self._tick)
        self.upkeep.start()
        self._flush()
        await self._publish()
        await self.peers.joined()
        if self.config.initial_corrupt_check:
            await self._corruption.check_before_serving()
        self._corruption.start()

    async def _publish(self) -> None:
        """Tell the cluster this member's name and addresses, as often as it takes; it serves once that stands."""
        request = command_pb2.MemberAttributes(
            member_id=self.identity.member_id, name=self.config.name, client_urls=self.config.client_urls
        )
        payload = request.SerializeToString()
        has_complained = False
        while not self._is_stopped:
            answer: asyncio.Future[bytes | Exception] = self._loop.create_future()
            self._submit(ATTRIBUTES, payload, request, _resolver(answer))
            result = await answer
            if isinstance(result, bytes):
                return
            if self.replica.raft.leader == NOBODY and not has_complained:
                has_complained = True
                _log.warning(
                    "no leader yet: waiting for a majority of the members", members=self.peers.describe()
                )

    # ---- what others look at ----

    @property
    def store(self) -> Store:
        """Keys and their history; another object after a snapshot was installed."""
        return self.machine.store

    @property
    def leases(self) -> LeaseTable:
        """All leases."""
        return self.machine.leases

    @property
    def cluster(self) -> Cluster:
        """Who belongs to the cluster."""
        return self.replica.cluster

    @property
    def hub(self) -> WatchHub:
        """The watchers."""
        return self.machine.store.hub

    @property
    def fsync_histogram(self) -> Histogram:
        """How long writes to the log took until they were durable."""
        return self._writer.durations

    @property
    def is_learner(self) -> bool:
        """Whether this member gets the log and does not vote."""
        return not self.replica.raft.configuration.is_voter(self.identity.member_id)

    def now_s(self) -> float:
        """The member's monotonic clock, in seconds."""
        return self._clock_s()

    def header(self) -> bytes:
        """Return the encoded header field of a response that reads the present state."""
        return self.machine.headers.at(self.machine.store.revision)

    # ---- reads ----

    def read(self, done: Done) -> None:
        """Call ``done(None)`` as soon as the applied state may be read linearizably, at once if it may now.

        Raises:
            StoppedError: the disk has failed, or the member stops.
            TooManyRequestsError: too many reads wait.
        """
        if self._is_stopped:
            raise StoppedError
        self.replica.read(done, deadline_s=self._deadline_s())
        self.flush_soon()

    def range(self, request: pb.RangeRequest) -> bytes:
        """Answer a checked Range from what is applied here: the encoded RangeResponse.

        Raises:
            StoppedError: the disk has failed, or the member stops.
            CorruptClusterError: the CORRUPT alarm is raised, and the request is not serializable.
        """
        self._check_serves(serializable=request.serializable)
        return self.header() + answer_range(self.machine.store, request)

    def read_txn(self, request: pb.TxnRequest, *, serializable: bool) -> bytes:
        """Answer a checked transaction that only reads, from what is applied here: the encoded TxnResponse.

        Raises:
            StoppedError, CorruptClusterError: as for ``range``.
        """
        self._check_serves(serializable=serializable)
        return self.header() + read_only_body(self.machine.store, request)

    def _check_serves(self, *, serializable: bool) -> None:
        if self._is_stopped:
            raise StoppedError
        if self.machine.alarms and not serializable and self.machine.has_alarm(pb.CORRUPT):
            raise CorruptClusterError

    # ---- writes ----

    def propose(self, kind: int, payload: bytes, request: Any, reply: Reply) -> None:
        """Put a checked command into the log; ``reply`` gets its encoded response, or the error.

        Raises:
            RequestTooLargeError: the command is larger than ``request_bytes_max``.
            NoSpaceError: it would grow the database beyond its quota, and the alarm says so already.
            TooManyRequestsError: too much is waiting.
            StoppedError: the member has stopped.
        """
        if self._is_stopped:
            raise StoppedError
        if len(payload) > self.config.request_bytes_max:
            raise RequestTooLargeError
        self.replica.propose(kind, payload, request, reply, deadline_s=self._deadline_s())
        if not self._flush_is_due:
            self.flush_soon()

    def _submit(self, kind: int, payload: bytes, request: Any, reply: Reply) -> None:
        self.replica.submit(kind, payload, request, reply, deadline_s=self._deadline_s())
        self.flush_soon()

    def new_lease_id(self) -> int:
        """Return a random positive id that no lease has."""
        while True:
            lease_id = secrets.randbits(63)
            if lease_id and lease_id not in self.leases:
                return lease_id

    # ---- what only the leader knows ----

    def keep_alive(self, message: bytes, reply: Reply) -> None:
        """Renew a lease: an encoded request in, the response without its header out."""
        self._ask(KEEP_ALIVE, message, reply)

    def time_to_live(self, message: bytes, reply: Reply) -> None:
        """Ask what is left of a lease: an encoded request in, the response without its header out."""
        self._ask(TIME_TO_LIVE, message, reply)

    def change_membership(self, change: MembershipChange, reply: Reply) -> None:
        """Add, promote or remove a member; ``reply`` is called when every later read here shows it."""
        if self._is_stopped:
            raise StoppedError
        self.replica.change_membership(change, reply, deadline_s=self._deadline_s())
        self.flush_soon()

    def move_leader(self, target: int, reply: Reply) -> None:
        """Hand leadership over to another voter.

        Raises:
            LeadershipElsewhereError: this member does not lead.
            BadTransfereeError: the target is no voter.
        """
        self.replica.leader.transfer(target, reply, deadline_s=self._deadline_s())
        self.flush_soon()

    def _ask(self, method: str, payload: bytes, reply: Reply) -> None:
        if self._is_stopped:
            raise StoppedError
        self.machine.now_s = self._clock_s()
        self.replica.ask_leader(method, payload, reply, deadline_s=self._deadline_s(), is_repeatable=True)
        self.flush_soon()

    async def ask(self, to: int, method: str, payload: bytes) -> bytes | Exception:
        """Put a question to another member."""
        answer: asyncio.Future[bytes | Exception] = self._loop.create_future()
        self.replica.ask_member(to, method, payload, _resolver(answer), deadline_s=self._deadline_s())
        self.flush_soon()
        return await answer

    def raise_alarm(self, alarm: pb.AlarmType, *, of: int) -> None:
        """Raise an alarm of any member, as its leader."""
        self.replica.raise_alarm(alarm, lambda _: None, of=of, deadline_s=self._deadline_s())
        self.flush_soon()

    def _deadline_s(self) -> float:
        return self._clock_s() + self.config.request_timeout_s

    # ---- the loop ----

    def flush_soon(self) -> None:
        """Let the replica work at the end of this turn of the loop: what arrives in it goes together."""
        if not self._flush_is_due and not self._is_stopped:
            self._flush_is_due = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_is_due = False
        if self._is_stopped or (self._pipeline.is_busy and self.replica.raft.lone_voter):
            return  # alone, nobody waits for messages: what arrives during a write shares the next one
        applied = self.replica.applied
        try:
            while (work := self.replica.take(now_s=self._clock_s())) is not None:
                self._pipeline.do(work)
        except Exception as bug:  # noqa: BLE001 - half an entry may be applied: to go on would be to diverge
            self._fail(bug)
            return
        if self._snapshots.received and not self._pipeline.is_busy:
            self._snapshots.drop_received()
        self.is_restricted = self.replica.raft.leader == NOBODY or self.is_learner
        if self.replica.applied != applied:
            self.upkeep.written(self.replica.applied - applied)
            self.peers.refresh()

    def _tick(self) -> None:
        self._ticking = self._loop.call_later(self.config.heartbeat_s, self._tick)
        self.replica.tick(now_s=self._clock_s())
        self._flush()
        if self.replica.is_removed:
            self._farewell_ticks += 1
            if self._farewell_ticks == _FAREWELL_TICKS:
                self.removed()

    # ---- what the peers say ----

    def receive(self, message: PeerMessage) -> None:
        """Take a message of another member."""
        try:
            self.replica.receive(message)
        except Exception as error:  # noqa: BLE001 - lost entries, or a bug: to go on would be to diverge
            self._fail(error)
        else:
            self.flush_soon()

    def received_snapshot(self, message: InstallSnapshot, path: Path) -> None:
        """Take a snapshot of the leader's."""
        self._snapshots.arrived(message, path)
        self.receive(message)

    def removed(self) -> None:
        """Stop: this member was removed."""
        self._fail(RemovedError(self.config.data_dir))

    # ---- the end ----

    def _fail(self, error: Exception) -> None:
        """The disk failed, or we did: nothing can be acknowledged any more, and trying again would lie."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self._pipeline.stop()
        self.replica.stop()
        self._on_fatal(error)

    async def stop(self) -> None:
        """Hand leadership over, answer who waits, bring the database up to date, and let the directory go."""
        if not self._is_stopped:
            await self.peers.hand_over()
        self._is_stopped = True
        self._pipeline.stop()
        self.replica.stop()
        if self._ticking is not None:
            self._ticking.cancel()
        await self._corruption.stop()
        await self._snapshots.stop()
        await self.peers.stop()
        await self.upkeep.stop()
        await asyncio.to_thread(self._writer.close)
        self._opened.close()


def _resolver(answer: "asyncio.Future[bytes | Exception]") -> Reply:
    def resolve(result: bytes | Exception) -> None:
        if not answer.done():
            answer.set_result(result)

    return resolve
