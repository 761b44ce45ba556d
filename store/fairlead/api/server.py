"""The store process: one member, its services, its ports, from start to signal."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from typing import Any

import structlog

from fairlead.api.cluster import Cluster
from fairlead.api.compactor import Compactor
from fairlead.api.config import StoreConfig
from fairlead.api.gateway import Gateway
from fairlead.api.guard import guard
from fairlead.api.health import Health
from fairlead.api.http import Http
from fairlead.api.kv import Kv
from fairlead.api.lease import Leases
from fairlead.api.maintenance import Maintenance
from fairlead.api.metrics import Metrics
from fairlead.api.self_signed import now
from fairlead.api.snapshot import Snapshots
from fairlead.api.status import status_of
from fairlead.api.watch import Watches
from fairlead.member import COMPACTION, Member, MemberError, RemovedError, StoppedError
from fairlead.mvcc import BackendError
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import NOBODY, LostEntriesError
from fairlead.rpc import Code, ListenError, Server, Stream, Unary
from fairlead.wal import WalError

_log = structlog.get_logger("fairlead.store")
_GRACE_S = 2.0
# A thread that comes back from the disk must not wait five milliseconds for its turn.
_SWITCH_INTERVAL_S = 0.0005
_YOUNG_OBJECTS_MAX = 50_000


class StoreServer:
    """A running store; made by ``start``."""

    def __init__(self, config: StoreConfig, member: Member) -> None:
        self.config = config
        self.member = member
        self._watches = Watches(member)
        routes: dict[str, Unary | Stream] = {}
        self._snapshots = Snapshots(member)
        for service in (
            Kv(member),
            self._watches,
            Leases(member),
            Maintenance(member),
            self._snapshots,
            Cluster(member),
        ):
            routes.update(guard(member, service.routes()))
        self._metrics = Metrics(member, self._watches)
        gateway = Gateway(
            routes if config.has_gateway else {}, body_bytes_max=config.limits.message_bytes_max
        )
        health_paths = {**Health(member).paths(), "/metrics": self._metrics.serve}
        self._main = Server(
            routes,
            Http(health_paths, gateway),
            status_of=status_of,
            limits=config.limits,
            tls=config.tls,
            on_error=_log_error,
        )
        self._aside = Server(
            {}, Http(health_paths, Gateway({}, body_bytes_max=0)), status_of=status_of, on_error=_log_error
        )
        self._metrics.server = self._main
        self._timers: list[asyncio.Task[None]] = []

    @classmethod
    async def start(cls, config: StoreConfig, *, on_fatal: Callable[[Exception], None]) -> "StoreServer":
        """Open the data, then the ports.

        Raises:
            ListenError: a port cannot be had.
            WalError, MvccError: the data directory cannot be used.
        """
        member = await Member.start(config.member, on_fatal=on_fatal)
        store = cls(config, member)
        try:
            for address in config.listen:
                await store._main.start(address.host, address.port)
            for address in config.listen_metrics:
                await store._aside.start(address.host, address.port)
        except (ListenError, asyncio.CancelledError):
            await store.stop()
            raise
        store._timers.append(asyncio.create_task(store._notify_progress()))
        store._timers.append(asyncio.create_task(store._compact()))
        store._timers.append(asyncio.create_task(store._end_without_leader()))
        return store

    async def _notify_progress(self) -> None:
        while True:
            await asyncio.sleep(self.config.progress_notify_s)
            self._watches.notify_progress()

    async def _end_without_leader(self) -> None:
        # As in etcd: a stream outlives an election that is over within three timeouts.
        patience_s = 3 * self.config.member.election_timeout_s
        alone_s = 0.0
        while True:
            await asyncio.sleep(self.config.member.election_timeout_s)
            has_leader = self.member.replica.raft.leader != NOBODY
            alone_s = 0.0 if has_leader else alone_s + self.config.member.election_timeout_s
            if alone_s >= patience_s:
                self._watches.end_without_leader()

    async def _compact(self) -> None:
        compactor = Compactor(self.config.retention)
        while (interval_s := compactor.interval_s) is not None:
            await asyncio.sleep(interval_s)
            revision = compactor.due(now_s=self.member.now_s(), revision=self.member.store.revision)
            if revision is None or not self.member.replica.leads:
                continue
            request = pb.CompactionRequest(revision=revision)
            try:
                self.member.propose(COMPACTION, request.SerializeToString(), request, self._compacted)
            except MemberError as error:
                _log.warning("automatic compaction refused", revision=revision, error=type(error).__name__)

    def _compacted(self, result: bytes | Exception) -> None:
        if isinstance(result, bytes):
            self.member.upkeep.compact_soon()

    async def stop(self) -> None:
        """Let calls finish, then close the data."""
        for timer in self._timers:
            timer.cancel()
        # A watch would never end by itself.
        for stream in tuple(self._watches.streams):
            stream.end(*status_of(StoppedError()))
        await self._main.stop(_GRACE_S)
        await self._snapshots.stop()
        await self._aside.stop(_GRACE_S)
        await self.member.stop()


def _log_error(error: BaseException) -> None:
    if status_of(error)[0] is Code.INTERNAL:
        _log.error("a bug of ours: please report it", exc_info=error)


def _calm_the_collector() -> None:
    """Keep the cycle collector from walking the key index again and again: nothing in it is a cycle."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS_MAX, 50, 100)


