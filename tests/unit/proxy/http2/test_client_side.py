"""What clients of HTTP/2 may do to the proxy, and what they may not."""

import asyncio
import contextlib
import random
from typing import cast

import h2.errors
import h2.events
import h2.settings
import hpack
import pytest
from hyperframe import frame as frames
from tests.unit.http2.test_anything import valid
from tests.unit.proxy.harness import OK, Peer, Upstream, eventually, running
from tests.unit.proxy.middleware.test_on_the_wire import middleware, put
from tests.unit.proxy.streams import speaking
from tests.unit.proxy.wired import Wire, Wired

from fairlead.http2 import PREFACE
from fairlead.proxy.http2 import Http2Client
from fairlead.proxy.http2.wire import STREAMS_MAX
from fairlead.proxy.origin import Origin

CALM, PROTOCOL, FLOW = 11, 1, 3
HEAD = [(":method", "POST"), (":scheme", "http"), (":authority", "a.example"), (":path", "/x")]


async def test_a_body_that_waits_for_a_middleware_is_held_against_the_limits_behind_it() -> None:
    """Who answers whether it may come takes his time; all of the body is here by then."""
    gate = asyncio.Event()

    async def allow(peer: Peer) -> None:
        await peer.head()
        await gate.wait()
        await peer.send(OK)

    asked, upstream = Upstream(allow), Upstream()
    await asked.start()
    async with speaking(upstream) as (proxy, peer):
        put(
            proxy,
            ask=middleware("forwardauth", {"Address": f"http://127.0.0.1:{asked.port}/"}, priority=1),
            limit=middleware("bodylimit", {"MaxBodyBytes": 1000}, priority=2),
        )
        stream = await peer.ask(is_end=False, method="POST")
        peer.connection.send_data(stream, b"x" * 5000, end_stream=True)
        await peer.flush()
        await eventually(lambda: asked.connections == 1)
        gate.set()
        assert await peer.status(stream) == 413
    assert upstream.heads == []
    await asked.stop()


async def test_a_body_that_waits_for_a_middleware_arrives_whole() -> None:
    gate, seen = asyncio.Event(), asyncio.Event()

    async def allow(peer: Peer) -> None:
        await peer.head()
        seen.set()
        await gate.wait()
        await peer.send(OK)

    async def echo(peer: Peer) -> None:
        await peer.head()
        body = await peer.until(b"\r\n0\r\n\r\n")
        await peer.send(OK if body.count(b"x") == 5000 else b"")

    asked = Upstream(allow)
    await asked.start()
    async with speaking(Upstream(echo)) as (proxy, peer):
        put(proxy, ask=middleware("forwardauth", {"Address": f"http://127.0.0.1:{asked.port}/"}))
        stream = await peer.ask(is_end=False, method="POST")
        peer.connection.send_data(stream, b"x" * 3000)
        await peer.flush()
        await seen.wait()
        gate.set()
        peer.connection.send_data(stream, b"x" * 2000, end_stream=True)
        await peer.flush()
        assert await peer.status(stream) == 200
    await asked.stop()


async def test_a_client_that_waits_for_100_gets_it_from_who_gathers_the_body() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.exactly(2)
        await peer.send(OK)

    async with speaking(Upstream(serve)) as (proxy, peer):
        put(proxy, whole=middleware("buffer", {"MaxBodyBytes": 1000}))
        stream = await peer.ask(
            ("expect", "100-continue"), ("content-length", "2"), is_end=False, method="POST"
        )
        await peer.event(h2.events.InformationalResponseReceived, stream)
        peer.connection.send_data(stream, b"ok", end_stream=True)
        await peer.flush()
        assert await peer.status(stream) == 200


@pytest.mark.parametrize("size", [2, 1_000_000])
async def test_an_answer_that_is_not_taken_is_cut_and_others_go_on(size: int) -> None:
    """CVE-2019-9517: what a window of nothing holds back costs memory as long as it waits."""

    async def serve(peer: Peer) -> None:
        while True:
            count = size if b"x-large" in await peer.head() else 0
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % count + b"x" * count)

    async with speaking(Upstream(serve), write_stall_s=0.5) as (_, peer):
        peer.connection.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 0})
        stream = await peer.ask(("x-large", "1"))
        event = await peer.event(h2.events.StreamReset, stream)
        assert isinstance(event, h2.events.StreamReset)
        assert await peer.status(await peer.ask()) == 200


async def test_a_drain_loses_no_request_that_is_on_its_way() -> None:
    """RFC 9113, section 6.8: a first GOAWAY that names no limit, and the real one once the client knows."""
    async with speaking(Upstream()) as (proxy, peer):
        assert await peer.status(await peer.ask()) == 200
        draining = asyncio.create_task(proxy.service.drain(limit_s=5))
        await asyncio.sleep(0)
        late = await peer.ask()
        assert await peer.status(late) == 200
        last = []
        for _ in range(2):
            event = await peer.event(h2.events.ConnectionTerminated)
            assert isinstance(event, h2.events.ConnectionTerminated)
            last.append(event.last_stream_id)
        assert last == [2**31 - 1, late]
        await peer.peer.rest()
        await draining


async def test_a_client_that_does_not_answer_is_left_at_a_drain() -> None:
    async with running(Upstream(), drain_idle_s=0.2) as proxy:
        peer = await proxy.connect()
        await peer.send(PREFACE + frames.SettingsFrame(0).serialize())
        await peer.exactly(9)
        await proxy.service.drain(limit_s=8)
        assert (await peer.rest())[-9 - 30 :].count(b"shutting down"), "the second GOAWAY, and the end"


