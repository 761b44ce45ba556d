"""A server of our own on loopback, with a method of each kind."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fairlead.rpc import Call, Code, HttpReply, HttpRequest, RpcError, Server, Stream, Unary


class Chat:
    """Echoes every message; ``count N`` sends N numbers, no faster than the client takes them."""

    def __init__(self, call: Call, log: list[str], cancelled: asyncio.Event) -> None:
        self.call = call
        self.log = log
        self.cancelled = cancelled
        self.left = 0
        self.size = 0

    def on_message(self, message: bytes) -> None:
        if not message.startswith(b"count "):
            self.call.send(message)
            return
        self.left, self.size = map(int, message.split()[1:])
        self.on_writable()

    def on_half_close(self) -> None:
        if not self.left:
            self.call.finish()

    def on_cancel(self) -> None:
        self.log.append("cancel")
        self.cancelled.set()

    def on_writable(self) -> None:
        while self.left and self.call.buffered_bytes < 100_000:
            self.left -= 1
            self.call.send(b"%d" % self.left + bytes(self.size))
            if not self.left:
                self.call.finish()


class World:
    """The server, and what its handlers saw."""

    def __init__(self, **options: Any) -> None:
        self.log: list[str] = []
        self.cancelled = asyncio.Event()
        self.server = Server(
            {
                "/t.T/Echo": Unary(lambda message, _: message),
                "/t.T/Later": Unary(self._later),
                "/t.T/Never": Unary(self._never),
                "/t.T/Refuse": Unary(self._refuse),
                "/t.T/Who": Unary(self._who),
                "/t.T/Chat": Stream(lambda call: Chat(call, self.log, self.cancelled)),
            },
            self._http,
            status_of=lambda error: (Code.UNKNOWN, str(error)),
            **options,
        )

    @property
    def port(self) -> int:
        return self.server.addresses[0][1]

    def _later(self, message: bytes, call: Call) -> None:
        asyncio.get_running_loop().call_later(0.01, call.reply, message)

    def _never(self, _: bytes, call: Call) -> None:
        call.on_cancel = self.cancelled.set

    def _refuse(self, message: bytes, _: Call) -> bytes:
        raise RpcError(Code.FAILED_PRECONDITION, message.decode())

    def _who(self, _: bytes, call: Call) -> bytes:
        return f"{call.common_name} {call.metadata('token')} {call.metadata('raw-bin')}".encode()

    def _http(self, request: HttpRequest, reply: HttpReply) -> None:
        """Echo the body, or say hello."""
        if request.method != "POST":
            reply.send(200, [("content-type", "text/plain")], f"hello {request.path}".encode())
            return
        reply.start(200, [("content-type", "text/plain")])
        request.on_data = reply.write
        request.on_end = reply.end


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[World]:
    """A world that serves on a free port of loopback, until the end of the block."""
    world = World(**options)
    await world.server.start("127.0.0.1", 0)
    try:
        yield world
    finally:
        await world.server.stop(0.2)
