"""Tells systemd that we serve, that we are alive, and that we are about to end: sd_notify(3), without the library.

Without a NOTIFY_SOCKET in the environment nothing happens.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping


class Notifier:
    """One process's line to its manager."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """Read where to and how often; send nothing yet."""
        address = environment.get("NOTIFY_SOCKET", "")
        # An abstract socket is written with an @, which stands for a zero byte.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        usec = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(usec) / 1e6 if usec.isdecimal() and is_ours else None
        self._is_ready = False

    def ready(self) -> None:
        """Say, once, that the service is up."""
        if not self._is_ready:
            self._is_ready = True
            self._send("READY=1")

    def stopping(self) -> None:
        """Say that the service is going down, as asked."""
        self._send("STOPPING=1")

    async def run(self) -> None:
        """Feed the watchdog twice as often as it asks, for as long as the loop turns; until cancelled."""
        while self.watchdog_s is not None:
            self._send("WATCHDOG=1")
            await asyncio.sleep(self.watchdog_s / 2)

    def _send(self, state: str) -> None:
        if not self._address:
            return
        # A manager that does not listen is no reason not to serve.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.setblocking(False)
            connection.sendto(state.encode(), self._address)
