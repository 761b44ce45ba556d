"""Checks that hold, that do not, and that cannot be asked."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.ports import free_port
from tests.support.processes import wait_for

from fairlead.agent import Address, ConfigError
from fairlead.checks import (
    CommandCheck,
    HttpCheck,
    TcpCheck,
    read_check,
    run_check,
    run_process,
)


@pytest.fixture
async def page() -> AsyncIterator[int]:
    """A server that answers each path with the status that it names; ``/hang`` is never answered."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        if path == "/hang":
            await reader.read()
        writer.write(f"HTTP/1.1 {path[1:]} X\r\ncontent-length: 0\r\n\r\n".encode())
        writer.close()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def test_a_page_holds_by_its_status(page: int) -> None:
    url = f"http://127.0.0.1:{page}"
    assert await run_check(HttpCheck(url=f"{url}/204")) is None
    assert await run_check(HttpCheck(url=f"{url}/302")) is None
    assert await run_check(HttpCheck(url=f"{url}/503")) == f"{url}/503: status 503"
    assert await run_check(HttpCheck(url=f"{url}/503", status=503)) is None
    assert await run_check(HttpCheck(url=f"{url}/200", status=204)) == f"{url}/200: status 200"


async def test_certificates_of_the_world_are_read_for_those_who_show_one_alone(
    page: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes longer than all the rest of a probe, which a registration makes every few seconds."""
    monkeypatch.setattr("ssl.create_default_context", lambda *_, **__: pytest.fail("read"))
    assert await run_check(HttpCheck(url=f"http://127.0.0.1:{page}/204")) is None
    with pytest.raises(pytest.fail.Exception, match="read"):
        await run_check(HttpCheck(url=f"https://127.0.0.1:{page}/204"))


async def test_a_page_that_never_answers_does_not_hold(page: int) -> None:
    problem = await run_check(HttpCheck(url=f"http://127.0.0.1:{page}/hang", timeout_s=0.2))
    assert problem == f"http://127.0.0.1:{page}/hang: no answer within 0.2 s"


async def test_a_port_holds_while_somebody_listens(page: int) -> None:
    assert await run_check(TcpCheck(address=Address(host="127.0.0.1", port=page))) is None
    closed = Address(host="127.0.0.1", port=free_port())
    assert await run_check(TcpCheck(address=closed)) == f"{closed}: connection refused"


async def test_a_command_holds_when_it_exits_with_0() -> None:
    assert await run_check(CommandCheck(argv=("true",))) is None
    problem = await run_check(CommandCheck(argv=("sh", "-c", "echo disk full >&2; exit 3")))
    assert problem == "`sh -c 'echo disk full >&2; exit 3'`: exit status 3: disk full"
    assert "cannot be run: No such file" in str(await run_check(CommandCheck(argv=("/no/such",))))


async def test_a_command_out_of_time_is_ended_with_its_children() -> None:
    ended = await run_process(("sh", "-c", "sleep 60 & echo $!; wait"), timeout_s=0.3)
    assert "did not end within 0.3 s and was killed" in ended.problem
    child = int(ended.output)
    await asyncio.to_thread(wait_for, lambda: not _is_alive(child), "the child is dead")


def _is_alive(pid: int) -> bool:
    """A child that nobody has reaped yet is dead, too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_killed_command_is_told_by_its_signal() -> None:
    assert (await run_process(("sh", "-c", "kill -9 $$"), timeout_s=5)).problem.endswith("killed by SIGKILL")


@pytest.mark.parametrize(
    ("fields", "check"),
    [
        (
            {"http": "http://a:1/x", "status": 204, "timeout": "2s"},
            HttpCheck(url="http://a:1/x", status=204, timeout_s=2),
        ),
        ({"tcp": "[::1]:5"}, TcpCheck(address=Address(host="::1", port=5))),
        ({"cmd": ["a", 1]}, CommandCheck(argv=("a", "1"))),
    ],
)
def test_a_mapping_becomes_a_check(fields: object, check: object) -> None:
    assert read_check(fields, where="x") == check


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ([], "x: not a check; write one such as"),
        ({}, "x: not a check"),
        ({"cmd": []}, "x: not a check"),
        ({"cmd": "words"}, "x: not a check"),
        ({"http": "ftp://a"}, "x: 'ftp://a' is no URL"),
        ({"http": "http://a:b"}, "is no URL"),
        ({"tcp": "nowhere"}, "not an address: 'nowhere'"),
        ({"tcp": "a:1", "timeout": "soon"}, "'soon' is no duration"),
        ({"tcp": "a:1", "every": "1s"}, "x: unknown every"),
        ({"http": "http://a", "status": "ok"}, "x.status: not a number"),
    ],
)
def test_what_is_no_check_is_refused(fields: object, refusal: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_check(fields, where="x")
    assert refusal in caught.value.format_message()
