"""TCP as it is: listeners that pass connections on, and TLS that goes through by the name it asks for."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import pytest
from tests.support.ports import free_ports
from tests.unit.proxy.harness import Peer, Upstream, eventually, running
from tests.unit.proxy.pairs import host, make_pair, trusting
from tests.unit.proxy.test_edge import listener, secure

from fairlead.proxy.certificates import context_of
from fairlead.proxy.client_hello import HELLO_BYTES_MAX, server_name

DB = make_pair("db.example")


def hello(name: str | None) -> bytes:
    """What a TLS client says first."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_the_name_in_a_hello_is_read_and_never_guessed() -> None:
    data = hello("DB.example")
    assert server_name(data) == b"db.example"
    assert server_name(hello(None)) == b""
    for size in range(len(data)):
        assert server_name(data[:size]) is None
    for at in range(len(data)):
        broken = data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]
        assert server_name(broken) is None or b"\0" not in (server_name(broken) or b"")
    assert server_name(b"GET / HTTP/1.1\r\n") == b""
    assert server_name(b"\x16\x03\x01" + b"\xff" * HELLO_BYTES_MAX) == b""


def test_a_hello_in_several_records_is_put_together() -> None:
    data = hello("db.example")
    head, body = data[:3], data[5:]
    records = [body[at : at + 50] for at in range(0, len(body), 50)]
    assert (
        server_name(b"".join(head + len(each).to_bytes(2, "big") + each for each in records)) == b"db.example"
    )


async def _shout(peer: Peer) -> None:
    await peer.send(b"hello\n")
    while line := await peer.reader.readline():
        await peer.send(line.upper())


async def test_a_tcp_listener_passes_connections_on_both_ways() -> None:
    upstream = Upstream(_shout)
    async with running(upstream) as proxy:
        (port,) = free_ports(1)
        proxy.put({"listeners/t": listener(port, "tcp", BackendId="b")})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
        assert await peer.until(b"\n") == b"hello\n", "the server speaks first"
        await peer.send(b"quiet\n")
        assert await peer.until(b"\n") == b"QUIET\n"
        server = proxy.service.snapshot.groups["b"].servers[0]
        assert server.in_flight == 1
        peer.close()
        await eventually(lambda: server.in_flight == 0)
        assert proxy.service.stats.tunnels == 0


async def test_a_server_that_is_down_is_passed_over() -> None:
    down, up = Upstream(_shout), Upstream(_shout)
    async with running(down, up) as proxy:
        await down.stop()
        (port,) = free_ports(1)
        proxy.put({"listeners/t": listener(port, "tcp", BackendId="b")})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        for _ in range(4):
            peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
            assert await peer.until(b"\n") == b"hello\n"
            peer.close()
        await up.stop()
        peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
        with contextlib.suppress(ConnectionResetError):
            assert await peer.rest() == b""
        peer.close()


