"""Restarts and workers: nobody who is connecting, waiting or keeping a connection notices."""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests import peers
from tests.e2e.proxy.running import Echo, RunningProxy, frontend, server, upstreams
from tests.e2e.proxy.test_neighbours import nginx
from tests.support.store import StoreServer
from tests.unit.proxy.harness import eventually

WITHIN_S = 20.0


def pid_of_successor(proxy: RunningProxy) -> int:
    found = re.findall(r"successor_pid=\W*(?:\x1b\[\d+m)*(\d+)", proxy.program.log())
    assert found
    return int(found[-1])


def is_alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@contextlib.asynccontextmanager
async def loaded(proxy: RunningProxy, *, seconds: float, connections: int = 16) -> AsyncIterator[list[str]]:
    """wrk with kept connections, and what it reports at the end."""
    program = peers.find("wrk")
    assert program is not None
    process = await asyncio.create_subprocess_exec(
        program,
        "-t1",
        f"-c{connections}",
        f"-d{seconds:.0f}s",
        f"{proxy.url}/",
        stdout=asyncio.subprocess.PIPE,
    )
    report: list[str] = []
    yield report
    output, _ = await asyncio.wait_for(process.communicate(), seconds + WITHIN_S)
    report.append(output.decode())


@contextlib.asynccontextmanager
async def serving(store: StoreServer, folder: Path, flags: Sequence[str] = ()) -> AsyncIterator[RunningProxy]:
    echo = Echo()
    proxy = RunningProxy(store, folder, flags=flags)
    async with upstreams(echo):
        await proxy.put({"frontends/f/frontend": frontend("/"), "backends/b/servers/s": server(echo)})
        proxy.start()
        await proxy.until("/", 200)
        try:
            yield proxy
        finally:
            proxy.program.stop()
            await proxy.client.close()


@pytest.mark.peer("wrk")
async def test_a_successor_takes_over_under_load_and_no_request_fails(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    async with serving(fairlead_store, tmp_path) as proxy:
        async with loaded(proxy, seconds=4) as report:
            await asyncio.sleep(0.5)
            old = proxy.program.pid
            os.kill(old, signal.SIGUSR2)
            await eventually(lambda: not is_alive(old))
            heir = pid_of_successor(proxy)
            assert is_alive(heir)
        try:
            assert (await proxy.get())[1] == b"ok"
            (text,) = report
            assert "Socket errors" not in text, text
            assert "Non-2xx" not in text, text
            assert int(re.findall(r"(\d+) requests in", text)[0]) > 100
        finally:
            os.kill(heir, signal.SIGTERM)
            await eventually(lambda: not is_alive(heir))


@pytest.mark.peer("wrk", "nginx")
async def test_restart_after_restart_at_full_speed_costs_no_request(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    """Acceptance check 8.20: thousands of requests a second on kept connections, and three generations of proxies."""
    with nginx(tmp_path, "location / { return 200 ok; } keepalive_requests 1000000;") as port:
        proxy = RunningProxy(fairlead_store, tmp_path / "proxy")
        url = f"http://127.0.0.1:{port}"
        await proxy.put({"frontends/f/frontend": frontend("/"), "backends/b/servers/s": {"URL": url}})
        proxy.start()
        serving_pid = proxy.program.pid
        try:
            await proxy.until("/", 200)
            async with loaded(proxy, seconds=8, connections=64) as report:
                for _ in range(3):
                    os.kill(serving_pid, signal.SIGUSR2)
                    await eventually(lambda: not is_alive(serving_pid))  # noqa: B023  waited for here
                    serving_pid = pid_of_successor(proxy)
            (text,) = report
            assert "Socket errors" not in text, text
            assert "Non-2xx" not in text, text
            assert is_alive(serving_pid)
        finally:
            os.kill(serving_pid, signal.SIGTERM)
            await eventually(lambda: not is_alive(serving_pid))
            proxy.program.stop()
            await proxy.client.close()


async def test_a_successor_that_cannot_start_changes_nothing(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    log = tmp_path / "access"
    log.mkdir()
    log.rmdir()
    async with serving(fairlead_store, tmp_path, ("--access-log", str(log))) as proxy:
        log.unlink()
        log.mkdir()  # What the successor cannot append to.
        os.kill(proxy.program.pid, signal.SIGUSR2)
        await eventually(lambda: "this process goes on" in proxy.program.log())
        assert (await proxy.get())[1] == b"ok"
        log.rmdir()
        log.touch()


@pytest.mark.peer("wrk")
async def test_workers_share_the_load_and_are_replaced_one_and_all(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    async with serving(fairlead_store, tmp_path, ("--workers", "2")) as proxy:
        supervisor = proxy.program.pid
        await eventually(lambda: len(children(supervisor)) == 2)
        first = children(supervisor)
        async with loaded(proxy, seconds=5) as report:
            await asyncio.sleep(0.5)
            os.kill(supervisor, signal.SIGUSR2)
            await eventually(lambda: not set(first) & set(children(supervisor)))
        (text,) = report
        assert "Socket errors" not in text, text
        assert "Non-2xx" not in text, text
        second = children(supervisor)
        os.kill(second[0], signal.SIGKILL)
        await eventually(lambda: len(set(children(supervisor)) - set(second)) == 1)
        await proxy.until("/", 200)
        assert 'fairlead_proxy_requests_total{code="2xx"}' in proxy.page("/metrics")[1]


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in text.split() if is_alive(int(each))]


async def test_what_a_worker_cannot_start_with_ends_the_whole(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    proxy = RunningProxy(
        fairlead_store, tmp_path, flags=("--workers", "2", "--seal-key-file", str(tmp_path / "none"))
    )
    status, _ = await proxy.run(*proxy.program.argv)
    assert status == 1
    await proxy.client.close()
