"""One process after another on the same sockets: what a successor is given, and when the old one may go.

    SIGUSR2 ─► start the same command again, with the listening sockets ─► it loads, it serves, it says so
                     └── it ends before that: nothing has changed               └─► the old one drains and ends

The sockets are never closed in between, so that no client that is connecting is turned away.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import IO

import structlog

SOCKETS = "FAIRLEAD_PROXY_SOCKETS"
"""In the environment: JSON, address to file descriptor."""
READY = "FAIRLEAD_PROXY_READY"
"""In the environment: the file descriptor that says when the process serves."""
WORKER = "FAIRLEAD_PROXY_WORKER"
"""In the environment: the number of a worker, from 0."""
NamedSocket = tuple[str, socket.socket]


@dataclass(frozen=True, slots=True)
class Heir:
    """A process that has been started; ``ready`` becomes readable when it serves, or has ended without."""

    process: subprocess.Popen[bytes]
    ready: IO[bytes]

    def is_serving(self) -> bool:
        """Whether it says that it serves; to be asked once ``ready`` is readable."""
        return self.ready.read(1) == b"1"


def start_heir(sockets: Iterable[NamedSocket], *, environment: dict[str, str] | None = None) -> Heir:
    """Start this command again, with ``sockets``."""
    named = {address: each.fileno() for address, each in sockets}
    reading, writing = os.pipe()
    own = {SOCKETS: json.dumps(named), READY: str(writing), **(environment or {})}
    try:
        process = subprocess.Popen(  # noqa: S603  it is the command that this process was started with
            [sys.executable, *sys.orig_argv[1:]],
            env={**os.environ, **own},
            pass_fds=(*named.values(), writing),
        )
    except OSError:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return Heir(process, os.fdopen(reading, "rb"))


def inherited() -> list[NamedSocket]:
    """Return the sockets that a predecessor has passed on, once; they are not passed on by accident."""
    text = os.environ.pop(SOCKETS, "{}")
    found = []
    for address, number in json.loads(text).items():
        opened = socket.socket(fileno=number)
        opened.set_inheritable(False)
        opened.setblocking(False)
        found.append((address, opened))
    return found


def say_ready() -> None:
    """Tell whoever started this process that it serves."""
    number = os.environ.pop(READY, "")
    if number:
        with os.fdopen(int(number), "wb") as pipe:
            pipe.write(b"1")


class Succession:
    """Answers SIGUSR2 in a single process."""

    def __init__(self, *, sockets: Callable[[], Sequence[NamedSocket]], stop: Callable[[], None]) -> None:
        """Pass ``sockets`` on, and ``stop`` once the heir serves."""
        self._sockets = sockets
        self._stop = stop
        self._heir: Heir | None = None
        self._log = structlog.stdlib.get_logger("fairlead.proxy")

    def listen(self) -> None:
        """Answer the signal from now on."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, self.begin)

    def begin(self) -> None:
        """Start an heir, if there is none yet."""
        if self._heir is not None:
            return
        try:
            self._heir = heir = start_heir(self._sockets())
        except OSError as error:
            self._log.error("the successor cannot be started; this process goes on", reason=str(error))
            return
        self._log.info("successor started", successor_pid=heir.process.pid)
        asyncio.get_running_loop().add_reader(heir.ready, self._on_news)

    def _on_news(self) -> None:
        heir, self._heir = self._heir, None
        assert heir is not None
        asyncio.get_running_loop().remove_reader(heir.ready)
        if heir.is_serving():
            heir.ready.close()
            self._log.info("the successor serves", successor_pid=heir.process.pid)
            self._stop()
            return
        heir.ready.close()
        heir.process.kill()
        status = heir.process.wait()
        self._log.error("the successor ended before it served; this process goes on", status=status)
