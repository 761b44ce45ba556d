"""Free ports on loopback.

A port is taken from below the range that the kernel gives to outgoing connections: between our asking and
the program's binding it, no client's socket can slip in.  Test processes that run side by side have a share of that
range each, so that one does not take what the other has just found free.
"""

import os
import random
import socket
from collections.abc import Sequence

_TRIES_MAX = 200


def _share(worker: int, workers: int) -> tuple[int, int]:
    """Return the range of ports of one of several test processes."""
    lowest, highest = 20_000, 32_000  # net.ipv4.ip_local_port_range starts at 32,768
    size = (highest - lowest) // workers
    return lowest + worker * size, lowest + (worker + 1) * size


_LOWEST, _HIGHEST = _share(
    int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")),
    int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
)

_given: set[int] = set()
_rng = random.SystemRandom()


def free_port() -> int:
    """Return a TCP and UDP port of 127.0.0.1 that nobody has bound, never the same one twice."""
    for _ in range(_TRIES_MAX):
        port = _rng.randrange(_LOWEST, _HIGHEST)
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no free port on 127.0.0.1 among {_TRIES_MAX} tried")


def free_ports(count: int) -> list[int]:
    """Return ``count`` different free ports."""
    return [free_port() for _ in range(count)]


def free_base(offsets: Sequence[int]) -> int:
    """Return a port from which all ports at ``offsets`` are free, for programs that count their ports up."""
    for _ in range(_TRIES_MAX):
        base = free_port()
        ports = {base + offset for offset in offsets}
        if not (ports - {base}) & _given and all(map(_is_free, ports)):
            _given.update(ports)
            return base
    raise RuntimeError(f"no free ports on 127.0.0.1 among {_TRIES_MAX} tried")


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
