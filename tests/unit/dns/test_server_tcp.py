"""TCP: framing, pipelining, and clients that mean no good."""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial

import dns.message
import pytest
import uvloop
from tests.unit.dns.site import Site, rdatas, until
from tests.unit.dns.test_hooks import Elsewhere

from fairlead.agent import EVERYWHERE, Networks
from fairlead.dns import Limits
from fairlead.dns.client import Client, Transport
from fairlead.dns.message import Query
from fairlead.dns.server_tcp import TcpServer
from fairlead.dns.sockets import bound_socket
from fairlead.dns.stream import DnsStream, Framer

WITHIN_S = 10.0
RECORDS = {f"{n}.web.skydns.test": {"host": f"10.0.0.{n}"} for n in range(1, 4)}
BIG = {"big.skydns.test": {"text": "t" * 60_000}}


@asynccontextmanager
async def serving(site: Site, limits: Limits | None = None) -> AsyncIterator[tuple[TcpServer, int]]:
    make = partial(DnsStream, transport=Transport.TCP)
    server = TcpServer(site.responder, limits or Limits(), make)
    bound = bound_socket(socket.SOCK_STREAM, "127.0.0.1", 0)
    port = bound.getsockname()[1]
    await server.adopt(bound)
    await server.start()
    try:
        yield server, port
    finally:
        server.close()
        await until(lambda: len(server) == 0)


def streams(server: TcpServer) -> list[DnsStream]:
    return [each for each in server._connections if isinstance(each, DnsStream)]


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def query(name: str = "web.skydns.test", rtype: str = "A", *, number: int = 1) -> bytes:
    wire = dns.message.make_query(name, rtype, id=number).to_wire()
    return struct.pack("!H", len(wire)) + wire


async def answer(reader: asyncio.StreamReader) -> dns.message.Message:
    async with asyncio.timeout(WITHIN_S):
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        return dns.message.from_wire(await reader.readexactly(length))


async def ended(reader: asyncio.StreamReader) -> bool:
    async with asyncio.timeout(WITHIN_S):
        try:
            return await reader.read() == b""
        except ConnectionResetError:
            return True


@pytest.mark.parametrize("seed", range(5))
def test_messages_are_cut_out_of_any_chunks(seed: int) -> None:
    rng = random.Random(seed)
    messages = [rng.randbytes(rng.choice((0, 1, 12, 255, 256, 65535))) for _ in range(20)]
    stream = b"".join(struct.pack("!H", len(message)) + message for message in messages)
    framer, found = Framer(), []
    while stream:
        size = rng.choice((1, 2, 3, 1000, 70_000))
        found += framer.feed(stream[:size])
        stream = stream[size:]
    assert found == messages


async def test_pipelined_queries_are_all_answered() -> None:
    """RFC 7766, section 6.2.1.1."""
    async with serving(Site(RECORDS)) as (_, port), connected(port) as (reader, writer):
        writer.write(b"".join(query(number=number) for number in range(1, 101)))
        found = [await answer(reader) for _ in range(100)]
        assert [message.id for message in found] == list(range(1, 101))
        assert all(len(rdatas(message, "A")) == 3 for message in found)


async def test_between_two_messages_of_a_transfer_others_have_their_turn() -> None:
    """A large zone does not hold up who asks for a name, however fast its secondary takes it."""
    site, count = Site(RECORDS), 3000
    made: list[int] = []

    def transfer(asked: Query, client: Client) -> Iterator[bytes]:
        del client
        for number in range(count):
            made.append(number)
            yield dns.message.make_response(dns.message.from_wire(asked.packet)).to_wire()

    site.responder.hooks.transfer = transfer
    async with (
        serving(site) as (server, port),
        connected(port) as (reader, writer),
        connected(port) as (other, asking),
    ):
        writer.write(query("skydns.test", "AXFR") + query(number=9))
        await answer(reader)
        asking.write(query())
        assert len(rdatas(await answer(other), "A")) == 3
        assert len(made) < count / 2
        assert [(await answer(reader)).id for _ in range(count)][-2:] == [1, 9], "what comes behind waits"
        assert len(server) == 2


async def test_a_fault_in_a_transfer_ends_its_connection() -> None:
    site = Site(RECORDS)

    def transfer(asked: Query, client: Client) -> Iterator[bytes]:
        del client
        yield from (asked.packet for _ in ())
        raise ZeroDivisionError

    site.responder.hooks.transfer = transfer
    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(what["exception"]))
    async with serving(site) as (_, port), connected(port) as (reader, writer):
        writer.write(query("skydns.test", "AXFR"))
        assert await ended(reader)
    assert list(map(type, told)) == [ZeroDivisionError]


async def test_a_query_may_come_byte_by_byte() -> None:
    async with serving(Site(RECORDS)) as (_, port), connected(port) as (reader, writer):
        for byte in query():
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(0)
        assert len(rdatas(await answer(reader), "A")) == 3


