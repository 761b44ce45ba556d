"""Several workers are one proxy: what they count, what operators see, and what limits let pass."""

import asyncio
import http.client
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.e2e.proxy.running import Echo, RunningProxy, frontend, server, upstreams
from tests.support.ports import free_ports
from tests.support.store import StoreServer
from tests.unit.proxy.harness import Peer, Upstream, eventually, status_of

from fairlead.agent import Address

WORKERS = 3


class Workers(RunningProxy):
    """A proxy of several processes."""

    def __init__(self, store: StoreServer, folder: Path) -> None:
        (self.admin_port,) = free_ports(1)
        admin = Address(host="127.0.0.1", port=self.admin_port)
        super().__init__(store, folder, flags=["--workers", str(WORKERS), "--admin-listen", str(admin)])

    def admin(self, path: str, *, post: object = None) -> dict[str, object]:
        """What operators are shown at ``path``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=10)
        try:
            body = None if post is None else json.dumps(post)
            connection.request("GET" if post is None else "POST", path, body=body)
            shown: dict[str, object] = json.loads(connection.getresponse().read())
            return shown
        finally:
            connection.close()

    def counted(self, name: str) -> float:
        found = re.findall(rf"^{re.escape(name)} ([\d.e+]+)$", self.page("/metrics")[1], re.MULTILINE)
        return float(found[0]) if found else 0.0

    def processes(self) -> list[int]:
        pid = self.program.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
async def workers(fairlead_store: StoreServer, tmp_path: Path) -> AsyncIterator[Workers]:
    running = Workers(fairlead_store, tmp_path / "workers")
    running.start()
    try:
        yield running
    finally:
        running.program.stop()
        await running.client.close()


async def until_everywhere(proxy: Workers, path: str, status: int) -> None:
    """Wait until so many connections in a row get ``status`` that no worker can have been left out."""
    row = 0
    async with asyncio.timeout(20):
        while row < 40:
            row = row + 1 if status_of((await proxy.get(path))[0]) == status else 0


def row(rows: object, **wanted: str) -> dict[str, object]:
    assert isinstance(rows, list)
    (found,) = (each for each in rows if wanted.items() <= each.items())
    assert isinstance(found, dict)
    return found


OK = 'fairlead_proxy_requests_total{code="2xx"}'


async def test_operators_see_the_sum_of_all_workers_and_it_never_goes_back(workers: Workers) -> None:
    echo = Echo()
    async with upstreams(echo):
        await workers.put({"frontends/f/frontend": frontend("/"), "backends/b/servers/s": server(echo)})
        await until_everywhere(workers, "/", 200)
        assert workers.counted(OK) == len(echo.heads)
        assert workers.counted("fairlead_proxy_request_duration_seconds_count") >= len(echo.heads)
        of_frontend = 'fairlead_proxy_frontend_requests_total{code="2xx",frontend="f"}'
        assert workers.counted(of_frontend) == len(echo.heads)
        assert workers.counted('fairlead_proxy_server_requests_total{backend="b",server="s"}') == len(
            echo.heads
        )
        top = workers.admin("/top")
        assert row(top["frontends"], id="f")["total"] == len(echo.heads)
        assert row(top["servers"], backend="b", id="s")["requests"] == len(echo.heads)
        told = workers.admin("/explain", post={"url": "http://x/"})
        assert told["frontend"] == "f"
        assert told["workers"] == WORKERS
        assert told["worker"] in range(WORKERS)
        assert row(told["servers"], id="s")["out_in"] == 0
        assert row(told["servers"], id="s")["workers"] == WORKERS

        first = workers.processes()
        os.kill(first[0], signal.SIGKILL)
        await eventually(lambda: len(workers.processes()) == WORKERS and first[0] not in workers.processes())
        await eventually(lambda: workers.page("/readyz")[0] == http.HTTPStatus.OK)
        shown = workers.counted(OK)
        assert shown == len(echo.heads), "what the dead one had counted stays counted"
        await until_everywhere(workers, "/", 200)
        assert workers.counted(OK) == len(echo.heads)


async def test_a_limit_holds_for_all_workers_together(workers: Workers) -> None:
    echo = Echo()
    limit = {"Requests": 9, "PeriodSeconds": 3600, "Burst": 9, "Variable": "request.host"}
    async with upstreams(echo):
        await workers.put(
            {
                "frontends/f/frontend": frontend("/"),
                "frontends/f/middlewares/m": {"Type": "ratelimit", "Middleware": limit},
                "backends/b/servers/s": server(echo),
            }
        )
        await until_everywhere(workers, "/", 429)
        assert len(echo.heads) == 9


async def test_a_server_that_one_worker_has_put_out_is_out_in_all(workers: Workers) -> None:
    """The clients of the others need not see it fail first."""
    bad, good = Upstream(_fail), Echo()
    async with upstreams(bad, good):
        await workers.put(
            {
                "frontends/f/frontend": frontend("/"),
                "backends/b/backend": {"Outlier": {"Consecutive5xx": 3, "EjectTime": "600s"}},
                "backends/b/servers/bad": server(bad),
                "backends/b/servers/good": server(good),
                "frontends/g/frontend": frontend("/there", "c"),
                "backends/c/servers/s": server(good),
            }
        )
        await until_everywhere(workers, "/there", 200)
        peer = await workers.connect()
        statuses: list[int] = []
        while statuses.count(500) < 3:
            statuses.append(status_of((await peer.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))[0]))
        peer.close()
        await eventually(lambda: row(workers.admin("/top")["servers"], id="bad")["out_in"] == WORKERS)
        await until_everywhere(workers, "/", 200)
        assert statuses.count(500) == 3


async def _fail(peer: Peer) -> None:
    while True:
        await peer.head()
        await peer.send(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
