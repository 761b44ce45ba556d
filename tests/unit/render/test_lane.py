"""One rendering at a time, always the newest, and no owed reload forgotten."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.processes import wait_for
from tests.unit.render.conftest import ConfDir, MakeResource, rendered_as

from fairlead.render.change import Machine, Outcome, Step
from fairlead.render.change.effects import Effects
from fairlead.render.change.journal import Journal
from fairlead.render.lane import Lane, NoGate
from fairlead.render.resource import Resource


class Bench:
    """A lane and the outcomes it reports."""

    def __init__(
        self, confdir: ConfDir, tasks: asyncio.TaskGroup, threads: ThreadPoolExecutor, journal: Journal
    ) -> None:
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self.busy: set[str] = set()
        self.lane = Lane(
            Machine("web", journal.memory("web")),
            Effects(journal, confdir.settings()),
            gate=NoGate(),
            tasks=tasks,
            executor=threads,
            report=self._outcomes.put_nowait,
            busy=self.busy,
        )

    def offer(self, resource: Resource, content: bytes) -> None:
        self.lane.offer(rendered_as(resource, content))

    async def outcome(self) -> Outcome:
        return await asyncio.wait_for(self._outcomes.get(), 30)

    @property
    def is_silent(self) -> bool:
        return self._outcomes.empty()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "state") as journal:
        yield journal


@pytest.fixture
async def bench(confdir: ConfDir, journal: Journal) -> AsyncIterator[Bench]:
    with ThreadPoolExecutor(1) as threads:
        async with asyncio.TaskGroup() as tasks:
            yield Bench(confdir, tasks, threads, journal)


async def until_exists(path: Path) -> None:
    await asyncio.to_thread(wait_for, path.exists, f"{path} exists")


async def test_what_is_overtaken_while_it_waits_is_never_applied(
    bench: Bench, make_resource: MakeResource, tmp_path: Path
) -> None:
    log, gate, started = tmp_path / "log", tmp_path / "gate", tmp_path / "started"
    resource = make_resource(
        reload_cmd=f"cat {{{{.dest}}}} >> {log}; touch {started}; until test -e {gate}; do sleep 0.01; done"
    )
    bench.offer(resource, b"1")
    await until_exists(started)
    assert bench.busy == {"web"}
    bench.offer(resource, b"2")
    bench.offer(resource, b"3")
    gate.touch()
    assert [(await bench.outcome()).error, (await bench.outcome()).error] == [None, None]
    assert bench.lane.is_idle
    assert bench.busy == set()
    assert log.read_text() == "13"


async def test_the_lane_remembers_that_a_reload_is_owed(
    bench: Bench, make_resource: MakeResource, tmp_path: Path
) -> None:
    good = tmp_path / "good"
    resource = make_resource(reload_cmd=f"test -e {good}")
    bench.offer(resource, b"1")
    first = await bench.outcome()
    assert (first.step, first.is_reload_owed) == (Step.REPLACE, True)
    good.touch()
    bench.offer(resource, b"1")
    second = await bench.outcome()
    assert (second.step, second.is_reload_owed) == (Step.RELOAD, False)


async def test_what_waits_can_be_dropped_and_what_runs_is_waited_for(
    confdir: ConfDir, make_resource: MakeResource, tmp_path: Path, journal: Journal
) -> None:
    started = tmp_path / "started"
    resource = make_resource(reload_cmd=f"touch {started}; sleep 0.2")
    with ThreadPoolExecutor(1) as threads:
        async with asyncio.TaskGroup() as tasks:
            bench = Bench(confdir, tasks, threads, journal)
            bench.offer(resource, b"1")
            await until_exists(started)
            bench.offer(resource, b"2")
            bench.lane.stop()
    assert bench.lane.is_idle
    assert confdir.dest("web").read_bytes() == b"1"
    await bench.outcome()
    assert bench.is_silent


async def test_a_bug_brings_the_group_down_and_is_not_passed_over(
    confdir: ConfDir, make_resource: MakeResource, monkeypatch: pytest.MonkeyPatch, journal: Journal
) -> None:
    def broken(*_: object, **__: object) -> Outcome:
        raise AssertionError("a bug")

    monkeypatch.setattr(Effects, "run", broken)
    with ThreadPoolExecutor(1) as threads, pytest.raises(ExceptionGroup, match="unhandled errors"):
        async with asyncio.TaskGroup() as tasks:
            Bench(confdir, tasks, threads, journal).offer(make_resource(), b"1")
