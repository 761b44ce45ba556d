"""Members whose disks are slow, stuck, broken or full, beside others whose disks are well, under judged load."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from tests.bench.cluster import roles
from tests.chaos import disturb, rounds
from tests.chaos.disks import FaultyStore, NoCompilerError, SmallDiskStore, compiled, mount_disk
from tests.chaos.fleet import Fleet
from tests.chaos.spaces import Kind, Space, SpaceError
from tests.chaos.test_cluster import FLAGS, members_of
from tests.support.cluster import StoreCluster
from tests.support.processes import wait_for
from tests.support.store import FairleadStore, StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

_SMALL_BYTES = 96 << 20  # the first file of the log takes 64 MiB of it
_PUT = pb.PutRequest(key=b"k0", value=b"v")


@pytest.fixture
def faulty(tmp_path: Path) -> partial[FaultyStore]:
    try:
        return partial(FaultyStore, library=compiled(tmp_path))
    except NoCompilerError as error:
        pytest.skip(str(error))


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Space]:
    try:
        with Space(Kind.MOUNTS, log=tmp_path / "space.log") as made:
            mount_disk(made, Path("/mnt"), size_bytes=1 << 20)  # seen by nobody else
            yield made
    except SpaceError as error:
        pytest.skip(str(error))


def test_slow_stuck_and_broken_disks_lose_nothing(faulty: partial[FaultyStore], tmp_path: Path) -> None:
    with (
        StoreCluster(faulty, tmp_path, flags=FLAGS) as cluster,
        Fleet(lambda: members_of(cluster)) as fleet,
    ):
        fleet.wait_for_answers(30)
        leader, follower = faulty_roles(cluster)
        with follower.slow(200):
            fleet.wait_for_answers(100)
        with follower.stuck():
            fleet.put(leader, 100)
        with leader.slow(200):
            fleet.wait_for_answers(30)
        disturb.healed(cluster)
        until_another_leads_when_stuck(cluster, fleet)
        for part in ("/wal/", "/db/"):
            for member in faulty_roles(cluster):
                with ending_by_its_disk(member, "check the disk"):
                    member.fail_next_sync(part)
                fleet.wait_for_answers(30)
                member.program.start()
                disturb.healed(cluster)
        assert rounds.judged(fleet) > 300


def test_what_could_not_be_made_durable_is_not_acknowledged(
    faulty: partial[FaultyStore], tmp_path: Path
) -> None:
    with faulty(tmp_path / "alone") as store, Wire(store.address) as wire:
        wire.get("Put", _PUT)
        with ending_by_its_disk(store, "check the disk"):
            store.fail_next_sync("/wal/")
            assert wire.call("Put", _PUT).message is None
        store.start()
        wire.get("Put", _PUT)


def test_a_member_whose_disk_is_full_stops_and_catches_up_when_there_is_space(
    space: Space, tmp_path: Path
) -> None:
    def kind(folder: Path, *, flags: Sequence[str]) -> StoreServer:
        if folder.name == "m2":
            return SmallDiskStore(folder, flags=flags, space=space, size_bytes=_SMALL_BYTES)
        return FairleadStore(folder, flags=flags)

    with StoreCluster(kind, tmp_path, flags=FLAGS) as cluster, Fleet(lambda: members_of(cluster)) as fleet:
        small = cluster.members["m2"]
        assert isinstance(small, SmallDiskStore)
        fleet.wait_for_answers(30)
        with ending_by_its_disk(small, "free space"):
            small.fill()
        with ending_by_its_disk(small, "free space"):
            small.program.start()
        fleet.wait_for_answers(150)
        small.make_space()
        small.program.start()
        disturb.healed(cluster)
        fleet.wait_for_answers(30)
        rounds.judged(fleet)


def faulty_roles(cluster: StoreCluster) -> tuple[FaultyStore, FaultyStore]:
    leader, follower = roles(cluster)
    assert isinstance(leader, FaultyStore)
    assert isinstance(follower, FaultyStore)
    return leader, follower


def until_another_leads_when_stuck(cluster: StoreCluster, fleet: Fleet) -> None:
    """A leader whose disk is stuck is no use, and has to go, though it could send heartbeats for ever."""
    leader, other = faulty_roles(cluster)
    old_id = disturb.leader_id(leader)
    with leader.stuck():
        wait_for(lambda: disturb.leader_id(other) not in {0, old_id}, "another leader")
        fleet.put(other, 30)
    disturb.healed(cluster)


@contextmanager
def ending_by_its_disk(member: StoreServer, advice: str) -> Iterator[None]:
    """It has to end by itself after what is done in the block, and to say why in one line."""
    before = len(member.program.log())
    yield
    wait_for(lambda: not member.program.is_running, f"{member.name} ends")
    said = member.program.log()[before:]
    assert member.program.exit_status == 1, said
    assert [line for line in said.splitlines() if "the disk failed" in line and advice in line], said
    assert "Traceback" not in said
