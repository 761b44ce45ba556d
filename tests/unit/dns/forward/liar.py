"""A small name server on loopback that answers, or lies, as it is told; it reads and writes by dnspython."""

import asyncio
from collections.abc import Callable
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
from tests.unit.dns.forward.upstream_words import rrset_of

from fairlead.agent import Address

Behave = Callable[[dns.message.Message], bytes | None]
"""A query to the bytes to send; None for silence."""


class Liar(asyncio.DatagramProtocol):
    """Serves on one port over UDP and TCP.

    Attributes:
        behave: what it does over UDP; over TCP too, unless ``behave_tcp`` is set.
        asked: the questions it has seen, as they were spelled, over UDP.
        asked_tcp: the same over TCP.
    """

    def __init__(self, behave: Behave | None = None) -> None:
        self.behave = behave or self.answer
        self.behave_tcp: Behave | None = None
        self.asked: list[str] = []
        self.asked_tcp: list[str] = []
        self.ports: set[int] = set()
        self.ids: set[int] = set()
        self.addresses: dict[str, str] = {}
        self.ttl_s = 60

    @staticmethod
    def made(query: dns.message.Message, *lines: str, rcode: str = "NOERROR") -> dns.message.Message:
        response = dns.message.make_response(query, recursion_available=True)
        response.set_rcode(dns.rcode.from_text(rcode))
        response.answer += [rrset_of(line) for line in lines]
        return response

    def answer(self, query: dns.message.Message) -> bytes | None:
        """What an honest server says: the address of the name, 192.0.2.1 unless ``addresses`` says otherwise."""
        name = query.question[0].name.to_text()
        address = self.addresses.get(name.lower(), "192.0.2.1")
        return self.made(query, f"{name} {self.ttl_s} IN A {address}").to_wire()

    def failing(self, rcode: str) -> Behave:
        return lambda query: self.made(query, rcode=rcode).to_wire()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.address = Address(host="127.0.0.1", port=self.port)
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", self.port)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()
        self._server.close()
        await self._server.wait_closed()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        self.asked.append(query.question[0].name.to_text())
        self.ports.add(addr[1])
        self.ids.add(query.id)
        response = self.behave(query)
        if response is not None:
            self._transport.sendto(response, addr)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            size = int.from_bytes(await reader.readexactly(2), "big")
            query = dns.message.from_wire(await reader.readexactly(size))
            self.asked_tcp.append(query.question[0].name.to_text())
            response = (self.behave_tcp or self.behave)(query)
            if response is not None:
                writer.write(len(response).to_bytes(2, "big") + response)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
