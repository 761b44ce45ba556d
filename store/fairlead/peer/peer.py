"""One other member: our two streams to it, and what is said about them in the log."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import structlog

from fairlead.peer.codec import EntriesCache, encode_message
from fairlead.peer.errors import HandshakeError, PeerError, RemovedError
from fairlead.peer.frames import FrameKind
from fairlead.peer.handshake import StreamKind
from fairlead.peer.messages import PeerMessage, is_bulk
from fairlead.peer.shared import Shared
from fairlead.peer.stream import Stream
from fairlead.peer.upload import Upload
from fairlead.peer.urls import Address
from fairlead.peer.wire import Wire
from fairlead.raft import InstallSnapshot

_log = structlog.get_logger("fairlead.store")


class Peer:
    """One other member, as we reach it.

    Args:
        member: its id.
        urls: its peer URLs.
        shared: what all connections share.
    """

    def __init__(self, member: int, urls: Sequence[Address], shared: Shared) -> None:
        self.member = member
        self.addresses = tuple(urls)
        self.round_trip_s: float | None = None
        """The last one measured; None while the urgent stream is not open."""
        self._shared = shared
        self._counters = shared.counters.peer(member)
        self._said = ""
        self._is_dropping = False
        self._upload: Upload | None = None
        self._uploading: asyncio.Task[bool] | None = None
        self.urgent = Stream(StreamKind.URGENT, member, addresses=self.addresses, shared=shared, watcher=self)
        self.bulk = Stream(StreamKind.BULK, member, addresses=self.addresses, shared=shared, watcher=self)

    def __repr__(self) -> str:
        return f"<Peer {self.member:x} urgent={self.urgent!r} bulk={self.bulk!r}>"

    @property
    def is_connected(self) -> bool:
        """Whether both streams are open."""
        return self.urgent.wire is not None and self.bulk.wire is not None

    def send(self, message: PeerMessage, cache: EntriesCache) -> bool:
        """Send a message; return False if it is dropped, since there is no connection or no room."""
        wire = (self.bulk if is_bulk(message) else self.urgent).wire
        is_sent = wire is not None and self._offer(wire, encode_message(message, cache))
        if not is_sent:
            self._counters.dropped_messages += 1
        return is_sent

    def _offer(self, wire: Wire, data: bytes) -> bool:
        is_too_long = len(data) > self._shared.config.frame_bytes_max
        is_sent = not is_too_long and wire.offer(FrameKind.MESSAGE, data)
        if is_sent:
            self._counters.sent_messages += 1
            self._counters.sent_bytes += len(data)
        if is_sent == self._is_dropping:
            self._is_dropping = not is_sent
            if not is_sent:
                why = "they are too long" if is_too_long else "it takes them more slowly than they come"
                size = len(data)
                _log.warning("messages to a peer are dropped", member=f"{self.member:x}", why=why, bytes=size)
        return is_sent

    def flush(self) -> None:
        """Write what was sent at once, instead of at the end of the turn."""
        for stream in (self.urgent, self.bulk):
            if stream.wire is not None:
                stream.wire.flush()

    def send_snapshot(self, message: InstallSnapshot, path: Path, done: Callable[[bool], None]) -> None:
        """Send a snapshot file, one at a time; see `fairlead.peer.Transport.send_snapshot`."""
        if self._upload is not None:
            self._shared.loop.call_soon(done, False)
            return
        self._upload = Upload(message, path, stream=self.bulk, shared=self._shared)
        self._uploading = self._shared.loop.create_task(self._upload.run())
        self._uploading.add_done_callback(partial(self._uploaded, done))

    def _uploaded(self, done: Callable[[bool], None], task: asyncio.Task[bool]) -> None:
        self._upload = self._uploading = None
        error = None if task.cancelled() else task.exception()
        is_delivered = not task.cancelled() and error is None and task.result()
        self._counters.snapshots_sent += is_delivered
        self._counters.snapshots_failed += not is_delivered
        done(is_delivered)
        if error is not None:
            raise error

    def nudge(self) -> None:
        """Dial now, where there is no connection: the peer has just been heard of."""
        self.urgent.nudge()
        self.bulk.nudge()

    def tick(self) -> None:
        """Let a ping interval pass."""
        self.bulk.tick()
        measured_s = self.urgent.tick()
        if measured_s is not None:
            self.round_trip_s = measured_s
            self._shared.on_round_trip(self.member, measured_s)

    async def stop(self) -> None:
        """Close both streams."""
        self._said = "stopped"
        if self._uploading is not None:
            self._uploading.cancel()
            await asyncio.wait({self._uploading})
        await self.urgent.stop()
        await self.bulk.stop()

    # What the streams tell.

    def stream_opened(self, _stream: Stream, address: Address) -> None:
        """See `fairlead.peer.stream.Watcher`."""
        if self.is_connected and self._is_news("connected"):
            _log.info("connected to peer", member=f"{self.member:x}", url=str(address))

    def stream_lost(self, stream: Stream, error: PeerError) -> None:
        """See `fairlead.peer.stream.Watcher`."""
        if stream is self.urgent:
            self.round_trip_s = None
        elif self._upload is not None:
            self._upload.lost(error)
        self._counters.lost_connections += 1
        self._shared.on_unreachable(self.member)
        if not isinstance(error, RemovedError) and self._is_news("away"):
            _log.warning(
                "lost the connection to a peer, trying again", member=f"{self.member:x}", why=str(error)
            )

    def stream_failed(self, _stream: Stream, error: PeerError) -> None:
        """See `fairlead.peer.stream.Watcher`."""
        if isinstance(error, RemovedError):
            self._shared.on_removed(str(error))
        is_refused = isinstance(error, HandshakeError)
        if self._is_news(type(error).__name__ if is_refused else "away"):
            event = "refused by a peer" if is_refused else "cannot reach a peer, trying again"
            _log.warning(event, member=f"{self.member:x}", why=str(error))

    def stream_received(self, stream: Stream, kind: FrameKind, payload: bytes) -> None:
        """See `fairlead.peer.stream.Watcher`."""
        if stream is self.bulk and self._upload is not None:
            self._upload.received(kind, payload)

    def _is_news(self, state: str) -> bool:
        """Return whether this is not what was said last; once stopped, nothing is."""
        if self._said in {state, "stopped"}:
            return False
        self._said = state
        return True
