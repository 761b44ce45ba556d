"""A client of the proxy's that speaks HTTP/2, by the library h2."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

import h2.config
import h2.connection
import h2.errors
import h2.events
from tests.unit.proxy.harness import Peer, Proxy, Upstream, running

_GOAWAY = 7


class Http2Peer:
    """A client that speaks HTTP/2 frame by frame.

    It reads GOAWAY itself: what is under way may end (RFC 9113, section 6.8), where the library ends all.
    """

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.connection = h2.connection.H2Connection(
            h2.config.H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        )
        self.events: list[h2.events.Event] = []
        self._unread = b""

    async def greet(self) -> None:
        self.connection.initiate_connection()
        await self.flush()

    async def flush(self) -> None:
        await self.peer.send(self.connection.data_to_send())

    async def ask(
        self, *fields: tuple[str, str], is_end: bool = True, method: str = "GET", host: str = "a.example"
    ) -> int:
        stream = self.connection.get_next_available_stream_id()
        start = [(":method", method), (":scheme", "http"), (":authority", host), (":path", "/x")]
        self.connection.send_headers(stream, [*start, *fields], end_stream=is_end)
        await self.flush()
        return stream

    async def event(self, kind: type[h2.events.Event], stream: int | None = None) -> h2.events.Event:
        """The next event of ``kind``, on ``stream`` if one is given."""
        while True:
            for each in self.events:
                if isinstance(each, kind) and stream in {None, getattr(each, "stream_id", None)}:
                    self.events.remove(each)
                    return each
            data = await asyncio.wait_for(self.peer.reader.read(65536), 10)
            assert data, f"the connection ended before {kind}"
            self._take(self._unread + data)
            with contextlib.suppress(ConnectionError):  # It may have been the last that came.
                await self.flush()

    def _take(self, data: bytes) -> None:
        while len(data) >= 9 and len(data) >= (end := 9 + int.from_bytes(data[:3], "big")):
            if data[3] == _GOAWAY:
                event = h2.events.ConnectionTerminated()
                event.last_stream_id, code = struct.unpack_from(">II", data, 9)
                event.error_code = h2.errors.ErrorCodes(code)
                self.events.append(event)
            else:
                self.events += self.connection.receive_data(data[:end])
            data = data[end:]
        self._unread = data

    async def status(self, stream: int) -> int:
        event = await self.event(h2.events.ResponseReceived, stream)
        assert isinstance(event, h2.events.ResponseReceived)
        return int(dict(event.headers)[b":status"])


@contextlib.asynccontextmanager
async def speaking(upstream: Upstream, **limits: float) -> AsyncIterator[tuple[Proxy, Http2Peer]]:
    async with running(upstream, **limits) as proxy:
        peer = Http2Peer(await proxy.connect())
        await peer.greet()
        yield proxy, peer
