"""``--workers N``: one process that starts the workers, starts again what dies, and passes signals on.

Every worker listens on a socket of its own at the same address (SO_REUSEPORT), and the kernel spreads the clients.
The sockets of ``--listen`` belong to this process: a worker's successor gets the same one, with whoever waits in
its queue.

    SIGTERM, SIGINT ─► the workers drain and end        SIGHUP ─► passed on
    SIGUSR2 ─► new workers on the same sockets; once all of them serve, the old ones drain and end
"""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from fairlead.agent import Address, Answering, PageServer
from fairlead.proxy.admin import guarded
from fairlead.proxy.listening import address_of, open_socket
from fairlead.proxy.model import Listener
from fairlead.proxy.succession import WORKER, Heir, start_heir
from fairlead.proxy.workers.desk import DESK
from fairlead.proxy.workers.pages import WorkerPages

_RESTART_S = 1.0
"""Between the death of a worker and the start of the next one in its place."""
_TICK_S = 0.2
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervising:
    """How many workers, and where operators see all of them.

    Attributes:
        metrics_listen, admin_listen: None: nowhere.
        admin_token: what operators have to bring; empty: nothing.
    """

    count: int
    metrics_listen: Address | None = None
    admin_listen: Address | None = None
    admin_token: str = ""


class Supervisor:
    """All workers of one proxy; it knows nothing of HTTP or of keys."""

    def __init__(self, listener: Listener, how: Supervising) -> None:
        """Take the address of ``--listen``.

        Raises:
            OSError: it cannot be had.
        """
        count = how.count
        self._how = how
        self._address = address_of(listener)
        self._sockets = [open_socket(listener, is_shared=True) for _ in range(count)]
        self._workers: list[Heir | None] = [None] * count
        self._heirs: list[Heir] = []  # of the next generation, until all of it serves
        self._old: list[Heir] = []
        self._restart_at_s = [0.0] * count
        self._is_stopping = False
        self._status = 0
        self._log = structlog.stdlib.get_logger("fairlead.proxy")
        self._folder = Path()
        self._started = 0
        self._desks: dict[int, Path] = {}  # by process

    def run(self) -> int:
        """Run until told to stop; return the exit status.

        Raises:
            ConfigError: an address of the operators' cannot be had.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="fairlead-proxy-"))
        try:
            return asyncio.run(self._run())
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _run(self) -> int:
        news = asyncio.Event()
        loop = asyncio.get_running_loop()

        def hear(number: signal.Signals) -> None:
            self._on_signal(number)
            news.set()

        for each in _SIGNALS:
            loop.add_signal_handler(each, hear, each)
        async with self._operators():
            while not self._is_stopping or self._living():
                self._keep()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), _TICK_S)
                news.clear()
        return self._status

    @contextlib.asynccontextmanager
    async def _operators(self) -> AsyncIterator[None]:
        pages = WorkerPages(self._living_desks, count=self._how.count)
        admin = guarded(pages.answer_admin, token=self._how.admin_token)
        wanted: list[tuple[str, Address | None, Answering]] = [
            ("metrics", self._how.metrics_listen, pages.answer_health),
            ("admin", self._how.admin_listen, admin),
        ]
        async with contextlib.AsyncExitStack() as stack:
            for name, address, answer in wanted:
                if address is not None:
                    server = PageServer(answer, flag=f"--{name}-listen")
                    taken = await server.start(address)
                    stack.push_async_callback(server.stop)
                    self._log.info(name, address=str(taken))
            yield

    def _living_desks(self) -> list[Path]:
        """Return those of the workers that serve, the newest of each number first."""
        return [self._desks[each.process.pid] for each in self._living() if self._has_begun(each)]

    def _living(self) -> list[Heir]:
        everybody = [*self._workers, *self._heirs, *self._old]
        return [each for each in everybody if each is not None and each.process.poll() is None]

    def _start(self, number: int) -> Heir:
        named = [(self._address, self._sockets[number])]
        self._started += 1
        desk = self._folder / str(self._started)
        heir = start_heir(named, environment={WORKER: str(number), DESK: str(desk)})
        os.set_blocking(heir.ready.fileno(), False)
        self._desks[heir.process.pid] = desk
        return heir

    def _keep(self) -> None:
        """Start what is missing, see whether the next generation serves, forget who is gone."""
        now_s = time.monotonic()
        for number, worker in enumerate(self._workers):
            if worker is not None and worker.process.poll() is not None:
                self._bury(number, worker)
                self._restart_at_s[number] = now_s + _RESTART_S
            if (
                self._workers[number] is None
                and not self._is_stopping
                and now_s >= self._restart_at_s[number]
            ):
                self._workers[number] = self._start(number)
        self._old = [each for each in self._old if each.process.poll() is None]
        self._see_heirs()
        living = {each.process.pid for each in self._living()}
        self._desks = {pid: desk for pid, desk in self._desks.items() if pid in living}

    def _bury(self, number: int, worker: Heir) -> None:
        has_served = self._has_begun(worker)
        worker.ready.close()
        self._workers[number] = None
        if self._is_stopping:
            return
        status = worker.process.returncode
        self._log.error("a worker ended", worker=number, status=status)
        if status == 1 and not has_served:
            # It has said what the operator has to put right; another one would only say it again.
            self._is_stopping, self._status = True, 1
            _end(self._living())

    def _see_heirs(self) -> None:
        if not self._heirs:
            return
        if any(heir.process.poll() is not None for heir in self._heirs):
            self._log.error("a new worker ended before it served; the old ones go on")
            _end(self._heirs)
            self._heirs = []
        elif all(self._has_begun(heir) for heir in self._heirs):
            self._log.info("the new workers serve")
            leaving = [each for each in self._workers if each is not None]
            self._workers, self._heirs = list(self._heirs), []
            self._old += leaving
            _end(leaving)

    def _has_begun(self, heir: Heir) -> bool:
        if heir.ready.closed:
            return True
        if heir.ready.read(1) == b"1":
            heir.ready.close()
            return True
        return False

    def _on_signal(self, number: signal.Signals) -> None:
        if number in {signal.SIGTERM, signal.SIGINT}:
            self._is_stopping = True
            _end(self._living())
        elif number is signal.SIGHUP:
            for each in self._living():
                each.process.send_signal(signal.SIGHUP)
        elif number is signal.SIGUSR2 and not self._heirs and not self._is_stopping:
            self._log.info("starting new workers")
            self._heirs = [self._start(each) for each in range(len(self._sockets))]


def _end(workers: Sequence[Heir]) -> None:
    for each in workers:
        each.process.terminate()


def worker_number() -> int | None:
    """Return which worker this process is; None: it is no worker."""
    text = os.environ.get(WORKER, "")
    return int(text) if text.isdigit() else None
