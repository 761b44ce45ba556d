"""A cluster that is lost as a whole comes back from a snapshot file, with ``fairlead store restore``."""

import json
import subprocess
from pathlib import Path

import pytest
from tests import peers
from tests.e2e.cli.command import Answer
from tests.support.cluster import StoreCluster
from tests.support.processes import clean_environment, wait_for
from tests.support.store import FairleadStore, StoreServer
from tests.support.wire import Wire

from fairlead.cli import main
from fairlead.proto import rpc_pb2 as pb

FLAGS = ("--heartbeat-interval", "50", "--election-timeout", "500")
LEASE = 7


def fairlead(captured: pytest.CaptureFixture[str], *words: object) -> Answer:
    status = main([str(word) for word in words])
    printed = captured.readouterr()
    return Answer(status, printed.out, printed.err)


def restore_words(cluster: StoreCluster, member: StoreServer) -> list[str]:
    """The words for one member of the new cluster, behind ``fairlead store restore FILE``."""
    return [
        *("--name", member.name, "--data-dir", str(member.data_dir)),
        *("--initial-cluster", cluster.initial_cluster(), "--initial-cluster-token", "second"),
        *("--initial-advertise-peer-urls", cluster.peer_url(member)),
    ]


def fill(member: StoreServer) -> None:
    with Wire(member.address) as wire:
        wire.get("LeaseGrant", pb.LeaseGrantRequest(ID=LEASE, TTL=600))
        wire.get("Put", pb.PutRequest(key=b"leased", value=b"1", lease=LEASE))
        for number in range(3):
            wire.get("Put", pb.PutRequest(key=b"key", value=b"value %d" % number))
        wire.get("Put", pb.PutRequest(key=b"gone"))
        wire.get("DeleteRange", pb.DeleteRangeRequest(key=b"gone"))


def all_of(member: StoreServer, *, revision: int = 0) -> pb.RangeResponse:
    with Wire(member.address) as wire:
        found: pb.RangeResponse = wire.get(
            "Range", pb.RangeRequest(key=b"\0", range_end=b"\0", revision=revision)
        )
    return found


@pytest.mark.peer("etcdctl")
def test_three_members_begin_again_with_all_keys_revisions_and_leases(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup"
    with FairleadStore(tmp_path / "old") as old:
        fill(old)
        before, past = all_of(old), all_of(old, revision=4)
        etcdctl(old, "snapshot", "save", str(file))
    cluster = StoreCluster(
        FairleadStore, tmp_path / "new", flags=[*FLAGS, "--initial-cluster-token", "second"]
    )
    for member in cluster.members.values():
        answer = fairlead(capsys, "store", "restore", file, *restore_words(cluster, member))
        assert f"member {member.name} of m1,m2,m3, at revision 7" in answer.out
    with cluster:
        for member in cluster.members.values():
            now = all_of(member)
            assert (now.kvs, now.header.revision) == (before.kvs, before.header.revision)
            assert all_of(member, revision=4).kvs == past.kvs
            assert now.header.cluster_id != before.header.cluster_id
            with Wire(member.address) as wire:
                lease = wire.get("LeaseTimeToLive", pb.LeaseTimeToLiveRequest(ID=LEASE, keys=True))
                assert (lease.grantedTTL, list(lease.keys)) == (600, [b"leased"])
                assert 590 <= lease.TTL <= 600
                listed = wire.get("MemberList", pb.MemberListRequest(linearizable=True)).members
            assert sorted(found.name for found in listed) == ["m1", "m2", "m3"]
        with Wire(cluster.members["m2"].address) as wire:
            assert wire.get("Put", pb.PutRequest(key=b"key")).header.revision == 8
        wait_for(lambda: all_of(cluster.members["m3"]).header.revision == 8, "m3 follows")


def test_what_save_wrote_is_whole_and_what_was_damaged_since_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, data_dir = tmp_path / "backup", tmp_path / "again" / "data"
    with FairleadStore(tmp_path / "old") as old:
        fill(old)
        saved = fairlead(capsys, "store", "save", file, "--endpoints", old.endpoint)
    assert saved.out.startswith(f"saved {file}: ")
    assert file.stat().st_mode & 0o777 == 0o600
    shown = json.loads(fairlead(capsys, "store", "status", file, "-o", "json").out)
    assert (shown["revision"], shown["keys"], shown["leases"], shown["members"]) == (7, 2, 1, ["m1"])
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    for command in (["status", file], ["restore", file, "--data-dir", data_dir]):
        refused = fairlead(capsys, "store", *command).refusal
        assert refused == f"fairlead: snapshot {file}: its checksum does not match its content; save it again"
    assert not data_dir.exists()


def test_revisions_go_on_beyond_those_that_were_lost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup"
    with FairleadStore(tmp_path / "old") as old:
        fill(old)
        fairlead(capsys, "store", "save", file, "--endpoints", old.endpoint)
    again = FairleadStore(tmp_path / "again")
    bump = ("--bump-revision", 1000, "--mark-compacted")
    fairlead(capsys, "store", "restore", file, "--name", again.name, "--data-dir", again.data_dir, *bump)
    with again, Wire(again.address) as wire:
        found = wire.get("Range", pb.RangeRequest(key=b"key"))
        assert (found.header.revision, found.kvs[0].value) == (1007, b"value 2")
        too_old = wire.call("Range", pb.RangeRequest(key=b"key", revision=1006))
        assert too_old.detail == "etcdserver: mvcc: required revision has been compacted"
        assert wire.get("Put", pb.PutRequest(key=b"key")).header.revision == 1008
        again.restart()


def test_a_data_directory_that_is_in_use_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "backup"
    with FairleadStore(tmp_path / "old") as old:
        fairlead(capsys, "store", "save", file, "--endpoints", old.endpoint)
        refused = fairlead(capsys, "store", "restore", file, "--data-dir", old.data_dir).refusal
        assert (
            refused
            == f"fairlead: {old.data_dir}: cannot keep data there (it is not empty); give another --data-dir"
        )
        assert old.is_healthy()


def etcdctl(store: StoreServer, *words: str) -> None:
    command = [peers.find("etcdctl") or "etcdctl", "--endpoints", store.address, *words]
    env = clean_environment({"ETCDCTL_API": "3"})
    subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=30)
