"""DNS over UDP: one plain socket, drained by the event loop.

asyncio's datagram transport costs several times as much for each packet as the socket itself, so it is not used.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable

_QUERY_BYTES_MAX = 4096
_RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024


class UdpServer:
    """One UDP socket.

    A socket bound to a wildcard address may answer from another address than was asked on a host with several: bind each
    address instead.

    Args:
        respond: gives the response to a packet, or None.
        datagrams_per_wake_max: queries answered before other sockets get their turn.
    """

    def __init__(self, respond: Callable[[bytes], bytes | None], *, datagrams_per_wake_max: int) -> None:
        self._respond = respond
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

    def _drain(self) -> None:
        assert self._socket is not None
        receive, send, respond = self._socket.recvfrom, self._socket.sendto, self._respond
        for _ in self._per_wake:
            try:
                packet, peer = receive(_QUERY_BYTES_MAX)
            except OSError:  # nothing more, or the echo of an earlier failure to send
                return
            response = respond(packet)
            if response is not None:
                try:
                    send(response, peer)
                except OSError:  # a full buffer, a forged address: UDP may lose it
                    self.unsent += 1
