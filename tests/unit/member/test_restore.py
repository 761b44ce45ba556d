"""A cluster begins again from a snapshot file."""

import random
from pathlib import Path

import pytest

from fairlead.member import BackupError, BackupReader, DataDirError, Member, MemberConfig, inspect_backup
from fairlead.member.opening import open_member
from fairlead.member.restore import restore_member
from fairlead.mvcc import Backend, CompactedError, Store
from fairlead.mvcc.codec import key_of
from fairlead.proto import command_pb2
from fairlead.proto import rpc_pb2 as pb

CLUSTER: dict[str, tuple[str, ...]] = {f"m{number}": (f"http://127.0.0.1:{number}",) for number in (1, 2, 3)}


def _unexpected(error: Exception) -> None:
    raise AssertionError("the disk failed") from error


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A snapshot of another cluster: revision 4, entry 9 of term 3."""
    backend = Backend.open(tmp_path / "old", map_bytes=1 << 24)
    store = Store.open(backend)
    for key in (b"a", b"b", b"c"):
        txn = store.begin()
        txn.put(key, b"value")
        txn.end()
    backend.put("meta", b"applied", bytes(7) + b"\x09" + bytes(7) + b"\x03" + b"\0\0\0\x05")
    old = command_pb2.MemberRecord(member=pb.Member(ID=77, name="old"))
    backend.put("members", (77).to_bytes(8), old.SerializeToString())
    backend.put("members_removed", (78).to_bytes(8), b"")
    backend.put("cluster", bytes(8), b"what was")
    backend.commit_now()
    reader = BackupReader(backend.copy(tmp_path / "scratch"), revision=store.revision)
    path = tmp_path / "backup"
    with path.open("wb") as file:
        while piece := reader.read(1 << 16):
            file.write(piece)
        file.write(reader.checksum)
    reader.close()
    backend.close()
    return path


def config_of(name: str, folder: Path) -> MemberConfig:
    return MemberConfig(
        name=name,
        data_dir=folder / name,
        peer_urls=CLUSTER[name],
        initial_cluster=CLUSTER,
        cluster_token="new",
    )


def test_all_members_begin_with_the_same_state_behind_the_same_entry(snapshot: Path, tmp_path: Path) -> None:
    found = []
    for name in CLUSTER:
        config = config_of(name, tmp_path)
        assert restore_member(snapshot, config) == 4
        opened = open_member(config, rng=random.Random(1))
        replica, machine = opened.replica, opened.machine
        log = replica.raft.log
        found.append(
            (
                machine.store.hash_kv(),
                (replica.applied, replica.applied_term, replica.state_hash),
                (log.first_index, log.commit, replica.raft.term),
                sorted(replica.cluster.members),
                replica.cluster.removed,
                replica.raft.configuration,
                opened.identity.cluster_id,
            )
        )
        assert replica.cluster.members[opened.identity.member_id].name == name
        opened.close()
        opened.wal.close()
    assert found[0] == found[1] == found[2]
    assert found[0][1] == (9, 3, 5)
    assert found[0][2] == (10, 9, 3)
    assert len(found[0][3]) == 3
    assert found[0][4] == set()


async def test_a_restored_member_serves_and_counts_revisions_on(snapshot: Path, tmp_path: Path) -> None:
    config = MemberConfig(name="m1", data_dir=tmp_path / "data")
    restore_member(snapshot, config)
    member = await Member.start(config, on_fatal=_unexpected)
    answer = pb.RangeResponse.FromString(member.range(pb.RangeRequest(key=b"b")))
    assert (answer.header.revision, answer.kvs[0].value) == (4, b"value")
    await member.stop()


def test_a_directory_that_holds_something_is_left_alone(snapshot: Path, tmp_path: Path) -> None:
    config = config_of("m1", tmp_path)
    config.data_dir.mkdir()
    (config.data_dir / "file").write_text("precious")
    with pytest.raises(DataDirError, match="it is not empty"):
        restore_member(snapshot, config)
    assert (config.data_dir / "file").read_text() == "precious"


def test_an_empty_directory_is_taken(snapshot: Path, tmp_path: Path) -> None:
    config = config_of("m1", tmp_path)
    config.data_dir.mkdir()
    restore_member(snapshot, config)
    assert sorted(path.name for path in config.data_dir.iterdir()) == ["db", "wal"]


def test_a_broken_snapshot_leaves_nothing(snapshot: Path, tmp_path: Path) -> None:
    snapshot.write_bytes(snapshot.read_bytes()[:-1])
    with pytest.raises(BackupError):
        restore_member(snapshot, config_of("m1", tmp_path))
    assert not (tmp_path / "m1").exists()


def test_a_file_without_its_checksum_is_believed_if_that_is_asked(snapshot: Path, tmp_path: Path) -> None:
    snapshot.write_bytes(snapshot.read_bytes()[:-32])
    with pytest.raises(BackupError, match="no whole snapshot"):
        restore_member(snapshot, config_of("m1", tmp_path))
    assert restore_member(snapshot, config_of("m1", tmp_path), skip_hash_check=True) == 4


def test_one_that_was_cut_is_refused_even_so(snapshot: Path, tmp_path: Path) -> None:
    snapshot.write_bytes(snapshot.read_bytes()[:-33])
    with pytest.raises(BackupError, match="no whole snapshot"):
        restore_member(snapshot, config_of("m1", tmp_path), skip_hash_check=True)


def test_bumped_revisions_leave_a_gap_that_is_compacted(snapshot: Path, tmp_path: Path) -> None:
    config = config_of("m1", tmp_path)
    assert restore_member(snapshot, config, bump_revision=100) == 104
    opened = open_member(config, rng=random.Random(1))
    store = opened.machine.store
    assert (store.revision, store.compact_revision) == (104, 104)
    assert [key_of(kv) for kv in store.range(b"\0", b"\0").kvs] == [b"a", b"b", b"c"]
    with pytest.raises(CompactedError):
        store.range(b"a", revision=103)
    opened.close()
    opened.wal.close()


def test_a_snapshot_file_is_counted(snapshot: Path, tmp_path: Path) -> None:
    found = inspect_backup(snapshot, scratch=tmp_path)
    assert (found.revision, found.keys, found.leases, found.members) == (4, 3, 0, ("old",))
    assert found.compact_revision == -1
    assert found.pairs == 3 + 4  # the applied index, two members, the cluster
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "old"]


def test_what_dies_in_the_middle_leaves_no_directory_and_can_be_done_again(
    snapshot: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("fairlead.member.restore.Wal.create", _full)
        with pytest.raises(DataDirError, match="No space left"):
            restore_member(snapshot, config_of("m1", tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "old"]
    restore_member(snapshot, config_of("m1", tmp_path))


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")
