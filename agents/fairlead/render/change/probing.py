"""Asks the probes of ``verify`` whether the program runs on what it was given.

A probe is tried until it holds or its time is over.  A log is the other way round: nothing may appear for all
that time; it is looked at after all other probes have held.
"""

import re
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fairlead.render.command import expand, run_command
from fairlead.render.config import Limits
from fairlead.render.resource.model import (
    CommandProbe,
    HttpProbe,
    LogProbe,
    Probe,
    TcpProbe,
    UnitProbe,
    Verify,
)

_LOG_BYTES_MAX = 1024 * 1024
_SHOWN_MAX = 300


def log_sizes(paths: tuple[str, ...]) -> dict[str, int]:
    """Return from where on the logs are new: their sizes, 0 for one that is not there yet."""
    return {path: Path(path).stat().st_size if Path(path).exists() else 0 for path in paths}


def verify_all(
    verify: tuple[Verify, ...], *, dest: str, marks: Mapping[str, int] | None, limits: Limits
) -> str | None:
    """Return what does not hold, None when all do.

    Args:
        verify: the probes.
        dest: what ``{{ dest }}`` and ``{{ src }}`` in a command stand for.
        marks: from where each log is read; None where a failed reload may still be writing into it, so that the
            log only has to fall silent.
        limits: of commands, and how long a log may take to fall silent.
    """
    ask = _Asker(limits, dest=dest)
    for one in sorted(verify, key=lambda one: isinstance(one.probe, LogProbe)):
        if isinstance(one.probe, LogProbe):
            problem = (
                _stay_silent(one.probe, one, marks)
                if marks is not None
                else _fall_silent(one.probe, one, limits)
            )
        else:
            problem = _come_to_hold(one, ask)
        if problem is not None:
            return f"verify: {problem}"
    return None


def _come_to_hold(one: Verify, ask: Callable[[Probe], str | None]) -> str | None:
    deadline_s = time.monotonic() + one.within_s
    while (problem := ask(one.probe)) is not None:
        if time.monotonic() + one.pause_s > deadline_s:
            return f"{problem} (tried for {one.within_s:g} s)"
        time.sleep(one.pause_s)
    return None


def _stay_silent(probe: LogProbe, one: Verify, marks: Mapping[str, int]) -> str | None:
    deadline_s = time.monotonic() + one.within_s
    while (problem := _ask_log(probe, marks.get(probe.path, 0))) is None:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            return None
        time.sleep(min(one.pause_s, left_s))
    return problem


def _fall_silent(probe: LogProbe, one: Verify, limits: Limits) -> str | None:
    deadline_s = time.monotonic() + limits.verify_within_s + one.within_s
    while (problem := _stay_silent(probe, one, log_sizes((probe.path,)))) is not None:
        if time.monotonic() > deadline_s:
            return problem
    return None


class _Asker:
    """Asks one probe once."""

    def __init__(self, limits: Limits, *, dest: str) -> None:
        self._limits = limits
        self._dest = dest

    def __call__(self, probe: Probe) -> str | None:
        match probe:
            case HttpProbe():
                return _ask_http(probe)
            case TcpProbe():
                return _ask_tcp(probe)
            case CommandProbe():
                argv = expand(probe.command, src=self._dest, dest=self._dest)
                return run_command(argv, timeout_s=probe.command.timeout_s, limits=self._limits)
            case UnitProbe():
                argv = ["systemctl", "is-active", probe.unit]
                return run_command(argv, timeout_s=self._limits.check_timeout_s, limits=self._limits)
            case LogProbe():
                return _ask_log(probe, 0)


def _ask_http(probe: HttpProbe) -> str | None:
    # Loading it takes longer than most renders, and few resources need it.
    import httpx  # noqa: PLC0415

    try:
        answer = httpx.get(probe.url, timeout=probe.timeout_s, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{probe.url}: {str(error) or type(error).__name__}"
    if answer.status_code not in probe.expect:
        expected = " or ".join(map(str, probe.expect))
        return f"{probe.url} answers {answer.status_code}, not {expected}"
    if probe.contains and probe.contains not in answer.text:
        return f"{probe.url} answers without {probe.contains!r}"
    return None


def _ask_tcp(probe: TcpProbe) -> str | None:
    try:
        socket.create_connection((probe.host, probe.port), timeout=probe.timeout_s).close()
    except OSError as error:
        return f"nobody accepts connections at {probe.host}:{probe.port}: {error.strerror or error}"
    return None


def _ask_log(probe: LogProbe, mark: int) -> str | None:
    try:
        with Path(probe.path).open("rb") as file:
            size = file.seek(0, 2)
            # A file that is shorter than it was has been rotated: all of it is new.
            file.seek(mark if mark <= size else 0)
            text = file.read(_LOG_BYTES_MAX).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{probe.path} cannot be read: {error.strerror}"
    pattern = re.compile(probe.pattern)
    line = next((line for line in text.splitlines() if pattern.search(line)), None)
    return None if line is None else f"{probe.path} says: {line[:_SHOWN_MAX]}"
