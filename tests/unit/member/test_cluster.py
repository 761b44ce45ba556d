"""The registry of members: what each committed change does, and what a restart finds.

Source: etcd's ``api/membership/cluster.go``, and ``docs/decisions/0003`` where this store differs.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fairlead.member.cluster import Cluster, ClusterMember, MembershipChange, MembershipChangeKind
from fairlead.member.errors import MemberNotFoundError, PeerUrlExistsError
from fairlead.mvcc import Backend

ADD, ADD_LEARNER, PROMOTE, REMOVE = MembershipChangeKind
ONE = ClusterMember(id=1, peer_urls=("http://one:2380",))
TWO = ClusterMember(id=2, peer_urls=("http://two:2380",))
# Above the sign bit of 64: ids are the first bytes of a hash.
LARGE_ID = 0xF00D_0000_0000_0003


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    opened = Backend.open(tmp_path / "db")
    yield opened
    opened.close()


@pytest.fixture
def cluster(backend: Backend) -> Cluster:
    made = Cluster()
    made.load(backend)
    made.bootstrap([TWO, ONE])
    return made


def change(kind: MembershipChangeKind, member_id: int, *peer_urls: str) -> MembershipChange:
    return MembershipChange(kind=kind, member_id=member_id, peer_urls=peer_urls)


def reloaded(backend: Backend) -> Cluster:
    """What a restart, or the receiver of a snapshot, reads."""
    cluster = Cluster()
    cluster.load(backend)
    return cluster


def test_a_cluster_begins_with_voters_that_have_not_started(cluster: Cluster) -> None:
    assert list(cluster.members) == [1, 2]
    assert cluster.voters == {1, 2}
    assert cluster.learners == frozenset()
    assert not cluster.members[1].is_started


def test_a_voter_that_is_added_begins_as_a_joining_learner(cluster: Cluster) -> None:
    """A voter counts from the moment it is in the log: one that never comes would cost the majority."""
    cluster.apply(change(ADD, 3, "http://three:2380"))
    assert cluster.voters == {1, 2}
    assert cluster.joining == cluster.learners == {3}
    assert cluster.members[3].is_voter_to_be


def test_a_learner_that_was_asked_for_stays_one(cluster: Cluster) -> None:
    cluster.apply(change(ADD_LEARNER, 3, "http://three:2380"))
    assert cluster.learners == {3}
    assert cluster.joining == frozenset()
    assert not cluster.members[3].is_voter_to_be


@pytest.mark.parametrize("kind", [ADD, ADD_LEARNER])
def test_a_promotion_makes_a_voter_and_keeps_what_is_known(
    cluster: Cluster, kind: MembershipChangeKind
) -> None:
    cluster.apply(change(kind, 3, "http://three:2380"))
    cluster.set_attributes(3, name="three", client_urls=["http://three:2379"])
    cluster.apply(change(PROMOTE, 3))
    assert cluster.members[3] == ClusterMember(
        id=3, peer_urls=("http://three:2380",), name="three", client_urls=("http://three:2379",)
    )


def test_a_removed_id_is_remembered(cluster: Cluster) -> None:
    cluster.apply(change(REMOVE, 2))
    assert list(cluster.members) == [1]
    assert cluster.removed == {2}


def test_changes_of_members_that_are_gone_change_nothing(cluster: Cluster) -> None:
    """A member publishes its name while it is being removed; a joining member replays old changes."""
    cluster.apply(change(REMOVE, 2))
    cluster.set_attributes(2, name="two", client_urls=[])
    cluster.apply(change(PROMOTE, 2))
    cluster.apply(change(REMOVE, 2))
    assert list(cluster.members) == [1]


def test_peer_urls_can_move_but_not_to_anothers_place(cluster: Cluster) -> None:
    cluster.set_urls(1, ["http://uno:2380", "http://one:2380"])
    assert cluster.members[1].peer_urls == ("http://one:2380", "http://uno:2380")
    with pytest.raises(PeerUrlExistsError):
        cluster.set_urls(2, ["http://uno:2380"])
    with pytest.raises(MemberNotFoundError):
        cluster.set_urls(9, ["http://nine:2380"])
    assert cluster.members[2] == TWO


def test_a_transport_is_told_of_all_others(cluster: Cluster) -> None:
    assert cluster.peer_urls(but=1) == {2: ("http://two:2380",)}


def test_everything_survives_a_restart(cluster: Cluster, backend: Backend) -> None:
    cluster.apply(change(ADD, LARGE_ID, "http://three:2380"))
    cluster.apply(change(ADD_LEARNER, 4, "http://four:2380"))
    cluster.set_attributes(1, name="one", client_urls=["http://one:2379"])
    cluster.apply(change(REMOVE, 2))
    again = reloaded(backend)
    assert dict(again.members) == dict(cluster.members)
    assert list(again.members) == [1, 4, LARGE_ID]
    assert again.joining == {LARGE_ID}
    assert again.removed == {2}


def test_loading_again_forgets_what_the_snapshot_does_not_have(cluster: Cluster, tmp_path: Path) -> None:
    cluster.apply(change(REMOVE, 2))
    other = Backend.open(tmp_path / "received")
    try:
        cluster.load(other)
        assert not cluster.members
        assert not cluster.removed
    finally:
        other.close()


def test_replaying_the_log_over_what_a_joining_member_was_told_ends_alike(
    cluster: Cluster, tmp_path: Path
) -> None:
    """A member that joins knows today's members first, and the changes that led to them later."""
    history = [
        change(ADD, 3, "http://three:2380"),
        change(PROMOTE, 3),
        change(REMOVE, 2),
        change(ADD, 4, "http://four:2380"),
    ]
    for each in history:
        cluster.apply(each)
    database = Backend.open(tmp_path / "joining")
    joining = reloaded(database)
    joining.bootstrap(cluster.members.values())
    for each in history:
        joining.apply(each)
    assert dict(joining.members) == dict(cluster.members)
    assert joining.removed == cluster.removed
    database.close()


@pytest.mark.parametrize("kind", MembershipChangeKind)
def test_a_change_rides_on_an_entry(kind: MembershipChangeKind) -> None:
    made = change(kind, LARGE_ID, "http://three:2380")
    assert MembershipChange.decode(made.encode(request_id=2**63 + 1)) == (2**63 + 1, made)


def test_clients_are_shown_a_joining_member_as_the_learner_that_it_is(cluster: Cluster) -> None:
    """Clients that look for endpoints leave learners out, and one that is behind should be left out."""
    cluster.apply(change(ADD, 3, "http://three:2380"))
    shown = cluster.members[3].to_proto()
    assert shown.isLearner
    assert not shown.name
    assert list(shown.peerURLs) == ["http://three:2380"]
