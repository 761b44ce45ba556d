"""Parting from WebSockets: between two frames, with 1001 (rule 8)."""

import asyncio
from itertools import pairwise

import pytest
import websockets
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.proxy.harness import Peer, Upstream, eventually, running
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode

from fairlead.proxy.websocket import TO_CLIENT, TO_SERVER, Frames

_sizes = st.one_of(st.integers(0, 130), st.sampled_from([125, 126, 127, 65_535, 65_536, 70_000]))


@given(
    frames=st.lists(st.tuples(_sizes, st.booleans()), min_size=1, max_size=5),
    cuts=st.lists(st.integers(0, 300_000), max_size=12),
)
def test_frames_end_where_the_library_ends_them(frames: list[tuple[int, bool]], cuts: list[int]) -> None:
    ends, data = {0}, b""
    for size, is_masked in frames:
        data += Frame(Opcode.BINARY, b"\x88" * size).serialize(mask=is_masked)
        ends.add(len(data))
    follower = Frames()
    for start, stop in pairwise(sorted({0, len(data), *(cut % len(data) for cut in cuts)})):
        follower.feed(data[start:stop])
        assert follower.is_between == (stop in ends)
    assert not follower.has_closed


def test_the_goodbyes_are_close_frames() -> None:
    for frame in (TO_CLIENT, TO_SERVER):
        follower = Frames()
        follower.feed(frame)
        assert follower.has_closed
        assert follower.is_between


async def test_both_sides_of_a_websocket_are_told_that_the_proxy_goes() -> None:
    codes: list[int | None] = []
    gone = asyncio.Event()

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)
        codes.append(connection.close_code)
        gone.set()

    async with serve(echo, "127.0.0.1", 0) as server, running() as proxy:
        port = next(iter(server.sockets)).getsockname()[1]
        proxy.put({"backends/b/servers/s": {"URL": f"http://127.0.0.1:{port}"}})
        async with connect(f"ws://127.0.0.1:{proxy.port}/", proxy=None) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
            await proxy.service.drain(limit_s=5)
            with pytest.raises(websockets.ConnectionClosed):
                await client.recv()
            codes.append(client.close_code)
        await asyncio.wait_for(gone.wait(), 5)
    assert codes == [1001, 1001]


async def test_a_frame_that_is_under_way_ends_before_the_goodbye() -> None:
    more = asyncio.Event()

    async def begin(peer: Peer) -> None:
        await peer.head()
        await peer.send(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\x82\x04ab"
        )
        await more.wait()
        await peer.send(b"cd")
        await peer.rest()

    async with running(Upstream(begin)) as proxy:
        client = await proxy.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        await client.head()
        assert await client.exactly(4) == b"\x82\x04ab"
        draining = asyncio.create_task(proxy.service.drain(limit_s=5))
        await eventually(lambda: any(each.is_leaving for each in proxy.service._tunnels))
        more.set()
        assert await client.exactly(2 + len(TO_CLIENT)) == b"cd" + TO_CLIENT
        await client.send(TO_SERVER)
        assert await client.rest() == b""
        await draining
