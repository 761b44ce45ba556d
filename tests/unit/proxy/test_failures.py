"""What the proxy does when a server, a client or the way between them fails."""

import asyncio
import contextlib
import os
import socket

import pytest
from tests.unit.proxy.harness import OK, Peer, Upstream, eventually, fields_of, running, status_of

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"


async def test_no_route_no_server_and_no_backend_have_their_own_answers() -> None:
    async with running() as proxy:
        head, body = await proxy.get()
        assert (status_of(head), body) == (503, b'{"error":"no servers in the pool"}')
        assert fields_of(head)["retry-after"] == ["1"]
        proxy.put({}, delete=("backends/b/backend",))
        assert status_of((await proxy.get())[0]) == 503
        proxy.put({}, delete=("frontends/f/frontend",))
        head, body = await proxy.get()
        assert (status_of(head), body) == (404, b'{"error":"not found"}')


async def test_a_server_that_refuses_is_502() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        await upstream.stop()
        head, _ = await proxy.get()
        assert status_of(head) == 502
        assert proxy.service.stats.connects_failed == 1


async def test_a_server_that_stays_silent_is_504_and_the_client_goes_on() -> None:
    silent = asyncio.Event()

    async def serve(peer: Peer) -> None:
        if not silent.is_set():
            silent.set()
            await peer.head()
            await peer.rest()
        else:
            await peer.head()
            await peer.send(OK)

    async with running(Upstream(serve), read_s=0.1) as proxy:
        client = await proxy.connect()
        assert status_of((await client.ask(GET))[0]) == 504
        assert (await client.ask(GET))[1] == b"ok"


async def test_the_timeouts_of_a_backend_are_its_own() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.rest()

    upstream = Upstream(serve)
    async with running(upstream) as proxy:
        proxy.serve(upstream, backend={"Timeouts": {"Read": "100ms", "Dial": "1s"}})
        assert status_of((await proxy.get())[0]) == 504


@pytest.mark.parametrize("start", [b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\r\nHost: a\n", b"\n"])
async def test_a_line_that_ends_in_the_wrong_way_is_answered_at_once(start: bytes) -> None:
    """No end of the head could follow it; a client that waits for an answer is not to wait for a timeout first."""
    async with running(Upstream(), head_s=3600.0) as proxy:
        client = await proxy.connect()
        await client.send(start)
        assert status_of((await client.response())[0]) == 400


async def test_a_server_whose_lines_end_in_the_wrong_way_is_not_waited_for() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\nContent-Length: 0\n\n")
        await peer.rest()

    async with running(Upstream(serve), read_s=3600.0) as proxy:
        assert status_of((await proxy.get())[0]) == 502


async def test_a_short_timeout_is_as_short_as_it_says() -> None:
    """vulcand's users give milliseconds: a server that takes ten times as long is too slow, whatever the ticks are."""

    async def serve(peer: Peer) -> None:
        while True:
            await peer.head()
            await asyncio.sleep(0.1)
            await peer.send(OK)

    upstream = Upstream(serve)
    async with running(upstream) as proxy:
        proxy.serve(upstream, backend={"Timeouts": {"Read": "10ms"}})
        assert status_of((await proxy.get())[0]) == 504
        proxy.serve(upstream, backend={"Timeouts": {"Read": "30s"}})
        assert status_of((await proxy.get())[0]) == 200


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 102 Wait\r\n\r\n" * 40,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
    ],
)
async def test_an_answer_that_is_not_http_is_502(answer: bytes) -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(answer)

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        await client.send(GET)
        while (status := status_of(head := await client.head())) < 200:
            assert status == 102
        assert (status, fields_of(head)["content-type"]) == (502, ["application/json"])


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    ],
)
async def test_a_body_cut_short_never_ends_cleanly(start: bytes) -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(start)

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        await client.send(GET)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            received = await client.rest()
        assert not received.endswith(b"0\r\n\r\n")
        assert proxy.service.stats.truncated == 1


