"""Memory and file descriptors of three members under load for a long time: a curve that has to be flat."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import h2load
from tests.bench.cluster import VALUE, roles
from tests.bench.contenders import OURS
from tests.bench.h2load import Load
from tests.bench.table import Figure, Results
from tests.support.cluster import StoreCluster
from tests.support.store import FairleadStore, StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

MINUTES = 30
_POINTS = 15
_KEEP_REVISIONS = 20_000
_BURST_S = 0.4
_PAUSE_S = 1.2
"""Half an hour at full speed would say little more, and keep the machine from everything else."""


def bench(*, folder: Path, say: Callable[[str], None], minutes: float = MINUTES) -> Results:
    """Put and get for so long, keeping so much history, and look at the members now and then: all of them together.

    The database is a file that is mapped: what of it lies in memory is the kernel's to take back, and is told apart.
    """
    results = Results(
        f"{minutes:g} minutes of load on three members: the curve",
        (
            Figure("requests served", more_is_better=True),
            Figure("own memory MB", 1),
            Figure("with the mapped database MB", 1),
            Figure("open files"),
        ),
    )
    part_s = minutes * 60 / _POINTS
    served = 0
    with StoreCluster(FairleadStore, folder / "soak") as cluster:
        leader, follower = roles(cluster)
        for point in range(_POINTS + 1):
            pids = [member.program.pid for member in cluster.members.values()]
            own, mapped = (sum(_memory_mb(pid, name) for pid in pids) for name in ("RssAnon", "RssFile"))
            files = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
            minute = point * part_s / 60
            results.add(
                f"minute {minute:05.2f}",
                OURS,
                **{
                    "requests served": served,
                    "own memory MB": own,
                    "with the mapped database MB": own + mapped,
                    "open files": files,
                },
            )
            say(f"minute {minute:.2f}: {served:,} requests, {own:.1f} + {mapped:.1f} MB, {files} open files")
            if point < _POINTS:
                served += _load(leader, follower, part_s, point, folder)
    return results


def _load(leader: StoreServer, follower: StoreServer, part_s: float, point: int, folder: Path) -> int:
    """Put and get in bursts, and compact behind them; return how many requests were served."""
    served = 0
    ends_s = time.monotonic() + part_s
    turn = 0
    while time.monotonic() < ends_s:
        key = b"soak/%05d" % ((point * 1000 + turn) % 10_007)
        store = leader if turn % 2 else follower
        for path, request in (
            ("/etcdserverpb.KV/Put", pb.PutRequest(key=key, value=VALUE)),
            ("/etcdserverpb.KV/Range", pb.RangeRequest(key=key)),
        ):
            served += h2load.run(store, path, request, load=Load(4, 8, _BURST_S), folder=folder).done
        turn += 1
        time.sleep(_PAUSE_S)
        _compact(leader)
    return served


def _compact(leader: StoreServer) -> None:
    with Wire(leader.address) as wire:
        revision = wire.revision()
        if revision > _KEEP_REVISIONS:
            # Refused when nothing was written since the last one: then there is nothing to compact.
            wire.call("Compact", pb.CompactionRequest(revision=revision - _KEEP_REVISIONS))


def _memory_mb(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0
