"""``--workers N``: one process that starts the workers, starts again what dies, and passes signals on.

Every worker listens on a socket of its own at the same address (SO_REUSEPORT), and the kernel spreads the clients.
The sockets of ``--listen`` belong to this process: a worker's successor gets the same one, with whoever waits in
its queue.

    SIGTERM, SIGINT ─► the workers drain and end        SIGHUP ─► passed on
    SIGUSR2 ─► new workers on the same sockets; once all of them serve, the old ones drain and end
"""

import os
import selectors
import signal
import socket
import time
from collections.abc import Sequence

import structlog

from fairlead.proxy.listening import address_of, open_socket
from fairlead.proxy.model import Listener
from fairlead.proxy.succession import WORKER, Heir, start_heir

_RESTART_S = 1.0
"""Between the death of a worker and the start of the next one in its place."""
_TICK_S = 0.2
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2, signal.SIGCHLD)


class Supervisor:
    """All workers of one proxy; it knows nothing of HTTP or of keys."""

    def __init__(self, listener: Listener, count: int) -> None:
        self._address = address_of(listener)
        self._sockets = [open_socket(listener, is_shared=True) for _ in range(count)]
        self._workers: list[Heir | None] = [None] * count
        self._heirs: list[Heir] = []  # of the next generation, until all of it serves
        self._old: list[Heir] = []
        self._restart_at_s = [0.0] * count
        self._is_stopping = False
        self._status = 0
        self._log = structlog.stdlib.get_logger("fairlead.proxy")

    def run(self) -> int:
        """Run until told to stop; return the exit status."""
        with selectors.DefaultSelector() as selector:
            waking, wake = socket.socketpair()
            waking.setblocking(False)
            wake.setblocking(False)
            selector.register(waking, selectors.EVENT_READ)
            signal.set_wakeup_fd(wake.fileno())
            for each in _SIGNALS:
                signal.signal(each, lambda *_: None)
            while not self._is_stopping or self._living():
                self._keep()
                if selector.select(_TICK_S):
                    for number in waking.recv(256):
                        self._on_signal(signal.Signals(number))
        return self._status

    def _living(self) -> list[Heir]:
        everybody = [*self._workers, *self._heirs, *self._old]
        return [each for each in everybody if each is not None and each.process.poll() is None]

    def _start(self, number: int) -> Heir:
        named = [(self._address, self._sockets[number])]
        heir = start_heir(named, environment={WORKER: str(number)})
        os.set_blocking(heir.ready.fileno(), False)
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
