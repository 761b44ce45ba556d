"""TCP as it is: listeners that pass connections on, and TLS that goes through by the name it asks for."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

import pytest
from tests.support.ports import free_ports
from tests.unit.proxy.harness import Handler, Peer, Upstream, eventually, running
from tests.unit.proxy.pairs import host, make_pair, trusting
from tests.unit.proxy.test_edge import listener, secure

from fairlead.proxy.certificates import context_of
from fairlead.proxy.client_hello import HELLO_BYTES_MAX, Hello, read_hello
from fairlead.proxy.model import Listener

DB = make_pair("db.example")


def hello(name: str | None, *protocols: str) -> bytes:
    """What a TLS client says first."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(protocols)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_the_name_in_a_hello_is_read_and_never_guessed() -> None:
    data = hello("DB.example")
    assert read_hello(data) == Hello(is_tls=True, name=b"db.example")
    assert read_hello(hello(None)) == Hello(is_tls=True)
    for size in range(len(data)):
        assert read_hello(data[:size]) is None
    for at in range(len(data)):
        broken = read_hello(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        assert broken is None or b"\0" not in broken.name
    assert read_hello(b"GET / HTTP/1.1\r\n") == Hello(is_tls=False)
    assert read_hello(b"\x16\x03\x01" + b"\xff" * HELLO_BYTES_MAX) == Hello(is_tls=True)


def test_the_protocols_in_a_hello_are_read() -> None:
    said = read_hello(hello("a.example", "h2", "postgresql"))
    assert said == Hello(is_tls=True, name=b"a.example", protocols=(b"h2", b"postgresql"))


def test_a_hello_in_several_records_is_put_together() -> None:
    data = hello("db.example")
    head, body = data[:3], data[5:]
    records = [body[at : at + 50] for at in range(0, len(body), 50)]
    several = b"".join(head + len(each).to_bytes(2, "big") + each for each in records)
    assert read_hello(several) == Hello(is_tls=True, name=b"db.example")


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


def backends_by_name(listener: Listener) -> dict[str, str]:
    """Where a listener's connections go, by the name that they ask for."""
    return {name: each.backend_id for each in listener.routes for name in each.names}


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
        await eventually(lambda: "*" in backends_by_name(proxy.service.doors.listener("l")))
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
        await eventually(lambda: proxy.service.doors.listener("l").routes == ())
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
            {"Entrypoints": ["raw"], "TLS": "pass", "Canary": [{"BackendId": "gone"}]},
            "no backend gone; it does without",
        ),
        (
            {"Entrypoints": ["raw"], "Canary": [{"BackendId": "b", "Cookie": "c"}]},
            "connections have no fields",
        ),
        ({"Entrypoints": ["raw"], "Rule": "ALPN(`h2`)"}, "only TLS clients say a name or a protocol"),
        ({"Entrypoints": ["raw"], "Rule": "!HostSNI(`a`)"}, "only TLS clients say a name or a protocol"),
        ({"Entrypoints": ["raw"], "Rule": "HostSNI(`*`)", "Names": ["*"]}, "leave Names out"),
        (
            {"Entrypoints": ["raw"], "Rule": "ClientIP(`x`)"},
            "rule, character 1: ClientIP: 'x' does not appear",
        ),
        ({"Entrypoints": ["raw"], "SourceRange": ["x"]}, "SourceRange: 'x' does not appear"),
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
        assert backends_by_name(proxy.service.doors.listener("https"))["good"] == "b"
        proxy.put({}, delete=("tcp/bad",))
        assert proxy.board.problems == {}


async def test_parts_of_the_connections_go_elsewhere_and_a_fallback_takes_over() -> None:
    old, new, spare = (Upstream(_greeting(name)) for name in (b"old", b"new", b"spare"))
    async with running(Upstream()) as proxy:
        for each in (old, new, spare):
            await each.start()
        (port,) = free_ports(1)
        canary = {"BackendId": "new", "Percent": 25}
        route: dict[str, object] = {
            "Entrypoints": ["l"],
            "BackendId": "old",
            "Canary": [canary],
            "Fallback": "spare",
        }
        keys = serving(route, old=old.port, new=new.port, spare=spare.port)
        proxy.put({"listeners/l": listener(port, "tcp"), **keys})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        found = [await _first_line(port) for _ in range(8)]
        assert (found.count(b"old\n"), found.count(b"new\n")) == (6, 2)
        proxy.put({"backends/old/servers/s": {"URL": f"http://127.0.0.1:{old.port}", "State": "maintenance"}})
        found = [await _first_line(port) for _ in range(8)]
        assert (found.count(b"spare\n"), found.count(b"new\n")) == (6, 2)
        for each in (old, new, spare):
            await each.stop()


