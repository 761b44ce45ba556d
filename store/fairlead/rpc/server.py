"""The shell: sockets, clocks and the loop around the connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Final

from fairlead.rpc.dispatch import Service, StatusOf
from fairlead.rpc.frames import PREFACE
from fairlead.rpc.h2 import Http2Connection
from fairlead.rpc.http import HttpApp
from fairlead.rpc.limits import Limits
from fairlead.rpc.routes import Route

_TICK_S: Final = 1.0


class Server:
    """One listening port."""

    def __init__(
        self,
        routes: Mapping[str, Route],
        http: HttpApp,
        *,
        status_of: StatusOf,
        limits: Limits | None = None,
        on_error: Callable[[BaseException], None] = lambda _: None,
    ) -> None:
        self._limits = limits or Limits()
        self.service = Service(routes, http, status_of=status_of, on_error=on_error, limits=self._limits)
        self._server: asyncio.Server | None = None
        self.connections: set[_Protocol] = set()

    async def start(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Protocol(self, loop), host, port)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        assert self._server is not None
        return [socket.getsockname()[:2] for socket in self._server.sockets]

    async def stop(self, grace_s: float) -> None:
        assert self._server is not None
        self._server.close()
        for protocol in list(self.connections):
            protocol.transport.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._server.wait_closed()


class _Protocol(asyncio.Protocol):
    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self.connection: Http2Connection | None = None

    def connection_made(self, transport):
        self.transport = transport
        self._server.connections.add(self)
        peer = transport.get_extra_info("peername")
        self.connection = Http2Connection(
            self._server.service.resolve,
            self._server._limits,
            wake=self._wake,
            peer=f"{peer[0]}:{peer[1]}",
            now_s=self._loop.time(),
        )

    def data_received(self, data):
        self._write(self.connection.receive(data, self._loop.time()))

    def _wake(self):
        self._loop.call_soon(self._flush)

    def _flush(self):
        self._write(self.connection.sender.take())

    def _write(self, data):
        connection = self.connection
        if data:
            self.transport.write(data)
        if connection.is_closed:
            self.transport.close()
        elif connection.sender.has_more:
            connection.sender.is_awake = True
            self._loop.call_soon(self._flush)

    def pause_writing(self):
        self.connection.sender.is_paused = True

    def resume_writing(self):
        self.connection.sender.resume()

    def connection_lost(self, exc):
        self.connection.close()
        self._server.connections.discard(self)
