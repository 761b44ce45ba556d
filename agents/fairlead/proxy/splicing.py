"""Large bodies from a server's socket to a client's inside the kernel: no byte of them is seen here.

Only a body of a known length between two plain sockets, with nothing to change in it, goes this way; what is around
it, and whatever is not so plain, is the data path's as always.  splice(2) moves pages through a pipe.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from fairlead.proxy.timers import Timed

if TYPE_CHECKING:
    from fairlead.proxy.service import Service

BYTES_MIN = 256 * 1024
"""Below that the set-up costs more than the copies."""
_PIPE_BYTES = 1024 * 1024
_FLAGS = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK if hasattr(os, "splice") else 0
IS_POSSIBLE = hasattr(os, "splice")


class Splice(Timed):
    """One body on its way.

    Attributes:
        remaining: bytes that the server has still to send.
    """

    __slots__ = (
        "_idle_s",
        "_loop",
        "_on_end",
        "_on_failure",
        "_pipe",
        "_piped",
        "_service",
        "_source",
        "_stall_s",
        "_target",
        "_waits_for_client",
        "remaining",
    )  # fmt: skip

    def __init__(
        self,
        service: "Service",
        *,
        length: int,
        idle_s: float,
        on_end: Callable[[], None],
        on_failure: Callable[[str], None],
    ) -> None:
        """Move ``length`` bytes.

        Args:
            service: whose wheel it is.
            length: of the rest of the body.
            idle_s: how long the server may send nothing.
            on_end: called when all of it is with the client.
            on_failure: called with ``server``, ``client`` or ``timeout`` for whoever broke off; then nothing
                more happens here.
        """
        super().__init__()
        self.remaining = length
        self._service = service
        self._idle_s = idle_s
        self._stall_s = service.limits.write_stall_s
        self._on_end = on_end
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self._piped = 0
        self._pipe = (-1, -1)
        self._source = self._target = -1
        self._waits_for_client = False

    def start(self, source: socket.socket, target: socket.socket) -> None:
        """Begin.  The transports of both sockets must not read or write them meanwhile.

        Raises:
            OSError: there are no file descriptors left; nothing has been moved.
        """
        pipe = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            # The loop has the sockets' own descriptors in its hands.
            self._source = os.dup(source.fileno())
            self._target = os.dup(target.fileno())
        except OSError:
            for each in (*pipe, self._source):
                if each >= 0:
                    os.close(each)
            raise
        self._pipe = pipe
        with contextlib.suppress(OSError):  # An unprivileged user has only so much of it; then it is smaller.
            fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._service.wheel.set(self, self._idle_s)
        self._loop.add_reader(self._source, self._pull)
        self._pull()

    def _pull(self) -> None:
        """The server has sent something."""
        try:
            count = os.splice(self._source, self._pipe[1], min(self.remaining, _PIPE_BYTES), flags=_FLAGS)
        except BlockingIOError:
            return
        except OSError:
            count = 0
        if not count:
            self._fail("server")
            return
        self.remaining -= count
        self._piped += count
        self._push()

    def _push(self) -> None:
        """The client takes something."""
        try:
            while self._piped:
                self._piped -= os.splice(self._pipe[0], self._target, self._piped, flags=_FLAGS)
        except BlockingIOError:
            self._wait_for_client()
            return
        except OSError:
            self._fail("client")
            return
        if not self.remaining:
            self.close()
            self._on_end()
            return
        self._service.wheel.set(self, self._idle_s)
        if self._waits_for_client:
            self._waits_for_client = False
            self._loop.remove_writer(self._target)
            self._loop.add_reader(self._source, self._pull)

    def _wait_for_client(self) -> None:
        self._service.wheel.set(self, self._stall_s)
        if not self._waits_for_client:
            self._waits_for_client = True
            self._loop.remove_reader(self._source)
            self._loop.add_writer(self._target, self._push)

    def on_deadline(self) -> None:
        """Somebody has done nothing for too long."""
        self._fail("client" if self._waits_for_client else "timeout")

    def _fail(self, who: str) -> None:
        self.close()
        self._on_failure(who)

    def close(self) -> None:
        """Let go of everything; the sockets are the transports' again."""
        if self._source < 0:
            return
        self._service.wheel.clear(self)
        self._loop.remove_reader(self._source)
        self._loop.remove_writer(self._target)
        for each in (*self._pipe, self._source, self._target):
            os.close(each)
        self._source = self._target = -1
