"""What asks for a reboot, what speaks against it, and who is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from fairlead.checks import CommandCheck, HttpCheck
from fairlead.lock.notice import Notice
from fairlead.lock.policy import Command, FileSource, KeySource, PrometheusSource
from fairlead.lock.sources import ask_blockers, ask_health, ask_need


class Store:
    """A client that knows some keys."""

    def __init__(self, **pairs: bytes) -> None:
        self._pairs = pairs

    async def get(self, key: str) -> SimpleNamespace:
        value = self._pairs.get(key)
        return SimpleNamespace(kvs=[] if value is None else [SimpleNamespace(value=value)])


def store(**pairs: bytes) -> Any:
    return Store(**pairs)


class Page:
    """Answers each request with what the test says, and keeps what it got."""

    def __init__(self) -> None:
        self.status, self.body = 200, b"{}"
        self.got: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        body = await reader.readexactly(int(length[0].split(b":")[1])) if length else b""
        self.got.append(head.split(b"\r\n")[0] + b" " + body)
        answer = b"HTTP/1.1 %d X\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s"
        writer.write(answer % (self.status, len(self.body), self.body))
        await writer.drain()
        writer.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    made = Page()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    await server.wait_closed()


async def test_debians_list_of_packages_is_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "reboot-required"
    assert await ask_need((FileSource(path=path),), store()) == ""
    path.touch()
    assert await ask_need((FileSource(path=path),), store()) == str(path)
    path.with_name("reboot-required.pkgs").write_text("linux-image\nlibc6\nlinux-image\n")
    assert await ask_need((FileSource(path=path),), store()) == f"{path}: libc6, linux-image"


async def test_a_command_that_exits_with_0_and_a_key_that_is_there_ask_for_it_too() -> None:
    needs = (CommandCheck(argv=("false",)), KeySource(key="reboot"))
    assert await ask_need(needs, store()) == ""
    assert await ask_need(needs, store(reboot=b"firmware\nupdate")) == "reboot: firmware update"
    assert await ask_need(needs, store(reboot=b"")) == "reboot is set"
    assert await ask_need((CommandCheck(argv=("true",)),), store()) == "`true` says so"


async def test_a_command_that_fails_and_a_key_that_is_there_block() -> None:
    assert await ask_blockers((CommandCheck(argv=("true",)), KeySource(key="freeze")), store()) == ""
    assert "exit status 1" in await ask_blockers((CommandCheck(argv=("false",)),), store())
    assert await ask_blockers((KeySource(key="freeze"),), store(freeze=b"backup")) == "freeze: backup"


async def test_an_alert_that_fires_blocks_and_none_does_not(page: Page) -> None:
    alerts = PrometheusSource(url=page.url, query='ALERTS{alertstate="firing"}')
    page.body = json.dumps({"data": {"result": []}}).encode()
    assert await ask_blockers((alerts,), store()) == ""
    page.body = json.dumps({"data": {"result": [{"metric": {"alertname": "DiskFull"}}]}}).encode()
    assert (await ask_blockers((alerts,), store())).endswith(": DiskFull")
    assert page.got[0].startswith(b"GET /api/v1/query?query=ALERTS%7Balertstate%3D%22firing%22%7D ")


@pytest.mark.parametrize(("status", "body"), [(500, b"{}"), (200, b"<html>"), (200, b"[]"), (200, b"{}")])
async def test_what_cannot_be_asked_blocks(page: Page, status: int, body: bytes) -> None:
    page.status, page.body = status, body
    assert "cannot be asked" in await ask_blockers((PrometheusSource(url=page.url, query="up"),), store())


async def test_health_is_the_first_check_that_does_not_hold(page: Page) -> None:
    page.status = 503
    checks = (CommandCheck(argv=("true",)), HttpCheck(url=page.url))
    assert await ask_health(checks) == f"{page.url}: status 503"
    assert await ask_health(checks[:1]) == ""


async def test_people_are_told_by_command_and_by_hook_and_a_hook_that_fails_holds_nothing_up(
    page: Page, tmp_path: Path
) -> None:
    out = tmp_path / "told"
    tell = Command(argv=("sh", "-c", f'echo "$FAIRLEAD_LOCK_EVENT $FAIRLEAD_LOCK_HOST" > {out}'), timeout_s=5)
    notice = Notice(
        (HttpCheck(url=page.url), tell, HttpCheck(url="http://127.0.0.1:1/", timeout_s=1)),
        about={"group": "web", "host": "a", "id": "1"},
        log=structlog.stdlib.get_logger(),
    )
    await notice.say("acquired", "a may reboot now")
    assert out.read_text() == "acquired a\n"
    (got,) = page.got
    assert json.loads(got.split(b" ", 3)[3]) == {
        "group": "web",
        "host": "a",
        "id": "1",
        "event": "acquired",
        "text": "a may reboot now",
    }
