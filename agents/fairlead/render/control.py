"""How a command reaches the renderer that runs: a socket in its state directory, one line each way, JSON.

Whoever may open the directory may command; that is the renderer's own user, and root.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fairlead.render.errors import ControlError
from fairlead.render.jsonio import read_object

_NAME = "control"
_LINE_BYTES_MAX = 64 * 1024
_REQUEST_TIMEOUT_S = 10.0
_ADDRESS_BYTES_MAX = 107
"""Of a socket's name; unix(7)."""

Answer = Callable[[Mapping[str, Any]], Awaitable[str]]
"""Does what a request asks for and says what was done; raises ControlError."""


class ControlServer:
    """Listens while the renderer runs.  Use it as an async context manager."""

    def __init__(self, folder: Path, answer: Answer) -> None:
        self._path = folder / _NAME
        self._answer = answer
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> None:
        # Ours alone: the journal's lock is held, so what lies here is of a renderer that was killed.
        self._path.unlink(missing_ok=True)
        with contextlib.ExitStack() as unless_served:
            listener = unless_served.enter_context(socket.socket(socket.AF_UNIX))
            with _address(self._path) as address:
                listener.bind(address)
            # Before it listens, so that nobody else can have come in.
            self._path.chmod(0o600)
            self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=_LINE_BYTES_MAX)
            unless_served.pop_all()

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                line = await reader.readline()
            writer.write(json.dumps(await self._reply(line)).encode() + b"\n")
            await writer.drain()
        except (TimeoutError, OSError, ValueError):
            pass  # a client that is slow, gone, or none of ours
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _reply(self, line: bytes) -> dict[str, str]:
        try:
            request = read_object(line)
            if request is None:
                return {"error": "a request is an object"}
            return {"done": await self._answer(request)}
        except ControlError as error:
            return {"error": str(error)}


def ask(folder: Path, request: Mapping[str, Any], *, timeout_s: float) -> str:
    """Send a request to the renderer that runs with the state in ``folder``; return what it did.

    Raises:
        ControlError: it refuses, or it does not answer in time.
        FileNotFoundError, ConnectionRefusedError: none runs.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout_s)
        with _address(folder / _NAME) as address:
            connection.connect(address)
        connection.sendall(json.dumps(request).encode() + b"\n")
        try:
            with connection.makefile("rb") as answers:
                answer = read_object(answers.readline(_LINE_BYTES_MAX)) or {}
        except TimeoutError:
            raise ControlError(f"the renderer has not finished within {timeout_s:g} s; see its log") from None
    if "done" in answer:
        return str(answer["done"])
    raise ControlError(str(answer.get("error", "the renderer has ended meanwhile")))


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """Yield a name of the socket that is short enough to be an address, however deep its folder lies."""
    if len(os.fsencode(path)) <= _ADDRESS_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
