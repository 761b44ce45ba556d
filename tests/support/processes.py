"""One program under test: started in a process group of its own, its output in a file, ended by pid."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM, Signals
from typing import Self

READY_WITHIN_S = 30.0
STOP_WITHIN_S = 15.0
_POLL_S = 0.01
_TAIL_BYTES = 6_000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

# A test run that is itself killed takes its programs along; util-linux has it wherever there is a Debian.
_DIES_WITH_US = [setpriv, "--pdeathsig", "KILL"] if (setpriv := shutil.which("setpriv")) else []

# A variable of the developer's own shell must not configure what is under test.
_FOREIGN = ("ETCD_", "ETCDCTL_", "FAIRLEAD_")


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without settings of etcd's or ours, and with ``extra``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return {**kept, **(extra or {})}


def wait_for(claim: Callable[[], object], what: str, *, within_s: float = READY_WITHIN_S) -> None:
    """Return once ``claim()`` is true.

    Raises:
        TimeoutError: it was not within ``within_s`` seconds; the text names ``what``.
    """
    deadline_s = time.monotonic() + within_s
    while not claim():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not within {within_s:g} s: {what}")
        time.sleep(_POLL_S)


class ProgramError(AssertionError):
    """A program did not do what the test needs; the text carries the end of its log."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process and its children have used.  CPU in seconds, memory in bytes."""

    cpu_s: float
    peak_rss_bytes: int


class Program:
    """A program that can be started, killed and started again, with one log over all its lives."""

    def __init__(
        self, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.argv = list(argv)
        self.log_path = log
        self.env = clean_environment(env)
        self.cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running program."""
        assert self._process is not None, f"{self.argv[0]} was not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the program is alive now."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """The exit status of the last life, negative for a signal; None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self, ready: Callable[[], object] | None = None, *, within_s: float = READY_WITHIN_S) -> Self:
        """Start the program and wait until ``ready()``; it lives no longer than the thread that calls this.

        Raises:
            ProgramError: it ended, or was not ready in time.
        """
        assert not self.is_running, f"{self.argv[0]} runs already"
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*_DIES_WITH_US, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env,
                cwd=self.cwd,
                start_new_session=True,
            )
        try:
            if ready is not None:
                self.wait_until(ready, "ready", within_s=within_s)
        except BaseException:
            self.stop(SIGKILL)
            raise
        return self

    def wait_until(self, claim: Callable[[], object], what: str, *, within_s: float = READY_WITHIN_S) -> None:
        """Wait until ``claim()`` is true; a program that ends meanwhile is reported with its log."""
        deadline_s = time.monotonic() + within_s
        while not claim():
            if not self.is_running:
                raise ProgramError(f"ended with status {self.exit_status}, not {what}\n{self.tail()}")
            if time.monotonic() > deadline_s:
                self.stop(SIGKILL)
                raise ProgramError(f"not {what} within {within_s:g} s\n{self.tail()}")
            time.sleep(_POLL_S)

    def wait(self, *, within_s: float = STOP_WITHIN_S) -> int:
        """Wait for the program's end and return its exit status.

        Raises:
            ProgramError: it still runs after ``within_s`` seconds (it is killed).
        """
        assert self._process is not None, f"{self.argv[0]} was not started"
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._send(SIGKILL)
            self._process.wait()
            raise ProgramError(f"still running after {within_s:g} s\n{self.tail()}") from None

    def signal(self, number: Signals) -> None:
        """Send a signal to the program itself."""
        os.kill(self.pid, number)

    def stop(self, number: Signals = SIGTERM, *, within_s: float = STOP_WITHIN_S) -> int | None:
        """Send ``number`` to the program's whole group and wait; None when it did not run."""
        if not self.is_running:
            return self.exit_status
        self._send(number)
        return self.wait(within_s=within_s)

    def _send(self, number: Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def log(self) -> str:
        """Everything that the program has printed, over all its lives."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tail(self) -> str:
        """The command and the end of its log, for the text of a failure."""
        return f"$ {' '.join(self.argv)}\n{self.log()[-_TAIL_BYTES:]}"

    def usage(self) -> Usage:
        """Return what the program's whole session has used so far (Linux's /proc)."""
        cpu_s, peak = 0.0, 0
        for pid in _session(self.pid):
            cpu_s += _cpu_s(pid)
            peak += _peak_rss_bytes(pid)
        return Usage(cpu_s, peak)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, proc(5): state is 0, session 3, utime 11, stime 12."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _session(leader: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int(_stat(int(entry.name))[3]) == leader:
                    found.append(int(entry.name))
            except OSError:  # it ended while we looked
                continue
    return found


def _cpu_s(pid: int) -> float:
    fields = _stat(pid)
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / _TICKS_PER_S


def _peak_rss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
