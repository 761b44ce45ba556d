"""What operators fear: a majority lost for good, a member that has to move, data that has gone bad."""

from pathlib import Path

import lmdb
import pytest
from tests.support.cluster import StoreCluster
from tests.support.ports import free_ports
from tests.support.processes import wait_for
from tests.support.store import FairleadStore, StoreServer
from tests.support.wire import Wire

from fairlead.proto import kv_pb2
from fairlead.proto import rpc_pb2 as pb

FLAGS = ("--heartbeat-interval", "50", "--election-timeout", "500")
CHECKS = ("--experimental-corrupt-check-time", "1s")
COMPACT_CHECKS = (
    "--experimental-compact-hash-check-enabled",
    "--experimental-compact-hash-check-time=200ms",
)


def put(member: StoreServer, key: bytes, value: bytes = b"v") -> None:
    with Wire(member.address) as wire:
        wire.get("Put", pb.PutRequest(key=key, value=value))


def value_of(member: StoreServer, key: bytes) -> bytes:
    with Wire(member.address) as wire:
        (kv,) = wire.get("Range", pb.RangeRequest(key=key)).kvs
    return bytes(kv.value)


def test_one_member_goes_on_alone_after_the_others_are_lost_for_good(tmp_path: Path) -> None:
    with StoreCluster(FairleadStore, tmp_path, flags=FLAGS) as cluster:
        put(cluster.members["m1"], b"a", b"kept")
        survivor = cluster.members["m3"]
        wait_for(lambda: value_of(survivor, b"a") == b"kept", "m3 has it")
        cluster.stop()
        survivor.program.argv.append("--force-new-cluster")
        survivor.start()
        assert value_of(survivor, b"a") == b"kept"
        put(survivor, b"b")
        with Wire(survivor.address) as wire:
            (alone,) = wire.get("MemberList", pb.MemberListRequest(linearizable=True)).members
        assert alone.name == "m3"
        survivor.program.argv.remove("--force-new-cluster")
        survivor.restart()
        assert value_of(survivor, b"a") == b"kept"


def test_a_member_moves_to_another_port(tmp_path: Path) -> None:
    """As in etcd: member update first, then the same data directory with the new URL."""
    with StoreCluster(FairleadStore, tmp_path, flags=FLAGS) as cluster:
        mover = cluster.members["m2"]
        before = cluster.peer_url(mover)
        mover.stop()
        (mover.peer_port,) = free_ports(1)
        with Wire(cluster.members["m1"].address) as wire:
            listed = wire.get("MemberList", pb.MemberListRequest()).members
            (member_id,) = (member.ID for member in listed if member.name == "m2")
            wire.get("MemberUpdate", pb.MemberUpdateRequest(ID=member_id, peerURLs=[cluster.peer_url(mover)]))
        mover.program.argv = [word.replace(before, cluster.peer_url(mover)) for word in mover.program.argv]
        put(cluster.members["m1"], b"a", b"while away")
        mover.start()
        assert value_of(mover, b"a") == b"while away"


def spoil(member: StoreServer) -> None:
    """Change a value in the database of a member that does not run, as bad memory or a bad hand would."""
    with lmdb.open(str(member.data_dir / "db"), max_dbs=16, lock=False) as env:
        revisions = env.open_db(b"key")
        with env.begin(db=revisions, write=True) as txn:
            for position, data in list(txn.cursor()):
                pair = kv_pb2.KeyValue.FromString(data)
                if pair.key == b"a":
                    pair.value = b"spoilt"
                    txn.put(position, pair.SerializeToString())


@pytest.fixture
def spoilt(tmp_path: Path) -> StoreCluster:
    """Three members that were stopped in order; the data of the third has been changed."""
    cluster = StoreCluster(FairleadStore, tmp_path, flags=FLAGS)
    with cluster:
        put(cluster.members["m1"], b"a", b"right")
        wait_for(lambda: value_of(cluster.members["m3"], b"a") == b"right", "m3 has it")
    spoil(cluster.members["m3"])
    return cluster


def test_a_member_whose_data_differs_does_not_begin_to_serve_if_it_is_told_to_compare(
    spoilt: StoreCluster,
) -> None:
    bad = spoilt.members.pop("m3")
    bad.program.argv.append("--experimental-initial-corrupt-check")
    with spoilt:
        bad.program.start()
        assert bad.program.wait(within_s=30) == 1
        last = bad.program.log().strip().splitlines()[-1]
        assert "the data differs from member" in last
        assert "member remove" in last
        assert value_of(spoilt.members["m1"], b"a") == b"right"


def wait_for_alarm(members: dict[str, StoreServer]) -> None:
    """Wait until the CORRUPT alarm names m3."""
    with Wire(members["m1"].address) as wire:
        wait_for(lambda: wire.get("Alarm", pb.AlarmRequest()).alarms, "the alarm is raised")
        (raised,) = wire.get("Alarm", pb.AlarmRequest()).alarms
        listed = wire.get("MemberList", pb.MemberListRequest()).members
        names = {member.ID: member.name for member in listed}
        assert (names[raised.memberID], raised.alarm) == ("m3", pb.CORRUPT)
        refused = wire.call("Put", pb.PutRequest(key=b"a"))
        assert (refused.code, refused.detail) == ("DATA_LOSS", "etcdserver: corrupt cluster")


def test_a_member_whose_data_differs_is_found_and_named_by_the_alarm(spoilt: StoreCluster) -> None:
    for member in spoilt.members.values():
        member.program.argv += CHECKS
    for member in spoilt.members.values():
        member.program.start()
    try:
        with Wire(spoilt.members["m1"].address) as wire:
            wait_for(lambda: wire.call("Alarm", pb.AlarmRequest()).message is not None, "m1 answers")
        wait_for_alarm(spoilt.members)
    finally:
        spoilt.stop()


def test_a_member_whose_data_differs_is_found_at_the_next_compaction(spoilt: StoreCluster) -> None:
    """It is not named before: without a compaction there is nothing to compare."""
    for member in spoilt.members.values():
        member.program.argv += COMPACT_CHECKS
    with spoilt:
        first = spoilt.members["m1"]
        put(first, b"b")
        with Wire(first.address) as wire:
            revision = wire.get("Put", pb.PutRequest(key=b"b")).header.revision
            assert not wire.get("Alarm", pb.AlarmRequest()).alarms
            wire.get("Compact", pb.CompactionRequest(revision=revision))
        wait_for_alarm(spoilt.members)


def test_healthy_members_are_never_called_corrupt_at_a_compaction(tmp_path: Path) -> None:
    flags = [*FLAGS, "--feature-gates=CompactHashCheck=true", "--compact-hash-check-time=50ms"]
    with (
        StoreCluster(FairleadStore, tmp_path, flags=flags) as cluster,
        Wire(cluster.members["m1"].address) as wire,
    ):
        for number in range(60):
            revision = wire.get("Put", pb.PutRequest(key=b"%d" % (number % 7))).header.revision
            if number % 5 == 4:
                wire.get("DeleteRange", pb.DeleteRangeRequest(key=b"%d" % (number % 7)))
                wire.get("Compact", pb.CompactionRequest(revision=revision))
        assert not wire.get("Alarm", pb.AlarmRequest()).alarms