@pytest.mark.parametrize("garbage", [b"\x00\x00", b"\x00\x03abc", b"\x00\x0c" + b"\xff" * 12])
async def test_what_is_no_query_ends_the_connection(garbage: bytes) -> None:
    async with serving(Site(RECORDS)) as (_, port), connected(port) as (reader, writer):
        writer.write(garbage)
        assert await ended(reader)


async def test_a_connection_without_whole_queries_is_ended() -> None:
    """Bytes alone do not wind up the clock: a client that dribbles holds a place for so long and no longer."""
    async with (
        serving(Site(RECORDS), Limits(tcp_idle_s=0.2)) as (server, port),
        connected(port) as (reader, writer),
    ):
        writer.write(b"\x00\x40")
        dribble = asyncio.create_task(_dribble(writer))
        assert await ended(reader)
        dribble.cancel()
        assert len(server) == 0


async def test_whole_queries_wind_up_the_clock() -> None:
    async with serving(Site(RECORDS)) as (server, port), connected(port) as (reader, writer):
        times_s = []
        for _ in range(3):
            writer.write(query())
            await answer(reader)
            (connection,) = server._connections
            times_s.append(connection.last_query_s)
        assert times_s == sorted(set(times_s))


async def _dribble(writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"\x00")
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("limits", [Limits(tcp_connections_max=2), Limits(tcp_connections_per_ip_max=2)])
async def test_connections_are_limited_in_all_and_for_one_address(limits: Limits) -> None:
    async with serving(Site(RECORDS), limits) as (server, port), connected(port) as (reader, writer):
        writer.write(query())
        await answer(reader)
        async with connected(port) as (other_reader, other_writer):
            other_writer.write(query())
            await answer(other_reader)
            async with connected(port) as (beyond, _):
                assert await ended(beyond)
            assert server.refused == 1
        await until(lambda: len(server) == 1)
        async with connected(port) as (next_reader, next_writer):
            next_writer.write(query())
            assert len(rdatas(await answer(next_reader), "A")) == 3


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_client_that_does_not_read_fills_no_memory(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """Two thousand small queries for large answers are 120 MB, if nobody waits for the client."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_ask_much_and_read_late(queries=2000))


async def _ask_much_and_read_late(*, queries: int) -> None:
    loop = asyncio.get_running_loop()
    async with serving(Site(BIG), Limits(tcp_unsent_bytes_max=100_000)) as (server, port):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            sending = asyncio.create_task(
                loop.sock_sendall(client, query("big.skydns.test", "TXT") * queries)
            )
            unsent = 0
            await until(lambda: any(each._is_full for each in streams(server)))
            for _ in range(20):
                await asyncio.sleep(0.01)
                unsent = max(
                    each._wire.get_write_buffer_size() for each in streams(server) if each._wire is not None
                )
            assert 0 < unsent < 400_000
            received = 0
            async with asyncio.timeout(60):
                while received < queries * 60_000:
                    received += len(await loop.sock_recv(client, 1 << 20))
            await sending


async def test_closing_ends_every_connection() -> None:
    async with serving(Site(RECORDS)) as (server, port), connected(port) as (reader, writer):
        writer.write(query())
        await answer(reader)
        server.close()
        assert await ended(reader)


async def test_answers_come_as_they_are_ready_not_in_the_order_of_queries() -> None:
    """RFC 7766, section 6.2.1.1."""
    site = Site(RECORDS)
    elsewhere = Elsewhere(site)
    async with serving(site) as (_, port), connected(port) as (reader, writer):
        writer.write(query("example.com", "TXT", number=1) + query(number=2))
        assert (await answer(reader)).id == 2
        elsewhere.answer("hello")
        assert (await answer(reader)).id == 1


def waits(elsewhere: Elsewhere, count: int) -> bool:
    return len(elsewhere.asked) == count


async def test_questions_of_one_connection_that_wait_elsewhere_are_bounded() -> None:
    site = Site(RECORDS)
    elsewhere = Elsewhere(site)
    async with serving(site, Limits(tcp_in_flight_max=2)) as (_, port), connected(port) as (reader, writer):
        for number in range(5):
            writer.write(query("example.com", "TXT", number=number))
        for number, waiting in enumerate((2, 2, 2, 2, 1)):
            await until(partial(waits, elsewhere, waiting))
            elsewhere.answer("hello")
            assert (await answer(reader)).id == number


async def test_who_is_not_on_the_list_gets_nothing_that_is_at_hand() -> None:
    site = Site(RECORDS, allowed=("192.0.2.0/24",))
    site.responder.allowed = Networks(EVERYWHERE)
    site.ask("web.skydns.test")
    site.responder.allowed = Networks(("192.0.2.0/24",))
    async with serving(site) as (server, port), connected(port) as (reader, writer):
        server.allowed = site.responder.allowed
        writer.write(query())
        response = await answer(reader)
        assert (response.rcode(), response.answer) == (5, [])
