"""Runs another program to its end, within a time, in a process group of its own."""

import asyncio
import contextlib
import os
import shlex
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OUTPUT_BYTES_MAX = 2048
_KILL_GRACE_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended.

    Attributes:
        problem: why it counts as failed, with the command and the end of its output; empty when it exited with 0.
        output: the end of what it printed.
    """

    problem: str
    output: str


async def run_process(
    argv: Sequence[str], *, timeout_s: float, environment: Mapping[str, str] | None = None
) -> Ended:
    """Run ``argv`` and wait for it; out of time, its group gets SIGTERM and SIGKILL a grace later.

    Args:
        argv: the program and its arguments; no shell.
        timeout_s: how long it may take.
        environment: added to our own.
    """
    # A file and not a pipe: a daemon that the program leaves behind would hold a pipe open.
    with tempfile.TemporaryFile() as output:
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, **(environment or {})},
            )
        except OSError as error:
            return Ended(problem=f"`{shlex.join(argv)}` cannot be run: {error.strerror or error}", output="")
        try:
            async with asyncio.timeout(timeout_s):
                status = await process.wait()
        except TimeoutError:
            problem = f"did not end within {timeout_s:g} s and was killed"
        else:
            names = f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
            problem = names if status else ""
        finally:
            if process.returncode is None:
                await _end(process)
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - OUTPUT_BYTES_MAX))
        said = " ".join(output.read().decode(errors="replace").split())
    if problem:
        problem = f"`{shlex.join(argv)}`: {problem}{f': {said}' if said else ''}"
    return Ended(problem=problem, output=said)


async def _end(process: asyncio.subprocess.Process) -> None:
    for number, grace_s in ((signal.SIGTERM, _KILL_GRACE_S), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await process.wait()
                return
