"""UDP: one socket, drained by the loop."""

import asyncio
import random
import socket

import dns.message
import pytest
from tests.unit.dns.site import Site, rdatas, until

from fairlead.dns.client import Client
from fairlead.dns.gate import Gate
from fairlead.dns.query_log import QueryLog
from fairlead.dns.rate_limit import RateLimiter, RateLimits
from fairlead.dns.server_udp import UdpServer
from fairlead.dns.sockets import bound_socket

WITHIN_S = 10.0
RECORDS = {"web.skydns.test": {"host": "10.0.0.1"}}


class Repeats:
    """Answers with more than a datagram holds."""

    def from_table(self, packet: bytes, /) -> bytes:
        return packet * 20_000

    from_table_whole = from_table

    def respond(self, packet: bytes, client: Client, /) -> None:
        del packet, client


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_more_queries_than_one_wake_takes_are_all_answered(host: str) -> None:
    """What waits in the socket from before the start is answered too."""
    server = UdpServer(Site(RECORDS).responder, datagrams_per_wake_max=8)
    try:
        bound = bound_socket(socket.SOCK_DGRAM, host, 0)
    except OSError:
        pytest.skip(f"no {host} here")
    address = bound.getsockname()
    server.adopt(bound)
    client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    client.setblocking(False)
    client.connect(address)
    for number in range(100):
        client.send(dns.message.make_query("web.skydns.test", "A", id=number).to_wire())
    client.send(b"too short")
    server.start()
    loop = asyncio.get_running_loop()
    seen: set[int] = set()
    async with asyncio.timeout(WITHIN_S):
        while len(seen) < 100:
            response = dns.message.from_wire(await loop.sock_recv(client, 4096))
            assert rdatas(response, "A") == ["10.0.0.1"]
            seen.add(response.id)
    client.close()
    server.close()


async def test_a_response_that_cannot_be_sent_is_counted_and_no_more() -> None:
    server = UdpServer(Repeats(), datagrams_per_wake_max=8)
    bound = bound_socket(socket.SOCK_DGRAM, "127.0.0.1", 0)
    address = bound.getsockname()
    server.adopt(bound)
    server.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"larger than a datagram", address)
        await until(lambda: server.unsent)
    server.close()


async def test_a_port_in_use_is_an_error_at_once() -> None:
    with bound_socket(socket.SOCK_DGRAM, "127.0.0.1", 0) as bound, pytest.raises(OSError, match="in use"):
        bound_socket(socket.SOCK_DGRAM, *bound.getsockname())


async def test_closing_twice_does_no_harm() -> None:
    server = UdpServer(Repeats(), datagrams_per_wake_max=8)
    server.adopt(bound_socket(socket.SOCK_DGRAM, "127.0.0.1", 0))
    server.close()
    server.close()


async def test_behind_a_gate_who_floods_is_cut_short_and_every_query_may_be_logged() -> None:
    written: list[dict[str, object]] = []
    gate = Gate(
        clock=lambda: 0.0,
        monotonic=lambda: 0.0,
        limiter=RateLimiter(RateLimits(responses_per_s=5, slip=2, exempt=())),
    )
    log = QueryLog(
        lambda _, **fields: written.append(fields), 1.0, rng=random.Random(1), monotonic=lambda: 0.0
    )
    server = UdpServer(Site(RECORDS).responder, gate=gate, log=log, datagrams_per_wake_max=64)
    bound = bound_socket(socket.SOCK_DGRAM, "127.0.0.1", 0)
    address = bound.getsockname()
    server.adopt(bound)
    server.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(address)
        for number in range(20):
            client.send(dns.message.make_query("web.skydns.test", "A", id=number).to_wire())
        client.send(b"no query at all")
        await until(lambda: len(written) == 21)
        responses: list[dns.message.Message] = []
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(WITHIN_S):
            while len(responses) < 12:
                responses.append(
                    dns.message.from_wire(await loop.sock_recv(client, 4096), ignore_trailing=True)
                )
    server.close()
    whole = [one for one in responses if one.answer]
    assert (len(whole), len(responses)) == (5, 12)
    assert [fields.get("rcode") for fields in written].count("NOERROR") == 12
    assert gate.limiter.dropped == 8
    assert sum(server.durations.counts) == 21
