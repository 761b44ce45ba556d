"""Receiving snapshots: into a ``.part`` file that outlives the connection, then proved, then in its place."""

import asyncio
import contextlib
import time
from collections import deque
from pathlib import Path

import structlog

from fairlead.peer.errors import PeerDecodeError
from fairlead.peer.frames import FrameKind
from fairlead.peer.shared import Shared
from fairlead.peer.transfer import (
    Offer,
    Progress,
    decode_chunk,
    decode_offer,
    encode_ack,
    encode_result,
)
from fairlead.peer.wire import Wire
from fairlead.wal import CorruptError, DiskFailedError, DiskFile, load_snapshot

_log = structlog.get_logger("fairlead.store")


class Downloads:
    """What others send us: one snapshot at a time, the one that was offered last.

    Args:
        shared: what all connections share.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._current: Download | None = None
        self._task: asyncio.Task[None] | None = None

    def offered(self, wire: Wire, payload: bytes) -> None:
        """Begin, or go on with, what ``wire`` offers.

        Raises:
            PeerDecodeError: it offers nonsense.
        """
        offer = decode_offer(payload)
        hello = wire.connection.hello
        assert hello is not None
        if offer.message.sender != hello.sender.member_id or offer.message.to != hello.to:
            raise PeerDecodeError(
                f"a snapshot from {offer.message.sender:x} to {offer.message.to:x}, neither of us"
            )
        if self._current is not None:
            self._current.abandon("another snapshot was offered")
        self._current = Download(offer, wire, self._shared)
        self._task = self._shared.loop.create_task(self._current.run(after=self._task))

    def received(self, wire: Wire, payload: bytes) -> None:
        """Take a chunk; what follows a snapshot that we gave up is passed over.

        Raises:
            PeerDecodeError: it has no place there.
        """
        if self._current is not None and self._current.wire is wire:
            self._current.received(*decode_chunk(payload))

    def closed(self, wire: Wire) -> None:
        """Learn that a connection is gone."""
        if self._current is not None and self._current.wire is wire:
            self._current.abandon("the connection is lost")

    async def stop(self) -> None:
        """Give up what is on its way; its beginning stays for the next time."""
        if self._current is not None and self._task is not None:
            self._current.abandon("this member stops")
            await asyncio.wait({self._task})


class Download:
    """One snapshot on its way to us.

    Args:
        offer: what it is.
        wire: where it comes from.
        shared: what all connections share.
    """

    def __init__(self, offer: Offer, wire: Wire, shared: Shared) -> None:
        self.wire = wire
        self._offer = offer
        self._shared = shared
        self._disk = shared.config.disk
        self._directory = shared.config.snapshot_dir
        self._part = self._directory / offer.part_name
        self._log = _log.bind(member=f"{offer.message.sender:x}", file=offer.name)
        self._chunks: deque[tuple[int, bytes]] = deque()
        self._held_bytes = 0
        self._expected: int | None = None
        self._changed = asyncio.Event()
        self._abandoned = ""

    def __repr__(self) -> str:
        return f"<Download of {self._offer.name} expected={self._expected} of {self._offer.size}>"

    def received(self, offset: int, data: bytes) -> None:
        """Take a chunk.

        Raises:
            PeerDecodeError: it is not the next one, or more than may be under way.
        """
        if self._abandoned:
            return
        if offset != self._expected or offset + len(data) > self._offer.size:
            raise PeerDecodeError(f"a chunk of {len(data)} bytes at {offset}, {self._expected} was to come")
        if self._held_bytes + len(data) > 2 * self._shared.config.window_bytes:
            raise PeerDecodeError(f"{self._held_bytes + len(data)} bytes of a snapshot at a time")
        self._expected = offset + len(data)
        self._held_bytes += len(data)
        self._chunks.append((offset, data))
        self._changed.set()

    def abandon(self, why: str) -> None:
        """Take no more; what is written stays.  A write that is under way ends first."""
        self._abandoned = self._abandoned or why
        self._changed.set()

    async def run(self, *, after: asyncio.Task[None] | None) -> None:
        """Receive it, once ``after`` has let go of the directory."""
        if after is not None:
            await asyncio.wait({after})
        began_s, path = time.monotonic(), None
        try:
            if not self._abandoned and await self._receive():
                path = await asyncio.to_thread(self._prove)
        except CorruptError as error:
            self._refuse(f"it arrived broken: {error.why}")
        except (OSError, DiskFailedError) as error:
            self._refuse(f"it cannot be written to {self._directory}: {error}")
        else:
            if path is None:
                self._refuse(self._abandoned)
            else:
                took_s = round(time.monotonic() - began_s, 1)
                self._log.info("received a snapshot", size_bytes=self._offer.size, seconds=took_s)
                self._shared.counters.peer(self._offer.message.sender).snapshots_received += 1
                self._shared.handlers.on_snapshot(self._offer.message, path)
                self.wire.offer(FrameKind.SNAPSHOT_RESULT, encode_result(""))

    def _refuse(self, why: str) -> None:
        self._abandoned = why
        self._log.warning("receiving a snapshot was interrupted", why=why, at_byte=self._expected)
        self.wire.offer(FrameKind.SNAPSHOT_RESULT, encode_result(why))

    async def _receive(self) -> bool:
        """Return whether the file is there as a whole; False if it was abandoned."""
        size = self._offer.size
        file, offset = await asyncio.to_thread(self._open)
        try:
            progress = Progress(size, offset, now_s=time.monotonic())
            self._log.info("receiving a snapshot", size_bytes=size, from_byte=offset)
            self._expected = offset
            self._acknowledge(offset)
            while offset < size:
                await self._changed.wait()
                self._changed.clear()
                if self._abandoned:
                    return False
                chunks, self._chunks = self._chunks, deque()
                offset = await asyncio.to_thread(_write, file, chunks)
                self._held_bytes -= sum(len(data) for _, data in chunks)
                self._acknowledge(offset)
                now_s = time.monotonic()
                if progress.is_due(offset, now_s=now_s):
                    self._log.info("receiving a snapshot", **progress.describe(offset, now_s=now_s))
            await asyncio.to_thread(file.sync)
        finally:
            file.close()
        return True

    def _acknowledge(self, offset: int) -> None:
        self.wire.offer(FrameKind.SNAPSHOT_ACK, encode_ack(offset))

    def _open(self) -> tuple[DiskFile, int]:
        """Return the open part, and how much of it is there; remove those of other snapshots."""
        disk = self._disk
        disk.make_directory(self._directory)
        names = disk.list_directory(self._directory)
        for name in names:
            if name.endswith(".part") and name != self._part.name:
                disk.remove(self._directory / name)
        if self._part.name in names:
            file = disk.open(self._part)
            size = file.size()
            if size <= self._offer.size:
                return file, size
            file.close()
            disk.remove(self._part)
        return disk.create(self._part), 0

    def _prove(self) -> Path:
        """Check the whole file and put it in its place, durably; return where it is."""
        path = self._directory / self._offer.name
        try:
            for _ in load_snapshot(self._disk, self._part, name=path.name):
                pass
        except CorruptError:
            with contextlib.suppress(OSError):
                self._disk.remove(self._part)
            raise
        self._disk.rename(self._part, path)
        self._disk.sync_directory(self._directory)
        return path


def _write(file: DiskFile, chunks: deque[tuple[int, bytes]]) -> int:
    """Write chunks that follow each other; return the offset behind them."""
    end = 0
    for offset, data in chunks:
        end = offset + len(data)
        written = 0
        while written < len(data):
            written += file.write(data[written:], offset + written)
    return end
