"""Connections over HTTP/2 to one server: how many are opened, who waits for which, and who goes on whose."""

import asyncio
import contextlib
from typing import Any

import grpc
import grpc.aio
import h2.settings
from tests.unit.proxy.harness import Peer, Proxy, Upstream, eventually, running, status_of
from tests.unit.proxy.http2.test_server_side import GET, Server, on_end, serving, towards

from fairlead.proxy.dialing import Connecting, Dialer
from fairlead.proxy.state import ServerState

STREAMS = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS


class Held:
    """A server of the library h2 that sends nothing, its SETTINGS included, until it is let go."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.upstream, self.servers = serving(on_end(lambda server, stream: server.answer(stream)))
        self._serve = self.upstream.handler
        self.upstream.handler = self._hold

    async def _hold(self, peer: Peer) -> None:
        await self.go.wait()
        await self._serve(peer)


async def asking(proxy: Proxy, count: int) -> list[Peer]:
    """Let so many clients ask at once."""
    clients = [await proxy.connect() for _ in range(count)]
    for each in clients:
        await each.send(GET)
    return clients


def in_flight(proxy: Proxy) -> int:
    return proxy.service.snapshot.groups["b"].servers[0].in_flight


async def test_many_requests_to_a_cold_server_open_one_connection() -> None:
    held = Held()
    async with running(held.upstream) as proxy:
        towards(proxy, held.upstream)
        clients = await asking(proxy, 40)
        await eventually(lambda: in_flight(proxy) == 40)
        await eventually(lambda: held.upstream.connections)
        held.go.set()
        assert [status_of((await each.response())[0]) for each in clients] == [200] * 40
        assert (held.upstream.connections, proxy.service.stats.connects) == (1, 1)


async def test_a_server_has_as_many_connections_as_its_streams_ask_for_and_those_are_used_again() -> None:
    waiting: list[tuple[Server, int]] = []
    upstream, servers = serving(
        on_end(lambda server, stream: waiting.append((server, stream))), settings={STREAMS: 10}
    )
    held = asyncio.Event()
    serve = upstream.handler

    async def hold(peer: Peer) -> None:
        await held.wait()
        await serve(peer)

    upstream.handler = hold
    async with running(upstream) as proxy:
        towards(proxy, upstream)
        clients = await asking(proxy, 25)
        await eventually(lambda: in_flight(proxy) == 25)
        held.set()
        await eventually(lambda: len(waiting) == 25)
        assert sorted(sum(each is server for each, _ in waiting) for server in servers) == [5, 10, 10]
        for each in clients:
            each.close()
        await eventually(lambda: in_flight(proxy) == 0)
        waiting.clear()
        await asking(proxy, 25)
        await eventually(lambda: len(waiting) == 25)
        assert len(servers) == 3


async def test_who_waits_for_settings_that_never_come_is_told_in_time() -> None:
    async def mute(peer: Peer) -> None:
        await peer.rest()

    upstream = Upstream(mute)
    async with running(upstream) as proxy:
        timeouts = {"Timeouts": {"Dial": "300ms", "Read": "1s"}}
        proxy.put({"backends/b/backend": {"Settings": timeouts}})
        towards(proxy, upstream)
        clients = await asking(proxy, 8)
        assert [status_of((await each.response())[0]) for each in clients] == [504] * 8
        assert upstream.connections < 8


async def test_a_server_that_ends_connections_at_once_keeps_nobody_waiting() -> None:
    async def leave(peer: Peer) -> None:
        peer.close()

    upstream = Upstream(leave)
    async with running(upstream) as proxy:
        towards(proxy, upstream)
        clients = await asking(proxy, 8)
        assert [status_of((await each.response())[0]) for each in clients] == [502] * 8


class Refusing(Dialer):
    """A network on which a server refuses, once it is asked to."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(proxy.service)
        self.go = asyncio.Event()
        self.dialled = 0
        self.waiting = 0

    def dial(self, waiting: Connecting, server: ServerState, dial_s: float) -> None:
        self.waiting += 1
        super().dial(waiting, server, dial_s)

    async def _open(self, server: ServerState, make: Any, dial_s: float) -> Any:
        self.dialled += 1
        await self.go.wait()
        raise ConnectionRefusedError


async def test_a_server_that_refuses_is_asked_once_for_all_who_wait() -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        proxy.service.dialer = dialer = Refusing(proxy)
        towards(proxy, upstream)
        clients = await asking(proxy, 8)
        await eventually(lambda: dialer.waiting == 8)
        dialer.go.set()
        assert [status_of((await each.response())[0]) for each in clients] == [502] * 8
        assert dialer.dialled == 1


async def test_a_client_that_leaves_while_it_waits_takes_no_place() -> None:
    held = Held()
    async with running(held.upstream) as proxy:
        towards(proxy, held.upstream)
        first, second, third = await asking(proxy, 3)
        await eventually(lambda: in_flight(proxy) == 3 and held.upstream.connections)
        second.close()
        with contextlib.suppress(ConnectionError):
            await second.writer.wait_closed()
        await eventually(lambda: in_flight(proxy) == 2)
        held.go.set()
        for each in (first, third):
            assert status_of((await each.response())[0]) == 200
        assert held.servers[0].connection.highest_inbound_stream_id == 3


async def test_calls_to_a_cold_server_of_grpc_share_what_it_takes() -> None:
    answering, peers = asyncio.Event(), set()

    async def echo(request: bytes, context: Any) -> bytes:
        peers.add(context.peer())
        await answering.wait()
        return request

    behind = grpc.aio.server(options=[("grpc.max_concurrent_streams", 4)])
    handler = grpc.unary_unary_rpc_method_handler(echo)
    behind.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", {"Echo": handler}),))
    port = behind.add_insecure_port("127.0.0.1:0")
    await behind.start()
    async with running(Upstream()) as proxy:
        proxy.put({"backends/b/servers/s0": {"URL": f"h2c://127.0.0.1:{port}"}})
        async with grpc.aio.insecure_channel(f"127.0.0.1:{proxy.port}") as channel:
            call = channel.unary_unary("/t.T/Echo")
            calls = [asyncio.ensure_future(call(b"%d" % number)) for number in range(10)]
            await eventually(lambda: in_flight(proxy) == 10 and len(peers) == 3)
            answering.set()
            assert await asyncio.gather(*calls) == [b"%d" % number for number in range(10)]
            assert len(peers) == 3
    await behind.stop(None)
