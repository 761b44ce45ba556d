"""Ways in which a network fails between three members, each over when it returns.

A cut lasts until it has done what it must do to the cluster, and then a random while.
"""

import random
import time
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from tests.bench.cluster import roles
from tests.chaos.disturb import Disturbance, leader_id, paused
from tests.chaos.network import Network, Way, between, to_and_from_clients, towards
from tests.support.cluster import StoreCluster
from tests.support.processes import wait_for
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

_ASK_S = 1.0


def cut_off_leader(network: Network, cluster: StoreCluster, rng: random.Random) -> None:
    """It leads nobody; clients still reach it, and must not be told what is no longer so."""
    leader, others = _led(cluster)
    _until_replaced(network, cluster, between([leader], others), rng)


def mute_leader(network: Network, cluster: StoreCluster, rng: random.Random) -> None:
    """It hears the others, and they hear nothing from it."""
    leader, others = _led(cluster)
    _until_replaced(network, cluster, towards([leader], others), rng)


def deafen_leader(network: Network, cluster: StoreCluster, rng: random.Random) -> None:
    """They hear its heartbeats, so that nobody else stands; it hears no answer, and has to go by itself."""
    leader, others = _led(cluster)
    _until_replaced(network, cluster, towards(others, [leader]), rng)


def wake_up_deposed(network: Network, cluster: StoreCluster, rng: random.Random) -> None:
    """A leader sleeps while it is replaced, and wakes up alone, so that it still believes that it leads.

    Whom it asks for confirmation, does not answer: nor may it answer who asks what is newest.
    """
    del rng
    leader, others = _led(cluster)
    old_id = leader_id(leader)
    with Wire(leader.address) as asleep, Wire(others[0].address) as awake:
        asleep.revision()  # connected before it sleeps
        with network.without(between([leader], others)):
            with paused(leader):
                _until_others_lead(others, old_id)
                before = awake.revision()
                wait_for(lambda: awake.revision() > before, "a write since then")
                newest = awake.revision()
            answer: Any = asleep.call("Range", pb.RangeRequest(key=b"k0"), timeout_s=_ASK_S).message
            assert answer is None or answer.header.revision >= newest, (
                f"it has told what was so before {newest}"
            )


def cut_off_follower(network: Network, cluster: StoreCluster, rng: random.Random) -> None:
    """The other two go on without it; when it is back it must not depose the leader."""
    _, follower = roles(cluster)
    others = [member for member in cluster.members.values() if member is not follower]
    with network.without(between([follower], others)):
        wait_for(lambda: leader_id(follower) == 0, "the follower knows that nobody leads it")
        _a_while(rng)


def cut_one_link(network: Network, cluster: StoreCluster, rng: random.Random) -> None:
    """Between the leader and a follower; each of them still has the third."""
    leader, follower = roles(cluster)
    with network.without(between([leader], [follower])):
        _a_while(rng)


def split(network: Network, cluster: StoreCluster, rng: random.Random) -> None:
    """Each for itself: nobody has a majority, and nobody may lead."""
    members = list(cluster.members.values())
    with network.without(towards(members, members)):
        wait_for(lambda: not any(map(leader_id, members)), "nobody leads")
        _a_while(rng)


def pull_the_cable_of_clients(network: Network, cluster: StoreCluster, rng: random.Random) -> None:
    """Those who are connected to the leader hear nothing any more; it goes on leading."""
    leader, _ = roles(cluster)
    with network.without(to_and_from_clients(leader)):
        _a_while(rng)


def all_of(network: Network) -> Mapping[str, Disturbance]:
    """Every way, as disturbances of a cluster in this network."""
    ways = {
        "the leader is cut off from the others": cut_off_leader,
        "the leader is replaced in its sleep and wakes up alone": wake_up_deposed,
        "a follower is cut off": cut_off_follower,
        "the leader is heard by nobody": mute_leader,
        "the leader hears nobody": deafen_leader,
        "one link is cut": cut_one_link,
        "all are cut off from each other": split,
        "clients are cut off from the leader": pull_the_cable_of_clients,
    }
    return {name: partial(cut, network) for name, cut in ways.items()}


def _led(cluster: StoreCluster) -> tuple[StoreServer, list[StoreServer]]:
    leader, _ = roles(cluster)
    return leader, [member for member in cluster.members.values() if member is not leader]


def _until_replaced(network: Network, cluster: StoreCluster, ways: Iterable[Way], rng: random.Random) -> None:
    old, others = _led(cluster)
    old_id = leader_id(old)
    with network.without(ways):
        _until_others_lead(others, old_id)
        _a_while(rng)


def _until_others_lead(others: list[StoreServer], old_id: int) -> None:
    wait_for(
        lambda: all(leader_id(member) not in {0, old_id} for member in others),
        "the others have another leader",
    )


def _a_while(rng: random.Random) -> None:
    time.sleep(rng.uniform(0.3, 2.0))
