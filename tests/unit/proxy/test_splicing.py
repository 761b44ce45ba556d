"""Large bodies that the kernel passes on: whole, bounded, and cut where they are cut."""

import asyncio
import contextlib
import hashlib
import random

import pytest
from tests.unit.proxy.harness import OK, Peer, Upstream, eventually, running

BODY = random.Random(1).randbytes(3_000_000)
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY)


async def test_a_large_body_arrives_whole_and_both_connections_go_on() -> None:
    upstream = Upstream()

    async def serve(peer: Peer) -> None:
        while True:
            upstream.heads.append(await peer.head())
            await peer.send(HEAD + BODY)
            await peer.head()
            await peer.send(OK)

    upstream.handler = serve
    async with running(upstream) as proxy:
        client = await proxy.connect()
        for _ in range(3):
            _, body = await client.ask(GET)
            assert hashlib.sha256(body).digest() == hashlib.sha256(BODY).digest()
            assert (await client.ask(GET))[1] == b"ok"
        assert proxy.service.stats.spliced == 3
        assert upstream.connections == 1


async def test_what_a_client_sends_ahead_waits_behind_a_large_body() -> None:
    async def serve(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.send(HEAD + BODY)

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        await client.send(GET * 2)
        for _ in range(2):
            assert (await client.response())[1] == BODY


@pytest.mark.parametrize("is_reset", [True, False])
async def test_a_server_that_breaks_off_is_seen_by_the_client(*, is_reset: bool) -> None:
    sent = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(HEAD + BODY[:1_000_000])
        await sent.wait()
        if is_reset:
            peer.writer.transport.abort()

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        await client.send(GET)
        await client.head()
        await client.exactly(900_000)
        sent.set()
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await client.exactly(len(BODY) - 900_000)
        await eventually(lambda: proxy.service.stats.truncated == 1)
        assert proxy.service.stats.spliced == 1


async def test_a_client_that_leaves_lets_the_server_go() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        with contextlib.suppress(ConnectionError):
            await peer.send(HEAD + BODY)
            await peer.rest()

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        await client.send(GET)
        await client.exactly(1_000)
        await eventually(lambda: proxy.service.stats.spliced == 1)
        client.writer.transport.abort()
        server = proxy.service.snapshot.groups["b"].servers[0]
        await eventually(lambda: server.in_flight == 0)


async def test_a_client_that_reads_nothing_is_cut_and_a_silent_server_too() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        with contextlib.suppress(ConnectionError):
            await peer.send(HEAD + BODY[:1_500_000])
            await peer.rest()

    async with running(Upstream(serve), write_stall_s=0.3, read_s=0.3) as proxy:
        server = proxy.service.snapshot.groups["b"].servers[0]
        for reads in (0, 1_500_000):
            client = await proxy.connect(limit=1024)
            await client.send(GET)
            if reads:
                await client.head()
                await client.exactly(reads)
            await eventually(lambda: server.requests > 0 and server.in_flight == 0)
        assert proxy.service.stats.spliced == 2
