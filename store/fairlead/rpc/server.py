"""A listening port: connections by what their first bytes say, until the port is told to stop."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Final

from fairlead.rpc.counters import Counters
from fairlead.rpc.dispatch import Service, StatusOf
from fairlead.rpc.errors import ListenError
from fairlead.rpc.http import HttpApp
from fairlead.rpc.limits import Limits
from fairlead.rpc.routes import Route
from fairlead.rpc.shell import Shell
from fairlead.rpc.tls import TlsFiles, server_context

_TICK_S: Final = 1.0
_BACKLOG: Final = 1024
_DRAIN_S: Final = 1.0
"""How long a client may take to learn that no more streams are welcome."""


class Server:
    """gRPC and plain HTTP on one port.

    Args:
        routes: gRPC methods by full path, for example ``/etcdserverpb.KV/Range``.
        http: answers everything that is not gRPC.
        status_of: the status that an exception of a handler stands for; RpcError speaks for itself.
        limits: what one client may ask.
        tls: the certificate to show, and whether to ask for one; None serves plain TCP.
        on_error: told of every exception of a handler that is not an RpcError, for the log.
    """

    def __init__(
        self,
        routes: Mapping[str, Route],
        http: HttpApp,
        *,
        status_of: StatusOf,
        limits: Limits | None = None,
        tls: TlsFiles | None = None,
        on_error: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self._limits = limits or Limits()
        self._tls = None if tls is None else server_context(tls)
        self._service = Service(routes, http, status_of=status_of, on_error=on_error, limits=self._limits)
        self._service.deadlines.on_earlier = self._watch_deadlines
        self._listeners: list[asyncio.Server] = []
        self._shells: set[Shell] = set()
        self._all_closed = asyncio.Event()
        self._ticker: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.counters = Counters(self._service.handled)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every socket that is listened on."""
        return [sock.getsockname()[:2] for listener in self._listeners for sock in listener.sockets]

    async def start(self, host: str, port: int) -> None:
        """Listen on ``host``, and on ``port`` or, where it is 0, any free one.  May be called for several.

        Raises:
            ListenError: the address is taken, not ours, or not permitted.
        """
        loop = asyncio.get_running_loop()
        tls = self._tls
        handshake_s = None if tls is None else self._limits.header_timeout_s
        try:
            listener = await loop.create_server(
                self._shell, host, port, backlog=_BACKLOG, ssl=tls, ssl_handshake_timeout=handshake_s
            )
        except OSError as error:
            # asyncio wraps the system's text in its own; errno has the plain one.
            problem = os.strerror(error.errno) if error.errno else str(error)
            raise ListenError(f"{host}:{port}", problem.lower()) from error
        self._listeners.append(listener)
        if self._ticker is None:
            self._tick()

    async def stop(self, grace_s: float) -> None:
        """Take no more connections and streams, let what is open finish for ``grace_s``, then end it."""
        for listener in self._listeners:
            listener.close()
        drain_s = min(_DRAIN_S, grace_s / 2)
        for shell in list(self._shells):
            shell.drain()
        await self._wait_closed(drain_s)
        for shell in list(self._shells):
            shell.stop_accepting()
        await self._wait_closed(grace_s - drain_s)
        for shell in list(self._shells):
            shell.abort()
        for handle in (self._ticker, self._deadline):
            if handle is not None:
                handle.cancel()
        self._ticker = self._deadline = None
        self._listeners.clear()

    async def _wait_closed(self, timeout_s: float) -> None:
        self._all_closed.clear()
        if self._shells:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._all_closed.wait()

    def _shell(self) -> Shell:
        return Shell(self._service, self.counters, opened=self._shells.add, closed=self._closed)

    def _closed(self, shell: Shell) -> None:
        self._shells.discard(shell)
        if not self._shells:
            self._all_closed.set()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._service.date = formatdate(usegmt=True).encode()
        now_s = loop.time()
        for shell in list(self._shells):
            shell.tick(now_s)
        self._ticker = loop.call_later(_TICK_S, self._tick)

    def _watch_deadlines(self) -> None:
        """Have the earliest deadline noticed."""
        if self._deadline is not None:
            self._deadline.cancel()
        next_s = self._service.deadlines.next_deadline_s
        loop = asyncio.get_running_loop()
        self._deadline = None if next_s is None else loop.call_at(next_s, self._expire)

    def _expire(self) -> None:
        self._service.deadlines.expire(asyncio.get_running_loop().time())
        self._watch_deadlines()