async def test_more_streams_than_are_taken_at_a_time_are_refused() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.rest()

    async with speaking(Upstream(serve)) as (_, peer):
        streams = [await peer.ask() for _ in range(STREAMS_MAX)]
        # The library heeds the limit once it knows it; somebody else may not.
        peer.connection.remote_settings.acknowledge()
        peer.connection.remote_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] = 1000
        peer.connection.remote_settings.acknowledge()
        one_more = await peer.ask()
        event = await peer.event(h2.events.StreamReset)
        assert isinstance(event, h2.events.StreamReset)
        assert event.stream_id == one_more == streams[-1] + 2
        assert event.error_code is h2.errors.ErrorCodes.REFUSED_STREAM


async def test_a_head_that_is_too_long_is_answered_431() -> None:
    async with speaking(Upstream(), head_bytes_max=2000) as (_, peer):
        fields = [(f"x-{number}", "y" * 40) for number in range(30)]
        assert await peer.status(await peer.ask(*fields)) == 431
        assert await peer.status(await peer.ask()) == 200


async def test_a_head_that_was_planned_before_is_planned_anew_after_a_change() -> None:
    upstream = Upstream()
    async with speaking(upstream) as (proxy, peer):
        assert [await peer.status(await peer.ask()) for _ in range(3)] == [200] * 3
        proxy.put({}, delete=("frontends/f/frontend",))
        assert await peer.status(await peer.ask()) == 404
        proxy.serve(upstream)
        assert await peer.status(await peer.ask()) == 200


@pytest.mark.parametrize("length", ["4", "0"])
async def test_a_length_that_is_not_that_of_the_body_ends_the_stream(length: str) -> None:
    """RFC 9113, section 8.1.1; over HTTP/1.1 the rest would be the next request (smuggling)."""
    async with speaking(Upstream()) as (proxy, peer):
        stream = await peer.ask(("content-length", length), is_end=False, method="POST")
        await peer.peer.send(frames.DataFrame(stream, b"xxxxx", flags=["END_STREAM"]).serialize())
        event = await peer.event(h2.events.StreamReset, stream)
        assert isinstance(event, h2.events.StreamReset)
        assert event.error_code is h2.errors.ErrorCodes.PROTOCOL_ERROR
        server = proxy.service.snapshot.groups["b"].servers[0]
        await eventually(lambda: server.in_flight == 0)


def _begun(stream: int) -> bytes:
    return bytes(frames.HeadersFrame(stream, hpack.Encoder().encode(HEAD), flags=["END_HEADERS"]).serialize())


@pytest.mark.parametrize(
    ("attack", "code"),
    [
        pytest.param(frames.PingFrame(0, b"8 octets").serialize() * 300, CALM, id="PING"),
        pytest.param(frames.SettingsFrame(0, {4: 70_000}).serialize() * 100, CALM, id="SETTINGS"),
        pytest.param(_begun(1) + frames.DataFrame(1, b"").serialize() * 300, CALM, id="empty DATA"),
        pytest.param(
            frames.HeadersFrame(1, b"").serialize() + frames.ContinuationFrame(1, b"").serialize() * 50,
            CALM,
            id="CONTINUATION",
        ),
        pytest.param(
            frames.HeadersFrame(1, b"").serialize()
            + frames.ContinuationFrame(1, b"\0\1x\1y" * 2000).serialize() * 5,
            CALM,
            id="a block too long",
        ),
        pytest.param(frames.PriorityFrame(3).serialize() * 3000, CALM, id="PRIORITY"),
        pytest.param(frames.WindowUpdateFrame(0, 2**31 - 1).serialize(), FLOW, id="a window that overflows"),
        pytest.param(frames.WindowUpdateFrame(0, 1).serialize() * 30_000, CALM, id="WINDOW_UPDATE"),
        pytest.param(_begun(2), PROTOCOL, id="a stream of even number"),
    ],
)
async def test_a_flood_ends_the_connection_and_says_why(attack: bytes, code: int) -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.rest()

    async with speaking(Upstream(serve)) as (_, peer):
        with contextlib.suppress(ConnectionError):
            await peer.peer.send(attack)
        event = await peer.event(h2.events.ConnectionTerminated)
        assert isinstance(event, h2.events.ConnectionTerminated)
        assert event.error_code == code


async def test_anything_that_a_client_sends_leaves_nothing_behind() -> None:
    """Requests, bodies, resets, and a few bytes changed: no exception, and no place at a server that stays taken."""
    wired = Wired()
    origin = Origin(peer=b"192.0.2.1", port=b"1", pseudonym=b"p")
    for seed in range(400):
        rng = random.Random(seed)
        stream = bytearray(PREFACE + frames.SettingsFrame(0).serialize())
        stream += b"".join(valid(rng, is_server=True))
        for _ in range(rng.randrange(5)):
            stream[rng.randrange(len(PREFACE), len(stream))] = rng.randrange(256)
        wire = Wire()
        client = Http2Client(wired.service, origin)
        client.take_over(cast("asyncio.Transport", wire), b"")
        while stream and not wire.is_closed:
            client.data_received(bytes(stream[:500]))
            del stream[:500]
            await asyncio.sleep(0)
        client.connection_lost(None)
        server = wired.service.snapshot.groups["b"].servers[0]
        assert server.in_flight == 0, seed
        assert client.connection.withheld_bytes == 0, seed


async def test_a_connection_shows_itself_in_one_line() -> None:
    async with speaking(Upstream()) as (proxy, peer):
        await peer.status(await peer.ask())
        (client,) = proxy.service._clients
        assert repr(client) == "Http2Client(<ServerConnection 0 streams, last 1>)"
