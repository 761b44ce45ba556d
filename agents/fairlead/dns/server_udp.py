"""DNS over UDP: one plain socket, drained by the event loop.

asyncio's datagram transport costs several times as much for each packet as the socket itself, so it is not used.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from fairlead.dns.client import Answerer, Transport

Peer = tuple[Any, ...]
"""An address as the system gives and takes it: host, port, and for IPv6 two more."""

_QUERY_BYTES_MAX = 4096
_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024


class UdpServer:
    """One UDP socket.

    A socket bound to a wildcard address may answer from another address than was asked on a host with several: bind each
    address instead.

    Args:
        answerer: gives the response to a packet, now or later.
        datagrams_per_wake_max: queries answered before other sockets get their turn.
    """

    def __init__(self, answerer: Answerer, *, datagrams_per_wake_max: int) -> None:
        self._answerer = answerer
        self._per_wake = range(datagrams_per_wake_max)
        self._socket: socket.socket | None = None
        self.unsent = 0
        """Responses that the system did not take."""

    def bind(self, host: str, port: int) -> tuple[str, int]:
        """Bind, without answering yet; return the address.  Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM)
        try:
            bound.setblocking(False)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            bound.bind((host, port))
        except BaseException:
            bound.close()
            raise
        self._socket = bound
        address = bound.getsockname()
        return address[0], address[1]

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

    def send(self, response: bytes, peer: Peer) -> None:
        """Send one response; UDP may lose it."""
        if self._socket is None:
            return
        try:
            self._socket.sendto(response, peer)
        except OSError:  # a full buffer, a forged address
            self.unsent += 1

    def _drain(self) -> None:
        assert self._socket is not None
        receive, send = self._socket.recvfrom, self._socket.sendto
        from_table, respond = self._answerer.from_table, self._answerer.respond
        for _ in self._per_wake:
            try:
                packet, peer = receive(_QUERY_BYTES_MAX)
            except OSError:  # nothing more, or the echo of an earlier failure to send
                return
            response = from_table(packet)
            if response is None:
                response = respond(packet, UdpClient(self, peer))
            if response:
                try:
                    send(response, peer)
                except OSError:
                    self.unsent += 1


class UdpClient:
    """Who sent one datagram."""

    __slots__ = ("_peer", "_server", "ip")

    transport = Transport.UDP

    def __init__(self, server: UdpServer, peer: Peer) -> None:
        self._server = server
        self._peer = peer
        self.ip: str = peer[0]

    def send(self, response: bytes) -> None:
        """Send the response; to UDP nothing else is owed."""
        self._server.send(response, self._peer)

    def abandon(self) -> None:
        """Send nothing."""

    def stream(self, messages: Iterator[bytes]) -> None:
        """Never asked: the responder refuses transfers over UDP."""
        raise AssertionError(messages)
