"""Bodies and tunnels: streamed, bounded, in order."""

import asyncio

from tests.unit.proxy.harness import OK, Peer, Upstream, eventually, fields_of, running, status_of

from fairlead.proxy.client_side import ClientConnection

MEGABYTE = b"0123456789abcdef" * 65536


async def test_a_slow_client_stops_the_reading_of_the_server() -> None:
    """What nobody reads must wait at the server, not in the proxy (8.11)."""
    sent = 0

    async def serve(peer: Peer) -> None:
        nonlocal sent
        await peer.head()
        peer.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (192 * len(MEGABYTE)))
        for _ in range(192):
            peer.writer.write(MEGABYTE)
            await peer.writer.drain()
            sent += len(MEGABYTE)

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect(limit=1024)
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"Content-Length" in await client.head()
        # It stops when kernel buffers and the proxy's bound are full; then nothing moves.
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.2)
        assert sent < 120 * len(MEGABYTE)
        (connection,) = proxy.service._clients
        assert isinstance(connection, ClientConnection)
        assert connection.transport.get_write_buffer_size() < 2**20
        received = 0
        while received < 192 * len(MEGABYTE):
            received += len(await client.reader.read(2**20))
        assert sent == 192 * len(MEGABYTE)


async def test_a_slow_server_stops_the_reading_of_the_client() -> None:
    gate = asyncio.Event()
    received = asyncio.get_running_loop().create_future()

    async def serve(peer: Peer) -> None:
        await peer.head()
        await gate.wait()
        received.set_result(await peer.exactly(128 * len(MEGABYTE)))
        await peer.send(OK)

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        size = 128 * len(MEGABYTE)  # the kernel's buffers on the way may grow to some 70
        client.writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
        client.writer.write(MEGABYTE * 128)
        left = -1
        while left != client.writer.transport.get_write_buffer_size():
            left = client.writer.transport.get_write_buffer_size()
            await asyncio.sleep(0.2)
        assert left > 10 * len(MEGABYTE)
        gate.set()
        assert await asyncio.wait_for(received, 20) == MEGABYTE * 128
        assert (await client.response())[1] == b"ok"


async def test_a_slow_client_is_not_held_against_the_server() -> None:
    """Neither one that reads slowly nor one that sends slowly makes the server late."""

    async def serve(peer: Peer) -> None:
        head = await peer.head()
        if head.startswith(b"POST"):
            assert await peer.exactly(4) == b"body"
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (16 * len(MEGABYTE)))
        for _ in range(16):
            await peer.send(MEGABYTE)

    async with running(Upstream(serve), read_s=0.1) as proxy:
        client = await proxy.connect(limit=1024)
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
        for byte in b"body":
            await asyncio.sleep(0.7)  # longer than read_s and the ticks around it
            await client.send(bytes([byte]))
        assert status_of(await client.head()) == 200
        await asyncio.sleep(1.0)
        assert len(await client.exactly(16 * len(MEGABYTE))) == 16 * len(MEGABYTE)


async def test_a_client_that_never_reads_is_cut_off() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * len(MEGABYTE)))
        for _ in range(64):
            await peer.send(MEGABYTE)

    async with running(Upstream(serve), write_stall_s=0.2) as proxy:
        client = await proxy.connect(limit=1024)
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.head()
        await eventually(lambda: proxy.service.stats.clients == 0)


async def test_what_is_sent_ahead_without_bound_is_not_read() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.rest()

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        client.writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 800_000)
        left = -1
        while left != client.writer.transport.get_write_buffer_size():
            left = client.writer.transport.get_write_buffer_size()
            await asyncio.sleep(0.2)
        assert left > 0
        (connection,) = proxy.service._clients
        assert isinstance(connection, ClientConnection)
        assert len(connection._buffer) < 2**20


async def test_events_reach_the_client_as_they_come() -> None:
    step = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for number in range(3):
            await peer.send(b"9\r\ndata: %d\n\n\r\n" % number)
            await step.wait()
            step.clear()
        await peer.send(b"0\r\n\r\n")

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.head()
        for number in range(3):
            assert await client.until(b"\n\n\r\n") == b"9\r\ndata: %d\n\n\r\n" % number
            step.set()
        assert await client.until(b"0\r\n\r\n") == b"0\r\n\r\n"


UPGRADE = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Key: k\r\n\r\n"


async def _echo(peer: Peer) -> None:
    head = await peer.head()
    assert fields_of(head)["upgrade"] == ["echo"]
    assert fields_of(head)["connection"] == ["Upgrade"]
    await peer.send(SWITCH + b"early!")
    while data := await peer.reader.read(65536):
        await peer.send(data)


async def test_an_upgraded_connection_passes_bytes_both_ways_and_outlives_its_route() -> None:
    async with running(Upstream(_echo)) as proxy:
        client = await proxy.connect()
        await client.send(UPGRADE + b"ahead")
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        assert fields_of(head)["upgrade"] == ["echo"]
        assert fields_of(head)["x-key"] == ["k"]
        assert await client.exactly(11) == b"early!ahead"
        proxy.put({}, delete=("frontends/f/frontend", "backends/b/servers/s0", "backends/b/backend"))
        assert status_of((await proxy.get())[0]) == 404
        await client.send(b"still here")
        assert await client.exactly(10) == b"still here"
        assert proxy.service.stats.tunnels == 1
        client.writer.write_eof()
        assert await client.rest() == b""
        await eventually(lambda: proxy.service.stats.tunnels == 0)


async def test_a_tunnel_is_as_bounded_as_a_body() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(SWITCH)
        received = 0
        while data := await peer.reader.read(65536):
            received += len(data)
            await peer.send(data)

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect(limit=1024)
        await client.send(UPGRADE)
        await client.head()
        # How much the kernel's buffers on the way hold, it decides itself; beyond them nothing may move.
        written = left = 0
        while not left and written < 512 * len(MEGABYTE):
            client.writer.write(MEGABYTE * 16)
            written += 16 * len(MEGABYTE)
            left = -1
            while left != client.writer.transport.get_write_buffer_size():
                left = client.writer.transport.get_write_buffer_size()
                await asyncio.sleep(0.2)
        assert left > 0
        assert await client.exactly(written) == MEGABYTE * (written // len(MEGABYTE))


async def test_an_upgrade_that_the_server_declines_is_an_ordinary_request() -> None:
    async with running(Upstream()) as proxy:
        client = await proxy.connect()
        assert (await client.ask(UPGRADE))[1] == b"ok"
        assert (await client.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))[1] == b"ok"


async def test_a_silent_tunnel_ends() -> None:
    async with running(Upstream(_echo), tunnel_idle_s=0.2) as proxy:
        client = await proxy.connect()
        await client.send(UPGRADE)
        await client.head()
        assert await client.rest() == b"early!"
        await eventually(lambda: proxy.service.stats.tunnels == 0)
