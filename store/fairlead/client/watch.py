"""A watch that outlives its connections.

``WatchStream`` is one watch on one gRPC stream; ``Watch`` opens another whenever one breaks, from the
revision after the last that was handed out, so that a consumer sees each event once and in order.

One stream for each watch: the store multiplexes them over one connection anyway, a slow consumer then holds
up nobody else (HTTP/2 flow control), and there are no ids to keep apart.  Batches are read when asked for;
nothing is buffered here.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from fairlead.client import methods, values
from fairlead.client.calls import Caller, error_for, open_stream, refusal
from fairlead.client.config import Endpoint
from fairlead.client.errors import (
    AuthError,
    ClientError,
    CompactedError,
    HistoryLostError,
    UnavailableError,
)
from fairlead.client.quiet_grpc import grpc
from fairlead.client.values import WatchBatch
from fairlead.proto import rpc_pb2

# Refuse a member that has no leader: what it would send may be long out of date.
_REQUIRE_LEADER = (("hasleader", "true"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRange:
    """What to watch, as it goes on the wire."""

    key: bytes
    range_end: bytes = b""
    prev_kv: bool = False
    progress_notify: bool = False


class WatchStream:
    """One watch on one connection.  It ends when the connection does."""

    def __init__(self, caller: Caller, endpoint: Endpoint, *, call: Any) -> None:
        """Made by ``open``."""
        self._caller = caller
        self._endpoint = endpoint
        self._urls = (endpoint.url,)
        self._call = call
        self.revision = 0  # of the store when the watch was created
        self.cluster_id = 0

    @classmethod
    async def open(cls, caller: Caller, what: WatchRange, *, start_revision: int) -> "WatchStream":
        """Create the watch at the current endpoint; ``start_revision`` 0 is from now on.

        Raises:
            UnavailableError: the endpoint does not answer; the caller has moved on to the next.
            AuthError, CompactedError, RequestError: the store refuses.
        """
        endpoint = caller.channels.current
        metadata = await caller.metadata() + _REQUIRE_LEADER
        call = open_stream(caller.channels.channel(endpoint), methods.WATCH, metadata=metadata)
        stream = cls(caller, endpoint, call=call)
        try:
            async with asyncio.timeout(caller.patience.timeout_s):
                await stream._create(what, start_revision=start_revision)
        except TimeoutError:
            stream.abandon()
            raise UnavailableError((endpoint.url,), reason="it did not answer in time") from None
        except UnavailableError:
            stream.abandon()
            raise
        except BaseException:
            stream.close()
            raise
        return stream

    async def _create(self, what: WatchRange, *, start_revision: int) -> None:
        request = rpc_pb2.WatchCreateRequest(
            key=what.key,
            range_end=what.range_end,
            start_revision=start_revision,
            prev_kv=what.prev_kv,
            progress_notify=what.progress_notify,
        )
        await self._write(rpc_pb2.WatchRequest(create_request=request))
        response = await self._receive()
        self.revision = response.header.revision
        self.cluster_id = response.header.cluster_id

    async def read(self) -> WatchBatch:
        """Return the next batch; one without events tells of progress.

        Raises:
            CompactedError: the history that was to come is gone.
            ClientError: the connection broke, or the store ended the watch.
        """
        while True:
            response = await self._receive()
            if response.events:
                events = tuple(values.event(message) for message in response.events)
                # The header's revision may be past events that are still to come.
                return WatchBatch(revision=events[-1].kv.mod_revision, events=events)
            # Event-less messages without a revision mean nothing (clientv3 ignores them too).
            if response.header.revision and not response.created:
                return WatchBatch(revision=response.header.revision)

    async def request_progress(self) -> None:
        """Ask for a batch without events, which comes once the watch has caught up, or never."""
        await self._write(rpc_pb2.WatchRequest(progress_request=rpc_pb2.WatchProgressRequest()))

    def close(self) -> None:
        """End the watch; whoever reads hears that the connection is closed."""
        self._call.cancel()

    def abandon(self) -> None:
        """End the watch and leave the endpoint, which does not answer."""
        self._caller.channels.leave(self._endpoint)
        self.close()

    async def _write(self, request: rpc_pb2.WatchRequest) -> None:
        try:
            await self._call.write(request)
        except grpc.aio.AioRpcError as error:
            raise error_for(self._urls, error, is_read=True) from error
        except asyncio.InvalidStateError as error:
            raise UnavailableError(self._urls, reason="the connection is closed") from error

    async def _receive(self) -> rpc_pb2.WatchResponse:
        try:
            response = await self._call.read()
        except grpc.aio.AioRpcError as error:
            raise error_for(self._urls, error, is_read=True) from error
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # gRPC says so when the call was cancelled by ``close``, and not the reader.
            raise UnavailableError(self._urls, reason="the connection is closed") from None
        if not isinstance(response, rpc_pb2.WatchResponse):
            raise UnavailableError(self._urls, reason="the store ended the watch")
        if response.canceled:
            raise _cancelled(response)
        return response


def _cancelled(response: rpc_pb2.WatchResponse) -> ClientError:
    if response.compact_revision:
        return CompactedError(compact_revision=response.compact_revision)
    return refusal("CANCELLED", response.cancel_reason or "the store cancelled the watch")


class Watch(AsyncIterator[WatchBatch]):
    """An endless run of batches, over as many connections as it takes.

    Use it as an async context manager, so that the stream ends with the block.

    Attributes:
        next_revision: the first revision that has not been handed out; 0 until the first connection.
    """

    def __init__(self, caller: Caller, what: WatchRange, *, start_revision: int, progress: bool) -> None:
        """Make a watch; it connects on entry, or when the first batch is asked for."""
        self._caller = caller
        self._what = what
        self._progress = progress
        self._stream: WatchStream | None = None
        self._cluster_id = 0
        self._is_new_token = False
        self.next_revision = start_revision

    async def __aenter__(self) -> Self:
        """Create the watch at the store: what is written after this is seen."""
        await self._connected()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the watch."""
        self.close()

    def close(self) -> None:
        """End the watch at the store."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    async def __anext__(self) -> WatchBatch:
        """Return the next batch, waiting for as long as it takes.

        Raises:
            CompactedError: events that were to come are gone; list again.
            HistoryLostError: the store went back; list again.
            AuthError, RequestError: the store refuses the watch.
        """
        while True:
            stream = await self._connected()
            try:
                batch = await stream.read()
            except UnavailableError:
                self.close()
                continue
            except CompactedError as error:
                raise CompactedError(
                    revision=self.next_revision, compact_revision=error.compact_revision
                ) from error
            except asyncio.CancelledError:
                self.close()  # gRPC has cancelled the stream with the read
                raise
            if batch.events:
                self.next_revision = batch.revision + 1
            if batch.events or self._progress:
                return batch

    async def request_progress(self) -> None:
        """Ask the store to say how far it is; it answers with a batch without events, or not at all.

        Such batches are handed out only by a watch made with ``progress=True``.
        """
        stream = await self._connected()
        await stream.request_progress()

    async def _connected(self) -> WatchStream:
        """Return the open stream, or open one, however long the store is away."""
        failures = 0
        while self._stream is None:
            try:
                self._stream = await self._reopen()
            except UnavailableError:
                if self.next_revision == 0 and failures >= self._caller.patience.rounds_max:
                    raise  # never connected: the operator should hear of it
                delay_s = self._caller.patience.watch_backoff.delay_s(failures, rng=self._caller.rng)
                failures += 1
                await asyncio.sleep(delay_s)
        return self._stream

    async def _reopen(self) -> WatchStream:
        try:
            stream = await WatchStream.open(self._caller, self._what, start_revision=self.next_revision)
        except AuthError:
            # A watch says "permission denied" for a token that has expired, too.
            if self._is_new_token or not self._caller.has_user:
                raise
            self._is_new_token = True
            self._caller.forget_token()
            return await self._reopen()
        self._is_new_token = False
        try:
            await self._check_history(stream)
        except BaseException:
            stream.close()
            raise
        if self.next_revision == 0:
            self.next_revision = stream.revision + 1
        return stream

    async def _check_history(self, stream: WatchStream) -> None:
        """Refuse a store that is behind what this watch has seen: it would stay silent for long."""
        is_other = self._cluster_id not in {0, stream.cluster_id}
        revision = stream.revision
        if not is_other and self._cluster_id and revision < self.next_revision - 1:
            # A member may lag behind another; a linearizable read may not.
            request = rpc_pb2.RangeRequest(key=self._what.key, count_only=True)
            revision = (await self._caller.call(methods.RANGE, request)).header.revision
        if is_other or (self._cluster_id and revision < self.next_revision - 1):
            raise HistoryLostError(seen_revision=self.next_revision - 1, revision=revision)
        self._cluster_id = stream.cluster_id
