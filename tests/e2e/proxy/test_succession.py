"""Restarts and workers: nobody who is connecting, waiting or keeping a connection notices."""

import contextlib
import os
import re
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from tests.e2e.proxy.loading import FastServer, loaded
from tests.e2e.proxy.running import Echo, RunningProxy, frontend, server, upstreams
from tests.support.store import StoreServer
from tests.unit.proxy.harness import eventually

RESTARTS = int(os.environ.get("FAIRLEAD_RESTARTS", "3"))


def pid_of_successor(proxy: RunningProxy) -> int:
    found = re.findall(r"successor_pid=\W*(?:\x1b\[\d+m)*(\d+)", proxy.program.log())
    assert found
    return int(found[-1])


def is_alive(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


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


@pytest.mark.peer("wrk", "nginx")
async def test_restart_after_restart_at_full_speed_costs_no_request(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    """Acceptance check 8.20: clients that keep their connections, and clients that open one for each request."""
    with FastServer(tmp_path / "nginx", "ok") as upstream:
        proxy = RunningProxy(fairlead_store, tmp_path / "proxy")
        await proxy.put({"frontends/f/frontend": frontend("/"), "backends/b/servers/s": upstream.key})
        proxy.start()
        serving_pid = proxy.program.pid
        try:
            await proxy.until("/", 200)
            async with loaded(proxy) as keeping, loaded(proxy, "-HConnection: close") as opening:
                for _ in range(RESTARTS):
                    os.kill(serving_pid, signal.SIGUSR2)
                    await eventually(lambda: not is_alive(serving_pid))  # noqa: B023  waited for here
                    serving_pid = pid_of_successor(proxy)
            assert is_alive(serving_pid)
            assert (await proxy.get())[1] == b"ok"
            assert keeping.failures == opening.failures == "", "none of them failed"
            assert min(keeping.requests, opening.requests) > 1000 * RESTARTS, "a load that deserves the name"
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
        async with (
            loaded(proxy, connections=16) as keeping,
            loaded(proxy, "-HConnection: close", connections=16) as opening,
        ):
            os.kill(supervisor, signal.SIGUSR2)
            await eventually(lambda: not set(first) & set(children(supervisor)))
        assert keeping.failures == opening.failures == ""
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
