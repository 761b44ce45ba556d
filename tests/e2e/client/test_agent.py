"""What every agent does for its operator, seen from outside: one small agent, run as a program."""

import asyncio
import http.client
import json
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGTERM
from typing import Any

import pytest
from tests.e2e.client import small_agent
from tests.support.ports import free_port
from tests.support.processes import Program
from tests.support.store import StoreServer

from fairlead.client import Client

KEY = f"/fairlead/agents/small/{socket.gethostname()}"


class SmallAgent:
    """The small agent as a process."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.port = free_port()
        self.program = Program(
            [
                *(sys.executable, small_agent.__file__, "--log-format", "json"),
                *("--metrics-listen", f"127.0.0.1:{self.port}", *flags),
            ],
            log=folder / "agent.log",
        )

    def page(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def answers(self, path: str, status: int) -> bool:
        try:
            return self.page(path)[0] == status
        except OSError:
            return False

    def start(self) -> None:
        self.program.start(lambda: self.answers("/readyz", 200))

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.program.log().splitlines()]

    def events(self) -> list[str]:
        return [entry["event"] for entry in self.logged()]


@pytest.fixture
def agent(store: StoreServer, tmp_path: Path) -> Iterator[SmallAgent]:
    made = SmallAgent(tmp_path, "--endpoints", store.endpoint)
    with made.program:
        yield made


@pytest.fixture
async def client(store: StoreServer) -> AsyncIterator[Client]:
    async with Client([store.endpoint]) as made, asyncio.timeout(60):
        yield made


async def until_status(client: Client, claim: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Wait until the status key says what ``claim`` wants."""
    async with client.watch(KEY) as watch:
        result = await client.get(KEY)
        kvs = list(result.kvs)
        while True:
            for kv in kvs:
                if kv.value and claim(status := json.loads(kv.value)):
                    return dict(status)
            kvs = [event.kv for event in (await anext(watch)).events]


async def test_an_agent_tells_what_it_does_in_its_status_key_its_log_and_its_metrics(
    agent: SmallAgent, client: Client
) -> None:
    await client.put("/small/a", "1")
    last = await client.put("/small/b", "one")
    await asyncio.to_thread(agent.start)

    status = await until_status(client, lambda status: status["ready"])
    assert (status["kind"], status["revision"], status["counts"]) == ("small", last.revision, {"keys": 2})
    assert status["last_error"] == {"key": "/small/b", "text": "not a number: write digits"}
    assert status["addresses"] == ["nowhere"]
    await client.put("/small/b", "2")
    status = await until_status(client, lambda status: not status["problems"])
    assert status["revision"] > last.revision

    events = [event for event in agent.events() if event != "metrics"]
    assert events == ["not a number: write digits", "ready", "healed"]
    _, metrics = agent.page("/metrics")
    assert "fairlead_agent_problems_total 1.0" in metrics
    assert 'fairlead_agent_mirror_live_state{mirror="main"} 1.0' in metrics


async def test_sigterm_ends_an_agent_in_order_and_its_status_key_goes(
    agent: SmallAgent, client: Client
) -> None:
    await asyncio.to_thread(agent.start)
    await until_status(client, lambda status: status["ready"])

    assert await asyncio.to_thread(agent.program.stop, SIGTERM) == 0
    assert (await client.get(KEY)).count == 0
    assert agent.events()[-2:] == ["draining", "stopped"]


async def test_an_agent_that_dies_leaves_a_status_key_on_a_lease(agent: SmallAgent, client: Client) -> None:
    await asyncio.to_thread(agent.start)
    await until_status(client, lambda status: status["ready"])
    agent.program.stop(SIGKILL)

    kv = (await client.get(KEY)).kv
    assert kv is not None
    assert 0 < (await client.lease_info(kv.lease)).ttl_s <= 15


async def test_a_status_key_whose_lease_was_lost_comes_back(agent: SmallAgent, client: Client) -> None:
    await asyncio.to_thread(agent.start)
    await until_status(client, lambda status: status["ready"])
    kv = (await client.get(KEY)).kv
    assert kv is not None
    async with client.watch(KEY) as watch:
        await client.revoke(kv.lease)
        is_back = False
        while not is_back:
            is_back = any(not event.is_delete for event in (await anext(watch)).events)


async def test_sighup_reloads_the_file_and_tells_the_agent(
    store: StoreServer, client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f"endpoints: {store.endpoint}\nlog-level: error\n")
    agent = SmallAgent(tmp_path, "--config", str(file))
    with agent.program:
        await asyncio.to_thread(agent.start)
        assert agent.events() == []
        file.write_text(f"endpoints: {store.endpoint}\nlog-level: info\n")
        agent.program.signal(SIGHUP)
        await until_status(client, lambda status: status["counts"].get("reloads"))
        agent.program.wait_until(lambda: "reloaded" in agent.events(), "reloaded")
        file.write_text("log-level: [broken\n")
        agent.program.signal(SIGHUP)
        agent.program.wait_until(lambda: len(agent.events()) == 2, "refusing the file")

        assert str(file) in agent.logged()[-1]["reason"]
        assert agent.answers("/readyz", 200)


async def test_an_agent_without_a_store_says_so_once_is_not_ready_and_stops_when_told(tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"
    agent = SmallAgent(tmp_path, "--endpoints", endpoint)
    with agent.program:
        agent.program.start(lambda: agent.answers("/readyz", 503))
        agent.program.wait_until(lambda: len(agent.events()) > 1, "complaining")
        assert agent.answers("/healthz", 200)
        assert await asyncio.to_thread(agent.program.stop, SIGTERM) == 0

    complaints = [entry for entry in agent.logged() if entry["level"] == "warning"]
    assert len(complaints) == 1
    assert f"no store answers at {endpoint} (connection refused)" in complaints[0]["event"]


async def test_a_port_in_use_is_one_line_on_stderr_and_status_1(tmp_path: Path) -> None:
    agent = SmallAgent(tmp_path)
    with socket.create_server(("127.0.0.1", agent.port)):
        agent.program.start()
        assert agent.program.wait() == 1

    assert agent.program.log() == (
        f"fairlead small: cannot listen on 127.0.0.1:{agent.port} (--metrics-listen): the port is in use; "
        "stop what listens there (ss -lntup shows it), or give another --metrics-listen\n"
    )
