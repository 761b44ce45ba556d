"""Some prefixes of the store, in memory, always as of one revision.

The cycle: list every prefix at one revision; watch from there; when the watch breaks, check that the
store still has the history that the mirror stands on, and watch on from there; when it has not (compacted,
restored, another cluster), list again and compare.

Why one watch over the hull of all prefixes and not one for each: etcd sends what one revision does to two
watches in two messages, and nothing says which is the last.  Waiting for a progress notice would cost a round
trip for each change, and some releases of etcd send it too early (etcd-io/etcd#15220).  One watch brings
each revision whole.  The price is events of keys between the prefixes, which are dropped here; keep the
prefixes of one mirror close together, or make two mirrors.

Why one read before watching on: a store that was wiped or restored may have the same cluster id and a larger
revision, and its watch would go on without a word.  The pair the mirror saw written last must be found in
the store's history at the mirror's revision; only the true history has it there, and the same read fails
when that revision is compacted or lies in the future.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from fairlead.client import mirror_copy
from fairlead.client.client import Client
from fairlead.client.errors import (
    AuthError,
    ClientError,
    CompactedError,
    HistoryLostError,
    RequestError,
    UnavailableError,
)
from fairlead.client.mirror_copy import CopyError, MirrorCopy
from fairlead.client.mirror_state import Change, IndexKey, MirrorState, Pending, Touched, hull
from fairlead.client.values import FROM_KEY, GetResult, KeyValue, WatchBatch, prefix_end, to_bytes
from fairlead.client.watch import WatchRange, WatchStream

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorLimits:
    """How a mirror paces itself."""

    page_keys: int = 1000  # pairs in one message of a list
    heartbeat_s: float = 3.0  # how often an idle store is asked for a sign of life
    silence_max_s: float = 10.0  # without one for so long, the next endpoint is tried
    save_interval_s: float = 2.0  # least time between two writes of the copy


class Mirror:
    """Keeps ``prefixes`` as the store has them.  Use it as an async context manager.

    Reading is plain memory and never waits.  While the store is away the last known state stays, and
    ``is_live`` and ``age_s`` say so.

    Attributes:
        problem: why the mirror is not live, for the operator; None while it is.
    """

    def __init__(
        self,
        client: Client,
        prefixes: Sequence[bytes | str],
        *,
        copy_path: Path | None = None,
        index_by: Mapping[str, IndexKey] | None = None,
        limits: MirrorLimits | None = None,
    ) -> None:
        """Make a mirror; it starts on entry.

        Args:
            client: how to reach the store; shared, and not closed here.
            prefixes: which keys to keep; an empty one is all of them.
            copy_path: where to keep the copy on disk; None keeps none.
            index_by: name of a secondary index to the terms under which it holds a pair; see ``find``.
            limits: how it paces itself.
        """
        self._client = client
        self._state = MirrorState([to_bytes(prefix) for prefix in prefixes], index_by=index_by)
        self._copy_path = copy_path
        self._limits = limits or MirrorLimits()
        self._cluster_id = 0
        self._consumers: set[Changes] = set()
        self._ready = asyncio.Event()
        self._unsaved = asyncio.Event()
        self._heard_s: float | None = None
        self._is_live = False
        self._failures = 0  # since the mirror was last live
        self._save_problem = ""
        self._tasks: list[asyncio.Task[None]] = []
        self.problem: ClientError | None = None

    async def __aenter__(self) -> Self:
        """Load the copy, if there is one, and start to follow the store."""
        if self._copy_path is not None:
            await self._load(self._copy_path)
            self._tasks.append(asyncio.create_task(self._run_saver(self._copy_path), name="mirror copy"))
        self._tasks.append(asyncio.create_task(self._run(), name="mirror"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, save the copy, and end every ``changes()``."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._is_live = False
        for consumer in tuple(self._consumers):
            consumer.close()
        if self._copy_path is not None and self._unsaved.is_set():
            await self._save(self._copy_path)

    async def ready(self, *, timeout_s: float | None = None) -> None:
        """Return once there is something to read: the first list, or the copy on disk.

        Raises:
            ClientError: ``timeout_s`` is over; None waits for as long as it takes.
        """
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            reason = f"nothing within {timeout_s:g} s"
            raise self.problem or UnavailableError(self._client.endpoints, reason=reason) from None

    @property
    def revision(self) -> int:
        """The store revision that the mirror shows; 0 before ``ready``."""
        return self._state.revision

    @property
    def is_live(self) -> bool:
        """Whether the mirror follows the store right now."""
        return self._is_live

    @property
    def age_s(self) -> float:
        """Seconds since the store was last heard of; infinite when it never was."""
        if self._heard_s is None:
            return float("inf")
        return asyncio.get_running_loop().time() - self._heard_s

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._state)

    def get(self, key: bytes | str) -> KeyValue | None:
        """Return the pair at ``key``, or None."""
        return self._state.get(to_bytes(key))

    def items(self, prefix: bytes | str = b"") -> Iterator[KeyValue]:
        """Return the pairs under ``prefix`` in key order; read them before the next ``await``."""
        return self._state.items(to_bytes(prefix))

    def find(self, index: str, term: str) -> list[KeyValue]:
        """Return the pairs that the secondary index ``index`` holds under ``term``, in key order."""
        return self._state.find(index, term)

    def changes(self) -> "Changes":
        """Return what happens from now on; the first Change is all there is, as a snapshot.

        Each comes after the mirror itself shows it.  Changes are merged for a consumer that is slow.
        """
        consumer = Changes(self._state, close=self._consumers.discard)
        if self._ready.is_set():
            consumer.note(dict.fromkeys((kv.key for kv in self._state.items()), None), is_snapshot=True)
        self._consumers.add(consumer)
        return consumer

    # Following the store

    async def _run(self) -> None:
        is_listed = self._ready.is_set()  # from the copy
        backoff, rng = self._client.patience.watch_backoff, self._client.caller.rng
        while True:
            try:
                if not (is_listed and await self._is_same_history()):
                    await self._list()
                is_listed = True
                await self._follow()
            except (CompactedError, HistoryLostError) as error:
                _LOG.info("listing again: %s", error)
                is_listed = False
            except ClientError as error:
                self._complain(error)
            await asyncio.sleep(backoff.delay_s(self._failures, rng=rng))

    async def _is_same_history(self) -> bool:
        """Whether the store's history holds what the mirror shows at its revision."""
        witness = self._state.witness()
        if witness is None or self._state.revision == 0:
            return False  # nothing to check by, and nothing that makes a list expensive
        try:
            result = await self._client.get(witness.key, revision=self._state.revision)
        except (CompactedError, RequestError):  # gone, or not there yet
            return False
        return result.cluster_id == self._cluster_id and result.kv == witness

    async def _list(self) -> None:
        revision = 0
        kvs: list[KeyValue] = []
        for prefix in self._state.prefixes:
            async for page in self._pages(prefix, revision=revision):
                revision = revision or page.revision
                self._cluster_id = page.cluster_id
                kvs.extend(page.kvs)
        self._heard_s = asyncio.get_running_loop().time()
        self._publish(self._state.replace(kvs, revision=revision), is_snapshot=True)

    async def _pages(self, prefix: bytes, *, revision: int) -> AsyncIterator[GetResult]:
        """Read a prefix a page at a time, all at one revision; 0 is the current one."""
        key, end = prefix or FROM_KEY, prefix_end(prefix)
        while True:
            page = await self._client.get(key, range_end=end, revision=revision, limit=self._limits.page_keys)
            yield page
            if not page.more:
                return
            revision = revision or page.revision
            key = page.kvs[-1].key + b"\x00"

    async def _follow(self) -> None:
        """Apply events until the connection breaks, which it says by an error."""
        key, end = hull(self._state.prefixes)
        what = WatchRange(key=key, range_end=end)
        # From the revision that is held already, whose events are ignored: from the one after it an idle
        # store would answer no progress request (etcd-io/etcd#20221), and look as if it were dead.
        stream = await WatchStream.open(self._client.caller, what, start_revision=self._state.revision)
        pulse = asyncio.create_task(self._pulse(stream), name="mirror pulse")
        try:
            if stream.cluster_id != self._cluster_id:
                raise HistoryLostError(seen_revision=self._state.revision, revision=stream.revision)
            self._recover()
            while True:
                self._take(await stream.read())
        finally:
            self._is_live = False
            pulse.cancel()
            stream.close()

    async def _pulse(self, stream: WatchStream) -> None:
        """Ask for signs of life; give up a connection that shows none."""
        while True:
            await asyncio.sleep(self._limits.heartbeat_s)
            if self.age_s > self._limits.silence_max_s:
                stream.abandon()
                return
            with contextlib.suppress(ClientError):  # the reader hears of it too
                await stream.request_progress()

    def _take(self, batch: WatchBatch) -> None:
        self._heard_s = asyncio.get_running_loop().time()
        # A batch without events is a sign of life and no more: some releases of etcd send it too early.
        if batch.events:
            self._publish(self._state.apply(batch.events, revision=batch.revision), is_snapshot=False)

    def _publish(self, touched: Touched, *, is_snapshot: bool) -> None:
        self._ready.set()
        if touched or is_snapshot:
            self._unsaved.set()
            for consumer in self._consumers:
                consumer.note(touched, is_snapshot=is_snapshot)

    def _recover(self) -> None:
        self._is_live, self._failures = True, 0
        self._heard_s = asyncio.get_running_loop().time()
        if self.problem is not None:
            self.problem = None
            _LOG.info("the store answers again; following it from revision %d", self.revision + 1)

    def _complain(self, error: ClientError) -> None:
        """Say once what is wrong, not at every attempt."""
        self._failures += 1
        if isinstance(error, AuthError):
            self._client.caller.forget_token()  # it may have expired: a watch does not tell
        # A connection that breaks and comes back at once is no news.
        if self._failures > 1 and self.problem is None:
            state = "the last known state stays" if self._ready.is_set() else "there is no state yet"
            _LOG.warning("%s; trying again, %s", error, state)
        if self._failures > 1:
            self.problem = error

    # The copy on disk

    async def _load(self, path: Path) -> None:
        try:
            copy = await asyncio.to_thread(mirror_copy.load, path, prefixes=self._state.prefixes)
        except CopyError as error:
            _LOG.warning("%s", error)
            return
        if copy is not None:
            self._cluster_id = copy.cluster_id
            self._publish(self._state.replace(copy.kvs, revision=copy.revision), is_snapshot=True)
            self._unsaved.clear()

    async def _run_saver(self, path: Path) -> None:
        while True:
            await self._unsaved.wait()
            await asyncio.sleep(self._limits.save_interval_s)
            saving = asyncio.create_task(self._save(path))
            try:
                await asyncio.shield(saving)
            except asyncio.CancelledError:
                await saving  # its thread goes on anyway, and two must not write at once
                raise

    async def _save(self, path: Path) -> None:
        self._unsaved.clear()
        copy = MirrorCopy(
            prefixes=self._state.prefixes,
            revision=self._state.revision,
            cluster_id=self._cluster_id,
            kvs=tuple(self._state.items()),
        )
        try:
            await asyncio.to_thread(mirror_copy.save, path, copy)
        except CopyError as error:
            if str(error) != self._save_problem:
                _LOG.warning("%s", error)
            self._save_problem = str(error)
        else:
            self._save_problem = ""


class Changes(AsyncIterator[Change]):
    """What one consumer of a mirror has still to hear; it ends when the mirror does."""

    def __init__(self, state: MirrorState, *, close: Callable[["Changes"], None]) -> None:
        """Made by ``Mirror.changes``."""
        self._state = state
        self._close = close
        self._pending = Pending()
        self._has_news = asyncio.Event()
        self._is_closed = False

    def note(self, touched: Touched, *, is_snapshot: bool) -> None:
        """Take up a change of the mirror."""
        self._pending.note(touched, is_snapshot=is_snapshot)
        self._has_news.set()

    def close(self) -> None:
        """End: what is pending is still handed out."""
        self._is_closed = True
        self._close(self)
        self._has_news.set()

    async def __anext__(self) -> Change:
        """Return everything since the last Change, waiting until there is something."""
        while True:
            await self._has_news.wait()
            if not self._is_closed:
                self._has_news.clear()
            change = self._pending.take(self._state)
            if change is not None:
                return change
            if self._is_closed:
                raise StopAsyncIteration
