"""Operators' commands against a running proxy, on each kind of store."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from signal import SIGHUP

import pytest
from click.testing import CliRunner
from tests.e2e.proxy.running import Echo, RunningProxy, frontend, server, until_told, upstreams
from tests.support.ports import free_ports
from tests.support.store import StoreServer
from tests.unit.proxy.harness import OK, Peer, Upstream, status_of

from fairlead.agent import ConfigError
from fairlead.proxy.cli import proxy as proxy_command


class Operated(RunningProxy):
    """A proxy with an admin socket and a guard."""

    def __init__(self, store: StoreServer, directory: Path) -> None:
        (self.admin_port,) = free_ports(1)
        self.endpoint = store.endpoint
        self.log_path = directory / "access.log"
        flags = [
            *("--admin-listen", f"127.0.0.1:{self.admin_port}", "--access-log", str(self.log_path)),
            *("--rollback-guard", "30"),
        ]
        super().__init__(store, directory, flags=flags)

    async def command(self, *argv: str) -> tuple[int, str]:
        """Run ``fairlead proxy ...``: status and all that it said."""
        environment = {"FAIRLEAD_PROXY_ADMIN": f"127.0.0.1:{self.admin_port}"}
        runner = CliRunner(env=environment)
        done = await asyncio.to_thread(runner.invoke, proxy_command, list(argv), standalone_mode=False)
        if isinstance(done.exception, ConfigError):
            return 1, done.exception.format_message()  # the line that the command ends with
        assert done.exception is None, done.exception
        return done.return_value or done.exit_code, done.output


@pytest.fixture
async def operated(store: StoreServer, tmp_path: Path) -> AsyncIterator[Operated]:
    running = Operated(store, tmp_path / "operated")
    running.start()
    try:
        yield running
    finally:
        running.program.stop()
        await running.client.close()


async def test_operators_see_explain_drain_and_undo(operated: Operated) -> None:
    gate, arrived = asyncio.Event(), asyncio.Event()

    async def serve(peer: Peer) -> None:
        await peer.head()
        arrived.set()
        await gate.wait()
        await peer.send(OK)

    slow, quick = Upstream(serve), Echo("quick")
    async with upstreams(slow, quick):
        revision = await operated.put(
            {"frontends/f/frontend": frontend("/a"), "backends/b/servers/s": server(slow)}
        )
        await operated.put(
            {"frontends/g/frontend": frontend("/b", backend="q"), "backends/q/servers/q": server(quick)}
        )
        await operated.until("/b", 200)
        status, said = await operated.command("routes")
        assert status == 0
        assert 'Path("/a")' in said
        assert f"2 routes at revision {revision + 1}" in said
        status, said = await operated.command("explain", "http://x/a")
        assert status == 0
        assert "+ f: chosen" in said
        assert "- g: Path is to be /b, and is /a" in said
        assert "> b/s" in said
        status, said = await operated.command("top", "--json")
        assert {each["id"] for each in json.loads(said)["frontends"]} >= {"g"}

        client = await operated.connect()
        await client.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.wait_for(arrived.wait(), 10)
        drain = ["drain", "--endpoints", operated.endpoint]
        status, said = await operated.command(*drain, "--wait", "0.5", "b/s")
        assert (status, "not every proxy has said" in said) == (1, True)
        gate.set()
        status, said = await operated.command(*drain, "--wait", "20", "b/s")
        assert (status, "nothing is under way there" in said) == (0, True)
        await client.response()
        client.close()
        await operated.until("/a", 503)
        status, said = await operated.command(*drain, "--undo", "b/s")
        assert (status, "gets work again" in said) == (0, True)
        await operated.until("/a", 200)
        assert (await operated.command(*drain, "b/s"))[0] == 0
        await operated.until("/a", 503)
        status, said = await operated.command(*drain, "b/none")
        assert (status, "there is no key" in said, "Traceback" in said) == (1, True, False)

        undo = ["undo", "--endpoints", operated.endpoint]
        status, said = await operated.command(*undo, "--dry-run", str(revision))
        assert status == 0
        assert "restore /vulcand/backends/b/servers/s" in said
        assert "delete /vulcand/frontends/g/frontend" in said
        status, said = await operated.command(*undo, str(revision))
        assert (status, f"is what revision {revision} was" in said) == (0, True)
        await operated.until("/a", 200)
        await operated.until("/b", 404)
        status, said = await operated.command(*undo, str(revision))
        assert "are as they were" in said
        await operated.client.compact(revision + 1)
        status, said = await operated.command(*undo, str(revision))
        assert (status, "has been compacted" in said, "Traceback" in said) == (1, True, False)
        status, said = await operated.command(*undo, "999999")
        assert (status, "is not in the store" in said) == (1, True)
    _, metrics = operated.page("/metrics")
    assert 'fairlead_proxy_frontend_requests_total{code="2xx",frontend="g"}' in metrics
    assert "fairlead_proxy_revision_lag 0.0" in metrics
    assert 'fairlead_proxy_server_in_flight{backend="b",server="s"} 0.0' in metrics
    operated.program.stop()  # and so the log is whole
    lines = [json.loads(line) for line in operated.log_path.read_text().splitlines()]
    assert {line["flag"] for line in lines} >= {"", "NR", "UH"}


async def test_a_change_that_turns_answers_bad_is_taken_back(operated: Operated) -> None:
    good = Echo()
    async with upstreams(good):
        await operated.put({"frontends/f/frontend": frontend("/"), "backends/b/servers/s": server(good)})
        await operated.until("/", 200)
        for _ in range(60):
            await operated.get("/")
        (nobody,) = free_ports(1)
        await operated.put({"backends/b/servers/s": {"URL": f"http://127.0.0.1:{nobody}"}})
        await operated.until("/", 502)
        async with asyncio.timeout(20):
            while status_of((await operated.get("/"))[0]) != 200:  # noqa: ASYNC110  only asking can tell
                await asyncio.sleep(0.001)
        board = (await operated.client.get("/fairlead/agents/proxy/", prefix=True)).kvs
        async with asyncio.timeout(10):
            while b"answers turned bad after a change" not in b"".join(kv.value for kv in board):
                await asyncio.sleep(0.1)
                board = (await operated.client.get("/fairlead/agents/proxy/", prefix=True)).kvs


async def test_a_full_disk_under_the_access_log_costs_lines_and_no_request(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    log.symlink_to("/dev/full")
    proxy = RunningProxy(fairlead_store, tmp_path / "proxy", flags=["--access-log", str(log)])
    echo = Echo()
    proxy.start()
    try:
        async with upstreams(echo):
            await proxy.put({"frontends/f/frontend": frontend("/"), "backends/b/servers/s": server(echo)})
            await proxy.until("/", 200)
            await until_told(proxy, "cannot be written: No space left on device")
            assert status_of((await proxy.get())[0]) == 200
            log.unlink()
            proxy.program.signal(SIGHUP)
            await until_told(proxy, "{}")
            assert status_of((await proxy.get("/last"))[0]) == 404
    finally:
        proxy.program.stop()
        await proxy.client.close()
    assert proxy.program.log().count("No space left on device") == 1, "it is said once"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert lines[-1]["target"] == "/last"
    assert 200 in {line["status"] for line in lines}, "what had waited was written"
