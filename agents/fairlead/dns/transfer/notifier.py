"""Sends notifications, and hears acknowledgements."""

import asyncio
import logging
import secrets
import socket
from collections.abc import Mapping

from fairlead.agent import Address
from fairlead.dns.names import Name
from fairlead.dns.transfer.limits import TransferLimits
from fairlead.dns.transfer.notify import Notify

_LOG = logging.getLogger(__name__)
_ACKNOWLEDGEMENT_BYTES_MAX = 512


class Notifier:
    """Tells ``secondaries`` of every serial, one UDP socket for each."""

    def __init__(self, secondaries: tuple[Address, ...], limits: TransferLimits) -> None:
        self.notify: Notify[Address] = Notify(secondaries, limits, new_id=lambda: secrets.randbits(16))
        self._secondaries = secondaries
        self._sockets: dict[Address, socket.socket] = {}
        self._changed = asyncio.Event()

    def set_serials(self, serials: Mapping[Name, int]) -> None:
        """Take up the serial of each zone."""
        self.notify.set_serials(serials, now_s=asyncio.get_running_loop().time())
        self._changed.set()

    async def run(self) -> None:
        """Tell until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            for address in self._secondaries:
                self._open(address, loop)
            while True:
                self._changed.clear()
                for notification in self.notify.due(loop.time()):
                    self._send(notification.secondary, notification.packet)
                next_s = self.notify.next_s()
                try:
                    async with asyncio.timeout_at(next_s):
                        await self._changed.wait()
                except TimeoutError:
                    pass
        finally:
            for address, sock in self._sockets.items():
                loop.remove_reader(sock)
                sock.close()
                del address

    def _open(self, address: Address, loop: asyncio.AbstractEventLoop) -> None:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        try:
            # Connected: what others send never arrives.
            sock.connect((address.host, address.port))
        except OSError as error:
            _LOG.warning("cannot notify %s: %s", address, error)
        self._sockets[address] = sock
        loop.add_reader(sock, self._receive, address, sock)

    def _send(self, address: Address, packet: bytes) -> None:
        try:
            self._sockets[address].send(packet)
        except OSError as error:
            _LOG.debug("cannot notify %s: %s", address, error)

    def _receive(self, address: Address, sock: socket.socket) -> None:
        try:
            packet = sock.recv(_ACKNOWLEDGEMENT_BYTES_MAX)
        except OSError:
            return  # nobody listens there at present
        if self.notify.receive(address, packet, now_s=asyncio.get_running_loop().time()):
            self._changed.set()
