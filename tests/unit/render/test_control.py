"""How commands reach the renderer that runs: whatever comes through the socket, one answer or one line."""

import asyncio
import json
import os
import socket
import stat
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fairlead.render.control import ControlServer, ask
from fairlead.render.errors import ControlError


async def answer(request: Mapping[str, Any]) -> str:
    if "group" not in request:
        raise ControlError("which group?")
    return f"{request['group']} is tried again"


async def raw(folder: Path, line: bytes) -> object:
    reader, writer = await asyncio.open_unix_connection(folder / "control")
    writer.write(line)
    await writer.drain()
    said = await reader.readline()
    writer.close()
    return json.loads(said)


async def test_a_request_is_answered_or_refused(tmp_path: Path) -> None:
    async with ControlServer(tmp_path, answer):
        asked = asyncio.to_thread(ask, tmp_path, {"group": "web"}, timeout_s=10)
        assert await asked == "web is tried again"
        with pytest.raises(ControlError, match="which group"):
            await asyncio.to_thread(ask, tmp_path, {}, timeout_s=10)
    with pytest.raises(FileNotFoundError):
        ask(tmp_path, {}, timeout_s=1)


@pytest.mark.parametrize("line", [b"\n", b"{\n", b"[]\n", b"7\n", b"\xff\n", b"[" * 50_000 + b"\n"])
async def test_a_line_that_is_no_request_is_refused_and_the_next_one_served(
    tmp_path: Path, line: bytes
) -> None:
    async with ControlServer(tmp_path, answer):
        assert await raw(tmp_path, line) == {"error": "a request is an object"}
        assert await raw(tmp_path, b'{"group": "a"}\n') == {"done": "a is tried again"}


async def test_it_works_however_deep_the_folder_lies(tmp_path: Path) -> None:
    """A socket's address holds 107 bytes, a path any number."""
    folder = tmp_path.joinpath(*["a-rather-long-name-of-a-folder"] * 8)
    folder.mkdir(parents=True)
    async with ControlServer(folder, answer):
        asked = asyncio.to_thread(ask, folder, {"group": "web"}, timeout_s=10)
        assert await asked == "web is tried again"
    assert list(folder.iterdir()) == []


async def test_nobody_else_may_command_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with ControlServer(tmp_path, answer):
            assert stat.S_IMODE((tmp_path / "control").stat().st_mode) == 0o600
    finally:
        os.umask(before)


@pytest.mark.parametrize("said", [b"", b"\n", b"{\n", b"[]\n", b"\xff\n", b"[" * 50_000 + b"\n"])
def test_an_answer_that_is_none_is_one_line(tmp_path: Path, said: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control"))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.makefile("rb").readline()
                connection.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ControlError, match="the renderer has ended meanwhile"):
            ask(tmp_path, {}, timeout_s=10)
        thread.join()
