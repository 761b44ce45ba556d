"""The world of the middlewares, as the running proxy has it: see ``Tools``."""

import asyncio
import logging
import os
import random
import socket
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fairlead.proxy.middleware.limits import COMPUTING_THREADS, SPAWNED_MAX, SYSLOG_SOCKETS_MAX
from fairlead.proxy.middleware.making import SyslogAddress, Tools, Web
from fairlead.proxy.middleware.shares import Share
from fairlead.proxy.middleware.web import Asker

_LOG = logging.getLogger(__name__)


class World:
    """Owns threads, sockets and tasks; ``close`` ends them."""

    def __init__(self, *, web: Web | None = None, rng: random.Random | None = None, workers: int = 1) -> None:
        """Make it for one of ``workers`` processes."""
        self._web = web or Asker()
        self._rng = rng or random.Random(os.urandom(32))  # noqa: S311  ids are to differ, not to be secret
        self._threads = ThreadPoolExecutor(COMPUTING_THREADS, thread_name_prefix="middleware")
        self._tasks: set[asyncio.Task[None]] = set()
        self._sockets: dict[SyslogAddress, socket.socket] = {}
        self._host = socket.gethostname()
        self._pid = os.getpid()
        self.share = Share()
        self.tools = Tools(
            share=self.share,
            workers=workers,
            web=self._web,
            spawn=self.spawn,
            compute=self.compute,
            syslog=self.syslog,
            random_id=lambda: b"%032x" % self._rng.getrandbits(128),
        )

    def spawn(self, work: Coroutine[Any, Any, object]) -> None:
        """Run ``work`` beside the requests."""
        if len(self._tasks) >= SPAWNED_MAX:
            work.close()
            _LOG.warning("more than %d webhooks are under way; one is dropped", SPAWNED_MAX)
            return
        task = asyncio.get_running_loop().create_task(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def compute(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a slow function on a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    def syslog(self, address: SyslogAddress, text: str) -> None:
        """Send one line, as Go's log/syslog writes it; what the kernel does not take at once is lost."""
        try:
            link = self._sockets.get(address) or self._open(address)
            if address.host:
                stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) + " " + self._host
            else:
                stamp = time.strftime("%b %e %H:%M:%S")
            link.send(f"<{address.priority}>{stamp} {address.tag}[{self._pid}]: {text}\n".encode())
        except OSError as error:
            _LOG.debug("syslog %s: %s", address, error)

    def _open(self, address: SyslogAddress) -> socket.socket:
        while len(self._sockets) >= SYSLOG_SOCKETS_MAX:
            self._sockets.pop(next(iter(self._sockets))).close()
        if address.host:
            family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
            link = socket.socket(family, socket.SOCK_DGRAM)
        else:
            link = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        link.setblocking(False)
        try:
            link.connect((address.host, address.port) if address.host else address.path)
        except OSError:
            link.close()
            raise
        self._sockets[address] = link
        return link

    async def close(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for link in self._sockets.values():
            link.close()
        self._threads.shutdown(wait=False, cancel_futures=True)
        if isinstance(self._web, Asker):
            self._web.close()


async def _quietly(work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except OSError as error:
        _LOG.warning("a webhook could not be called: %s", error)
