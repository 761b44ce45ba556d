"""Memory and file descriptors of three members under load for a long time: a curve that has to be flat."""

import os
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
    """Put and get for so long, with a compaction at each point of the curve, and look at each member."""
    results = Results(
        f"{minutes:g} minutes of load on three members: the curve",
        (Figure("RSS MB, largest member"), Figure("RSS MB, all"), Figure("open files, all")),
    )
    part_s = minutes * 60 / _POINTS
    with StoreCluster(FairleadStore, folder / "soak") as cluster:
        leader, follower = roles(cluster)
        for point in range(_POINTS + 1):
            pids = [member.program.pid for member in cluster.members.values()]
            rss = [_rss_bytes(pid) / 1e6 for pid in pids]
            files = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
            minute = point * part_s / 60
            results.add(
                f"minute {minute:04.1f}",
                OURS,
                **{"RSS MB, largest member": max(rss), "RSS MB, all": sum(rss), "open files, all": files},
            )
            say(f"minute {minute:.1f}: {', '.join(f'{each:.0f} MB' for each in rss)}, {files} open files")
            if point < _POINTS:
                _load(leader, follower, part_s, point, folder)
    return results


def _load(leader: StoreServer, follower: StoreServer, part_s: float, point: int, folder: Path) -> None:
    ends_s = time.monotonic() + part_s
    turn = 0
    while time.monotonic() < ends_s:
        key = b"soak/%05d" % ((point * 1000 + turn) % 10_007)
        store = leader if turn % 2 else follower
        for path, request in (
            ("/etcdserverpb.KV/Put", pb.PutRequest(key=key, value=VALUE)),
            ("/etcdserverpb.KV/Range", pb.RangeRequest(key=key)),
        ):
            h2load.run(store, path, request, load=Load(4, 8, _BURST_S), folder=folder)
        turn += 1
        time.sleep(_PAUSE_S)
    with Wire(leader.address) as wire:
        revision = wire.revision()
        if revision > _KEEP_REVISIONS:
            wire.get("Compact", pb.CompactionRequest(revision=revision - _KEEP_REVISIONS))


def _rss_bytes(pid: int) -> int:
    with Path(f"/proc/{pid}/statm").open() as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
