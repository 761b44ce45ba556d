"""Runs a group's program: starts it once its files are there, signals it, and starts it again when it dies.

The program has a session of its own, so that what a terminal or a manager sends to our group reaches it from us, in
order, and it shares our output.  When we end, so does it; only if we are killed it stays behind.
"""

import asyncio
import contextlib
import signal

import structlog

from fairlead.render.resource.model import Child

_START_TIMEOUT_S = 10.0


class Supervisor:
    """One program.  ``run`` in the event loop; ``take_up`` from any thread."""

    def __init__(self, group: str, child: Child, *, log: structlog.stdlib.BoundLogger) -> None:
        """Start nothing yet.

        Args:
            group: whose program, for the log.
            child: what to run.
            log: where its ends are told.
        """
        self._group = group
        self._child = child
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._wanted = asyncio.Event()
        self._started = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._problem = ""

    @property
    def pid(self) -> int | None:
        """The program's process id; None while it does not run."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def want(self) -> None:
        """Have it started, if it does not run."""
        self._wanted.set()

    def take_up(self, name: str) -> str | None:
        """Have the program read its files: by the signal, or by being started; return what went wrong."""
        return asyncio.run_coroutine_threadsafe(self._take_up(name), self._loop).result()

    async def _take_up(self, name: str) -> str | None:
        if self.pid is not None and self._process is not None:
            number = getattr(signal, f"SIG{name}", None)
            if number is None:
                return f"there is no signal {name}"
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)
            return None
        self._started.clear()
        self.want()
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await self._started.wait()
        except TimeoutError:
            return f"`{' '.join(self._child.argv)}` is not running"
        return self._problem or None

    async def run(self) -> None:
        """Keep the program running once it is wanted, until cancelled; then end it."""
        failures = 0
        try:
            await self._wanted.wait()
            while True:
                self._wanted.clear()
                began_s = self._loop.time()
                problem = await self._run_once()
                # Whoever has run for long starts from the beginning.
                is_steady = self._loop.time() - began_s > self._child.restart_max_s
                failures = 1 if is_steady else failures + 1
                pause_s = min(
                    self._child.restart_min_s * 2 ** min(failures - 1, 32), self._child.restart_max_s
                )
                self._log.warning("the program has ended", group=self._group, how=problem, again_in_s=pause_s)
                with contextlib.suppress(TimeoutError):
                    # New files are a reason to try at once.
                    async with asyncio.timeout(pause_s):
                        await self._wanted.wait()
        finally:
            await self._stop()

    async def _run_once(self) -> str:
        """Start the program and wait for its end; return how it ended."""
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._child.argv, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
            )
        except OSError as error:
            self._problem = f"`{' '.join(self._child.argv)}`: cannot be run: {error.strerror or error}"
            self._started.set()
            return self._problem
        self._problem = ""
        self._started.set()
        self._log.info("the program runs", group=self._group, pid=self._process.pid)
        status = await self._process.wait()
        return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(getattr(signal, f"SIG{self._child.stop_signal}", signal.SIGTERM))
            try:
                async with asyncio.timeout(self._child.stop_timeout_s):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
