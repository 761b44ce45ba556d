"""Three members on one machine, beside three of etcd's: puts and linearizable reads, at the leader and at a follower.

All three share the machine's cores with the load, so that this compares what a cluster costs, not what a network
allows.  The CPU time is that of all three members.
"""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from itertools import product
from pathlib import Path

from google.protobuf.message import Message
from tests import peers
from tests.bench import h2load
from tests.bench.contenders import OURS
from tests.bench.h2load import Load, LoadError
from tests.bench.table import Figure, Results
from tests.support.cluster import StoreCluster
from tests.support.environments import EnvironmentUnavailableError
from tests.support.etcd35 import ensure35
from tests.support.store import EtcdServer, FairleadStore, StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

VALUE = b"v" * 256
_PUT = pb.PutRequest(key=b"bench/key", value=VALUE)
_GET = pb.RangeRequest(key=b"bench/key")
CASES: dict[str, tuple[str, Message, bool]] = {
    "put at the leader": ("/etcdserverpb.KV/Put", _PUT, True),
    "put at a follower": ("/etcdserverpb.KV/Put", _PUT, False),
    "get at the leader": ("/etcdserverpb.KV/Range", _GET, True),
    "get at a follower": ("/etcdserverpb.KV/Range", _GET, False),
}
_WARM_UP = Load(10, 20, 1.0)
_IN_FLIGHT_MAX = 2 * 10 * 20
"""Calls that were served but not counted as done: under way when the time was up, in this run or the one before."""


def kinds(against: tuple[str, ...] = ()) -> dict[str, Callable[..., StoreServer]]:
    """Return who can be measured here, by name; ``against`` names the peers that are wanted, none for all."""
    found: dict[str, Callable[..., StoreServer]] = {OURS: FairleadStore}
    if peers.find("etcd"):
        found["etcd 3.4"] = EtcdServer
    try:
        found["etcd 3.5"] = partial(EtcdServer, program=ensure35("etcd"))
    except EnvironmentUnavailableError as error:
        print(f"==> without etcd 3.5: {error}")
    return {name: kind for name, kind in found.items() if name == OURS or not against or name in against}


def bench(
    against: tuple[str, ...], *, rounds: int, seconds: float, folder: Path, say: Callable[[str], None]
) -> Results:
    """Measure the cases, the contenders in turn within each round."""
    results = Results(
        "Three members on one machine (256-byte values, h2load connections x streams)",
        (Figure("requests/s"), Figure("cpu us/request", 1, more_is_better=False)),
    )
    loads = (Load(10, 20, seconds), Load(1, 1, seconds))
    with ExitStack() as stack:
        clusters = {
            name: stack.enter_context(StoreCluster(kind, folder / name.replace(" ", "-")))
            for name, kind in kinds(against).items()
        }
        for cluster in clusters.values():
            leader, _ = roles(cluster)
            with Wire(leader.address) as wire:
                wire.get("Put", _PUT)
        for name, load, turn in product(CASES, loads, range(rounds)):
            say(f"{name} {load}, round {turn + 1} of {rounds}")
            for contender, cluster in clusters.items():
                path, request, at_leader = CASES[name]
                leader, follower = roles(cluster)
                store = leader if at_leader else follower
                if turn == 0:
                    h2load.run(store, path, request, load=_WARM_UP, folder=folder)
                rate, cpu_us = _measure(cluster, store, path, request, load=load, folder=folder)
                results.add(f"{name} {load}", contender, **{"requests/s": rate, "cpu us/request": cpu_us})
    return results


def roles(cluster: StoreCluster) -> tuple[StoreServer, StoreServer]:
    """Return the leader, and one of the others."""
    ids: dict[int, StoreServer] = {}
    leader_id = 0
    for member in cluster.members.values():
        with Wire(member.address) as wire:
            status = wire.get("Status", pb.StatusRequest())
        ids[status.header.member_id] = member
        leader_id = status.leader
    if leader_id not in ids:
        raise LoadError("the members do not say who leads")
    return ids[leader_id], next(member for id_, member in ids.items() if id_ != leader_id)


def _measure(
    cluster: StoreCluster, store: StoreServer, path: str, request: Message, *, load: Load, folder: Path
) -> tuple[float, float]:
    """One run: requests per second, and CPU of all members per request in microseconds."""
    with Wire(store.address) as wire:
        revision = wire.revision()
        before_s = _cpu_s(cluster)
        report = h2load.run(store, path, request, load=load, folder=folder)
        cpu_s = _cpu_s(cluster) - before_s
        made = wire.revision() - revision
    # HTTP 200 is said before gRPC's status: a put must have made a revision, and a get none.
    least = report.done if isinstance(request, pb.PutRequest) else 0
    if not least <= made <= least + _IN_FLIGHT_MAX:
        raise LoadError(f"{report.done} calls made {made} revisions")
    return report.requests_per_s, cpu_s / report.done * 1e6


def _cpu_s(cluster: StoreCluster) -> float:
    return sum(member.program.usage().cpu_s for member in cluster.members.values())
