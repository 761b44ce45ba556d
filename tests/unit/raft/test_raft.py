"""The door, in scenarios that the paper leaves open: hand-over, limits, losses, elections that should not be."""

import random
from typing import Any

import pytest

from fairlead.raft import (
    AppendEntries,
    AppendReply,
    Change,
    ChangeKind,
    ChangeRefusedError,
    Config,
    Configuration,
    Entry,
    Forward,
    HardState,
    Heartbeat,
    InstallSnapshot,
    LostEntriesError,
    Message,
    NoLeaderError,
    NotLeaderError,
    ProgressState,
    ProposalDroppedError,
    Raft,
    Role,
    Snapshot,
    TooManyReadsError,
)
from fairlead.raft.testing import Cluster


def cluster_of(count: int, **options: int) -> Cluster:
    """A cluster that member 1 leads."""
    cluster = Cluster(count, **options)
    cluster.elect(1)
    return cluster


def read_index(cluster: Cluster) -> int | None:
    """Member 1's, anew each time: mypy would take one that was None for None for ever."""
    return cluster[1].read_index


def acknowledge(raft: Raft, *, sender: int, index: int) -> None:
    raft.step(AppendReply(to=1, sender=sender, term=raft.term, index=index, success=True))


def test_a_lone_voter_commits_what_it_has_written() -> None:
    cluster = cluster_of(1)
    cluster.propose(1, b"a")
    assert cluster.commands(1) == [b"a"]
    cluster.read(1)
    cluster.settle()
    assert [tuple(read) for read in cluster.machines[1].reads] == [(1, 2)]


def test_a_proposal_at_a_follower_goes_to_the_leader() -> None:
    cluster = cluster_of(3)
    cluster.propose(2, b"a")
    cluster.tick()
    assert [cluster.commands(member) for member in (1, 2, 3)] == [[b"a"]] * 3


def test_what_a_follower_forwards_in_one_turn_travels_together() -> None:
    cluster = cluster_of(3, append_bytes_max=5)
    for data in (b"aa", b"bb", b"c", b"too large", b"d", b""):
        cluster[2].propose(data)
    cluster.take(2)
    forwards = [list(message.proposals) for message in cluster.network if isinstance(message, Forward)]
    assert forwards == [[b"aa", b"bb", b"c"], [b"too large"], [b"d", b""]]
    cluster.settle()
    cluster.tick()
    assert cluster.commands(2) == [b"aa", b"bb", b"c", b"too large", b"d"]
    assert cluster[1].dropped_total == 0


def test_what_waits_to_be_forwarded_is_bounded() -> None:
    cluster = cluster_of(3, uncommitted_bytes_max=5)
    cluster[2].propose(b"large, and alone")
    with pytest.raises(ProposalDroppedError, match="to be forwarded"):
        cluster[2].propose(b"a")
    cluster.settle()
    cluster[2].propose(b"a")


def test_what_waits_to_be_forwarded_is_dropped_when_the_term_changes() -> None:
    """A command belongs to one term, so that its proposer can tell when it is lost and offer it again."""
    cluster = cluster_of(3)
    cluster[2].propose(b"a")
    message = Heartbeat(to=2, sender=3, term=9, commit=0, round=0)
    cluster[2].step(message)
    cluster[2].propose(b"b")
    ready = cluster[2].ready()
    assert ready is not None
    forwards = [message for message in ready.send_first if isinstance(message, Forward)]
    assert [(message.to, message.term, message.proposals) for message in forwards] == [(3, 9, [b"b"])]
    assert cluster[2].dropped_total == 1


def test_what_was_to_be_forwarded_in_an_earlier_term_is_not_sent_for_want_of_anything_newer() -> None:
    cluster = cluster_of(3)
    cluster[2].propose(b"a")
    cluster[2].step(Heartbeat(to=2, sender=3, term=9, commit=0, round=0))
    ready = cluster[2].ready()
    assert ready is not None
    assert [message for message in ready.send_first if isinstance(message, Forward)] == []
    assert cluster[2].dropped_total == 1


def test_a_leader_takes_no_proposal_of_an_earlier_term() -> None:
    cluster = cluster_of(3)
    leader = cluster[1]
    before = leader.log.last_index
    leader.step(Forward(to=1, sender=2, term=leader.term - 1, proposals=[b"late"]))
    assert leader.log.last_index == before
    leader.step(Forward(to=1, sender=2, term=leader.term, proposals=[b"now"]))
    assert leader.log.last_index == before + 1


