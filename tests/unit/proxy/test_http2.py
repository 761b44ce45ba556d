"""HTTP/2 on both sides: what curl, grpcio and h2load see through the proxy."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable

import grpc
import grpc.aio
import h2.config
import h2.connection
import h2.errors
import h2.events
import pytest
from tests import peers
from tests.support.ports import free_ports
from tests.unit.proxy.harness import OK, Peer, Proxy, Upstream, eventually, fields_of, running
from tests.unit.proxy.pairs import host, make_pair
from tests.unit.proxy.streams import speaking
from tests.unit.proxy.test_edge import listener

from fairlead.http2.guard import BUDGETS, Event
from fairlead.proxy.errors import BadRequest
from fairlead.proxy.http2.messages import head_of

METADATA = (("x-ask", "1"),)
BIG = b"x" * 3_000_000


class Echo(grpc.GenericRpcHandler):  # type: ignore[misc]  # shipped without types
    """A gRPC service that says what it hears, in every manner of call."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return {
            "/t.Echo/Unary": grpc.unary_unary_rpc_method_handler(self._unary),
            "/t.Echo/Down": grpc.unary_stream_rpc_method_handler(self._down),
            "/t.Echo/Both": grpc.stream_stream_rpc_method_handler(self._both),
            "/t.Echo/Fail": grpc.unary_unary_rpc_method_handler(self._fail),
            "/t.Echo/Hang": grpc.unary_unary_rpc_method_handler(self._hang),
        }.get(details.method)

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()

    async def _unary(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        context.set_trailing_metadata((("x-told", "2"),))
        return request

    async def _down(self, request: bytes, _: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        for number in range(5):
            yield request + b"%d" % number

    async def _both(
        self, requests: AsyncIterator[bytes], _: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        async for each in requests:
            yield each[::-1]

    async def _fail(self, _: bytes, context: grpc.aio.ServicerContext) -> bytes:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today")
        return b""

    async def _hang(self, _: bytes, __: grpc.aio.ServicerContext) -> bytes:
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
        return b""


@contextlib.asynccontextmanager
async def called() -> AsyncIterator[tuple[Proxy, grpc.aio.Channel, Echo]]:
    """A gRPC server, the proxy before it, and a channel to the proxy."""
    echo = Echo()
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((echo,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with running() as proxy:
        proxy.put({"backends/b/servers/s": {"URL": f"h2c://127.0.0.1:{port}"}})
        async with grpc.aio.insecure_channel(
            f"127.0.0.1:{proxy.port}", options=[("grpc.max_receive_message_length", -1)]
        ) as channel:
            yield proxy, channel, echo
    await server.stop(0)


async def test_grpc_passes_with_its_metadata_and_trailers() -> None:
    async with called() as (proxy, channel, _):
        call = channel.unary_unary("/t.Echo/Unary")(b"hello", metadata=METADATA)
        assert await call == b"hello"
        assert ("x-told", "2") in [(key, value) for key, value in await call.trailing_metadata()]
        assert await channel.unary_unary("/t.Echo/Unary")(BIG) == BIG, "more than any window"
        assert proxy.service.stats.by_class[2] == 2


async def test_grpc_streams_pass_both_ways() -> None:
    async with called() as (_, channel, _echo):
        down = channel.unary_stream("/t.Echo/Down")(b"n")
        assert [each async for each in down] == [b"n0", b"n1", b"n2", b"n3", b"n4"]
        both = channel.stream_stream("/t.Echo/Both")()
        for word in (b"abc", b"def", BIG):
            await both.write(word)
            assert await both.read() == word[::-1], "each is answered before the next is sent"
        await both.done_writing()
        assert await both.read() is grpc.aio.EOF


async def test_grpc_errors_and_deadlines_pass() -> None:
    async with called() as (proxy, channel, echo):
        with pytest.raises(grpc.aio.AioRpcError, match="not today") as failed:
            await channel.unary_unary("/t.Echo/Fail")(b"")
        assert failed.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await channel.unary_unary("/t.Echo/Hang")(b"", timeout=0.2)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        await asyncio.wait_for(echo.cancelled.wait(), 5)
        server = proxy.service.snapshot.groups["b"].servers[0]
        await eventually(lambda: server.in_flight == 0)


async def test_a_grpc_server_that_is_gone_is_unavailable() -> None:
    async with called() as (proxy, channel, _):
        proxy.put({"backends/b/servers/s": {"URL": f"h2c://127.0.0.1:{free_ports(1)[0]}"}})
        with pytest.raises(grpc.aio.AioRpcError) as gone:
            await channel.unary_unary("/t.Echo/Unary")(b"")
        assert gone.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_requests_of_http2_reach_a_server_of_http1() -> None:
    upstream = Upstream()
    async with speaking(upstream) as (_, peer):
        streams = [
            await peer.ask(("x-number", str(number)), ("cookie", "a=1"), ("cookie", "b=2"))
            for number in (1, 2, 3)
        ]
        for stream in streams:
            assert await peer.status(stream) == 200
    fields = [fields_of(head) for head in upstream.heads]
    assert sorted(each["x-number"][0] for each in fields) == ["1", "2", "3"]
    assert fields[0]["cookie"] == ["a=1; b=2"]
    assert fields[0]["x-forwarded-host"] == ["a.example"]


@pytest.mark.parametrize(
    "fields",
    [
        [("connection", "close")],
        [("transfer-encoding", "chunked")],
        [("upgrade", "h2c")],
        [("x", "a\r\nInjected: yes")],
        [("x", "a\0b")],
        [("host", "b.example")],
        [("Upper", "case")],
        [("x y", "z")],
        [(":path", "/other")],
        [(":unknown", "x")],
    ],
)
def test_what_http1_could_not_say_is_refused(fields: list[tuple[str, str]]) -> None:
    start = [(":method", "GET"), (":scheme", "http"), (":authority", "a.example"), (":path", "/")]
    encoded = tuple((name.encode(), value.encode()) for name, value in [*start, *fields])
    with pytest.raises(BadRequest):
        head_of(encoded, has_body=False)


async def test_a_malformed_request_costs_its_stream_only() -> None:
    async with speaking(Upstream()) as (_, peer):
        good = await peer.ask()
        bad = await peer.ask(("x", "y"), method="TRACE")
        assert await peer.status(bad) == 405
        assert await peer.status(good) == 200
        assert await peer.status(await peer.ask()) == 200


@pytest.mark.parametrize(
    "field",
    [
        ("X-Upper", "case"), ("connection", "close"), ("transfer-encoding", "chunked"), ("te", "gzip"), ("x", "a\nb"),
        (":path", "/again"), (":status", "200"), (":unknown", "x"), ("host", "b.example"), ("x y", "z"),
    ],
)  # fmt: skip
async def test_what_http2_calls_malformed_is_an_error_of_its_stream(field: tuple[str, str]) -> None:
    """RFC 9113, section 8.1.1: an answer may come before it, and no server hears of the request."""
    upstream = Upstream()
    async with speaking(upstream) as (_, peer):
        for is_end in (True, False):
            bad = await peer.ask(field, is_end=is_end)
            assert await peer.status(bad) == 400
            reset = await peer.event(h2.events.StreamReset, bad)
            assert isinstance(reset, h2.events.StreamReset)
            assert reset.error_code == h2.errors.ErrorCodes.PROTOCOL_ERROR
        assert await peer.status(await peer.ask()) == 200
    assert len(upstream.heads) == 1


@pytest.mark.parametrize("window", [0, 2**30])
async def test_a_slow_client_stops_the_server(window: int) -> None:
    """By its window, or, when that is wide open, by not reading at all."""
    written = 0

    async def serve(peer: Peer) -> None:
        nonlocal written
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 400000000\r\n\r\n")
        with contextlib.suppress(TimeoutError):
            for _ in range(4000):
                peer.writer.write(b"x" * 100_000)
                await asyncio.wait_for(peer.writer.drain(), 0.5)
                written += 100_000

    async with speaking(Upstream(serve)) as (_, peer):
        stream = await peer.ask(is_end=False, method="POST")
        if window:
            peer.connection.increment_flow_control_window(window)
            peer.connection.increment_flow_control_window(window, stream)
        peer.connection.end_stream(stream)
        await peer.flush()
        await eventually(lambda: written > 0)
        while (seen := written) != await _later(lambda: written):
            pass
        assert seen < 100_000_000, "more than the kernel keeps for four sockets"


async def _later(value: Callable[[], int]) -> int:
    await asyncio.sleep(0.7)
    return value()


async def test_cancelling_again_and_again_ends_the_connection() -> None:
    """Rapid reset, CVE-2023-44487."""

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.rest()

    upstream = Upstream(serve)
    async with speaking(upstream) as (_, peer):
        for _ in range(int(BUDGETS[Event.RESET].burst) + 1):
            stream = peer.connection.get_next_available_stream_id()
            start = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")]
            peer.connection.send_headers(stream, start, end_stream=True)
            peer.connection.reset_stream(stream)
        await peer.flush()
        event = await peer.event(h2.events.ConnectionTerminated)
        assert isinstance(event, h2.events.ConnectionTerminated)
        assert event.error_code is h2.errors.ErrorCodes.ENHANCE_YOUR_CALM
    assert upstream.connections == 0, "what was given up at once did not reach a server"


async def test_a_body_cut_short_is_a_reset_stream() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(OK[:-1])

    async with speaking(Upstream(serve)) as (_, peer):
        stream = await peer.ask()
        assert await peer.status(stream) == 200
        await peer.event(h2.events.StreamReset, stream)


async def test_a_draining_proxy_says_goaway_and_finishes() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.head()
        asked.set()
        await answer.wait()
        await peer.send(OK)

    async with speaking(Upstream(serve)) as (proxy, peer):
        stream = await peer.ask()
        await asked.wait()
        draining = asyncio.create_task(proxy.service.drain(limit_s=5))
        while await asyncio.wait_for(peer.peer.reader.read(65536), 5):
            answer.set()
        await draining
        assert stream == 1


@pytest.mark.peer("curl")
async def test_curl_speaks_http2_over_tls_and_in_clear_text() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        (port,) = free_ports(1)
        proxy.put({"hosts/a.example/host": host(make_pair("a.example")), "listeners/l": listener(port)})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        curl = peers.find("curl")
        assert curl is not None
        for flags in (
            ["--http2-prior-knowledge", f"http://127.0.0.1:{proxy.port}/"],
            ["-k", "--http2", "--resolve", f"a.example:{port}:127.0.0.1", f"https://a.example:{port}/"],
            ["-k", "--http1.1", "--resolve", f"a.example:{port}:127.0.0.1", f"https://a.example:{port}/"],
        ):
            process = await asyncio.create_subprocess_exec(
                curl, "-s", "-w", " %{http_version}", *flags, stdout=asyncio.subprocess.PIPE
            )
            output, _ = await asyncio.wait_for(process.communicate(), 10)
            assert output.decode() == ("ok 1.1" if "--http1.1" in flags else "ok 2")


async def test_servers_over_tls_are_checked_unless_told_otherwise() -> None:
    pair = make_pair("localhost")
    upstream = Upstream()
    async with running(upstream) as front, running() as back:
        (port,) = free_ports(1)
        front.put({"hosts/localhost/host": host(pair), "listeners/l": listener(port)})
        await eventually(lambda: len(front.service.doors.sockets()) == 2)
        back.put({"backends/b/servers/s": {"URL": f"https://localhost:{port}"}})
        assert b" 502 " in (await back.get())[0]
        back.put({"backends/b/backend": {"Settings": {"TLS": {"InsecureSkipVerify": True}}}})
        assert (await back.get(host="localhost"))[1] == b"ok"
    assert ssl.HAS_ALPN
