"""A program that is started, signalled, started again and ended."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from signal import SIGKILL

import pytest
import structlog
from tests.support.processes import wait_for

from fairlead.render.resource import Child
from fairlead.render.supervisor import Supervisor

PROGRAM = """
import os, signal, sys, time
out = sys.argv[1]
def say(text):
    with open(out, "a") as file:
        file.write(text + "\\n")
signal.signal(signal.SIGHUP, lambda *_: say("reload"))
signal.signal(signal.SIGTERM, lambda *_: (say("stop"), sys.exit(0)))
say(f"start {os.getpid()}")
while True:
    time.sleep(0.01)
"""


class Bench:
    def __init__(self, path: Path) -> None:
        self.out = path / "out"
        argv = (sys.executable, "-c", PROGRAM, str(self.out))
        child = Child(argv=argv, restart_min_s=0.01, restart_max_s=1000.0, stop_timeout_s=10.0)
        self.supervisor = Supervisor("app", child, log=structlog.stdlib.get_logger())

    async def until(self, claim: Callable[[list[str]], bool]) -> list[str]:
        def lines() -> list[str]:
            return self.out.read_text().splitlines() if self.out.exists() else []

        await asyncio.to_thread(wait_for, lambda: claim(lines()), f"not yet: {lines()}")
        return lines()

    async def take_up(self) -> str | None:
        return await asyncio.to_thread(self.supervisor.take_up, "HUP")


@contextlib.asynccontextmanager
async def running(supervisor: Supervisor) -> AsyncIterator[None]:
    task = asyncio.create_task(supervisor.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_it_is_started_by_the_first_change_signalled_by_the_next_and_ended_with_us(
    bench: Bench,
) -> None:
    async with running(bench.supervisor):
        assert bench.supervisor.pid is None
        assert await bench.take_up() is None
        await bench.until(lambda lines: len(lines) == 1)
        assert await bench.take_up() is None
        await bench.until(lambda lines: lines[1:] == ["reload"])
    assert (await bench.until(lambda lines: len(lines) == 3))[-1] == "stop"
    assert bench.supervisor.pid is None


async def test_a_program_that_dies_is_started_again(bench: Bench) -> None:
    async with running(bench.supervisor):
        bench.supervisor.want()
        first = await bench.until(lambda lines: len(lines) == 1)
        process = bench.supervisor._process
        assert process is not None
        process.send_signal(SIGKILL)
        both = await bench.until(lambda lines: len(lines) == 2)
        assert both[0] == first[0] != both[1]


async def test_a_program_that_cannot_be_run_is_a_failed_reload(tmp_path: Path) -> None:
    child = Child(argv=("/no/such/program",), restart_min_s=0.01)
    supervisor = Supervisor("app", child, log=structlog.stdlib.get_logger())
    async with running(supervisor):
        problem = await asyncio.to_thread(supervisor.take_up, "HUP")
    assert problem == "`/no/such/program`: cannot be run: No such file or directory"


async def test_what_was_never_wanted_was_never_there(bench: Bench) -> None:
    async with running(bench.supervisor):
        pass
    assert not bench.out.exists()
