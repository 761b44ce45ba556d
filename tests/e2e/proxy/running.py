"""``fairlead proxy`` as a process on a real store, with upstream servers in the test's own loop."""

import asyncio
import contextlib
import http.client
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from tests.support.ports import free_ports
from tests.support.processes import Program
from tests.support.store import StoreServer
from tests.unit.proxy.harness import OK, Peer, Upstream, status_of

from fairlead.client import Client, op_delete, op_put

WITHIN_S = 30.0


class RunningProxy:
    """One proxy process and a client of its store."""

    def __init__(self, store: StoreServer, directory: Path, *, flags: Sequence[str] = ()) -> None:
        directory.mkdir(exist_ok=True)
        self.port, self.metrics_port = free_ports(2)
        self.client = Client([store.endpoint])
        self.program = Program(
            [
                *(sys.executable, "-m", "fairlead.cli", "proxy", "--endpoints", store.endpoint),
                *("--listen", f"127.0.0.1:{self.port}", "--metrics-listen", f"127.0.0.1:{self.metrics_port}"),
                *flags,
            ],
            log=directory / "proxy.log",
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it says that it serves."""
        self.program.start(self.is_ready)

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.page("/readyz")[0] == http.HTTPStatus.OK
        return False

    def page(self, path: str) -> tuple[int, str]:
        """One of the pages for operators."""
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    async def put(self, values: Mapping[str, object], *, delete: Sequence[str] = ()) -> int:
        """Write keys below /vulcand in one transaction; values are JSON, or raw when they are strings."""
        operations = [
            op_put(f"/vulcand/{key}", value if isinstance(value, str) else json.dumps(value))
            for key, value in values.items()
        ]
        operations += [op_delete(f"/vulcand/{key}") for key in delete]
        return (await self.client.txn([], operations)).revision

    async def connect(self) -> Peer:
        return Peer(*await asyncio.open_connection("127.0.0.1", self.port))

    async def get(self, path: str = "/", *, host: str = "a.example", extra: str = "") -> tuple[bytes, bytes]:
        peer = await self.connect()
        try:
            return await peer.ask(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode())
        finally:
            peer.close()

    async def until(self, path: str, status: int) -> None:
        """Wait until ``path`` is answered with ``status``."""
        async with asyncio.timeout(WITHIN_S):
            while status_of((await self.get(path))[0]) != status:  # noqa: ASYNC110  only asking can tell
                await asyncio.sleep(0.005)

    async def run(self, *argv: str, data: bytes = b"") -> tuple[int, bytes]:
        """Run a program against the proxy: exit status and output."""
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await asyncio.wait_for(process.communicate(data), WITHIN_S)
        assert process.returncode is not None
        return process.returncode, output


def frontend(path: str, backend: str = "b", **settings: object) -> dict[str, object]:
    return {"Type": "http", "BackendId": backend, "Route": f'Path("{path}")', "Settings": settings}


def server(upstream: Upstream) -> dict[str, object]:
    return {"URL": f"http://127.0.0.1:{upstream.port}"}


async def until_told(proxy: RunningProxy, text: str) -> None:
    """Wait until the problems in a proxy's status key have ``text``; proxies of one host share one key."""
    async with asyncio.timeout(2 * WITHIN_S):
        while True:
            board = (await proxy.client.get("/fairlead/agents/proxy/", prefix=True)).kvs
            if board and text in json.dumps(json.loads(board[0].value)["problems"]):
                return
            await asyncio.sleep(0.05)


class Echo(Upstream):
    """Answers with its name, or with the body that it was sent."""

    def __init__(self, name: str = "ok") -> None:
        super().__init__(self._echo)
        self._answer = name.encode()

    async def _echo(self, peer: Peer) -> None:
        while True:
            head = await peer.head()
            self.heads.append(head)
            body = await _body(peer, head)
            answer = OK[:-2].replace(b": 2", b": %d" % len(body or self._answer)) + (body or self._answer)
            await peer.send(answer[: answer.find(b"\r\n\r\n") + 4] if head.startswith(b"HEAD") else answer)


async def _body(peer: Peer, head: bytes) -> bytes:
    lines = head.lower().split(b"\r\n")
    if b"expect: 100-continue" in lines:
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    if b"transfer-encoding: chunked" in lines:
        body = b""
        while size := int(await peer.until(b"\r\n"), 16):
            body += (await peer.exactly(size + 2))[:-2]
        await peer.until(b"\r\n")
        return body
    lengths = [int(line[16:]) for line in lines if line.startswith(b"content-length: ")]
    return await peer.exactly(lengths[0]) if lengths else b""


@contextlib.asynccontextmanager
async def upstreams(*servers: Upstream) -> AsyncIterator[None]:
    """Run the servers."""
    for each in servers:
        await each.start()
    try:
        yield
    finally:
        for each in servers:
            await each.stop()
