"""Maintenance.Snapshot: the whole database as a stream, in the form that ``etcdctl snapshot save`` writes down.

A copy of the database is made first, which has no name and goes with its descriptor.  From then on the stream
holds one piece of it in memory and takes the next when the client has taken most of the last, so neither a large
database nor a slow client costs memory, and commits go on.

Source: etcd's ``api/v3rpc/maintenance.go``.
"""

import asyncio

import structlog

from fairlead.api.status import status_of
from fairlead.api.version import STORAGE_VERSION
from fairlead.member import BackupReader, Member, TooManyRequestsError
from fairlead.mvcc import BackendError
from fairlead.proto import rpc_pb2 as pb
from fairlead.rpc import Call, Code, Stream

_log = structlog.get_logger("fairlead.store")

STREAMS_MAX = 4
"""Each holds a copy of the database on the disk."""
BLOB_BYTES = 32 * 1024
_PIECE_BYTES = 16 * BLOB_BYTES
# Above this the client has enough to read.
_BUFFERED_BYTES_MAX = 4 * BLOB_BYTES


class Snapshots:
    """The method ``Snapshot`` of ``etcdserverpb.Maintenance``."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self.streams: set[SnapshotStream] = set()

    def routes(self) -> dict[str, Stream]:
        """Return the method by its path."""
        return {
            "/etcdserverpb.Maintenance/Snapshot": Stream(
                lambda call: SnapshotStream(self._member, call, self.streams)
            )
        }

    async def stop(self) -> None:
        """End the streams that are open; the database can be closed when this returns."""
        tasks = [stream.end() for stream in tuple(self.streams)]
        await asyncio.gather(*tasks, return_exceptions=True)


class SnapshotStream:
    """One client's snapshot."""

    def __init__(self, member: Member, call: Call, streams: "set[SnapshotStream]") -> None:
        if len(streams) >= STREAMS_MAX:
            raise TooManyRequestsError
        self._member = member
        self._call = call
        self._streams = streams
        self._is_writable = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        streams.add(self)

    def __repr__(self) -> str:
        return f"<SnapshotStream peer={self._call.peer}>"

    def on_message(self, message: bytes) -> None:
        """Take the one SnapshotRequest, which says nothing."""
        del message
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def on_half_close(self) -> None:
        """The client has asked; it listens now."""
        if self._task is None:
            self._streams.discard(self)
            self._call.finish(Code.INTERNAL, "grpc: the request ended before its message was complete")

    def on_cancel(self) -> None:
        """The client has gone."""
        if self._task is None:
            self._streams.discard(self)
        else:
            self._task.cancel()

    def on_writable(self) -> None:
        """The client has read most of what it was sent."""
        self._is_writable.set()

    def end(self) -> "asyncio.Task[None]":
        """Give up; the task that is returned ends when nothing of the stream is left."""
        task = self._task or asyncio.get_running_loop().create_task(asyncio.sleep(0))
        self.on_cancel()
        return task

    async def _run(self) -> None:
        try:
            dump = await self._member.upkeep.copy()
            reader = BackupReader(dump, revision=self._member.store.revision)
            try:
                await self._send(reader)
            finally:
                reader.close()
        except (BackendError, OSError) as error:
            _log.error("a snapshot could not be made", error=str(error))
            self._call.finish(Code.UNAVAILABLE, f"fairlead: {error}")
        except Exception as error:  # noqa: BLE001 - the edge maps every error, unforeseen ones too
            self._call.finish(*status_of(error))
        finally:
            self._streams.discard(self)

    async def _send(self, reader: BackupReader) -> None:
        remaining = reader.remaining_bytes
        while piece := await asyncio.to_thread(reader.read, _PIECE_BYTES):
            for start in range(0, len(piece), BLOB_BYTES):
                blob = piece[start : start + BLOB_BYTES]
                remaining -= len(blob)
                answer = pb.SnapshotResponse(remaining_bytes=remaining, blob=blob, version=STORAGE_VERSION)
                await self._room()
                self._call.send(answer.SerializeToString())
        # As in etcd: the checksum comes last, in a message of its own.
        last = pb.SnapshotResponse(blob=reader.checksum, version=STORAGE_VERSION)
        self._call.send(last.SerializeToString())
        self._call.finish()

    async def _room(self) -> None:
        while self._call.buffered_bytes > _BUFFERED_BYTES_MAX:
            self._is_writable.clear()
            await self._is_writable.wait()