async def test_a_reset_in_a_body_that_ends_with_the_connection_is_a_reset_for_the_client() -> None:
    """An orderly end would tell an HTTP/1.0 client that it has everything."""
    started = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.0 200 OK\r\n\r\nbeginning")
        await started.wait()
        peer.writer.transport.abort()

    async with running(Upstream(serve), read_s=0.1) as proxy:
        client = await proxy.connect()
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        assert await client.until(b"beginning") != b""
        # The server goes silent, so that the proxy gives up in the middle.
        with pytest.raises(ConnectionResetError):
            await client.exactly(1)
        started.set()


def _one_answer_each(*, close: asyncio.Event) -> Upstream:
    """A server that answers once per connection, and resets it when the next request has come."""
    upstream = Upstream()

    async def serve(peer: Peer) -> None:
        upstream.heads.append(await peer.head())
        if b"Content-Length: 4" in upstream.heads[-1]:
            await peer.exactly(4)
        await peer.send(OK)
        upstream.heads.append(await peer.head())
        close.set()
        peer.writer.transport.abort()

    upstream.handler = serve
    return upstream


async def test_a_get_on_a_connection_that_had_died_is_sent_again_once() -> None:
    """The proxy never answers 502 for a kept connection that the server closed in between (8.12)."""
    closed = asyncio.Event()
    upstream = _one_answer_each(close=closed)
    async with running(upstream) as proxy:
        client = await proxy.connect()
        for _ in range(3):
            assert (await client.ask(GET))[1] == b"ok"
        assert proxy.service.stats.retries == 2
        assert proxy.service.stats.by_class[5] == 0


async def test_a_post_is_never_sent_twice() -> None:
    upstream = _one_answer_each(close=asyncio.Event())
    async with running(upstream) as proxy:
        client = await proxy.connect()
        assert (await client.ask(POST))[1] == b"ok"
        assert status_of((await client.ask(POST))[0]) == 502
        assert proxy.service.stats.retries == 0


async def test_a_get_that_dies_on_a_fresh_connection_is_not_repeated() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        peer.writer.transport.abort()

    upstream = Upstream(serve)
    async with running(upstream) as proxy:
        assert status_of((await proxy.get())[0]) == 502
        assert upstream.connections == 1


async def test_a_put_with_its_body_is_repeated_whole() -> None:
    received: list[bytes] = []

    async def serve(peer: Peer) -> None:
        await peer.head()
        received.append(await peer.exactly(4))
        await peer.send(OK)
        await peer.head()
        peer.writer.transport.abort()

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        put = POST.replace(b"POST", b"PUT")
        assert (await client.ask(put))[1] == b"ok"
        assert (await client.ask(put))[1] == b"ok"
        assert received == [b"body", b"body"]


async def test_a_body_that_has_outgrown_what_is_kept_is_not_repeated() -> None:
    """Half of it is gone; the server would get a request that nobody sent."""

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        await peer.head()
        await peer.exactly(50)
        peer.writer.transport.abort()

    async with running(Upstream(serve), replay_bytes_max=10) as proxy:
        client = await proxy.connect()
        await client.ask(GET)
        await client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n" + b"x" * 50)
        assert status_of(await client.rest()) == 502
        assert proxy.service.stats.retries == 0


async def test_what_cannot_be_repeated_is_not_given_a_connection_that_has_ended() -> None:
    """The kernel knows of the end before the event loop has told anybody."""
    peers: list[Peer] = []

    async def serve(peer: Peer) -> None:
        peers.append(peer)
        await peer.head()
        await peer.send(OK)
        await peer.rest()

    async with running(Upstream(serve)) as proxy:
        await proxy.get()
        server = proxy.service.snapshot.groups["b"].servers[0]
        assert len(server.pool) == 1
        with socket.socket(fileno=os.dup(peers[0].writer.get_extra_info("socket").fileno())) as raw:
            raw.shutdown(socket.SHUT_WR)
            # From here to the end nothing awaits: the loop cannot have noticed.
            assert proxy.service.pooled(server, is_repeatable=False) is None
        assert len(server.pool) == 0


async def test_a_connection_that_the_server_closed_is_not_kept() -> None:
    upstream = Upstream()

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)

    upstream.handler = serve
    async with running(upstream) as proxy:
        client = await proxy.connect()
        await client.ask(POST)
        pool = proxy.service.snapshot.groups["b"].servers[0].pool
        await eventually(lambda: len(pool) == 0)
        assert (await client.ask(POST))[1] == b"ok"