def test_what_waits_to_be_forwarded_is_dropped_when_nobody_leads() -> None:
    cluster = cluster_of(3)
    cluster[2].propose(b"a")
    cluster.on(2, Raft.campaign)
    cluster.take(2)
    assert cluster[2].dropped_total == 1
    assert not any(isinstance(message, Forward) for message in cluster.network)


def test_a_forward_to_a_member_that_has_ceased_to_lead_goes_no_further() -> None:
    cluster = cluster_of(3)
    cluster.on(3, lambda raft: raft.step(Forward(to=3, sender=2, term=1, proposals=[b"a", b"b"])))
    assert cluster[3].dropped_total == 2
    cluster.settle()
    assert cluster.commands(1) == []


def test_a_lone_voter_reads_with_nobody_asked_once_it_has_committed_in_its_term() -> None:
    """After a restart it may have acknowledged more than it remembers as committed."""
    cluster = cluster_of(1)
    cluster.propose(1, b"a")
    machine = cluster.machines[1]
    machine.disk.hard_state = machine.disk.hard_state._replace(commit=0)
    machine.crash()
    machine.restart()
    assert cluster[1].lone_voter
    assert read_index(cluster) is None
    cluster.on(1, Raft.campaign)
    cluster.take(1)
    cluster.sync(1)
    assert (cluster[1].role, cluster[1].log.commit) == (Role.LEADER, 0)
    assert read_index(cluster) is None
    cluster.settle()
    assert read_index(cluster) == cluster[1].log.last_index == 3
    cluster.on(1, lambda raft: raft.propose_change([Change(ChangeKind.ADD_VOTER, 2)]))
    assert not cluster.machines[1].raft.lone_voter
    assert read_index(cluster) is None


def test_one_voter_in_joint_consensus_is_not_alone() -> None:
    both = Configuration(voters=frozenset({1}), outgoing=frozenset({1, 2}))
    assert not both.is_alone(1)
    assert not Configuration(voters=frozenset({2})).is_alone(1)


def test_a_learner_is_caught_up_when_it_is_there_and_near_the_end() -> None:
    cluster = cluster_of(3)
    cluster.add(4)
    cluster.on(1, lambda raft: raft.propose_change([Change(ChangeKind.ADD_LEARNER, 4)]))
    cluster.propose(1, *[b"%d" % number for number in range(98)])
    assert cluster[1].log.written == 100
    cluster.tick(times=2)
    assert cluster[1].is_caught_up(4)
    progress = cluster[1].progress[4]
    progress.match = 90
    assert cluster[1].is_caught_up(4)
    progress.match = 89
    assert not cluster[1].is_caught_up(4)
    cluster.isolate(4)
    progress.match = 100
    cluster.tick(times=30)
    assert not cluster[1].is_caught_up(4), "it has not been heard of"
    assert not cluster[1].is_caught_up(9)
    assert not cluster[2].is_caught_up(4)


def test_the_payload_in_memory_goes_down_by_compaction() -> None:
    cluster = cluster_of(1)
    cluster.propose(1, b"12345", b"678")
    assert cluster[1].bytes_in_memory == 8
    cluster.machines[1].compact()
    assert cluster[1].bytes_in_memory == 0


def test_without_a_leader_nothing_is_accepted() -> None:
    raft = Cluster(3)[1]
    with pytest.raises(NoLeaderError):
        raft.propose(b"a")
    with pytest.raises(NoLeaderError):
        raft.read(1)
    with pytest.raises(NotLeaderError, match="nobody"):
        raft.propose_change([Change(ChangeKind.REMOVE, 1)])


def test_only_the_leader_changes_the_membership_and_says_who_it_is() -> None:
    cluster = cluster_of(3)
    with pytest.raises(NotLeaderError, match="ask member 1") as caught:
        cluster[2].propose_change([Change(ChangeKind.REMOVE, 3)])
    assert caught.value.leader == 1
    with pytest.raises(NotLeaderError):
        cluster[2].transfer_leadership(3)
    with pytest.raises(ChangeRefusedError, match="changes nothing"):
        cluster[1].propose_change([])


