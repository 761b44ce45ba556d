"""Supervision, with real programs of a few shell words."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairlead.cli import child as child_module
from fairlead.cli.child import Child
from fairlead.cli.program import Program
from fairlead.client import Backoff

WITHIN_S = 20.0
READY = """echo '{"event": "ready", "level": "info"}'"""


class Ears:
    """Keeps what programs say."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Any]] = []

    def __call__(self, name: str, line: str | dict[str, Any]) -> None:
        self.lines.append((name, line))

    def texts(self) -> list[str]:
        return [line for _, line in self.lines if isinstance(line, str)]

    async def until(self, claim: Callable[[], object]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not claim():  # noqa: ASYNC110 - what is waited for happens in another process
                await asyncio.sleep(0.01)


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "_backoff", lambda: Backoff(first_s=0.01, max_s=0.02))
    # What is "ours" runs as ``python -m fairlead.cli``; here it is a shell that logs as ours do.
    monkeypatch.setattr(child_module, "_command", lambda program: list(program.arguments))


def shell(script: str, *, folder: Path, say: Ears, is_ours: bool = True) -> Child:
    program = Program(name="it", arguments=("sh", "-c", script), is_ours=is_ours)
    return Child(program, folder=folder, say=say)


async def ended(running: asyncio.Task[None]) -> None:
    async with asyncio.timeout(WITHIN_S):
        await running


async def test_lines_of_json_are_parsed_and_others_passed_on(tmp_path: Path, ears: Ears) -> None:
    script = f"{READY}; echo plain; echo '{{broken'; echo '[1]'; exec sleep 60"
    child = shell(script, folder=tmp_path, say=ears)
    running = asyncio.create_task(child.run())
    await ears.until(lambda: len(ears.lines) == 4)

    assert child.ready.is_set()
    assert [line for _, line in ears.lines] == [
        {"event": "ready", "level": "info"},
        "plain",
        "{broken",
        "[1]",
    ]
    await child.stop()
    await ended(running)


async def test_a_program_that_dies_is_started_again_and_said_so(tmp_path: Path, ears: Ears) -> None:
    child = shell(f"{READY}; exit 3", folder=tmp_path, say=ears)
    running = asyncio.create_task(child.run())
    await ears.until(lambda: len(ears.texts()) >= 3)
    await child.stop()
    await ended(running)

    assert all(text.startswith("ended with status 3; starting it again in ") for text in ears.texts())


async def test_a_signal_that_ended_it_is_a_negative_status(tmp_path: Path, ears: Ears) -> None:
    child = shell(f"{READY}; kill -9 $$", folder=tmp_path, say=ears)
    running = asyncio.create_task(child.run())
    await ears.until(ears.texts)
    await child.stop()
    await ended(running)

    assert ears.texts()[0].startswith("ended with status -9; ")


async def test_a_program_that_never_was_ready_is_not_started_again(tmp_path: Path, ears: Ears) -> None:
    child = shell("echo no such port >&2; exit 1", folder=tmp_path, say=ears)
    await ended(asyncio.create_task(child.run()))

    assert child.failed_to_start.is_set()
    assert child.last_words == "no such port"
    assert ears.texts() == ["no such port"]


async def test_a_program_that_is_not_there_says_so(tmp_path: Path, ears: Ears) -> None:
    program = Program(name="it", arguments=("no-such-program",), is_ours=False)
    child = Child(program, folder=tmp_path, say=ears)
    await ended(asyncio.create_task(child.run()))

    assert child.failed_to_start.is_set()
    assert child.last_words == "cannot run 'no-such-program': No such file or directory"


async def test_somebody_elses_program_is_ready_once_it_runs(tmp_path: Path, ears: Ears) -> None:
    child = shell("exec sleep 60", folder=tmp_path, say=ears, is_ours=False)
    running = asyncio.create_task(child.run())
    async with asyncio.timeout(WITHIN_S):
        await child.ready.wait()
    await child.stop()
    await ended(running)

    assert ears.lines == []


async def test_stop_asks_first(tmp_path: Path, ears: Ears) -> None:
    child = shell(f"trap 'echo goodbye; exit 0' TERM; {READY}; sleep 60 & wait", folder=tmp_path, say=ears)
    running = asyncio.create_task(child.run())
    await ears.until(child.ready.is_set)
    await child.stop()
    await ended(running)

    assert ears.texts() == ["goodbye"]


async def test_what_a_program_leaves_behind_ends_with_it(tmp_path: Path, ears: Ears) -> None:
    """It would hold the pipe, and whoever waits for the end of the output would wait for ever."""
    child = shell(f"sleep 600 & echo $!; {READY}; exec sleep 600", folder=tmp_path, say=ears)
    running = asyncio.create_task(child.run())
    await ears.until(child.ready.is_set)
    await child.stop()
    await ended(running)

    left_behind = Path("/proc") / ears.texts()[0] / "stat"
    await ears.until(lambda: not left_behind.exists() or " Z " in left_behind.read_text())


async def test_a_program_that_ignores_sigterm_is_killed(
    tmp_path: Path, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "STOP_GRACE_S", 0.1)
    script = f"trap '' TERM; {READY}; echo $$; while :; do sleep 0.05; done"
    child = shell(script, folder=tmp_path, say=ears)
    running = asyncio.create_task(child.run())
    await ears.until(ears.texts)
    await child.stop()
    await ended(running)

    pid, *rest = ears.texts()
    assert rest == ["does not end; killing it"]
    assert not (Path("/proc") / pid).exists()


async def test_stop_between_two_lives_ends_the_waiting(
    tmp_path: Path, ears: Ears, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "_backoff", lambda: Backoff(first_s=600, max_s=600))
    child = shell(f"{READY}; exit 1", folder=tmp_path, say=ears)
    running = asyncio.create_task(child.run())
    await ears.until(ears.texts)
    await child.stop()
    await ended(running)


async def test_stop_while_it_is_being_started_leaves_nothing_behind(tmp_path: Path, ears: Ears) -> None:
    child = shell("exec sleep 60", folder=tmp_path, say=ears)
    running = asyncio.create_task(child.run())
    await asyncio.sleep(0)
    await child.stop()
    await ended(running)


async def test_a_line_without_end_is_dropped_and_the_next_one_is_heard(tmp_path: Path, ears: Ears) -> None:
    script = f"head -c 300000 /dev/zero | tr '\\0' x; echo; echo after; {READY}; exec sleep 60"
    child = shell(script, folder=tmp_path, say=ears)
    running = asyncio.create_task(child.run())
    await ears.until(child.ready.is_set)
    await child.stop()
    await ended(running)

    assert ears.texts()[-1] == "after"
    assert all(len(text) <= child_module.LINE_BYTES_MAX for text in ears.texts())
