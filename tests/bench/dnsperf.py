"""DNS-OARC's load generator, and its report read back."""

import random
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import peers
from tests.bench.nameservers import HOST, NameServer

_COMPLETED = re.compile(r"Queries completed:\s+(\d+)")
_SENT = re.compile(r"Queries sent:\s+(\d+)")
_RATE = re.compile(r"Queries per second:\s+([\d.]+)")
_CODES = re.compile(r"Response codes:\s+(.+)")
_LOST_SHARE_MAX = 0.001
ONCE_S = 60


class LoadError(Exception):
    """The load did not do what it claims to measure."""


@dataclass(frozen=True, slots=True)
class Load:
    """What to send: by which transport, over how many sockets, how many at a time, for how long, from which cores.

    ``seconds`` None: each query once.
    """

    mode: str
    clients: int
    outstanding: int
    seconds: float | None
    cpus: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was answered, and the server's CPU time for it."""

    queries_per_s: float
    cpu_us: float

    @property
    def queries_per_cpu_s(self) -> float:
        """How many queries a second of the server's CPU time answers."""
        return 1e6 / self.cpu_us


def write_queries(path: Path, names: Sequence[str]) -> Path:
    """Write one query for A of each name, in any order but always the same."""
    shuffled = list(names)
    random.Random(1).shuffle(shuffled)
    path.write_text("".join(f"{name} A\n" for name in shuffled))
    return path


def run(server: NameServer, queries: Path, load: Load) -> Report:
    """Load ``server``, EDNS in every query.

    Raises:
        LoadError: queries were lost or failed, or the report cannot be read.
    """
    program = peers.find("dnsperf")
    if program is None:
        raise LoadError("dnsperf is not installed: apt-get install dnsperf")
    port = server.place.tls_port if load.mode == "dot" else server.place.port
    argv = [
        *("taskset", "-c", load.cpus, program, "-s", HOST, "-p", str(port), "-d", str(queries), "-e"),
        *("-m", load.mode, "-c", str(load.clients), "-q", str(load.outstanding)),
        *(("-n", "1") if load.seconds is None else ("-l", f"{load.seconds:g}")),
    ]
    before_s = server.program.usage().cpu_s
    done = subprocess.run(
        argv, capture_output=True, text=True, check=False, timeout=(load.seconds or ONCE_S) + 30
    )
    cpu_s = server.program.usage().cpu_s - before_s
    if done.returncode:
        raise LoadError(f"dnsperf ended with status {done.returncode}: {done.stderr.strip()[-600:]}")
    found = [pattern.search(done.stdout) for pattern in (_SENT, _COMPLETED, _RATE, _CODES)]
    if None in found:
        raise LoadError(f"dnsperf says something new:\n{done.stdout[-600:]}")
    sent, completed, rate, codes = (match[1] for match in found if match is not None)
    if not codes.startswith("NOERROR") or "," in codes:
        raise LoadError(f"{server.name} answered {codes}")
    if int(completed) < int(sent) * (1 - _LOST_SHARE_MAX):
        raise LoadError(f"{server.name} lost {int(sent) - int(completed)} of {sent} queries")
    return Report(float(rate), cpu_s / int(completed) * 1e6)