def test_a_read_at_a_follower_is_confirmed_by_the_leader() -> None:
    cluster = cluster_of(3)
    cluster.propose(1, b"a")
    context = cluster.read(3)
    cluster.settle()
    assert [tuple(read) for read in cluster.machines[3].reads] == [(context, cluster[1].log.commit)]


def test_reads_that_wait_are_bounded() -> None:
    cluster = cluster_of(3, reads_max=2)
    cluster.isolate(1)
    cluster.read(1)
    cluster.take(1)
    cluster.read(1)
    with pytest.raises(TooManyReadsError):
        cluster.read(1)
    cluster.heal()
    cluster.on(2, lambda raft: raft.read(9))
    cluster.take(2)
    cluster.deliver(cluster.network.pop())
    assert cluster[1].dropped_total == 1


def test_a_leader_cut_off_steps_down_within_two_election_timeouts() -> None:
    cluster = cluster_of(3)
    cluster.isolate(1)
    cluster.tick(times=20)
    assert cluster[1].role is not Role.LEADER


def test_a_member_that_comes_back_does_not_depose_the_leader() -> None:
    """Pre-vote: while it was away its term has not grown."""
    cluster = cluster_of(3)
    cluster.isolate(3)
    cluster.tick(times=60)
    term = cluster[1].term
    assert cluster[3].term == term
    cluster.heal()
    cluster.tick(times=30)
    assert (cluster.leader, cluster[1].term, cluster[3].leader) == (1, term, 1)


def test_a_member_whose_term_has_run_ahead_is_heard() -> None:
    """Its votes are refused and its term is above the leader's: without an answer it stays out for ever."""
    cluster = cluster_of(3)
    cluster.isolate(3)
    cluster.on(3, lambda raft: raft._node.become_follower(raft.term + 5))
    cluster.heal()
    cluster.tick(times=40)
    assert cluster.leader is not None
    assert {cluster[member].leader for member in (1, 2, 3)} == {cluster.leader}


def test_a_member_with_a_worse_log_cannot_disturb() -> None:
    cluster = cluster_of(3)
    cluster.isolate(3)
    cluster.propose(1, b"a")
    cluster.isolate(1)
    cluster.tick(times=60)
    assert cluster.leader == 2


def test_leadership_is_handed_over_once_the_target_has_everything() -> None:
    cluster = cluster_of(3)
    cluster.isolate(3)
    cluster.propose(1, b"a")
    cluster.heal()
    cluster.on(1, lambda raft: raft.transfer_leadership(3))
    with pytest.raises(ProposalDroppedError, match="handed over"):
        cluster[1].propose(b"b")
    cluster.settle()
    assert cluster[1].role is Role.LEADER, "the target lacks an entry"
    cluster.tick(times=2)
    assert cluster.leader == 3
    assert cluster[3].term == cluster[1].term


def test_a_hand_over_that_takes_too_long_is_given_up() -> None:
    cluster = cluster_of(3)
    cluster.isolate(3)
    cluster.propose(1, b"a")
    cluster.on(1, lambda raft: raft.transfer_leadership(3))
    cluster.tick(times=10)
    cluster.propose(1, b"b")
    assert cluster.commands(1) == [b"a", b"b"]


def test_leadership_goes_to_voters_only() -> None:
    cluster = cluster_of(3)
    with pytest.raises(ChangeRefusedError, match="no voter"):
        cluster[1].transfer_leadership(9)
    cluster[1].transfer_leadership(1)
    cluster[1].propose(b"a")


def test_proposals_are_dropped_while_too_much_is_uncommitted() -> None:
    cluster = cluster_of(3, uncommitted_bytes_max=10)
    cluster.isolate(1)
    cluster.propose(1, b"large, and alone")
    with pytest.raises(ProposalDroppedError, match="too much"):
        cluster[1].propose(b"a")
    cluster.heal()
    cluster.tick(times=2)
    cluster.propose(1, b"a")
    assert cluster.commands(1) == [b"large, and alone", b"a"]


