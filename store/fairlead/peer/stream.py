"""One stream to a peer: dials it, and dials again whenever the connection is lost.

One task for each stream, none for a message.  What waits on a connection that is lost goes with it: a message
is never sent twice.
"""

import asyncio
import contextlib
import random
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from fairlead.peer.dial import Line, dial
from fairlead.peer.errors import HandshakeError, PeerError, PeerUnreachableError, RemovedError
from fairlead.peer.frames import FrameKind
from fairlead.peer.handshake import Hello, StreamKind
from fairlead.peer.shared import Shared
from fairlead.peer.urls import Address
from fairlead.peer.wire import Wire

_NUDGED_S: Final = 0.05
"""A peer that has been heard of is dialled after so long: two that cut each other off must not spin."""


class Watcher(Protocol):
    """Whom a stream tells what becomes of it."""

    def stream_opened(self, stream: "Stream", address: Address) -> None:
        """Learn that it can be used."""

    def stream_lost(self, stream: "Stream", error: PeerError) -> None:
        """Learn that it cannot any more."""

    def stream_failed(self, stream: "Stream", error: PeerError) -> None:
        """Learn that no address answered as it should."""

    def stream_received(self, stream: "Stream", kind: FrameKind, payload: bytes) -> None:
        """Take a frame."""


class Stream:
    """One stream to one member.

    Args:
        kind: what it is for.
        member: whom it goes to.
        addresses: where that one may be, tried in turn.
        shared: what all connections share.
        watcher: told what becomes of it.
    """

    def __init__(
        self,
        kind: StreamKind,
        member: int,
        *,
        addresses: Sequence[Address],
        shared: Shared,
        watcher: Watcher,
    ) -> None:
        self.kind = kind
        self.wire: Wire | None = None
        """The open connection; None: there is none."""
        self._member = member
        self._addresses = addresses
        self._shared = shared
        self._watcher = watcher
        config = shared.config
        is_bulk = kind is StreamKind.BULK
        self._queue_bytes_max = config.queue_bytes_max if is_bulk else config.urgent_queue_bytes_max
        self._nudged = asyncio.Event()
        self._opened = asyncio.Event()
        self._task = shared.loop.create_task(self._run())

    def __repr__(self) -> str:
        return f"<Stream {self.kind.name} to {self._member:x} {'closed' if self.wire is None else 'open'}>"

    def nudge(self) -> None:
        """Dial without waiting: the peer has just been heard of."""
        self._nudged.set()

    async def wait_opened(self) -> Wire:
        """Return the open connection, once there is one."""
        while self.wire is None:
            self._opened.clear()
            await self._opened.wait()
        return self.wire

    def tick(self) -> float | None:
        """Let a ping interval pass; return the newest round trip in seconds, if one was measured."""
        if self.wire is None:
            return None
        self.wire.tick()
        return self.wire.connection.take_round_trip() if self.wire is not None else None

    async def stop(self) -> None:
        """Close, and dial no more."""
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        config = self._shared.config
        attempt = 0
        while True:
            self._nudged.clear()
            try:
                lived_s = await self._dial_all()
            except RemovedError as error:
                # Final: who was removed is not taken back under its id.
                self._watcher.stream_failed(self, error)
                return
            except PeerError as error:
                self._watcher.stream_failed(self, error)
                attempt += 1
            else:
                # One that ends as soon as it opens must not be dialled in a tight loop.
                attempt = 1 if lived_s > config.dial_interval_max_s else attempt + 1
            delay_s = dial_delay_s(
                attempt,
                first_s=config.dial_interval_s,
                max_s=config.dial_interval_max_s,
                rng=self._shared.rng,
            )
            await asyncio.sleep(min(delay_s, _NUDGED_S))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s - _NUDGED_S):
                    await self._nudged.wait()

    async def _dial_all(self) -> float:
        """Use the first address that answers, to the end; return how many seconds that lasted.

        Raises:
            PeerError: none does.
        """
        errors: list[PeerError] = []
        for address in self._addresses:
            try:
                return await self._use(address)
            except RemovedError:
                raise
            except PeerError as error:
                errors.append(error)
        raise next((error for error in errors if isinstance(error, HandshakeError)), errors[-1])

    async def _use(self, address: Address) -> float:
        shared, config = self._shared, self._shared.config
        line = Line(partial(self._watcher.stream_received, self))
        wire = await dial(
            line,
            address,
            connection=shared.connection(Hello(shared.identity, self._member, self.kind)),
            contexts=shared.contexts,
            queue_bytes_max=self._queue_bytes_max,
            timeout_s=config.dial_timeout_s,
        )
        opened_s = shared.loop.time()
        self.wire = wire
        self._opened.set()
        self._watcher.stream_opened(self, address)
        try:
            error = await line.closed
        finally:
            self.wire = None
            wire.close(PeerUnreachableError("closed by this end"))
        self._watcher.stream_lost(self, error)
        if isinstance(error, RemovedError):
            raise error
        return shared.loop.time() - opened_s


def dial_delay_s(attempt: int, *, first_s: float, max_s: float, rng: random.Random) -> float:
    """Return how long to wait after failure number ``attempt``, from 1: doubling, bounded, with jitter."""
    # Beyond 2**32 every delay is at its bound, and a float must not overflow.
    longest_s: float = min(max_s, first_s * 2.0 ** min(attempt - 1, 32))
    return longest_s * (0.5 + 0.5 * rng.random())
