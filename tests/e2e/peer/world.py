"""Members that are transports only, on loopback, and a network between them that can be made to fail."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairlead.peer import PeerConfig, PeerMessage, Transport
from fairlead.peer.frames import MAGIC, FrameKind, FrameReader, encode_frame
from fairlead.peer.handshake import Hello, Identity, StreamKind, decode_hello, encode_hello
from fairlead.raft import Heartbeat, InstallSnapshot

CLUSTER = 0x70
WITHIN_S = 20.0


async def until(claim: Callable[[], object]) -> None:
    """Wait until ``claim`` holds."""
    async with asyncio.timeout(WITHIN_S):
        while not claim():  # noqa: ASYNC110 - a claim may be about anything, and most have no event
            await asyncio.sleep(0.005)


def heartbeat(to: int, sender: int, round_: int = 0) -> Heartbeat:
    return Heartbeat(to=to, sender=sender, term=1, commit=0, round=round_)


class Recorder:
    """The handlers of a transport: keeps what it is told."""

    def __init__(self) -> None:
        self.messages: list[PeerMessage] = []
        self.snapshots: list[tuple[InstallSnapshot, Path]] = []
        self.unreachable: list[int] = []
        self.removed_texts: list[str] = []
        self.removed: set[int] = set()

    def on_message(self, message: PeerMessage) -> None:
        self.messages.append(message)

    def on_snapshot(self, message: InstallSnapshot, path: Path) -> None:
        self.snapshots.append((message, path))

    def on_unreachable(self, member_id: int) -> None:
        self.unreachable.append(member_id)

    def on_removed(self, text: str) -> None:
        self.removed_texts.append(text)

    def is_removed(self, member_id: int) -> bool:
        return member_id in self.removed

    def answer_guest(self, method: str, payload: bytes) -> bytes:
        if method != "echo":
            raise ValueError(f"nobody knows {method}")
        return payload[::-1]


@dataclass(slots=True)
class Node:
    """One member."""

    id: int
    transport: Transport
    heard: Recorder

    @property
    def port(self) -> int:
        return self.transport.addresses[0][1]

    @property
    def url(self) -> str:
        scheme = self.transport._config.listen_urls[0].split(":", maxsplit=1)[0]
        return f"{scheme}://127.0.0.1:{self.port}"

    @property
    def snapshot_dir(self) -> Path:
        return self.transport._config.snapshot_dir


class World:
    """Members and networks of one test; everything ends with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._nodes: list[Node] = []
        self._middles: list[Middle] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def member(self, member_id: int, **changes: Any) -> Node:
        """Start a member; it knows nobody."""
        fields: dict[str, Any] = {
            "cluster_id": CLUSTER,
            "member_id": member_id,
            "listen_urls": ("http://127.0.0.1:0",),
            "snapshot_dir": self._folder / f"snap-{member_id}",
            "dial_interval_s": 0.01,
            "dial_interval_max_s": 0.05,
            "ping_interval_s": 0.1,
            "pings_missed_max": 20,
        }
        heard = Recorder()
        transport = Transport(PeerConfig(**fields | changes), heard, rng=random.Random(member_id))
        await transport.start()
        node = Node(member_id, transport, heard)
        self._nodes.append(node)
        return node

    async def members(self, *ids: int, **changes: Any) -> list[Node]:
        """Start members that are connected with each other."""
        nodes = [await self.member(member_id, **changes) for member_id in ids]
        for node in nodes:
            node.transport.set_peers({other.id: [other.url] for other in nodes})
        await until(lambda: all(is_connected(a, b) for a in nodes for b in nodes if a is not b))
        return nodes

    async def between(self, node: Node) -> "Middle":
        """Return a network that leads to ``node``."""
        middle = Middle(node.port)
        await middle.start()
        self._middles.append(middle)
        return middle

    async def stranger(
        self, node: Node, stream: StreamKind = StreamKind.URGENT
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection to ``node`` on which member 9 has said hello and was let in."""
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        self._writers.append(writer)
        hello = Hello(Identity(1, CLUSTER, 9), node.id, stream)
        writer.write(MAGIC + encode_frame(FrameKind.HELLO, encode_hello(hello)))
        frames = FrameReader(1000)
        while not frames.feed(await reader.read(1000)):
            pass
        return reader, writer

    async def stop(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        for middle in self._middles:
            await middle.stop()
        for node in self._nodes:
            await node.transport.stop()


def is_connected(one: Node, other: Node) -> bool:
    return one.transport.is_connected(other.id)


@dataclass(slots=True)
class Link:
    """One connection through a `Middle`."""

    stream: StreamKind | None = None
    bytes: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)


class Middle:
    """A network that leads to a port: it can stall, cut, and change what passes.

    Attributes:
        stalled: the streams of which nothing passes, in either direction, while nobody is told.
        cut_after: cut a bulk connection once so many bytes have gone over it; None never does.
        flip_at: change this byte of a bulk connection, once.
    """

    def __init__(self, port: int) -> None:
        self._target_port = port
        self._flow = asyncio.Condition()
        self.links: list[Link] = []
        self.stalled: set[StreamKind] = set()
        self.cut_after: int | None = None
        self.flip_at: int | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def count(self, stream: StreamKind) -> int:
        """How many bytes went to the target over connections of this kind."""
        return sum(link.bytes for link in self.links if link.stream is stream)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def stall(self, *streams: StreamKind) -> None:
        """Let nothing more of these pass; of no other."""
        async with self._flow:
            self.stalled = set(streams)
            self._flow.notify_all()

    def cut(self) -> None:
        """End every connection."""
        for link in self.links:
            for writer in link.writers:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link(writers=[writer])
        self.links.append(link)
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        link.writers.append(to_writer)
        for job in (self._up(link, reader, to_writer), self._down(link, to_reader, writer)):
            task = asyncio.create_task(job)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _up(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = FrameReader(1 << 30)
        while data := await self._read(reader):
            if link.stream is None:
                for kind, payload in frames.feed(data):
                    if kind is FrameKind.HELLO:
                        link.stream = decode_hello(payload).stream
            await self._pass(link)
            if link.stream is StreamKind.BULK:
                data = self._tamper(link, data)
            link.bytes += len(data)
            writer.write(data)
            if link.stream is StreamKind.BULK and self.cut_after is not None and link.bytes >= self.cut_after:
                self.cut_after = None
                break
        for each in link.writers:
            each.close()

    async def _down(self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await self._read(reader):
            await self._pass(link)
            writer.write(data)
        for each in link.writers:
            each.close()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read(1 << 16)
        except OSError:
            return b""

    async def _pass(self, link: Link) -> None:
        async with self._flow:
            await self._flow.wait_for(lambda: link.stream not in self.stalled)

    def _tamper(self, link: Link, data: bytes) -> bytes:
        if self.flip_at is None or not link.bytes <= self.flip_at < link.bytes + len(data):
            return data
        at, self.flip_at = self.flip_at - link.bytes, None
        return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
