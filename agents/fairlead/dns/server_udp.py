"""DNS over UDP: one plain socket, drained by the event loop.

asyncio's datagram transport costs several times as much for each packet as the socket itself, so it is not used.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Iterator, MutableSequence
from time import perf_counter

from fairlead.dns.client import Answerer, Transport
from fairlead.dns.datagrams import Ancillary, Datagrams, Peer, datagrams_of, send_one
from fairlead.dns.gate import Gate
from fairlead.dns.query_log import QueryLog
from fairlead.dns.tallies import Durations


class UdpServer:
    """One UDP socket.  Bound to a wildcard address, it answers from the address that was asked.

    Args:
        answerer: gives the response to a packet, now or later.
        gate: decides who is answered, and how often; None: everybody, always.
        log: writes a sample of the queries.
        datagrams_per_wake_max: queries answered before other sockets get their turn.
    """

    def __init__(
        self,
        answerer: Answerer,
        *,
        gate: Gate | None = None,
        log: QueryLog | None = None,
        datagrams_per_wake_max: int,
    ) -> None:
        self.durations = Durations()
        self._answerer = answerer
        self._gate = gate
        self._log = log
        self._per_wake = datagrams_per_wake_max
        self._socket: socket.socket | None = None
        self._datagrams: Datagrams
        self.unsent = 0
        """Responses that the system did not take."""

    def adopt(self, bound: socket.socket) -> None:
        """Use a socket that is bound already, without answering yet, and close it in the end."""
        host = bound.getsockname()[0].partition("%")[0]
        is_wildcard = ipaddress.ip_address(host).is_unspecified
        self._is_gated = self._gate is not None and self._gate.concerns(host)
        self._socket = bound
        self._datagrams = datagrams_of(bound, per_turn=self._per_wake, asks_destination=is_wildcard)

    def start(self) -> None:
        """Answer from now on, what has come in since the socket was bound too."""
        assert self._socket is not None, "adopt a socket first"
        asyncio.get_running_loop().add_reader(self._socket, self._drain)

    def close(self) -> None:
        """Stop answering and let go of the port."""
        if self._socket is not None:
            with contextlib.suppress(RuntimeError):  # outside a loop nothing was started
                asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def send(self, response: bytes, peer: Peer, ancillary: Ancillary) -> None:
        """Send one response that was not at hand when its query came."""
        if self._socket is not None:
            self.unsent += not send_one(self._socket, response, peer, ancillary)

    def _drain(self) -> None:
        """Answer what has come: what is at hand first, by as few steps as can be."""
        began_s = perf_counter()
        datagrams = self._datagrams
        packets = datagrams.receive()
        if not packets:
            return
        if self._is_gated:
            responses = self._respond_gated(packets)
        else:
            responses = list(map(self._answerer.from_table, packets))
            if None in responses:
                self._respond(packets, responses)
        self.unsent += datagrams.send(responses)
        if self._log is not None:
            for at in self._log.pick(len(packets)):
                ip = datagrams.sender(at)[0][0]
                self._log.write(packets[at], responses[at], ip, Transport.UDP)
        self.durations.add(perf_counter() - began_s, len(packets))

    def _respond(self, packets: list[bytes], responses: MutableSequence[bytes | None]) -> None:
        """Fill in the responses that were not at hand."""
        for at, response in enumerate(responses):
            if response is None:
                client = UdpClient(self, *self._datagrams.sender(at))
                responses[at] = self._answerer.respond(packets[at], client)

    def _respond_gated(self, packets: list[bytes]) -> list[bytes | None]:
        """Answer each packet as the gate allows."""
        gate, from_table = self._gate, self._answerer.from_table
        assert gate is not None
        responses: list[bytes | None] = []
        for at, packet in enumerate(packets):
            peer, ancillary = self._datagrams.sender(at)
            ip = peer[0]
            # Who is not allowed is not at hand: the responder refuses it.
            response = from_table(packet) if ip in gate.allowed else None
            if response is None:
                response = self._answerer.respond(packet, UdpClient(self, peer, ancillary))
            responses.append(gate.pass_on(packet, response, ip) if response else response)
        return responses


class UdpClient:
    """Who sent one datagram."""

    __slots__ = ("_ancillary", "_peer", "_server", "ip")

    transport = Transport.UDP
    reserved_bytes = 0

    def __init__(self, server: UdpServer, peer: Peer, ancillary: Ancillary) -> None:
        self._server = server
        self._peer = peer
        self._ancillary = ancillary
        self.ip: str = peer[0]

    def send(self, response: bytes) -> None:
        """Send the response; to UDP nothing else is owed."""
        self._server.send(response, self._peer, self._ancillary)

    def abandon(self) -> None:
        """Send nothing."""

    def stream(self, messages: Iterator[bytes]) -> None:
        """Never asked: the responder refuses transfers over UDP."""
        raise AssertionError(messages)
