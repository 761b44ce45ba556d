"""One member, running: the replica bound to an event loop, a log thread and a database file.

This shell owns the clock, the threads and the order of starting and stopping.  What is decided is decided
in ``replica``, ``machine``, ``txn`` and ``ranges``.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Any

import structlog

from fairlead.lease import LeaseNotFoundError
from fairlead.member.config import MemberConfig
from fairlead.member.errors import (
    CorruptClusterError,
    NoLeaderError,
    NoSpaceError,
    RequestTooLargeError,
    StoppedError,
    TooManyRequestsError,
)
from fairlead.member.histogram import Histogram
from fairlead.member.machine import ALARM, LEASE_REVOKE, cost_of
from fairlead.member.opening import Opened, open_member
from fairlead.member.ranges import answer_range
from fairlead.member.replica import Batch, Reply
from fairlead.member.txn import read_only_body
from fairlead.member.upkeep import Upkeep
from fairlead.member.writer import Writer
from fairlead.proto import rpc_pb2 as pb
from fairlead.wal import Wal

_log = structlog.get_logger("fairlead.store")

EXPIRE_LEASES_S = 0.5
"""How often the leader looks for dead leases (etcd's figure)..."""
LEASES_REVOKED_MAX = 500
"""...and how many it ends at a time: 1,000 a second."""


class Member:
    """A running member.  Made by ``start``; everything happens on the loop that called it."""

    def __init__(
        self, config: MemberConfig, opened: Opened, *, on_fatal: Callable[[Exception], None]
    ) -> None:
        self.config = config
        self.identity = opened.identity
        self.replica = opened.replica
        self.machine = opened.machine
        self.store = opened.store
        self.leases = opened.leases
        self.hub = opened.store.hub
        self._opened = opened
        self._on_fatal = on_fatal
        self._loop = asyncio.get_running_loop()
        self._clock_s: Callable[[], float] = time.monotonic
        self._writer = Writer(opened.wal, self._loop.call_soon_threadsafe)
        self._writing = False
        self._flush_is_due = False
        self._is_stopped = False
        self._leasing: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self.upkeep = Upkeep(config, opened, self._writer, on_error=self._fail)

    @classmethod
    async def start(cls, config: MemberConfig, *, on_fatal: Callable[[Exception], None]) -> "Member":
        """Open the data directory, replay the log, and lead.

        Args:
            config: what the member is told.
            on_fatal: called once when the disk fails, or an entry cannot be applied; the member answers
                nothing from then on.

        Raises:
            WalError: the directory is in use, or the log is damaged; the text names the file.
            MvccError: the database file cannot be opened.
        """
        opened = await asyncio.to_thread(open_member, config)
        member = cls(config, opened, on_fatal=on_fatal)
        member.machine.now_s = member._clock_s()
        member.leases.promote(now_s=member.machine.now_s, extend_s=config.election_timeout_s)
        member.replica.campaign()
        member._flush()
        while not member.replica.can_read and not member._is_stopped:
            member._idle.clear()
            await member._idle.wait()
        member.upkeep.start()
        member._expire_leases()
        return member

    @property
    def fsync_histogram(self) -> Histogram:
        """How long writes to the log took until they were durable."""
        return self._writer.durations

    # ---- reads ----

    def check_readable(self, *, serializable: bool) -> None:
        """Refuse a read that this member may not answer from its own state now.

        Raises:
            NoLeaderError: a linearizable read before this member's term has begun.
            StoppedError: the disk has failed, or the member stops.
        """
        if self._is_stopped:
            raise StoppedError
        if not serializable and not self.replica.can_read:
            raise NoLeaderError
        if self.machine.alarms and self.machine.has_alarm(pb.CORRUPT) and not serializable:
            raise CorruptClusterError

    def range(self, request: pb.RangeRequest) -> bytes:
        """Answer a checked Range: the encoded RangeResponse."""
        self.check_readable(serializable=request.serializable)
        return self.header() + answer_range(self.store, request)

    def read_txn(self, request: pb.TxnRequest, *, serializable: bool) -> bytes:
        """Answer a checked transaction that only reads: the encoded TxnResponse."""
        self.check_readable(serializable=serializable)
        return self.header() + read_only_body(self.store, request)

    def header(self) -> bytes:
        """Return the encoded header field of a response that reads the present state."""
        return self.machine.headers.at(self.store.revision)

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
        cost = cost_of(kind, request)
        if cost and not self.machine.quota.has_room(cost):
            if self.machine.has_alarm(pb.NOSPACE):
                raise NoSpaceError
            # The client hears of it when the alarm stands, so that a crash cannot take the alarm back.
            self._raise_no_space(lambda _: reply(NoSpaceError()))
            return
        self._propose(kind, payload, request, reply)

    def _propose(self, kind: int, payload: bytes, request: Any, reply: Reply) -> None:
        deadline_s = self._clock_s() + self.config.request_timeout_s
        self.replica.propose(kind, payload, request, reply, deadline_s=deadline_s)
        if not self._flush_is_due and not self._writing:
            self._flush_is_due = True
            # At the end of this turn of the loop: all that arrives in it shares one fsync.
            self._loop.call_soon(self._flush)

    def _raise_no_space(self, raised: Reply) -> None:
        member_id = self.identity.member_id
        request = pb.AlarmRequest(action=pb.AlarmRequest.ACTIVATE, memberID=member_id, alarm=pb.NOSPACE)
        self._propose(ALARM, request.SerializeToString(), request, raised)
        _log.warning(
            "the database has reached its quota: only reads, deletions and compaction go on",
            quota_bytes=self.config.quota_bytes,
            next="compact, defrag, then: etcdctl alarm disarm",
        )

    def _flush(self) -> None:
        self._flush_is_due = False
        if self._writing or self._is_stopped:
            return
        batch = self.replica.take_batch()
        if batch is None:
            return
        self._writing = True

        def write(wal: Wal) -> None:
            wal.append(batch.entries, batch.hard_state)
            wal.sync()

        self._writer.submit(write, lambda error: self._written(batch, error))

    def _written(self, batch: Batch, error: Exception | None) -> None:
        self._writing = False
        if error is not None:
            self._fail(error)
            return
        if self._is_stopped:
            return
        self.machine.now_s = self._clock_s()
        try:
            self.replica.written(batch)
        except Exception as bug:  # noqa: BLE001 - half an entry may be applied: to go on would be to diverge
            self._fail(bug)
            return
        if self.machine.quota.is_exceeded and not self.machine.has_alarm(pb.NOSPACE):
            self.machine.quota.is_exceeded = False
            self._raise_no_space(_ignore)
        self._flush()
        self.upkeep.written(len(batch.entries))
        self._idle.set()

    # ---- leases ----

    def new_lease_id(self) -> int:
        """Return a random positive id that no lease has."""
        while True:
            lease_id = secrets.randbits(63)
            if lease_id and lease_id not in self.leases:
                return lease_id

    def keep_alive(self, lease_id: int) -> int:
        """Renew a lease; return its TTL in seconds, or 0 when it is gone or about to go."""
        self.check_readable(serializable=False)
        try:
            return self.leases.keep_alive(lease_id, now_s=self._clock_s())
        except LeaseNotFoundError:
            return 0

    def now_s(self) -> float:
        """The member's monotonic clock, in seconds."""
        return self._clock_s()

    def _expire_leases(self) -> None:
        now_s = self._clock_s()
        self.replica.expire(now_s=now_s)
        for lease_id in self.leases.expire(now_s=now_s, limit=LEASES_REVOKED_MAX):
            request = pb.LeaseRevokeRequest(ID=lease_id)
            try:
                self._propose(LEASE_REVOKE, request.SerializeToString(), request, _ignore)
            except TooManyRequestsError:
                # The table names what is due again, until it is gone.
                break
        self._leasing = self._loop.call_later(EXPIRE_LEASES_S, self._expire_leases)

    # ---- the end ----

    def _fail(self, error: Exception) -> None:
        """The disk failed, or we did: nothing can be acknowledged any more, and trying again would lie."""
        if self._is_stopped:
            return
        self._is_stopped = True
        self.replica.stop()
        self._idle.set()
        self._on_fatal(error)

    async def stop(self) -> None:
        """Answer who waits, bring the database file up to date, and let the directory go."""
        self._is_stopped = True
        self.replica.stop()
        if self._leasing is not None:
            self._leasing.cancel()
        await self.upkeep.stop()
        await asyncio.to_thread(self._writer.close)
        self._opened.close()


def _ignore(result: bytes | Exception) -> None:
    del result
