"""One program of a site: started, listened to, started again when it dies, and stopped.

A program that ends before it was ever ready is not started again: what it was told is wrong, and it has said so.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from fairlead.cli.program import Program

if TYPE_CHECKING:
    from fairlead.client import Backoff

STOP_GRACE_S = 10.0
LINE_BYTES_MAX = 64 * 1024
_LAST_LINES_S = 1.0
# A program that has run this long is not failing in a row.
_HEALTHY_S = 10.0
_CANNOT_RUN = 127  # as a shell says it

Say = Callable[[str, "str | dict[str, Any]"], None]
"""Takes the name of a program and one line of its output, parsed when it is JSON."""


class Child:
    """A supervised program.

    Args:
        program: what to run.
        folder: where it runs.
        say: where its lines go.

    Attributes:
        ready: set while it serves; for a program that is not ours, while it runs.
        failed_to_start: set when it ended before it was ever ready.
        last_words: its last line that was no structured log, which is where a program says why it ends.
    """

    def __init__(self, program: Program, *, folder: Path, say: Say) -> None:
        self.program = program
        self.ready = asyncio.Event()
        self.failed_to_start = asyncio.Event()
        self.last_words = ""
        self._folder = folder
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._has_served = False
        self._rng = random.Random()  # noqa: S311 - jitter, no secret

    def __repr__(self) -> str:
        pid = self._process.pid if self._process else None
        return f"<Child {self.program.name} pid={pid} ready={self.ready.is_set()}>"

    async def run(self) -> None:
        """Keep the program running until ``stop``, or until it fails to start."""
        loop = asyncio.get_running_loop()
        failures = 0
        while not self._stopping.is_set():
            began_s = loop.time()
            status = await self._run_once()
            if self._stopping.is_set():
                return
            if not self._has_served:
                self.failed_to_start.set()
                return
            self.ready.clear()
            failures = 0 if loop.time() - began_s > _HEALTHY_S else failures + 1
            delay_s = _backoff().delay_s(failures, rng=self._rng)
            self._say(self.program.name, f"ended with status {status}; starting it again in {delay_s:.1f} s")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._stopping.wait()

    async def _run_once(self) -> int:
        output, write_end = await _pipe()
        with write_end, contextlib.closing(output):
            try:
                self._process = process = await self._start(write_end)
            except OSError as error:
                self.last_words = f"cannot run {_command(self.program)[0]!r}: {error.strerror}"
                return _CANNOT_RUN
            write_end.close()
            if self._stopping.is_set():
                process.kill()  # ``stop`` came while it was being started, and saw nothing to stop
            if not self.program.is_ours:
                self._serves()
            listening = asyncio.create_task(self._listen(output.reader))
            status = await process.wait()
            # What it leaves behind ends with it; a daemon, in a session of its own, may keep the pipe for ever.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.wait({listening}, timeout=_LAST_LINES_S)
            listening.cancel()
            return status

    async def _start(self, output: BinaryIO) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *_command(self.program),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._folder,
            # Ctrl-C is for us: we stop the programs, in order.
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def _serves(self) -> None:
        self._has_served = True
        self.ready.set()

    async def _listen(self, output: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await output.readline()
            except ValueError:
                continue  # longer than the limit: dropped, as a line nobody would read
            if not line:
                return
            text = line.decode(errors="replace").rstrip()
            parsed = _parsed(text)
            if parsed is None:
                self.last_words = text or self.last_words
            self._say(self.program.name, text if parsed is None else parsed)
            if parsed is not None and parsed.get("event") == "ready":
                self._serves()

    async def stop(self) -> None:
        """End the program: ask, wait, and insist."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_GRACE_S):
                await process.wait()
        except TimeoutError:
            self._say(self.program.name, "does not end; killing it")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@dataclass(frozen=True, slots=True)
class _Output:
    """The end of a pipe that we read."""

    reader: asyncio.StreamReader
    transport: asyncio.ReadTransport

    def close(self) -> None:
        self.transport.close()


async def _pipe() -> tuple[_Output, BinaryIO]:
    """Return both ends of a pipe of our own.

    With asyncio's, a program has ended for its ``wait`` only when everybody has let go of the pipe.
    """
    read_end, write_end = os.pipe()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(read_end, "rb", buffering=0)
    )
    return _Output(reader, transport), os.fdopen(write_end, "wb", buffering=0)


def _command(program: Program) -> list[str]:
    if not program.is_ours:
        return list(program.arguments)
    words = [sys.executable, "-m", "fairlead.cli", *program.arguments[1:]]
    return words if "--log-format" in words else [*words, "--log-format", "json"]


def _parsed(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        parsed = json.loads(text)
    except ValueError:
        return None
    return parsed if isinstance(parsed, dict) and "event" in parsed else None


def _backoff() -> "Backoff":
    """Return the delays between starts of a program that keeps dying."""
    # Not loaded before a program dies: it comes with gRPC, and the first start should not wait for that.
    from fairlead.client import Backoff  # noqa: PLC0415

    return Backoff(first_s=0.5, max_s=15.0)
