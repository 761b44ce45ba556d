"""The data path among other people's programs: HAProxy and nginx on either side, slow attackers in front."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests import peers
from tests.e2e.proxy.neighbours import haproxy, nginx
from tests.support.ports import free_ports
from tests.unit.proxy.harness import Peer, Proxy, Upstream, eventually, fields_of, running, status_of
from tests.unit.proxy.smuggling import payloads
from tests.unit.proxy.test_edge import listener
from tests.unit.proxy.wired import by_h11

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.mark.peer("haproxy")
@pytest.mark.parametrize("send", ["send-proxy", "send-proxy-v2"])
async def test_haproxy_in_front_says_who_the_client_is(tmp_path: Path, send: str) -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        (port,) = free_ports(1)
        proxy.put({"listeners/p": listener(port, "http", ProxyProtocol="PROXY_V2")})
        await eventually(lambda: len(proxy.service.doors.sockets()) == 2)
        with haproxy(tmp_path, behind=port, send=f" {send}") as front:
            peer = Peer(*await asyncio.open_connection("127.0.0.1", front, local_addr=("127.0.0.9", 0)))
            assert (await peer.ask(GET))[1] == b"ok"
            peer.close()
    assert fields_of(upstream.heads[0])["x-forwarded-for"] == ["127.0.0.9"]


@pytest.mark.peer("haproxy")
@pytest.mark.parametrize("version", ["PROXY_V1", "PROXY_V2"])
async def test_haproxy_behind_is_told_who_the_client_is(tmp_path: Path, version: str) -> None:
    upstream = Upstream()
    async with running(upstream) as proxy:
        with haproxy(tmp_path, behind=upstream.port, accept=" accept-proxy") as behind:
            proxy.put(
                {
                    "backends/b/backend": {"Type": "http", "ProxyProtocol": version},
                    "backends/b/servers/s0": {"URL": f"http://127.0.0.1:{behind}"},
                }
            )
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", proxy.port, local_addr=("127.0.0.8", 0)
            )
            assert (await Peer(reader, writer).ask(GET))[1] == b"ok"
            writer.close()
    assert fields_of(upstream.heads[0])["x-forwarded-for"] == ["127.0.0.8", "127.0.0.8"], (
        "ours, and HAProxy's"
    )


@pytest.mark.peer("nginx")
async def test_nginx_behind_serves_small_and_large_over_one_connection(tmp_path: Path) -> None:
    body = bytes(range(256)) * 8192
    (tmp_path / "large").write_bytes(body)
    page = f'location /large {{ root {tmp_path}; }} location / {{ return 200 "$connection"; }}'
    with nginx(tmp_path, page) as port:
        async with running() as proxy:
            proxy.put({"backends/b/servers/s": {"URL": f"http://127.0.0.1:{port}"}})
            client = await proxy.connect()
            connection = (await client.ask(GET))[1]
            for _ in range(3):
                assert (await client.ask(GET.replace(b" / ", b" /large ")))[1] == body
            assert (await client.ask(GET))[1] == connection, "it was kept"
            assert proxy.service.stats.spliced == 3


class Origin(Upstream):
    """Keeps what it is sent, byte by byte, and answers what h11 takes for requests."""

    def __init__(self) -> None:
        super().__init__(self._keep)
        self.received: list[bytearray] = []

    async def _keep(self, peer: Peer) -> None:
        mine = bytearray()
        self.received.append(mine)
        answered = 0
        while data := await peer.reader.read(65536):
            mine += data
            with contextlib.suppress(Exception):
                found = len(by_h11(bytes(mine)))
                while answered < found:
                    answered += 1
                    await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def _passes(origin: Origin, port: int, payload: bytes) -> bool:
    """Whether anything of ``payload`` reaches the origin by way of ``port``."""
    before = len(b"".join(origin.received))
    peer = Peer(*await asyncio.open_connection("127.0.0.1", port))
    with contextlib.suppress(ConnectionError, TimeoutError):
        peer.writer.write(payload)
        if peer.writer.can_write_eof():
            await asyncio.wait_for(peer.reader.read(1), 0.3)
    peer.writer.transport.abort()
    return len(b"".join(origin.received)) > before


@pytest.mark.peer("haproxy", "nginx")
async def test_nothing_is_forwarded_that_both_haproxy_and_nginx_refuse(tmp_path: Path) -> None:
    """Acceptance check 22: what only we take is suspicious, and these are known and harmless."""
    origin = Origin()
    (tmp_path / "n").mkdir()
    async with running(origin) as proxy:
        page = f"location / {{ proxy_pass http://127.0.0.1:{origin.port}; proxy_http_version 1.1; }}"
        with haproxy(tmp_path, behind=origin.port) as one, nginx(tmp_path / "n", page) as two:
            alone = [
                payload
                for payload in _heads()
                if await _passes(origin, proxy.port, payload)
                and not await _passes(origin, one, payload)
                and not await _passes(origin, two, payload)
            ]
    assert alone == []


def _heads() -> Iterator[bytes]:
    """One of each head among the public shapes, without what is sent behind it."""
    seen = set()
    for payload in payloads():
        head = payload[: payload.find(b"\r\n\r\n") + 4] if b"\r\n\r\n" in payload else payload
        if b"chunked" not in head.lower() and b"content-length" not in head.lower() and head not in seen:
            seen.add(head)
            yield head


@contextlib.asynccontextmanager
async def attacked(proxy: Proxy, *flags: str) -> AsyncIterator[None]:
    """Run slowhttptest against ``proxy`` for three seconds."""
    program = peers.find("slowhttptest")
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        *(
            program,
            "-c",
            "300",
            "-r",
            "300",
            "-l",
            "4",
            "-i",
            "1",
            *flags,
            "-u",
            f"http://127.0.0.1:{proxy.port}/",
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    yield
    output, _ = await asyncio.wait_for(process.communicate(), 30)
    text = re.sub(r"\x1b\[[0-9;]*m", "", output.decode(errors="replace"))
    assert "service available" in text or "Exit status" in text or "Closed" in text, text[-2000:]


@pytest.mark.peer("slowhttptest")
@pytest.mark.parametrize(
    "flags",
    [["-H"], ["-B", "-s", "8192"], ["-X", "-w", "1", "-y", "2", "-k", "3"], ["-R", "-a", "1", "-b", "2000"]],
)
async def test_slow_clients_are_cut_and_others_do_not_notice(flags: list[str]) -> None:
    upstream = Upstream()
    async with running(upstream, head_s=1.0, body_idle_s=1.0, write_stall_s=1.0) as proxy:
        async with attacked(proxy, *flags):
            stats = proxy.service.stats
            await eventually(lambda: stats.clients + sum(stats.by_class) > 100)
            client = await proxy.connect()
            for _ in range(50):
                assert status_of((await client.ask(GET))[0]) == 200
                await asyncio.sleep(0.01)
            client.close()
        await eventually(lambda: proxy.service.stats.clients == 0)
