"""The program that a registration stands for, where it is given one: started, watched, started again, ended."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence

import structlog

from fairlead.register.errors import RegisterError

END_GRACE_S = 10.0
_RESTART_S_MIN, _RESTART_S_MAX = 0.5, 30.0


class Program:
    """One child, in a process group of its own.

    Args:
        argv: the program and its arguments.
        restart: ``always``, ``on-failure`` or ``never``.
        log: where its ends are told.
    """

    def __init__(self, argv: Sequence[str], *, restart: str, log: structlog.stdlib.BoundLogger) -> None:
        self._argv = tuple(argv)
        self._restart = restart
        self._log = log
        self._process: asyncio.subprocess.Process | None = None
        self.died = asyncio.Event()
        """Set when a life has ended; whoever acts on it clears it."""

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    async def run(self) -> int:
        """Run it until it is not to be started again; return its exit status, 128 + N for a signal N.

        Raises:
            RegisterError: it cannot be started at all.
        """
        pause_s = _RESTART_S_MIN
        while True:
            began_s = asyncio.get_running_loop().time()
            status = await self._live()
            self.died.set()
            if self._restart == "never" or (self._restart == "on-failure" and status == 0):
                return status
            if asyncio.get_running_loop().time() - began_s > _RESTART_S_MAX:
                pause_s = _RESTART_S_MIN
            self._log.warning("the program ended; it is started again", status=status, pause_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(_RESTART_S_MAX, 2 * pause_s)

    async def end(self) -> None:
        """Ask it to end, and after a grace make it."""
        if self._process is None or not self.is_alive:
            return
        for number, grace_s in ((signal.SIGTERM, END_GRACE_S), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
                    return

    async def _live(self) -> int:
        try:
            self._process = await asyncio.create_subprocess_exec(*self._argv, start_new_session=True)
        except OSError as error:
            raise RegisterError(f"`{self._argv[0]}` cannot be run: {error.strerror or error}") from error
        status = await self._process.wait()
        return status if status >= 0 else 128 - status
