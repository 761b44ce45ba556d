"""DNS over UDP: one plain socket, drained by the event loop.

asyncio's datagram transport costs several times as much for each packet as the socket itself, so it is not used.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Iterator, MutableSequence

from fairlead.dns.client import Answerer, Transport
from fairlead.dns.datagrams import Ancillary, Datagrams, Peer, datagrams_of, send_one

_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024


class UdpServer:
    """One UDP socket.  Bound to a wildcard address, it answers from the address that was asked.

    Args:
        answerer: gives the response to a packet, now or later.
        datagrams_per_wake_max: queries answered before other sockets get their turn.
    """

    def __init__(self, answerer: Answerer, *, datagrams_per_wake_max: int) -> None:
        self._answerer = answerer
        self._per_wake = datagrams_per_wake_max
        self._socket: socket.socket | None = None
        self._datagrams: Datagrams
        self.unsent = 0
        """Responses that the system did not take."""

    def bind(self, host: str, port: int) -> tuple[str, int]:
        """Bind, without answering yet; return the address.  Raises OSError."""
        self.adopt(bound_socket(host, port))
        assert self._socket is not None
        address = self._socket.getsockname()
        return address[0], address[1]

    def adopt(self, bound: socket.socket) -> None:
        """Use a socket that is bound already, and close it in the end."""
        is_wildcard = ipaddress.ip_address(bound.getsockname()[0].partition("%")[0]).is_unspecified
        self._socket = bound
        self._datagrams = datagrams_of(bound, per_turn=self._per_wake, asks_destination=is_wildcard)

    def start(self) -> None:
        """Answer from now on, what has come in since `bind` too."""
        assert self._socket is not None, "bind first"
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
        datagrams = self._datagrams
        packets = datagrams.receive()
        if not packets:
            return
        responses = list(map(self._answerer.from_table, packets))
        if None in responses:
            self._respond(packets, responses)
        self.unsent += datagrams.send(responses)

    def _respond(self, packets: list[bytes], responses: MutableSequence[bytes | None]) -> None:
        """Fill in the responses that were not at hand."""
        for at, response in enumerate(responses):
            if response is None:
                client = UdpClient(self, *self._datagrams.sender(at))
                responses[at] = self._answerer.respond(packets[at], client)


class UdpClient:
    """Who sent one datagram."""

    __slots__ = ("_ancillary", "_peer", "_server", "ip")

    transport = Transport.UDP

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


def bound_socket(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """Return a UDP socket bound to ``host`` and ``port``; ``is_shared`` among worker processes.  Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setblocking(False)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if is_shared:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        bound.bind((host, port))
    except BaseException:
        bound.close()
        raise
    return bound
