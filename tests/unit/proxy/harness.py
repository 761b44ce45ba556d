"""The data path in this process, between raw sockets: a proxy, servers that do what a test says, clients.

Nothing here parses HTTP; tests compare bytes.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from typing import Any

from tests.unit.proxy.pairs import SEAL_KEY

from fairlead.proxy import Limits, Routes, Service, Snapshot
from fairlead.proxy.ambiguity import Ambiguity
from fairlead.proxy.certificates import Certificates
from fairlead.proxy.edge import Edge
from fairlead.proxy.forwarding import Forwarding
from fairlead.proxy.middleware.world import World
from fairlead.proxy.origin import NOBODY

WITHIN_S = 30.0
Handler = Callable[["Peer"], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """One connection, with patience for everything."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """Read up to and including the next empty line."""
        return await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), WITHIN_S)

    async def exactly(self, count: int) -> bytes:
        return await asyncio.wait_for(self.reader.readexactly(count), WITHIN_S)

    async def until(self, end: bytes) -> bytes:
        return await asyncio.wait_for(self.reader.readuntil(end), WITHIN_S)

    async def rest(self) -> bytes:
        """Read to the end of the connection."""
        return await asyncio.wait_for(self.reader.read(), WITHIN_S)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await asyncio.wait_for(self.writer.drain(), WITHIN_S)

    async def ask(self, data: bytes) -> tuple[bytes, bytes]:
        """Send a request and read a response whose body has a Content-Length."""
        await self.send(data)
        return await self.response()

    async def response(self) -> tuple[bytes, bytes]:
        head = await self.head()
        lines = head.split(b"\r\n")
        lengths = [int(line[16:]) for line in lines if line.lower().startswith(b"content-length: ")]
        return head, await self.exactly(lengths[0]) if lengths else b""

    def close(self) -> None:
        self.writer.close()


def status_of(head: bytes) -> int:
    return int(head.split(b" ", 2)[1])


def fields_of(head: bytes) -> dict[str, list[str]]:
    """Field values by lower-case name."""
    found: dict[str, list[str]] = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        if line:
            name, _, value = line.partition(": ")
            found.setdefault(name.lower(), []).append(value)
    return found


class Upstream:
    """A server of somebody else's; ``heads`` are the request heads that it has read."""

    def __init__(self, handler: Handler | None = None) -> None:
        self.handler = handler or self.serve_ok
        self.heads: list[bytes] = []
        self.connections = 0
        self.port = 0
        self._peers: list[Peer] = []
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for peer in self._peers:
            # asyncio cannot abort a transport once more that has lost its connection.
            with contextlib.suppress(AttributeError):
                peer.writer.transport.abort()

    async def serve_ok(self, peer: Peer) -> None:
        """Answer every request without a body with ``ok``."""
        while True:
            self.heads.append(await peer.head())
            await peer.send(OK)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        peer = Peer(reader, writer)
        self._peers.append(peer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await self.handler(peer)
        writer.close()


class Board:
    """Takes down what the operator would be told."""

    def __init__(self) -> None:
        self.problems: dict[bytes | str, str] = {}
        self.revision = 0
        self.counts: dict[str, int] = {}
        self.notes: dict[str, str] = {}

    def applied(self, revision: int) -> None:
        self.revision = revision

    def problem(self, key: bytes | str, text: str) -> None:
        self.problems[key] = text

    def healed(self, key: bytes | str) -> None:
        del self.problems[key]

    def count(self, name: str, number: int) -> None:
        self.counts[name] = number

    def note(self, name: str, text: str) -> None:
        self.notes[name] = text


class Proxy:
    """A running data path that is configured by keys, without a store."""

    def __init__(
        self,
        *,
        refused_paths: Collection[str] = (),
        cleans_paths: bool = False,
        forwarding: Forwarding = NOBODY,
        **limits: Any,
    ) -> None:
        self.limits = Limits(**limits)
        self.service = Service(
            limits=self.limits,
            certificates=Certificates(SEAL_KEY),
            ambiguity=Ambiguity(refused_paths, cleans=cleans_paths),
            forwarding=forwarding,
        )
        self.board = Board()
        self.edge = Edge(self.service, self.board)
        self.world = World()
        self.routes = Routes(
            (b"/vulcand/", b"vulcand/"),
            limits=self.limits,
            board=self.board,
            switch=self._switch,
            edge=self.edge.follow,
            tools=self.world.tools,
        )
        self.service.on_tick += (self.routes.tick,)
        self.port = 0
        self.clients: list[Peer] = []

    def _switch(self, snapshot: Snapshot) -> None:
        self.service.snapshot = snapshot

    def put(self, values: Mapping[str, object], *, delete: tuple[str, ...] = ()) -> None:
        """One transaction; values are JSON, or raw when they are strings."""
        puts = {
            f"/vulcand/{key}".encode(): (value if isinstance(value, str) else json.dumps(value)).encode()
            for key, value in values.items()
        }
        gone = [f"/vulcand/{key}".encode() for key in delete]
        self.routes.apply(self.board.revision + 1, puts, gone)

    def serve(self, *upstreams: Upstream, settings: object = None, backend: object = None) -> None:
        """Route everything to ``upstreams``."""
        self.put(
            {
                "frontends/f/frontend": {
                    "Type": "http",
                    "BackendId": "b",
                    "Route": 'PathRegexp("/.*")',
                    "Settings": settings,
                },
                "backends/b/backend": {"Type": "http", "Settings": backend},
                **{
                    f"backends/b/servers/s{number}": {"URL": f"http://127.0.0.1:{each.port}"}
                    for number, each in enumerate(upstreams)
                },
            }
        )

    async def connect(self, *, limit: int = 2**20) -> Peer:
        peer = Peer(*await asyncio.open_connection("127.0.0.1", self.port, limit=limit))
        self.clients.append(peer)
        return peer

    async def get(self, path: str = "/", *, host: str = "a.example", extra: str = "") -> tuple[bytes, bytes]:
        """One GET on a connection of its own."""
        peer = await self.connect()
        try:
            return await peer.ask(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode())
        finally:
            peer.close()


@contextlib.asynccontextmanager
async def running(*upstreams: Upstream, **limits: Any) -> AsyncIterator[Proxy]:
    """Start the upstreams and a proxy that routes everything to them."""
    proxy = Proxy(**limits)
    for upstream in upstreams:
        await upstream.start()
    _, proxy.port = await proxy.service.bind("127.0.0.1", 0)
    await proxy.service.start()
    proxy.serve(*upstreams)
    edge = asyncio.create_task(proxy.edge.run())
    try:
        yield proxy
    finally:
        edge.cancel()
        for client in proxy.clients:
            client.close()
        await proxy.service.drain(limit_s=0)
        await proxy.world.close()
        for upstream in upstreams:
            await upstream.stop()


async def eventually(claim: Callable[[], object]) -> None:
    """Return once ``claim()`` is true; the test's own patience bounds it."""
    async with asyncio.timeout(WITHIN_S):
        while not claim():  # noqa: ASYNC110  claims are about counters, which announce nothing
            await asyncio.sleep(0.005)