def test_appends_are_bounded_in_size_and_number() -> None:
    cluster = cluster_of(2, inflight_max=3, append_bytes_max=4)
    for _ in range(20):
        cluster[1].propose(b"aa")
    cluster.take(1)
    appends = [message for message in cluster.network if isinstance(message, AppendEntries)]
    assert [len(append.entries) for append in appends] == [2, 2, 2]
    assert cluster[1].progress[2].state is ProgressState.REPLICATE
    cluster.settle()
    assert len(cluster.commands(2)) == 20


def test_bytes_in_flight_are_bounded() -> None:
    cluster = cluster_of(2, inflight_bytes_max=5, append_bytes_max=2)
    for _ in range(20):
        cluster[1].propose(b"aa")
    cluster.take(1)
    assert sum(len(m.entries) for m in cluster.network if isinstance(m, AppendEntries)) == 3


def test_what_gathers_between_two_readies_travels_in_one_append() -> None:
    cluster = cluster_of(3)
    for _ in range(50):
        cluster[1].propose(b"a")
    cluster.take(1)
    assert [len(m.entries) for m in cluster.network if isinstance(m, AppendEntries)] == [50, 50]


def test_a_lost_append_is_noticed_without_a_new_one() -> None:
    cluster = cluster_of(3)
    cluster[1].propose(b"a")
    cluster.take(1)
    cluster.network.clear()
    cluster.tick(times=3)
    assert cluster.commands(3) == [b"a"]


def test_a_member_that_is_unreachable_is_probed() -> None:
    cluster = cluster_of(3)
    cluster[1].report_unreachable(2)
    assert cluster[1].progress[2].state is ProgressState.PROBE
    cluster[1].report_unreachable(9)
    cluster[1].report_snapshot(9, is_delivered=True)


def test_no_snapshot_goes_to_a_member_that_is_not_there() -> None:
    cluster = cluster_of(3)
    cluster.isolate(3)
    cluster.tick(times=11)
    cluster.propose(1, b"a")
    cluster.machines[1].compact()
    sent: list[Message] = []
    cluster[1].progress[3].next = 1
    cluster.on(1, lambda raft: raft.propose(b"b"))
    cluster.take(1)
    sent += [message for message in cluster.network if isinstance(message, InstallSnapshot)]
    assert sent == []
    cluster.heal()
    cluster.tick(times=5)
    assert cluster[3].log.commit == cluster[1].log.commit


def test_a_removed_member_is_not_waited_for() -> None:
    cluster = cluster_of(3)
    cluster.isolate(3)
    cluster.on(1, lambda raft: raft.propose_change([Change(ChangeKind.REMOVE, 3)]))
    cluster.settle()
    assert cluster[1].configuration.voters == {1, 2}
    assert cluster[1].progress.keys() == {2}
    acknowledge(cluster[1], sender=3, index=1)


def test_a_voter_outside_its_uncommitted_configuration_may_still_lead() -> None:
    """Ongaro's thesis, 4.2.2: nobody else may have a log that is long enough to win."""
    cluster = cluster_of(1)
    cluster.add(2)
    cluster.isolate(2)
    cluster.on(1, lambda raft: raft.propose_change([Change(ChangeKind.ADD_VOTER, 2)]))
    cluster.settle()
    cluster.heal()
    cluster.tick(times=3)
    cluster.isolate(2)
    cluster.on(1, lambda raft: raft.propose_change([Change(ChangeKind.REMOVE, 1)]))
    cluster.settle()
    cluster.machines[1].crash()
    cluster.machines[1].restart()
    cluster.heal()
    cluster.tick(times=60)
    assert cluster.leader == 2
    assert cluster[2].configuration == Configuration(voters=frozenset({2}))


def test_joint_consensus_can_be_left_by_hand() -> None:
    cluster = cluster_of(3)
    change = [Change(ChangeKind.ADD_LEARNER, 3)]
    cluster.on(1, lambda raft: raft.propose_change(change, is_joint=True, auto_leave=False))
    cluster.settle()
    assert cluster[1].configuration.is_joint
    cluster.on(1, Raft.leave_joint)
    cluster.settle()
    assert cluster[1].configuration == Configuration(voters=frozenset({1, 2}), learners=frozenset({3}))


def test_a_commit_index_survives_a_restart_without_a_sync_of_its_own() -> None:
    cluster = cluster_of(3)
    cluster.propose(1, b"a")
    cluster.machines[1].crash()
    cluster.machines[1].restart()
    assert cluster[1].log.commit == 2
    ready = cluster[1].ready()
    assert ready is not None
    assert [entry.data for entry in ready.committed] == [b"", b"a"]
    assert not ready.must_sync