async def serve(config: StoreConfig) -> int:
    """Run a store until SIGTERM or SIGINT; return the exit status."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Exception | None] = loop.create_future()

    def end(error: Exception | None = None) -> None:
        if not ended.done():
            ended.set_result(error)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    for warning in config.warnings:
        _log.warning(warning)
    for each in config.self_signed:
        each.ensure(now=now())
        _log.warning(
            "a certificate that nobody signed keeps listeners out, not impostors", file=str(each.cert_file)
        )
    store = await _started(config, ended, on_fatal=end)
    if store is not None:
        _calm_the_collector()
        _log_ready(config, store)
    fatal = await ended
    if fatal is not None:
        _tell_the_end(fatal)
    if store is not None:
        await store.stop()
    # One that was removed has nothing left to do: as in etcd its supervisor need not start it again.
    return 0 if fatal is None or isinstance(fatal, RemovedError) else 1


async def _started(
    config: StoreConfig, ended: "asyncio.Future[Exception | None]", *, on_fatal: Callable[[Exception], None]
) -> StoreServer | None:
    """Return the store once it serves; None when its end came first: a member waits for a majority for ever."""
    starting = asyncio.create_task(StoreServer.start(config, on_fatal=on_fatal))
    either: set[asyncio.Future[Any]] = {starting, ended}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        return starting.result()
    starting.cancel()
    await asyncio.wait({starting})
    return None


def _log_ready(config: StoreConfig, store: StoreServer) -> None:
    _log.info(
        "ready",
        name=config.member.name,
        client_urls=[str(address) for address in config.listen],
        peer_urls=list(config.member.listen_peer_urls),
        member=f"{store.member.identity.member_id:x}",
        cluster=f"{store.member.identity.cluster_id:x}",
        revision=store.member.store.revision,
    )


def _tell_the_end(fatal: Exception) -> None:
    if isinstance(fatal, RemovedError):
        _log.warning(str(fatal))
    elif isinstance(fatal, WalError | BackendError):
        _log.critical(
            "the disk failed: this member answers nothing more, so that nothing is acknowledged and then lost",
            error=str(fatal),
            next="mend the disk, then start the member again",
        )
    elif isinstance(fatal, LostEntriesError):
        _log.critical("this member can take no further part in its cluster", error=str(fatal))
    else:
        _log.critical("a bug of ours stopped this member: please report it", exc_info=fatal)
