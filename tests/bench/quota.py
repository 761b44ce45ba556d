"""A bound on how much CPU some processes get together: what shows on two cores how work scales over more of them."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

_V1 = Path("/sys/fs/cgroup/cpu")
_V2 = Path("/sys/fs/cgroup")
_PERIOD_US = 10_000


def is_possible() -> bool:
    """Whether this machine lets us."""
    return os.access(_root(), os.W_OK) and (
        _root() == _V1 or "cpu" in (_V2 / "cgroup.subtree_control").read_text().split()
    )


def _root() -> Path:
    return _V1 if _V1.is_dir() else _V2


def family(pid: int) -> list[int]:
    """Return a process and all that came from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(each for child in children for each in family(int(child)))]


@contextlib.contextmanager
def bounded(pids: Iterable[int], *, cores: float) -> Iterator[None]:
    """Let ``pids`` have ``cores`` of CPU together for as long as this lasts."""
    group = _root() / f"fairlead-bench-{os.getpid()}"
    group.mkdir()
    quota_us = round(cores * _PERIOD_US)
    try:
        if _root() == _V1:
            group.joinpath("cpu.cfs_period_us").write_text(str(_PERIOD_US))
            group.joinpath("cpu.cfs_quota_us").write_text(str(quota_us))
        else:
            group.joinpath("cpu.max").write_text(f"{quota_us} {_PERIOD_US}")
        for pid in pids:
            group.joinpath("cgroup.procs").write_text(str(pid))
        yield
    finally:
        for left in group.joinpath("cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                _root().joinpath("cgroup.procs").write_text(left)
        group.rmdir()
