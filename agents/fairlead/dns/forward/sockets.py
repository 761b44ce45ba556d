"""The sockets of exchanges: one UDP socket for each query, on a port that the system picks at random (RFC 5452).

Connected, so that only the upstream's own packets come in, and a closed port is known at once.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

from fairlead.dns.forward.exchange import Attempt, Exchange
from fairlead.dns.forward.limits import ForwardLimits

_DATAGRAM_BYTES_MAX: Final = 65535
_LENGTH_BYTES: Final = 2


class Courier:
    """Carries the attempts of exchanges to the upstreams and back.

    Args:
        limits: the bounds that concern sockets.
    """

    def __init__(self, limits: ForwardLimits) -> None:
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._streams: set[asyncio.Task[None]] = set()
        self._trips: set[_Trip] = set()
        self.bogus = 0
        """Answers that were not ours, or not well-formed."""

    @property
    def in_flight(self) -> int:
        """Questions under way."""
        return len(self._trips)

    def run(self, exchange: Exchange, done: Callable[[], None]) -> None:
        """Bring ``exchange`` to its end; then call ``done``, once, never from within this call."""
        trip = _Trip(self, exchange, done)
        self._trips.add(trip)
        trip.start()

    def ended(self, trip: "_Trip", *, bogus: int) -> None:
        """Let go of ``trip``."""
        self._trips.discard(trip)
        self.bogus += bogus

    async def close(self) -> None:
        """Let go of everything that is under way; nobody is told."""
        for trip in tuple(self._trips):
            trip.close()
        for task in tuple(self._streams):
            task.cancel()
        await asyncio.gather(*self._streams, return_exceptions=True)

    def stream(self, attempt: Attempt, take: Callable[[bytes | None], None]) -> None:
        """Carry ``attempt`` over TCP; ``take`` gets the answer, or None for none."""
        if len(self._streams) >= self._limits.tcp_in_flight_max:
            self._loop.call_soon(take, None)
            return
        task = self._loop.create_task(self._stream(attempt, take), name="dns forward over TCP")
        self._streams.add(task)
        task.add_done_callback(self._streams.discard)

    async def _stream(self, attempt: Attempt, take: Callable[[bytes | None], None]) -> None:
        answer = None
        try:
            async with asyncio.timeout(self._limits.tcp_s):
                answer = await _ask_over_tcp(attempt)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass
        take(answer)


async def _ask_over_tcp(attempt: Attempt) -> bytes:
    address = attempt.upstream.address
    reader, writer = await asyncio.open_connection(address.host, address.port)
    try:
        writer.write(len(attempt.packet).to_bytes(_LENGTH_BYTES, "big") + attempt.packet)
        size = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
        return await reader.readexactly(size)
    finally:
        writer.transport.abort()


class _Trip:
    """One exchange with its sockets and its timer."""

    __slots__ = ("_courier", "_done", "_exchange", "_loop", "_sockets", "_timer")

    def __init__(self, courier: Courier, exchange: Exchange, done: Callable[[], None]) -> None:
        self._courier = courier
        self._loop = courier._loop  # noqa: SLF001 - one machine in two classes
        self._exchange = exchange
        self._done = done
        self._sockets: list[socket.socket] = []
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._go_on(self._exchange.start(now_s=self._loop.time()))

    def _go_on(self, attempts: list[Attempt]) -> None:
        for attempt in attempts:
            if attempt.over_tcp:
                self._courier.stream(attempt, partial(self._took, attempt))
            else:
                self._send(attempt)
        if self._exchange.is_done:
            self._finish()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._exchange.next_s, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._go_on(self._exchange.tick(now_s=self._loop.time()))

    def _took(self, attempt: Attempt, answer: bytes | None) -> None:
        now_s = self._loop.time()
        if self._exchange.is_done:
            return
        if answer is None:
            self._go_on(self._exchange.lost(attempt, now_s=now_s))
        else:
            self._go_on(self._exchange.take(attempt, answer, now_s=now_s))

    def _send(self, attempt: Attempt) -> None:
        address = attempt.upstream.address
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        try:
            opened = socket.socket(family, socket.SOCK_DGRAM)
        except OSError:  # out of descriptors
            self._loop.call_soon(self._unsent, attempt)
            return
        self._sockets.append(opened)
        opened.setblocking(False)
        try:
            opened.connect((address.host, address.port))
            opened.send(attempt.packet)
        except OSError:
            self._loop.call_soon(self._took, attempt, None)
            return
        self._loop.add_reader(opened, self._readable, opened, attempt)

    def _unsent(self, attempt: Attempt) -> None:
        if not self._exchange.is_done:
            self._go_on(self._exchange.lost(attempt, now_s=self._loop.time(), is_our_fault=True))

    def _readable(self, opened: socket.socket, attempt: Attempt) -> None:
        try:
            packet = opened.recv(_DATAGRAM_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError:
            self._loop.remove_reader(opened)
            self._took(attempt, None)
            return
        self._took(attempt, packet)

    def _finish(self) -> None:
        self.close()
        self._loop.call_soon(self._done)

    def close(self) -> None:
        """Let go of the sockets."""
        self._exchange.end()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for opened in self._sockets:
            with contextlib.suppress(RuntimeError):
                self._loop.remove_reader(opened)
            opened.close()
        self._sockets.clear()
        self._courier.ended(self, bogus=self._exchange.bogus)
