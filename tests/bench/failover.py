"""How long nobody can write after the leader was killed: kill -9 under load, time to the next put that succeeds.

One client writes without a pause, to the members in turn when one fails it, as every client does; nothing that was
acknowledged may be missing afterwards.
"""

import time
from collections.abc import Callable
from pathlib import Path
from signal import SIGKILL
from statistics import median

from tests.bench.cluster import kinds, roles
from tests.bench.h2load import LoadError
from tests.bench.table import Figure, Results
from tests.support.cluster import StoreCluster
from tests.support.processes import wait_for
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

ROUNDS = 20
_ATTEMPT_S = 0.5
_GIVE_UP_S = 30.0


def bench(
    against: tuple[str, ...], *, folder: Path, say: Callable[[str], None], rounds: int = ROUNDS
) -> Results:
    """Kill the leader ``rounds`` times, for each contender."""
    results = Results(
        "Leader killed under load: seconds without a successful put (election timeout 1 s)",
        (Figure("seconds", 2, more_is_better=False), Figure("worst", 2, more_is_better=False)),
    )
    for name, kind in kinds(against).items():
        gaps = []
        with StoreCluster(kind, folder / f"failover-{name.replace(' ', '-')}") as cluster:
            acknowledged: list[bytes] = []
            for turn in range(rounds):
                gaps.append(_kill_once(cluster, acknowledged))
                say(f"{name}: leader killed, {turn + 1} of {rounds}: {gaps[-1]:.2f} s")
            _check_nothing_is_lost(cluster, acknowledged)
        for gap in gaps:
            results.add("kill -9 of the leader", name, seconds=gap, worst=max(gaps))
        say(f"{name}: median {median(gaps):.2f} s, worst {max(gaps):.2f} s, {len(acknowledged)} puts kept")
    return results


def _kill_once(cluster: StoreCluster, acknowledged: list[bytes]) -> float:
    leader, _ = roles(cluster)
    others = [member for member in cluster.members.values() if member is not leader]
    for _ in range(50):
        _put(leader, acknowledged)
    leader.kill(SIGKILL)
    killed_s = time.monotonic()
    attempt = 0
    while not _put(others[attempt % len(others)], acknowledged):
        attempt += 1
        if time.monotonic() - killed_s > _GIVE_UP_S:
            raise LoadError(f"nobody took a put for {_GIVE_UP_S:g} s after the leader was killed")
    gap_s = time.monotonic() - killed_s
    leader.start()
    wait_for(lambda: all(member.is_healthy() for member in cluster.members.values()), "all members healthy")
    return gap_s


def _put(member: StoreServer, acknowledged: list[bytes]) -> bool:
    key = b"failover/%08d" % len(acknowledged)
    with Wire(member.address) as wire:
        answer = wire.call("Put", pb.PutRequest(key=key, value=b"v"), timeout_s=_ATTEMPT_S)
    if answer.code == "OK":
        acknowledged.append(key)
        return True
    return False


def _check_nothing_is_lost(cluster: StoreCluster, acknowledged: list[bytes]) -> None:
    for member in cluster.members.values():
        with Wire(member.address) as wire:
            found = wire.get(
                "Range", pb.RangeRequest(key=b"failover/", range_end=b"failover0", keys_only=True)
            )
        missing = set(acknowledged) - {kv.key for kv in found.kvs}
        if missing:
            raise LoadError(
                f"{member.name} lost {len(missing)} acknowledged puts, {min(missing)!r} the first"
            )