@pytest.mark.parametrize("extra", [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", b"x"])
async def test_bytes_after_a_response_reach_nobody(extra: bytes) -> None:
    """They would be the answer to the next request on that connection, whoever's it is (8.13)."""
    upstream = Upstream()

    async def serve(peer: Peer) -> None:
        while True:
            await peer.head()
            await peer.send(OK + extra)

    upstream.handler = serve
    async with running(upstream) as proxy:
        for count in (1, 2, 3):
            assert (await proxy.get())[1] == b"ok"
            assert upstream.connections == count


async def test_bytes_on_an_idle_connection_end_it() -> None:
    answered = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK)
        await answered.wait()
        await peer.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        await peer.rest()

    upstream = Upstream(serve)
    async with running(upstream) as proxy:
        await proxy.get()
        pool = proxy.service.snapshot.groups["b"].servers[0].pool
        assert len(pool) == 1
        answered.set()
        await eventually(lambda: len(pool) == 0)


async def test_an_answer_before_the_request_is_whole_ends_the_connection() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        await peer.rest()

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + b"x" * 1000)
        head, body = await client.response()
        assert (status_of(head), fields_of(head)["connection"], body) == (403, ["close"], b"no")
        await client.send(b"x" * 1000)
        assert await client.rest() == b""


async def test_a_client_that_leaves_takes_its_request_along() -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.head()
        arrived.set()
        await peer.rest()
        gone.set()

    async with running(Upstream(serve)) as proxy:
        client = await proxy.connect()
        await client.send(GET)
        await asyncio.wait_for(arrived.wait(), 5)
        client.writer.transport.abort()
        await asyncio.wait_for(gone.wait(), 5)
        assert proxy.service.stats.by_class[0] == 1
        assert proxy.service.snapshot.groups["b"].servers[0].in_flight == 0


async def test_slow_heads_and_slow_bodies_are_408_and_idle_clients_are_let_go() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.rest()

    async with running(Upstream(serve), head_s=0.1, body_idle_s=0.1, client_idle_s=0.1) as proxy:
        silent, slow_head, slow_body = [await proxy.connect() for _ in range(3)]
        await slow_head.send(b"GET / HT")
        await slow_body.send(POST[:-1])
        assert await silent.rest() == b""
        assert status_of(await slow_head.rest()) == 408
        assert status_of(await slow_body.rest()) == 408


async def test_a_head_that_trickles_in_gets_no_more_time_for_it() -> None:
    async with running(Upstream(), head_s=0.5) as proxy:
        client = await proxy.connect()
        with contextlib.suppress(ConnectionError):
            for byte in GET[:-1] * 100:
                await client.send(bytes([byte]))
                await asyncio.sleep(0.02)
                if proxy.service.stats.by_class[4]:
                    break
        assert proxy.service.stats.by_class[4] == 1


async def test_bodies_beyond_the_limit_are_413_by_length_and_by_count() -> None:
    upstream = Upstream()

    async def serve(peer: Peer) -> None:
        upstream.heads.append(await peer.head())
        await peer.rest()

    upstream.handler = serve
    async with running(upstream) as proxy:
        proxy.serve(upstream, settings={"Limits": {"MaxBodyBytes": 10}})
        client = await proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")
        assert status_of(await client.rest()) == 413
        assert upstream.heads == []
        client = await proxy.connect()
        await client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n"
        )
        await eventually(lambda: upstream.heads)
        await client.send(b"3\r\nabc\r\n")
        assert status_of(await client.rest()) == 413


async def test_a_request_that_comes_back_is_508() -> None:
    async with running() as proxy:
        proxy.put({"backends/b/servers/self": {"URL": f"http://127.0.0.1:{proxy.port}"}})
        assert status_of((await proxy.get())[0]) == 508


async def test_clients_beyond_the_limit_are_turned_away() -> None:
    async with running(Upstream(), connections_max=2) as proxy:
        first, second = await proxy.connect(), await proxy.connect()
        await first.ask(GET)
        await second.ask(GET)
        third = await proxy.connect()
        with contextlib.suppress(ConnectionError):
            assert await third.rest() == b""
        first.close()
        await eventually(lambda: proxy.service.stats.clients == 1)
        assert status_of((await proxy.get())[0]) == 200
