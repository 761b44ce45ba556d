"""A cluster that grows and shrinks, and replaces a dead member, under load whose history is judged."""

from pathlib import Path

from tests.chaos import disturb
from tests.chaos.fleet import Fleet
from tests.chaos.test_cluster import FLAGS, members_of
from tests.support.cluster import StoreCluster
from tests.support.processes import wait_for
from tests.support.store import FairleadStore, StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb


def add(cluster: StoreCluster, name: str) -> StoreServer:
    """Add a member, start it, and wait until it votes."""
    newcomer = cluster.newcomer(name)
    others = [member for member in cluster.members.values() if member is not newcomer]
    with Wire(others[0].address) as wire:
        wait_for(
            lambda: (
                wire.call("MemberAdd", pb.MemberAddRequest(peerURLs=[cluster.peer_url(newcomer)])).message
            ),
            f"{name} is added",
        )
        newcomer.program.start()
        wait_for(newcomer.is_healthy, f"{name} is healthy")
        wait_for(lambda: name in voters(wire), f"{name} votes")
    return newcomer


def voters(wire: Wire) -> set[str]:
    listed = wire.get("MemberList", pb.MemberListRequest(linearizable=True)).members
    return {member.name for member in listed if not member.isLearner}


def remove(cluster: StoreCluster, name: str) -> None:
    """Remove a member, dead or alive; one that is alive has to notice and end."""
    gone = cluster.members[name]
    was_running = gone.program.is_running
    rest = [member for member in cluster.members.values() if member is not gone]
    with Wire(rest[0].address) as wire:
        listed = wire.get("MemberList", pb.MemberListRequest()).members
        (member_id,) = (member.ID for member in listed if member.name == name)
        wait_for(
            lambda: wire.call("MemberRemove", pb.MemberRemoveRequest(ID=member_id)).message,
            f"{name} is removed",
        )
    if was_running:
        wait_for(lambda: not gone.program.is_running, f"{name} has noticed")
        assert "removed from its cluster" in gone.program.log()
    cluster.forget(name)


def test_one_member_becomes_three_becomes_five_and_one_again(tmp_path: Path) -> None:
    with StoreCluster(FairleadStore, tmp_path, size=1, flags=FLAGS) as cluster:
        serving: list[StoreServer] = members_of(cluster)
        with Fleet(lambda: serving) as fleet:
            fleet.wait_for_answers(30)
            for name in ("m2", "m3", "m4", "m5"):
                add(cluster, name)
                serving = members_of(cluster)
                fleet.wait_for_answers(30)
            for name in ("m1", "m2", "m3", "m4"):
                serving = [member for member in members_of(cluster) if member.name != name]
                remove(cluster, name)
                fleet.wait_for_answers(30)
            fleet.judge()


def test_a_dead_member_is_replaced_while_the_others_serve(tmp_path: Path) -> None:
    with StoreCluster(FairleadStore, tmp_path, flags=FLAGS) as cluster:
        serving = members_of(cluster)
        with Fleet(lambda: serving) as fleet:
            fleet.wait_for_answers(50)
            cluster.members["m2"].kill()
            serving = [member for member in members_of(cluster) if member.name != "m2"]
            remove(cluster, "m2")
            fleet.wait_for_answers(50)
            add(cluster, "m4")
            serving = members_of(cluster)
            disturb.healed(cluster)
            fleet.wait_for_answers(50)
            fleet.judge()
