"""What happens to the members while clients ask: each disturbance begins, lasts, and is over when it returns."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from signal import SIGCONT, SIGKILL, SIGSTOP

from tests.bench.cluster import roles
from tests.support.cluster import StoreCluster
from tests.support.processes import wait_for
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

Disturbance = Callable[[StoreCluster, random.Random], None]
_HEALED_S = 30.0


def kill_leader(cluster: StoreCluster, rng: random.Random) -> None:
    """kill -9, a while without it, and back."""
    leader, _ = roles(cluster)
    _kill_and_restart(leader, rng)


def kill_follower(cluster: StoreCluster, rng: random.Random) -> None:
    """The same with one that does not lead."""
    _, follower = roles(cluster)
    _kill_and_restart(follower, rng)


def kill_all(cluster: StoreCluster, rng: random.Random) -> None:
    """A power cut, and everybody back."""
    del rng
    for member in cluster.members.values():
        member.kill(SIGKILL)
    for member in cluster.members.values():
        member.program.start()


def pause_leader(cluster: StoreCluster, rng: random.Random) -> None:
    """SIGSTOP for longer than an election takes: it wakes up believing that it leads."""
    leader, _ = roles(cluster)
    _pause(leader, rng.uniform(1.0, 3.0))


def pause_follower(cluster: StoreCluster, rng: random.Random) -> None:
    """The same with one that does not lead."""
    _, follower = roles(cluster)
    _pause(follower, rng.uniform(0.5, 2.0))


def rolling_restart(cluster: StoreCluster, rng: random.Random) -> None:
    """Each member in turn, in order, as an upgrade does."""
    del rng
    for member in cluster.members.values():
        member.stop()
        member.program.start()
        healed(cluster)


ALL: Mapping[str, Disturbance] = {
    "kill the leader": kill_leader,
    "kill a follower": kill_follower,
    "kill all": kill_all,
    "pause the leader": pause_leader,
    "pause a follower": pause_follower,
    "rolling restart": rolling_restart,
}


def healed(cluster: StoreCluster) -> None:
    """Wait until every member serves."""
    for member in cluster.members.values():
        wait_for(member.is_healthy, f"{member.name} is healthy", within_s=_HEALED_S)


def leader_id(member: StoreServer) -> int:
    """Return who leads, as far as a member knows; 0 is nobody."""
    with Wire(member.address) as wire:
        return int(wire.get("Status", pb.StatusRequest()).leader)


def _kill_and_restart(member: StoreServer, rng: random.Random) -> None:
    member.kill(SIGKILL)
    time.sleep(rng.uniform(0.1, 2.0))
    member.program.start()


@contextmanager
def paused(member: StoreServer) -> Iterator[None]:
    """SIGSTOP, and SIGCONT at the end of the block."""
    member.program.signal(SIGSTOP)
    try:
        yield
    finally:
        member.program.signal(SIGCONT)


def _pause(member: StoreServer, for_s: float) -> None:
    with paused(member):
        time.sleep(for_s)