def test_a_torn_write_that_lost_the_term_leaves_the_term_of_its_entries() -> None:
    """Entries come before the hard state: a log must not begin again in a term before its own last."""
    configuration = Configuration(voters=frozenset({1, 2, 3}))
    raft = Raft(
        Config(member_id=1),
        snapshot=Snapshot(0, 0, configuration),
        hard_state=HardState(2, 3, 0),
        entries=[Entry(4, 1, b"a")],
        rng=random.Random(0),
    )
    assert raft.term == 4
    ready = raft.ready()
    assert ready is not None
    assert ready.hard_state == HardState(4, 0, 0)
    assert ready.must_sync


@pytest.mark.parametrize("lost", [{"hard_state": HardState(1, 0, 3)}, {"applied": 3}])
def test_a_log_that_lacks_what_was_committed_is_not_begun_with(lost: dict[str, Any]) -> None:
    """Entries come before the hard state that covers them, and are applied after: only a disk can lose them."""
    with pytest.raises(LostEntriesError, match=r"entry 3 .* ends at 2.*add it again") as caught:
        Raft(
            Config(member_id=1),
            snapshot=Snapshot(0, 0, Configuration(voters=frozenset({1}))),
            entries=[Entry(1, 1, b""), Entry(1, 2, b"a")],
            rng=random.Random(0),
            **lost,
        )
    assert (caught.value.index, caught.value.last_index) == (3, 2)


def test_what_a_new_leader_inherits_uncommitted_counts_against_its_limit() -> None:
    cluster = cluster_of(3, uncommitted_bytes_max=10)
    cluster.on(1, lambda raft: raft.propose(b"nine byte"))
    cluster.take(1)
    for message in [m for m in cluster.network if m.to == 2]:
        cluster.deliver(message)
    cluster.network.clear()
    cluster.take(2)
    cluster.sync(2)
    cluster.network.clear()
    cluster.machines[1].crash()
    for _ in range(10):
        cluster.on(3, Raft.tick)
    cluster.on(2, Raft.campaign)
    while cluster[2].role is not Role.LEADER:
        for member in (2, 3):
            cluster.take(member)
            cluster.sync(member)
        for message in cluster.network:
            cluster.deliver(message)
        cluster.network.clear()
    with pytest.raises(ProposalDroppedError, match="too much"):
        cluster[2].propose(b"ab")
    cluster.settle()
    cluster[2].propose(b"ab")


def test_level_followers_are_sent_one_and_the_same_batch() -> None:
    """Whoever encodes messages may do it once."""
    cluster = cluster_of(3)
    cluster[1].propose(b"a")
    cluster.take(1)
    first, second = (m for m in cluster.network if isinstance(m, AppendEntries))
    assert first.entries is second.entries


def test_a_message_for_somebody_else_is_a_bug() -> None:
    message = AppendReply(to=2, sender=3, term=1, index=0, success=True)
    with pytest.raises(AssertionError, match="came to member 1"):
        Cluster(3)[1].step(message)


def test_an_acknowledgement_of_what_was_never_sent_is_ignored() -> None:
    cluster = cluster_of(3)
    acknowledge(cluster[1], sender=2, index=99)
    assert cluster[1].progress[2].match == 1


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"member_id": 0}, "member_id"),
        ({"member_id": 1, "heartbeat_ticks": 10}, "heartbeat_ticks"),
        ({"member_id": 1, "reads_max": 0}, "reads_max"),
    ],
)
def test_a_config_that_cannot_work_is_refused_by_name(options: dict[str, int], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Config(**options)


def test_what_has_state_says_so_in_one_line() -> None:
    cluster = cluster_of(1)
    log = "<Log 1..1 written=1 commit=1 applying=1>"
    raft = f"<Raft 1 leader term=1 leader=1 {log}>"
    assert repr(cluster[1]) == raft
    assert repr(cluster.machines[1]) == f"<Machine up writes=0 {raft}>"
    assert repr(cluster) == "<Cluster of 1 leader=1 in flight=0>"
    assert Snapshot() == Snapshot(0, 0, Configuration())
