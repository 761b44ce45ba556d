"""How slowly a client may send, how much it may ask for on one connection, and for how long (rule 6)."""

import asyncio
import contextlib

import h2.events
import pytest
from tests.unit.proxy.harness import OK, Peer, Upstream, fields_of, running, status_of
from tests.unit.proxy.streams import speaking

from fairlead.proxy.config import TICK_S, Limits
from fairlead.proxy.pace import Pace

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
SLOW = {"body_idle_s": 0.5, "body_bytes_per_s_min": 1000}
WINDOW = round(Limits().body_idle_s / TICK_S)
LEAST = round(Limits().body_idle_s) * Limits().body_bytes_per_s_min


def test_a_body_that_keeps_the_pace_is_left_alone() -> None:
    pace = Pace(Limits())
    assert all(pace.holds(tick, tick // WINDOW * LEAST) for tick in range(10 * WINDOW))


def test_a_byte_now_and_then_does_not_keep_the_pace() -> None:
    pace = Pace(Limits())
    ticks = range(100, 100 + 3 * WINDOW, 20)
    held = [pace.holds(tick, number) for number, tick in enumerate(ticks)]
    assert held.index(False) == WINDOW // 20, "as soon as the first window is over"


def test_a_fast_beginning_does_not_pay_for_a_slow_rest() -> None:
    pace = Pace(Limits())
    assert pace.holds(0, 10 * LEAST)
    assert not pace.holds(WINDOW, 10 * LEAST + 1)


def test_a_window_in_which_the_client_was_not_read_does_not_count_and_the_next_one_does() -> None:
    pace = Pace(Limits())
    assert pace.holds(0, 1)
    pace.excuse()
    assert pace.holds(5 * WINDOW, 2)
    assert not pace.holds(6 * WINDOW, 3)


async def _swallow(peer: Peer) -> None:
    await peer.head()
    await peer.rest()


@pytest.mark.parametrize("framing", [b"Content-Length: 1000000", b"Transfer-Encoding: chunked"])
async def test_a_body_that_trickles_is_answered_408(framing: bytes) -> None:
    async with running(Upstream(_swallow), **SLOW) as proxy:
        client = await proxy.connect()
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n")

        async def trickle() -> None:
            with contextlib.suppress(ConnectionError):
                while True:
                    await client.send(b"1\r\nx\r\n")
                    await asyncio.sleep(0.1)

        trickling = asyncio.create_task(trickle())
        head, body = await client.response()
        trickling.cancel()
        assert status_of(head) == 408
        assert b"too slowly" in body


async def test_a_stream_of_http_2_that_trickles_is_answered_408() -> None:
    async with speaking(Upstream(_swallow), **SLOW) as (_, peer):
        stream = await peer.ask(is_end=False, method="POST")

        async def trickle() -> None:
            while True:
                peer.connection.send_data(stream, b"x")
                await peer.flush()
                await asyncio.sleep(0.1)

        trickling = asyncio.create_task(trickle())
        assert await peer.status(stream) == 408
        trickling.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await trickling


async def test_a_slow_server_is_not_held_against_the_client() -> None:
    size = 8_000_000

    async def serve(peer: Peer) -> None:
        await peer.head()
        await asyncio.sleep(1.2)  # longer than a window, in which the client cannot send
        await peer.exactly(size)
        await peer.send(OK)

    async with running(Upstream(serve), body_idle_s=0.5, body_bytes_per_s_min=10_000_000) as proxy:
        client = await proxy.connect()
        client.writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        assert status_of((await client.response())[0]) == 200


async def test_a_stream_that_is_answered_already_may_be_silent() -> None:
    """A call of gRPC both ways: the client has asked for events and waits for them."""
    seen = asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await seen.wait()
        await peer.send(b"5\r\nevent\r\n0\r\n\r\n")

    async with speaking(Upstream(serve), body_idle_s=0.1) as (_, peer):
        stream = await peer.ask(is_end=False, method="POST")
        assert await peer.status(stream) == 200
        await asyncio.sleep(1.2)  # longer than the patience for a body, and the ticks around it
        seen.set()
        event = await peer.event(h2.events.DataReceived, stream)
        assert isinstance(event, h2.events.DataReceived)
        assert event.data == b"event"


async def test_a_connection_ends_after_its_last_request_and_says_so() -> None:
    async with running(Upstream(), client_requests_max=3) as proxy:
        client = await proxy.connect()
        said = [fields_of((await client.ask(GET))[0]).get("connection") for _ in range(3)]
        assert said == [None, None, ["close"]]
        assert await client.rest() == b""


async def test_what_was_sent_ahead_of_the_last_answer_does_not_take_it_back() -> None:
    upstream = Upstream()
    async with running(upstream, client_requests_max=2) as proxy:
        client = await proxy.connect()
        await client.send(GET * 50)
        answers = await client.rest()
        assert answers.count(b"HTTP/1.1 200 OK") == 2
        assert answers.endswith(b"Connection: close\r\n\r\nok")
    assert len(upstream.heads) == 2, "the others were not asked for anybody"


async def test_a_connection_that_is_too_old_ends_after_the_next_answer() -> None:
    async with running(Upstream(), client_age_s=0.5) as proxy:
        client = await proxy.connect()
        said = fields_of((await client.ask(GET))[0]).get("connection")
        assert said is None
        while said is None:
            await asyncio.sleep(0.1)
            said = fields_of((await client.ask(GET))[0]).get("connection")
        assert said == ["close"]
        assert await client.rest() == b""


async def test_http_2_says_goaway_after_its_last_request_and_answers_what_is_under_way() -> None:
    upstream = Upstream()
    async with speaking(upstream, client_requests_max=2) as (_, peer):
        first, second = await peer.ask(), await peer.ask()
        event = await peer.event(h2.events.ConnectionTerminated)
        assert isinstance(event, h2.events.ConnectionTerminated)
        assert event.last_stream_id == second
        assert [await peer.status(each) for each in (first, second)] == [200, 200]
        assert await peer.peer.rest() is not None
    assert len(upstream.heads) == 2


async def test_what_is_under_way_at_a_server_of_http_2_outlives_its_goaway() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await gate.wait()
        await peer.send(b"2\r\nok\r\n0\r\n\r\n")

    gate = asyncio.Event()
    async with running() as front, running(Upstream(serve), client_requests_max=1) as back:
        front.put({"backends/b/servers/s": {"URL": f"h2c://127.0.0.1:{back.port}"}})
        for _ in range(2):
            client = await front.connect()
            await client.send(GET)
            assert status_of(await client.head()) == 200, "after GOAWAY another connection is made"
            gate.set()
            assert await client.until(b"0\r\n\r\n") == b"2\r\nok\r\n0\r\n\r\n"


async def test_http_2_streams_after_goaway_are_refused_unseen() -> None:
    """So that a client may ask again elsewhere without doing anything twice (RFC 9113, section 6.8)."""
    gate = asyncio.Event()

    async def serve(peer: Peer) -> None:
        upstream.heads.append(await peer.head())
        await gate.wait()
        await peer.send(OK)

    upstream = Upstream(serve)
    async with speaking(upstream, client_requests_max=1) as (_, peer):
        first = await peer.ask()
        late = await peer.ask()
        event = await peer.event(h2.events.ConnectionTerminated)
        assert isinstance(event, h2.events.ConnectionTerminated)
        assert event.last_stream_id == first
        gate.set()
        assert await peer.status(first) == 200
        assert late > first
    assert len(upstream.heads) == 1
