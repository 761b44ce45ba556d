"""UDP: one socket, drained by the loop."""

import asyncio
import socket

import dns.message
import pytest
from tests.unit.dns.site import Site, rdatas, until

from fairlead.dns.client import Client
from fairlead.dns.server_udp import UdpServer, bound_socket

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
        bound = bound_socket(host, 0)
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
    bound = bound_socket("127.0.0.1", 0)
    address = bound.getsockname()
    server.adopt(bound)
    server.start()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"larger than a datagram", address)
        await until(lambda: server.unsent)
    server.close()


async def test_a_port_in_use_is_an_error_at_once() -> None:
    with bound_socket("127.0.0.1", 0) as bound, pytest.raises(OSError, match="in use"):
        bound_socket(*bound.getsockname())


async def test_closing_twice_does_no_harm() -> None:
    server = UdpServer(Repeats(), datagrams_per_wake_max=8)
    server.adopt(bound_socket("127.0.0.1", 0))
    server.close()
    server.close()
