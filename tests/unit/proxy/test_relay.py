"""TCP as it is: listeners that pass connections on, and TLS that goes through by the name it asks for."""

import asyncio
import contextlib
import ssl

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
