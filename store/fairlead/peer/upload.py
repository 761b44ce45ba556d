"""Sending one snapshot to one peer: over as many connections as it takes, from where the last one ended."""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Final

import structlog

from fairlead.peer.errors import PeerError, PeerSilentError, PeerUnreachableError, SnapshotRefusedError
from fairlead.peer.frames import FrameKind
from fairlead.peer.shared import Shared
from fairlead.peer.stream import Stream
from fairlead.peer.transfer import (
    CHECKSUM_BYTES,
    Offer,
    Progress,
    Window,
    decode_ack,
    decode_result,
    encode_chunk,
    encode_offer,
)
from fairlead.peer.wire import Wire
from fairlead.raft import InstallSnapshot
from fairlead.wal import DiskFile

_PROVED_BYTES_PER_S: Final = 20 << 20
"""A receiver reads the whole file again, and syncs it, before it says that it has it; even a slow one so fast."""

_log = structlog.get_logger("fairlead.store")


class Upload:
    """One snapshot on its way to one peer.

    Args:
        message: goes with it.
        path: the file, as ``fairlead.wal.save_snapshot`` made it.
        stream: the bulk stream to the peer.
        shared: what all connections share.
    """

    def __init__(self, message: InstallSnapshot, path: Path, *, stream: Stream, shared: Shared) -> None:
        self._message = message
        self._path = path
        self._stream = stream
        self._shared = shared
        self._config = shared.config
        self._log = _log.bind(member=f"{message.to:x}", file=path.name)
        self._changed = asyncio.Event()
        self._acked: int | None = None
        self._result: str | None = None
        self._lost: PeerError | None = None
        self._progressed = False

    def __repr__(self) -> str:
        return f"<Upload of {self._path.name} to {self._message.to:x} acked={self._acked}>"

    # What the stream tells.

    def received(self, kind: FrameKind, payload: bytes) -> None:
        """Take what the receiver says.

        Raises:
            PeerDecodeError: it is nonsense.
        """
        if kind is FrameKind.SNAPSHOT_ACK:
            self._acked = decode_ack(payload)
        else:
            self._result = decode_result(payload)
        self._changed.set()

    def lost(self, error: PeerError) -> None:
        """Learn that the connection is gone."""
        self._lost = error
        self._changed.set()

    # What is done.

    async def run(self) -> bool:
        """Return whether the receiver has the snapshot, proved and on disk."""
        try:
            file = self._config.disk.open(self._path)
        except OSError as error:
            self._log.error("cannot send a snapshot: it cannot be read", why=error.strerror)
            return False
        with contextlib.closing(file):
            return await self._try_all(file)

    async def _try_all(self, file: DiskFile) -> bool:
        began_s, failures = time.monotonic(), 0
        while failures < self._config.snapshot_attempts_max:
            self._progressed = False
            try:
                offer = await asyncio.to_thread(self._examine, file)
                await self._try(file, offer)
            except OSError as error:
                self._log.error("cannot send a snapshot: it cannot be read", why=error.strerror)
                return False
            except PeerError as error:
                is_refused = isinstance(error, SnapshotRefusedError)
                failures = 1 if self._progressed and not is_refused else failures + 1
                self._log.warning("sending a snapshot was interrupted", why=str(error), failures=failures)
                await asyncio.sleep(self._config.dial_interval_s)
            else:
                took_s = time.monotonic() - began_s
                self._log.info("sent a snapshot", size_bytes=offer.size, seconds=round(took_s, 1))
                return True
        self._log.error("gave up sending a snapshot; Raft will ask for one again", failures=failures)
        return False

    def _examine(self, file: DiskFile) -> Offer:
        size = file.size()
        checksum = int.from_bytes(_read(file, size - CHECKSUM_BYTES, CHECKSUM_BYTES), "little")
        return Offer(self._message, size, checksum)

    async def _try(self, file: DiskFile, offer: Offer) -> None:
        """Send it, or what is left of it, over one connection.

        Raises:
            PeerError: it did not get there.
        """
        try:
            async with asyncio.timeout(self._config.snapshot_stall_s):
                wire = await self._stream.wait_opened()
        except TimeoutError:
            raise PeerUnreachableError(f"no connection within {self._config.snapshot_stall_s:g} s") from None
        self._acked = self._result = self._lost = None
        try:
            await self._transfer(wire, file, offer)
        except SnapshotRefusedError:
            raise
        except PeerError as error:
            # What of this attempt is still under way must not be taken for an answer to the next one.
            wire.close(error)
            raise

    async def _transfer(self, wire: Wire, file: DiskFile, offer: Offer) -> None:
        config = self._config
        _put(wire, FrameKind.SNAPSHOT_OFFER, encode_offer(offer))
        while self._acked is None:
            await self._wait(config.snapshot_stall_s)
        window = Window(
            offer.size, self._acked, chunk_bytes=config.chunk_bytes, window_bytes=config.window_bytes
        )
        progress = Progress(offer.size, self._acked, now_s=time.monotonic())
        self._log.info("sending a snapshot", size_bytes=offer.size, from_byte=self._acked)
        while self._result is None:
            while (chunk := window.next_chunk()) is not None:
                data = await asyncio.to_thread(_read, file, *chunk)
                _put(wire, FrameKind.SNAPSHOT_CHUNK, encode_chunk(chunk[0], data))
            is_all_there = window.acked == offer.size
            proof_s = offer.size / _PROVED_BYTES_PER_S if is_all_there else 0.0
            await self._wait(config.snapshot_stall_s + proof_s)
            self._progressed = self._progressed or self._acked > window.acked
            window.acknowledge(self._acked)
            now_s = time.monotonic()
            if progress.is_due(window.acked, now_s=now_s):
                self._log.info("sending a snapshot", **progress.describe(window.acked, now_s=now_s))

    async def _wait(self, patience_s: float) -> None:
        """Wait for news of the receiver.

        Raises:
            PeerError: it is gone, says nothing, or cannot take the snapshot.
        """
        try:
            async with asyncio.timeout(patience_s):
                await self._changed.wait()
        except TimeoutError:
            raise PeerSilentError(f"the receiver made no progress within {patience_s:.1f} s") from None
        self._changed.clear()
        if self._lost is not None:
            raise self._lost
        if self._result:
            raise SnapshotRefusedError(f"the receiver: {self._result}")


def _put(wire: Wire, kind: FrameKind, payload: bytes) -> None:
    if not wire.offer(kind, payload):
        raise PeerUnreachableError("the connection is lost, or its queue full")


def _read(file: DiskFile, offset: int, length: int) -> bytes:
    """Return exactly so many bytes."""
    parts: list[bytes] = []
    while length > 0:
        part = file.read(offset, length)
        if not part:
            raise OSError(0, "the file ends early")
        parts.append(part)
        offset, length = offset + len(part), length - len(part)
    return b"".join(parts)