async def test_a_client_has_so_many_connections_of_a_route_and_another_one_once_one_has_ended() -> None:
    upstream = Upstream(_greeting(b"here"))
    async with running(Upstream()) as proxy:
        await upstream.start()
        (port,) = free_ports(1)
        route: dict[str, object] = {"Entrypoints": ["l"], "BackendId": "t", "ConnectionsPerClient": 2}
        proxy.put({"listeners/l": listener(port, "tcp"), **serving(route, t=upstream.port)})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        open_ones = [Peer(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(2)]
        for each in open_ones:
            assert await each.until(b"\n") == b"here\n"
        proxy.put({"tcp/r": {**route, "Priority": 1}})
        await eventually(lambda: proxy.service.doors.listener("l").routes[0].priority == 1)
        assert await _first_line(port) == b"", "a change of the route forgets nobody"
        open_ones[0].close()
        await eventually(lambda: proxy.service.stats.tunnels == 1)
        assert await _first_line(port) == b"here\n"
        proxy.put({"tcp/r": {**route, "SourceRange": ["192.0.2.0/24"]}})
        await eventually(lambda: proxy.service.doors.listener("l").routes[0].allowed is not None)
        assert await _first_line(port) == b"", "not from this address"
        open_ones[1].close()
        await upstream.stop()


async def test_a_connection_that_finds_no_server_counts_no_longer() -> None:
    down = Upstream()
    async with running(Upstream()) as proxy:
        await down.start()
        await down.stop()
        (port,) = free_ports(1)
        route: dict[str, object] = {"Entrypoints": ["l"], "BackendId": "t", "ConnectionsPerClient": 1}
        proxy.put({"listeners/l": listener(port, "tcp"), **serving(route, t=down.port)})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        for _ in range(2):
            assert await _first_line(port) == b""
        await eventually(lambda: proxy.service.stats.connects_failed == 2)
        assert proxy.service.stats.refused == 0


async def test_servers_of_tcp_may_want_tls() -> None:
    async with running(Upstream()) as proxy, Named(b"secret").serving() as behind:
        (port,) = free_ports(1)
        proxy.put(
            {
                "listeners/l": listener(port, "tcp"),
                "tcp/r": {"Entrypoints": ["l"], "BackendId": "t"},
                "backends/t/backend": {"Settings": {"TLS": {"InsecureSkipVerify": True}}},
                "backends/t/servers/s": {"URL": f"https://127.0.0.1:{behind}"},
            }
        )
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        assert await _first_line(port) == b"secret\n"


async def test_some_clients_of_a_listener_of_http_are_passed_on_by_their_address() -> None:
    upstream = Upstream(_greeting(b"raw"))
    async with running(Upstream()) as proxy:
        await upstream.start()
        (port,) = free_ports(1)
        route: dict[str, object] = {"Entrypoints": ["l"], "BackendId": "t", "Rule": "ClientIP(`127.0.0.2`)"}
        proxy.put({"listeners/l": listener(port, "http"), **serving(route, t=upstream.port)})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        assert proxy.board.problems == {}
        other = Peer(*await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.2", 0)))
        assert await other.until(b"\n") == b"raw\n"
        other.close()
        usual = Peer(*await asyncio.open_connection("127.0.0.1", port))
        assert (await usual.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))[1] == b"ok"
        usual.close()
        await upstream.stop()


def _greeting(name: bytes) -> Handler:
    async def greet(peer: Peer) -> None:
        await peer.send(name + b"\n")
        await peer.rest()

    return greet


async def _first_line(port: int) -> bytes:
    """What a client hears first; empty: nothing."""
    peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
    try:
        return await peer.reader.readline()
    except ConnectionResetError:
        return b""
    finally:
        peer.close()