@pytest.mark.parametrize("pattern", ["db.example", "*.example"])
async def test_tls_goes_through_by_name_and_the_rest_is_ended_here(pattern: str) -> None:
    ours = make_pair("a.test")
    database = await asyncio.start_server(
        lambda reader, writer: _shout(Peer(reader, writer)), "127.0.0.1", 0, ssl=context_of(DB)
    )
    behind = database.sockets[0].getsockname()[1]
    async with running(Upstream()) as proxy:
        (port,) = free_ports(1)
        proxy.put(
            {
                "hosts/a.test/host": host(ours),
                "backends/db/servers/s": {"URL": f"http://127.0.0.1:{behind}"},
                "listeners/l": listener(port, Passthrough={pattern: "db"}),
            }
        )
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        through = await secure(port, "db.example", trusting(DB))
        assert await through.until(b"\n") == b"hello\n"
        here = await secure(port, "a.test", trusting(ours))
        assert (await here.ask(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"))[1] == b"ok"
        through.close()
        here.close()
    database.close()


def serving(route: dict[str, object], *, name: str = "r", **backends: int) -> dict[str, object]:
    """The keys of one TCP route, and of backends by the port of their server."""
    servers = {
        f"backends/{each}/servers/s": {"URL": f"http://127.0.0.1:{port}"} for each, port in backends.items()
    }
    return {f"tcp/{name}": route, **servers}


async def test_routes_say_which_backend_a_name_goes_to_and_where_its_tls_ends() -> None:
    plain, unopened = Upstream(_shout), Named(b"unopened")
    ours = make_pair("ended.example")
    async with running(Upstream()) as proxy, unopened.serving() as behind:
        await plain.start()
        (port,) = free_ports(1)
        proxy.put(
            {
                "hosts/ended.example/host": host(ours),
                "listeners/l": {**listener(port, "tcp"), "Settings": {"TLS": {}}},
                **serving(
                    {"Entrypoints": ["l"], "Names": ["ended.example"], "TLS": "end", "BackendId": "plain"},
                    plain=plain.port,
                ),
                **serving(
                    {"Entrypoints": ["l"], "Names": ["*.example"], "TLS": "pass", "BackendId": "tls"},
                    name="q",
                    tls=behind,
                ),
            }
        )
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        ended = await secure(port, "ended.example", trusting(ours))
        assert await ended.until(b"\n") == b"hello\n"
        await ended.send(b"quiet\n")
        assert await ended.until(b"\n") == b"QUIET\n"
        through = await secure(port, "db.example", trusting(DB))
        assert await through.until(b"\n") == b"unopened\n"
        for name in ("other.test", None):
            with pytest.raises((ConnectionError, ssl.SSLError)):
                await secure(port, name, trusting(DB))
        proxy.put({"tcp/q": {"Entrypoints": ["l"], "TLS": "pass", "BackendId": "tls"}})
        await eventually(lambda: "*" in dict(proxy.service.doors.listener("l").passthrough))
        nameless = trusting(DB)
        nameless.check_hostname = False
        anyone = await secure(port, None, nameless)
        assert await anyone.until(b"\n") == b"unopened\n"
        ended.close()
        through.close()
        anyone.close()
        await plain.stop()
        assert proxy.board.problems == {}


class Named:
    """A TLS server that says its name."""

    def __init__(self, name: bytes) -> None:
        self._name = name

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(self._name + b"\n")
            await reader.read()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context_of(DB))
        yield server.sockets[0].getsockname()[1]
        server.close()


async def test_a_plain_route_takes_all_of_a_raw_listener_and_waits_for_no_word_of_the_client() -> None:
    upstream = Upstream(_shout)
    async with running(Upstream()) as proxy:
        await upstream.start()
        (port,) = free_ports(1)
        proxy.put(
            {
                "listeners/l": listener(port, "tcp"),
                **serving({"Entrypoints": ["l"], "BackendId": "t"}, t=upstream.port),
            }
        )
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
        assert await peer.until(b"\n") == b"hello\n"
        peer.close()
        proxy.put({}, delete=("tcp/r",))
        await eventually(lambda: proxy.service.doors.listener("l").backend_id == "")
        peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
        with contextlib.suppress(ConnectionResetError):
            assert await peer.rest() == b"", "nobody's"
        peer.close()
        await upstream.stop()


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ({"Entrypoints": ["nowhere"]}, "there is no listener nowhere"),
        ({"Entrypoints": ["web"]}, "the socket of --listen speaks HTTP"),
        ({"Entrypoints": ["http"]}, "listener http speaks HTTP, and this would take all of it"),
        ({"Entrypoints": ["http"], "TLS": "end"}, "listener http has no TLS to end"),
        ({"Entrypoints": ["raw"]}, "listener raw has another route for all"),
        (
            {"Entrypoints": ["https"], "TLS": "pass", "Names": ["A.test", "c"]},
            "another route for a.test goes first",
        ),
        ({"Entrypoints": ["raw"], "TLS": "pass", "BackendId": "gone"}, "there is no backend gone"),
        ({"Entrypoints": ["raw"], "Names": ["a"]}, "only TLS clients say a name"),
        ({}, "Entrypoints is missing"),
        ({"Entrypoints": ["raw"], "TLS": "maybe"}, 'TLS must be "plain", "pass", "end"'),
    ],
)
async def test_a_route_that_cannot_be_is_named_and_costs_only_itself(
    route: dict[str, object], said: str
) -> None:
    async with running(Upstream()) as proxy:
        http, https, raw = free_ports(3)
        proxy.put(
            {
                "listeners/http": listener(http, "http"),
                "listeners/https": listener(https, Passthrough={"a.test": "b"}),
                "listeners/raw": listener(raw, "tcp", BackendId="b"),
                "tcp/good": {"Entrypoints": ["https"], "TLS": "pass", "Names": ["good"], "BackendId": "b"},
                "tcp/bad": {"BackendId": "b", **route},
            }
        )
        assert said in proxy.board.problems[b"/vulcand/tcp/bad"]
        await eventually(lambda: len(proxy.service.doors.sockets()) == 4)
        assert ("good", "b") in proxy.service.doors.listener("https").passthrough
        proxy.put({}, delete=("tcp/bad",))
        assert proxy.board.problems == {}
