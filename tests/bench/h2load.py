"""nghttp2's load generator, told to send one gRPC request over and over, and its report read back."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import Message
from tests import peers
from tests.support.store import StoreServer

_COUNTS = re.compile(r"requests: .*?(\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored")
_RATE = re.compile(r"finished in [\d.]+m?s, ([\d.]+) req/s")
_DATA = re.compile(r"\((\d+)\) data")


@dataclass(frozen=True, slots=True)
class Load:
    """How many connections, how many calls at a time on each, and for how long."""

    connections: int
    streams: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.connections}x{self.streams}"


@dataclass(frozen=True, slots=True)
class Report:
    """What h2load counted; ``data_bytes`` are those of DATA frames."""

    requests_per_s: float
    done: int
    data_bytes: int


class LoadError(Exception):
    """The load did not do what it claims to measure."""


def run(store: StoreServer, path: str, request: Message, *, load: Load, folder: Path) -> Report:
    """Send ``request`` to ``path`` under ``load``.

    Raises:
        LoadError: a call did not end with HTTP 200, or the report cannot be read.
    """
    program = peers.find("h2load")
    if program is None:
        raise LoadError("h2load is not installed: apt-get install nghttp2-client")
    encoded = request.SerializeToString()
    body = folder / "request"
    body.write_bytes(b"\0" + len(encoded).to_bytes(4, "big") + encoded)
    argv = [
        *(
            program,
            "-c",
            str(load.connections),
            "-m",
            str(load.streams),
            "-D",
            f"{load.seconds * 1000:.0f}ms",
        ),
        *("-d", str(body), "-H", "content-type: application/grpc", "-H", "te: trailers"),
        store.endpoint + path,
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=load.seconds + 30)
    if done.returncode:
        raise LoadError(f"h2load ended with status {done.returncode}: {done.stderr.strip()}")
    return _read(done.stdout)


def _read(output: str) -> Report:
    counts, rate, data = (pattern.search(output) for pattern in (_COUNTS, _RATE, _DATA))
    if counts is None or rate is None or data is None:
        raise LoadError(f"h2load says something new:\n{output[-600:]}")
    done, succeeded, failed, errored = (int(count) for count in counts.groups())
    if failed or errored or done != succeeded or not done:
        raise LoadError(f"h2load: {done} done, {succeeded} succeeded, {failed} failed, {errored} errored")
    return Report(float(rate[1]), done, int(data[1]))
