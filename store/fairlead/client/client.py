"""An asyncio client of any store that speaks the etcd v3 API.

    async with Client(["http://127.0.0.1:2379"]) as client:
        await client.put("greeting", "hello")
        result = await client.get("greeting")

Keys and values go in as bytes or text and come out as bytes.
"""

import random
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Literal, Self

from fairlead.client import methods, values
from fairlead.client.calls import Caller, Metadata, open_stream, raise_for
from fairlead.client.channels import Channels
from fairlead.client.config import Credentials, Endpoint, Patience, Tls
from fairlead.client.errors import CompactedError, EndpointError, LeaseLostError, RequestError
from fairlead.client.lease import LeaseContext
from fairlead.client.quiet_grpc import grpc
from fairlead.client.values import (
    Alarm,
    DeleteResult,
    GetResult,
    LeaseInfo,
    Member,
    PutResult,
    Status,
    TxnResult,
)
from fairlead.client.watch import Watch, WatchRange
from fairlead.proto import rpc_pb2

SortTarget = Literal["key", "version", "create_revision", "mod_revision", "value"]
_TARGETS: dict[SortTarget, rpc_pb2.RangeRequest.SortTarget] = {
    "key": rpc_pb2.RangeRequest.KEY,
    "version": rpc_pb2.RangeRequest.VERSION,
    "create_revision": rpc_pb2.RangeRequest.CREATE,
    "mod_revision": rpc_pb2.RangeRequest.MOD,
    "value": rpc_pb2.RangeRequest.VALUE,
}


