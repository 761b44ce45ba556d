"""What time does to a leader."""

from functools import partial

import pytest

from fairlead.raft import AppendReply, Change, ChangeKind, HeartbeatReply, Raft, Role, TimeoutNow
from fairlead.raft.testing import Cluster


def cluster_of(count: int, **options: int) -> Cluster:
    """A cluster that member 1 leads."""
    cluster = Cluster(count, **options)
    cluster.elect(1)
    return cluster


def lead_alone(cluster: Cluster, *, ticks: int, answering: tuple[int, ...] = (2, 3)) -> None:
    """Let time pass for member 1, whose disk writes nothing and whom others answer."""
    for _ in range(ticks):
        cluster.on(1, Raft.tick)
        cluster.take(1)
        for other in answering:
            reply = HeartbeatReply(to=1, sender=other, term=cluster[1].term, round=0)
            cluster.on(1, partial(Raft.step, message=reply))


def heirs(cluster: Cluster) -> list[int]:
    return [message.to for message in cluster.network if isinstance(message, TimeoutNow)]


def test_a_leader_whose_disk_is_stuck_leaves_it_to_who_has_most_of_the_log() -> None:
    cluster = cluster_of(3)
    cluster[1].propose(b"a")
    cluster.take(1)
    acknowledged = AppendReply(to=1, sender=3, term=1, index=2, success=True)
    cluster.on(1, lambda raft: raft.step(acknowledged))
    lead_alone(cluster, ticks=20)
    cluster.take(1)
    assert cluster[1].role is Role.FOLLOWER
    assert heirs(cluster) == [3]


def test_a_disk_that_goes_on_writing_is_not_stuck() -> None:
    """Slow is not stuck: each write that ends begins the time anew, while others are under way."""
    cluster = cluster_of(3)
    cluster[1].propose(b"a")
    cluster.take(1)
    for _ in range(10):
        cluster[1].propose(b"a")
        lead_alone(cluster, ticks=9)
        cluster.sync(1)
    assert cluster[1].role is Role.LEADER


def test_leadership_is_not_left_to_who_is_not_there() -> None:
    """Not even to who has most of the log: a word to nobody would cost an election timeout."""
    cluster = cluster_of(3)
    cluster[1].propose(b"a")
    cluster.take(1)
    acknowledged = AppendReply(to=1, sender=3, term=1, index=2, success=True)
    cluster.on(1, lambda raft: raft.step(acknowledged))
    lead_alone(cluster, ticks=20, answering=(2,))
    cluster.take(1)
    assert cluster[1].role is Role.FOLLOWER
    assert heirs(cluster) == [2]


def test_leadership_is_not_left_to_a_learner() -> None:
    cluster = cluster_of(2)
    cluster.add(3)
    cluster.on(1, lambda raft: raft.propose_change([Change(ChangeKind.ADD_LEARNER, 3)]))
    cluster.tick(times=3)
    cluster[1].progress[2].match = 1
    cluster.on(1, lambda raft: raft.propose(b"a"))
    cluster.take(1)
    cluster.network.clear()
    lead_alone(cluster, ticks=20)
    cluster.take(1)
    assert heirs(cluster) == [2]


def test_a_member_is_there_for_an_election_timeout_after_each_sign_of_life() -> None:
    """Without gaps: a learner is not refused its promotion for asking at the wrong moment."""
    cluster = cluster_of(3)
    for _ in range(40):
        cluster.on(1, Raft.tick)
        assert cluster[1].progress[3].is_active
        cluster.settle()
    cluster.isolate(3)
    for ticks in range(1, 12):
        cluster.tick()
        assert cluster[1].progress[3].is_active is (ticks < 10)


def test_a_sign_of_life_needs_no_disk() -> None:
    """Reads are confirmed, and leaders kept, however long the followers' disks take."""
    cluster = cluster_of(3)
    cluster[1].propose(b"a")
    cluster.take(1)
    for message in cluster.network:
        cluster.deliver(message)
    cluster.network.clear()
    cluster.read(1)
    cluster.take(1)
    for message in cluster.network:
        cluster.deliver(message)
    cluster.network.clear()
    for follower in (2, 3):
        cluster.take(follower)
    for message in cluster.network:
        cluster.deliver(message)
    ready = cluster[1].ready()
    assert ready is not None
    assert [read.index for read in ready.reads] == [1]


@pytest.mark.parametrize("role", [Role.FOLLOWER, Role.PRE_CANDIDATE])
def test_who_is_told_to_campaign_does_whatever_it_was_about(role: Role) -> None:
    cluster = cluster_of(3)
    if role is Role.PRE_CANDIDATE:
        cluster.on(2, Raft.campaign)
    assert cluster[2].role is role
    cluster.on(2, lambda raft: raft.step(TimeoutNow(to=2, sender=1, term=1)))
    assert cluster.machines[2].raft.role is Role.CANDIDATE


def test_who_may_not_lead_does_not_campaign_even_when_told_to() -> None:
    """The word may have been long on its way: the member was removed meanwhile, or made a learner."""
    cluster = cluster_of(3)
    cluster.on(1, lambda raft: raft.propose_change([Change(ChangeKind.ADD_LEARNER, 3)]))
    cluster.settle()
    cluster.on(3, lambda raft: raft.step(TimeoutNow(to=3, sender=1, term=1)))
    assert cluster[3].role is Role.FOLLOWER
    cluster.tick(times=2)
    assert cluster.leader == 1