class Client:
    """A client of one cluster.  Made inside a running event loop; closed by ``close`` or ``async with``."""

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        tls: Tls | None = None,
        credentials: Credentials | None = None,
        timeout_s: float = 5.0,
        patience: Patience | None = None,
    ) -> None:
        """Read the settings; connect to nothing yet.

        Args:
            endpoints: ``http://host:port`` of any members; the first that answers is used.
            tls: certificates for ``https`` endpoints.
            credentials: the user to sign in as.
            timeout_s: how long one call may take, with all its attempts.
            patience: finer control; replaces ``timeout_s``.

        Raises:
            EndpointError: an endpoint or a TLS file cannot be used.
        """
        parsed = tuple(Endpoint.parse(text, tls=tls) for text in endpoints)
        if not parsed:
            raise EndpointError("no endpoint is given: --endpoints http://HOST:PORT")
        self.patience = patience or Patience(timeout_s=timeout_s)
        self._channels = Channels(parsed, tls=tls, patience=self.patience)
        # Jitter needs no secrecy.
        rng = random.Random()  # noqa: S311 - it spreads retries, it guards nothing
        self.caller = Caller(self._channels, credentials=credentials, patience=self.patience, rng=rng)

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The URLs of the endpoints."""
        return self._channels.urls

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections; calls under way are cancelled."""
        await self._channels.close()

    # Keys

    async def get(
        self,
        key: bytes | str,
        *,
        range_end: bytes | str = b"",
        prefix: bool = False,
        revision: int = 0,
        limit: int = 0,
        serializable: bool = False,
        keys_only: bool = False,
        count_only: bool = False,
        sort_by: SortTarget | None = None,
        descending: bool = False,
    ) -> GetResult:
        """Return a key or a range, in key order unless sorted.

        Args:
            key: the key, or the first of the range.
            range_end: the first key past the range; ``FROM_KEY`` is to the end.
            prefix: every key that starts with ``key``; all of them when it is empty.
            revision: as it was then; 0 is now.
            limit: at most so many pairs; 0 is all.
            serializable: from the member's own state, which may be behind.
            keys_only: leave out the values.
            count_only: only ``count``.
            sort_by: what to order by.
            descending: largest first; by key where ``sort_by`` is not given.

        Raises:
            CompactedError: ``revision`` is gone.
            ClientError: see errors.py.
        """
        first, end = values.key_range(key, range_end=range_end, prefix=prefix)
        request = rpc_pb2.RangeRequest(
            key=first,
            range_end=end,
            revision=revision,
            limit=limit,
            serializable=serializable,
            keys_only=keys_only,
            count_only=count_only,
        )
        if sort_by is not None or descending:
            orders = rpc_pb2.RangeRequest.ASCEND, rpc_pb2.RangeRequest.DESCEND
            request.sort_order = orders[descending]
            request.sort_target = _TARGETS[sort_by or "key"]
        try:
            return values.get_result(await self.caller.call(methods.RANGE, request))
        except CompactedError as error:
            raise CompactedError(revision=revision) from error

    async def put(
        self, key: bytes | str, value: bytes | str, *, lease: int = 0, prev_kv: bool = False
    ) -> PutResult:
        """Write a pair, on ``lease`` if that is not 0; with ``prev_kv`` return what was there."""
        request = rpc_pb2.PutRequest(
            key=values.to_bytes(key), value=values.to_bytes(value), lease=lease, prev_kv=prev_kv
        )
        return values.put_result(await self.caller.call(methods.PUT, request))

    async def delete(
        self,
        key: bytes | str,
        *,
        range_end: bytes | str = b"",
        prefix: bool = False,
        prev_kv: bool = False,
    ) -> DeleteResult:
        """Delete a key or a range; see ``get`` for the arguments."""
        first, end = values.key_range(key, range_end=range_end, prefix=prefix)
        request = rpc_pb2.DeleteRangeRequest(key=first, range_end=end, prev_kv=prev_kv)
        return values.delete_result(await self.caller.call(methods.DELETE_RANGE, request))

    async def txn(
        self,
        compares: Sequence[rpc_pb2.Compare],
        success: Sequence[rpc_pb2.RequestOp] = (),
        failure: Sequence[rpc_pb2.RequestOp] = (),
    ) -> TxnResult:
        """Do ``success`` when all ``compares`` hold, else ``failure``, at one revision.

        The builders are in ``fairlead.client.txn``.
        """
        request = rpc_pb2.TxnRequest(compare=compares, success=success, failure=failure)
        # Repeating a transaction that only reads is as safe as repeating a read.
        is_read = all(op.WhichOneof("request") == "request_range" for op in (*success, *failure))
        return values.txn_result(await self.caller.call(methods.TXN, request, is_read=is_read))

    async def compact(self, revision: int, *, physical: bool = False) -> None:
        """Forget the history before ``revision``; with ``physical`` return when it is off the disk."""
        request = rpc_pb2.CompactionRequest(revision=revision, physical=physical)
        await self.caller.call(methods.COMPACT, request)

    def watch(
        self,
        key: bytes | str,
        *,
        range_end: bytes | str = b"",
        prefix: bool = False,
        start_revision: int = 0,
        prev_kv: bool = False,
        progress: bool = False,
    ) -> Watch:
        """Return a watch: ``async with client.watch("a", prefix=True) as watch: async for batch in watch``.

        Args:
            key: see ``get``, as for ``range_end`` and ``prefix``.
            range_end: see ``get``.
            prefix: see ``get``.
            start_revision: the first revision to hear of; 0 is from now on.
            prev_kv: with each event what was there before.
            progress: also hand out batches without events, by which the store says how far it is.
        """
        first, end = values.key_range(key, range_end=range_end, prefix=prefix)
        what = WatchRange(key=first, range_end=end, prev_kv=prev_kv, progress_notify=progress)
        return Watch(self.caller, what, start_revision=start_revision, progress=progress)

    # Leases

    async def grant(self, ttl_s: int, *, lease_id: int = 0) -> tuple[int, int]:
        """Grant a lease; return its id and its TTL in seconds, which the store may have raised."""
        request = rpc_pb2.LeaseGrantRequest(TTL=ttl_s, ID=lease_id)
        answer = await self.caller.call(methods.LEASE_GRANT, request)
        return answer.ID, answer.TTL

    async def keep_alive(self, lease_id: int) -> int:
        """Renew a lease once; return the seconds it has now.

        Raises:
            LeaseLostError: it is gone.
        """

        async def attempt(
            channel: grpc.aio.Channel, metadata: Metadata, timeout_s: float
        ) -> rpc_pb2.LeaseKeepAliveResponse:
            return await _keep_alive(channel, metadata, lease_id=lease_id, timeout_s=timeout_s)

        answer = await self.caller.run(attempt, is_read=True)
        if answer.TTL <= 0:
            raise LeaseLostError(lease_id)
        return answer.TTL

    async def revoke(self, lease_id: int) -> None:
        """End a lease now; its keys go at one revision.

        Raises:
            LeaseLostError: it is gone already.
        """
        try:
            await self.caller.call(methods.LEASE_REVOKE, rpc_pb2.LeaseRevokeRequest(ID=lease_id))
        except RequestError as error:
            if error.code == "NOT_FOUND":
                raise LeaseLostError(lease_id) from error
            raise

    async def lease_info(self, lease_id: int, *, keys: bool = False) -> LeaseInfo:
        """Return a lease as it stands, with the keys on it where asked."""
        request = rpc_pb2.LeaseTimeToLiveRequest(ID=lease_id, keys=keys)
        answer = await self.caller.call(methods.LEASE_TIME_TO_LIVE, request)
        return LeaseInfo(
            lease_id=lease_id,
            ttl_s=answer.TTL,
            granted_ttl_s=answer.grantedTTL,
            keys=tuple(answer.keys),
        )

    async def leases(self) -> tuple[int, ...]:
        """Return the id of every lease."""
        answer = await self.caller.call(methods.LEASE_LEASES, rpc_pb2.LeaseLeasesRequest())
        return tuple(lease.ID for lease in answer.leases)

    def lease(self, ttl_s: int) -> LeaseContext:
        """Return ``async with`` material: a lease that keeps itself alive and says when it is lost."""
        return LeaseContext(self, ttl_s=ttl_s)

    # The cluster

    async def status(self) -> tuple[Status, ...]:
        """Return every endpoint's account of itself, in the order of ``endpoints``.

        Raises:
            UnavailableError: one of them does not answer.
        """
        return tuple([await self._status_at(endpoint) for endpoint in self._channels.endpoints])

    async def _status_at(self, endpoint: Endpoint) -> Status:
        answer = await self.caller.call_at(endpoint, methods.STATUS, rpc_pb2.StatusRequest())
        return values.status(answer, endpoint=endpoint.url)

    async def member_list(self) -> tuple[Member, ...]:
        """Return the members of the cluster."""
        answer = await self.caller.call(methods.MEMBER_LIST, rpc_pb2.MemberListRequest(linearizable=True))
        return tuple(values.member(message) for message in answer.members)

    async def alarms(self) -> tuple[Alarm, ...]:
        """Return what members complain of now."""
        request = rpc_pb2.AlarmRequest(action=rpc_pb2.AlarmRequest.GET)
        answer = await self.caller.call(methods.ALARM, request, is_read=True)
        return tuple(
            Alarm(member_id=alarm.memberID, kind=rpc_pb2.AlarmType.Name(alarm.alarm))
            for alarm in answer.alarms
        )

    async def snapshot(self) -> AsyncIterator[bytes]:
        """Yield the whole database as one member has it, piece by piece; the last 32 bytes are its SHA-256.

        Raises:
            ClientError: no member begins, or the one that did stops before the end.
        """

        async def begin(channel: grpc.aio.Channel, metadata: Metadata, timeout_s: float) -> tuple[Any, bytes]:
            del timeout_s  # a large database is copied before its first piece comes
            call = open_stream(channel, methods.SNAPSHOT, metadata=metadata)
            await call.write(rpc_pb2.SnapshotRequest())
            await call.done_writing()
            return call, _piece(await call.read())

        call, piece = await self.caller.run(begin, is_read=True)
        try:
            while piece:
                yield piece
                piece = _piece(await call.read())
        except grpc.aio.AioRpcError as error:
            raise_for(self.endpoints, error, is_read=True)
        finally:
            call.cancel()


def _piece(answer: Any) -> bytes:
    """Return the bytes of one message of a snapshot; none at its end."""
    return answer.blob if isinstance(answer, rpc_pb2.SnapshotResponse) else b""


async def _keep_alive(
    channel: grpc.aio.Channel, metadata: Metadata, *, lease_id: int, timeout_s: float
) -> rpc_pb2.LeaseKeepAliveResponse:
    """Ask once on a stream of its own, which fails over like any other call."""
    call = open_stream(channel, methods.LEASE_KEEP_ALIVE, metadata=metadata, timeout_s=timeout_s)
    try:
        await call.write(rpc_pb2.LeaseKeepAliveRequest(ID=lease_id))
        await call.done_writing()
        answer = await call.read()
        if not isinstance(answer, rpc_pb2.LeaseKeepAliveResponse):
            raise LeaseLostError(lease_id)
        return answer
    finally:
        call.cancel()
