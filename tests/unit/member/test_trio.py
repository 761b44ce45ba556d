"""Three replicas: what travels to the leader and back, and what a lost leader takes with it."""

from typing import Any

import pytest
from tests.unit.member.trio import Trio, make_replica

from fairlead.member import (
    LEASE_GRANT,
    BadTransfereeError,
    LeaderLostError,
    LeadershipElsewhereError,
    LearnerNotReadyError,
    MembershipChange,
    MembershipChangeKind,
    NoLeaderError,
    TimedOutError,
    TooManyLearnersError,
)
from fairlead.member.leader import KEEP_ALIVE, TIME_TO_LIVE
from fairlead.peer import Return
from fairlead.proto import rpc_pb2 as pb
from fairlead.raft import AppendEntries, Forward, Heartbeat, HeartbeatReply

Answers = list[bytes | Exception]


def grant(trio: Trio, member_id: int, lease_id: int, ttl_s: int) -> None:
    answers: Answers = []
    request = pb.LeaseGrantRequest(ID=lease_id, TTL=ttl_s)
    trio[member_id].propose(
        LEASE_GRANT, request.SerializeToString(), request, answers.append, deadline_s=trio.now_s + 7.0
    )
    trio.settle()
    assert isinstance(answers[0], bytes)


def ask(trio: Trio, member_id: int, method: str, request: Any, *, is_repeatable: bool = True) -> Answers:
    answers: Answers = []
    trio[member_id].ask_leader(
        method,
        request if isinstance(request, bytes) else request.SerializeToString(),
        answers.append,
        deadline_s=trio.now_s + 7.0,
        is_repeatable=is_repeatable,
    )
    trio.settle()
    return answers


def change(trio: Trio, kind: MembershipChangeKind, member_id: int, at: int = 1) -> Answers:
    urls = (f"http://m{member_id}:1",) if kind <= MembershipChangeKind.ADD_LEARNER else ()
    request = MembershipChange(kind=kind, member_id=member_id, peer_urls=urls)
    answers: Answers = []
    trio[at].change_membership(request, answers.append, deadline_s=trio.now_s + 7.0)
    trio.settle()
    trio.tick()
    return answers


def test_a_follower_answers_a_put_once_it_has_applied_it() -> None:
    trio = Trio()
    trio.elect(1)
    answers: Answers = []
    trio.put(2, b"a", answers)
    trio.settle()
    assert len(answers) == 1
    trio.tick()
    assert all(replica.machine.store.latest(b"a") for replica in trio.replicas.values())
    assert len({replica.state_hash for replica in trio.replicas.values()}) == 1


def test_what_is_proposed_while_nobody_leads_waits_for_a_leader() -> None:
    trio = Trio()
    answers: Answers = []
    trio.put(2, b"a", answers)
    trio.settle()
    assert answers == []
    trio.elect(1)
    trio.tick()
    assert isinstance(answers[0], bytes)


def test_a_put_that_was_lost_with_its_leader_is_offered_to_the_next_and_happens_once() -> None:
    """etcd's client waits for a timeout here, and then cannot know what happened."""
    trio = Trio()
    trio.elect(1)
    answers: Answers = []
    trio.drops = lambda message: isinstance(message, Forward)
    trio.put(2, b"a", answers)
    trio.settle()
    trio.down = {1}
    trio.drops = lambda _: False
    trio.leader()
    trio.tick(2)
    assert [type(answer) for answer in answers] == [bytes]
    assert trio[2].machine.store.revision == 2


def test_a_put_that_survived_its_leader_is_not_offered_again() -> None:
    trio = Trio()
    trio.elect(1)
    answers: Answers = []
    # The followers take the entry; the leader never learns of it, and commits nothing.
    trio.put(2, b"a", answers)
    work = trio[2].take(now_s=trio.now_s)
    assert work is not None
    trio._send(work.send)
    trio[2].written(work)
    append = trio[1].take(now_s=trio.now_s)
    assert append is not None
    assert any(isinstance(message, AppendEntries) and message.entries for message in append.send)
    trio._send(append.send)
    trio.down = {1}
    trio.leader()
    trio.tick(2)
    assert [type(answer) for answer in answers] == [bytes]
    assert trio[2].machine.store.revision == 2


def test_a_deposed_leader_offers_its_own_lost_puts_again() -> None:
    trio = Trio()
    trio.elect(1)
    answers: Answers = []
    trio.drops = lambda message: 1 in {message.sender, message.to}
    trio.put(1, b"a", answers)
    trio.tick(40)
    assert answers == []
    trio.drops = lambda _: False
    trio.tick(20)
    assert [type(answer) for answer in answers] == [bytes]
    assert trio[1].machine.store.revision == 2


def test_after_a_snapshot_nobody_offers_again_what_may_be_in_it() -> None:
    """Who waits is told so at once: here, nobody will ever know."""
    trio = Trio()
    trio.elect(1)
    answers: Answers = []
    trio.drops = lambda message: isinstance(message, Forward)
    trio.put(2, b"a", answers)
    trio.settle()
    trio.drops = lambda _: False
    trio[2].installed(index=trio[2].applied, term=trio[2].applied_term, state_hash=0)
    assert [type(answer) for answer in answers] == [TimedOutError]
    trio.down = {1}
    trio.leader()
    trio.tick(80)
    assert len(answers) == 1
    assert trio[2].machine.store.revision == 1


@pytest.mark.parametrize("member_id", [1, 2])
def test_a_read_waits_for_a_word_of_the_leader_and_for_what_it_names_to_be_applied(member_id: int) -> None:
    trio = Trio()
    trio.elect(1)
    reads: list[Exception | None] = []
    trio.drops = lambda message: isinstance(message, HeartbeatReply)
    trio[member_id].read(reads.append, deadline_s=trio.now_s + 7)
    trio.settle()
    assert reads == []
    trio.drops = lambda _: False
    trio.tick(10)
    assert reads == [None]


def test_a_leader_that_was_cut_off_reads_nothing() -> None:
    trio = Trio()
    trio.elect(1)
    reads: list[Exception | None] = []
    trio.drops = lambda message: 1 in {message.sender, message.to}
    trio[1].read(reads.append, deadline_s=trio.now_s + 7)
    trio.tick(60)
    assert reads == []
    trio.tick(20)
    assert [type(error) for error in reads] == [LeaderLostError]


def test_reads_that_arrive_together_share_one_round() -> None:
    trio = Trio()
    trio.elect(1)
    trio.sent.clear()
    reads: list[Exception | None] = []
    for _ in range(100):
        trio[1].read(reads.append, deadline_s=trio.now_s + 7)
    trio.settle()
    assert reads == [None] * 100
    assert sum(isinstance(message, Heartbeat) for message in trio.sent) == 2


def test_only_the_leader_ends_leases_and_a_new_one_gives_them_their_full_time() -> None:
    trio = Trio()
    trio.elect(1)
    grant(trio, 2, 5, ttl_s=10)
    trio.tick(90)
    assert 5 in trio[2].machine.leases
    trio.down = {1}
    leader = trio.leader()
    trio.tick(90)
    assert 5 in leader.machine.leases
    trio.tick(30)
    assert 5 not in leader.machine.leases


@pytest.mark.parametrize("member_id", [1, 2])
def test_a_lease_is_kept_alive_at_any_member(member_id: int) -> None:
    trio = Trio()
    trio.elect(1)
    grant(trio, 2, 5, ttl_s=10)
    for _ in range(4):
        trio.tick(80)
        (answer,) = ask(trio, member_id, KEEP_ALIVE, pb.LeaseKeepAliveRequest(ID=5))
        assert isinstance(answer, bytes)
        assert pb.LeaseKeepAliveResponse.FromString(answer).TTL == 10
    (answer,) = ask(trio, member_id, TIME_TO_LIVE, pb.LeaseTimeToLiveRequest(ID=5))
    assert isinstance(answer, bytes)
    assert pb.LeaseTimeToLiveResponse.FromString(answer).TTL in {9, 10}


def test_who_renews_a_lease_that_is_due_hears_that_it_is_gone_when_its_keys_are() -> None:
    """To be told so earlier, and then still find a key of it, would be no linearizable history."""
    trio = Trio()
    leader = trio.elect(1)
    grant(trio, 2, 5, ttl_s=1)
    trio.now_s += 1.5
    answers = ask(trio, 2, KEEP_ALIVE, pb.LeaseKeepAliveRequest(ID=5))
    assert answers == []
    assert 5 in leader.machine.leases
    trio.tick(10)
    assert 5 not in trio[2].machine.leases
    (answer,) = answers
    assert isinstance(answer, bytes)
    assert pb.LeaseKeepAliveResponse.FromString(answer).TTL == 0


def test_the_end_of_a_lease_is_not_offered_to_the_next_leader() -> None:
    """That one has given the lease its full time anew, and may have renewed it since."""
    trio = Trio()
    trio.elect(1)
    grant(trio, 1, 5, ttl_s=1)
    trio.drops = lambda message: 1 in {message.sender, message.to}
    trio.now_s += 1.5
    while not trio[2].raft.leader or trio[2].raft.leader == 1:
        trio.tick()
    trio.drops = lambda _: False
    for _ in range(10):
        ask(trio, 2, KEEP_ALIVE, pb.LeaseKeepAliveRequest(ID=5))
        trio.tick(5)
    assert not trio[1].leads
    assert 5 in trio[2].machine.leases


def test_a_leader_that_was_cut_off_renews_no_lease() -> None:
    """Its successor may be ending that lease right now."""
    trio = Trio()
    trio.elect(1)
    grant(trio, 1, 5, ttl_s=10)
    trio.drops = lambda message: 1 in {message.sender, message.to}
    assert ask(trio, 1, KEEP_ALIVE, pb.LeaseKeepAliveRequest(ID=5)) == []


def test_a_question_to_a_leader_that_is_lost_is_put_to_the_next() -> None:
    trio = Trio()
    trio.elect(1)
    grant(trio, 2, 5, ttl_s=60)
    trio.drops = lambda message: isinstance(message, Return)
    answers = ask(trio, 2, KEEP_ALIVE, pb.LeaseKeepAliveRequest(ID=5))
    assert answers == []
    trio.down = {1}
    trio.drops = lambda _: False
    trio.leader()
    trio.tick(2)
    assert [type(answer) for answer in answers] == [bytes]


def test_a_question_that_nobody_answers_ends() -> None:
    trio = Trio()
    trio.down = {2, 3}
    answers = ask(trio, 1, KEEP_ALIVE, pb.LeaseKeepAliveRequest(ID=5))
    trio.tick(71)
    assert [type(answer) for answer in answers] == [TimedOutError]


def test_a_member_that_is_added_listens_first_and_votes_when_it_has_caught_up() -> None:
    trio = Trio((1,))
    trio.elect(1)
    answers: Answers = []
    trio.put(1, b"a", answers)
    assert change(trio, MembershipChangeKind.ADD, 2) == [b""]
    assert trio[1].raft.configuration.learners == {2}
    trio.put(1, b"b", answers)
    trio.settle()
    assert [type(answer) for answer in answers] == [bytes, bytes]
    trio.replicas[2] = make_replica(2, ())
    trio.tick(5)
    assert trio[1].raft.configuration.voters == {1, 2}
    assert trio[2].cluster.voters == {2}
    assert trio[1].state_hash == trio[2].state_hash


def test_a_learner_is_promoted_by_hand_only_when_it_has_caught_up() -> None:
    trio = Trio((1,))
    trio.elect(1)
    assert change(trio, MembershipChangeKind.ADD_LEARNER, 2) == [b""]
    (refusal,) = change(trio, MembershipChangeKind.PROMOTE, 2)
    assert isinstance(refusal, LearnerNotReadyError)
    trio.replicas[2] = make_replica(2, ())
    trio.tick(5)
    assert trio[1].raft.configuration.learners == {2}
    assert change(trio, MembershipChangeKind.PROMOTE, 2, at=2) == [b""]
    assert trio[1].raft.configuration.voters == {1, 2}


def test_a_change_that_comes_while_another_is_on_its_way_waits_for_it() -> None:
    trio = Trio()
    trio.elect(1)
    trio.drops = lambda message: not isinstance(message, Heartbeat | HeartbeatReply)
    first = change(trio, MembershipChangeKind.ADD, 4)
    second = change(trio, MembershipChangeKind.ADD, 5)
    assert (first, second) == ([], [])
    trio.drops = lambda _: False
    trio.tick(5)
    assert (first, second) == ([b""], [b""])
    assert trio[1].raft.configuration.learners == {4, 5}


def test_a_change_that_waited_is_judged_by_what_came_before_it() -> None:
    """Two learners asked for at once are one too many, as if they had been asked for one after the other."""
    trio = Trio()
    trio.elect(1)
    trio.drops = lambda message: not isinstance(message, Heartbeat | HeartbeatReply)
    first = change(trio, MembershipChangeKind.ADD_LEARNER, 4)
    second = change(trio, MembershipChangeKind.ADD_LEARNER, 5)
    trio.drops = lambda _: False
    trio.tick(5)
    assert first == [b""]
    assert [type(each) for each in second] == [TooManyLearnersError]
    assert trio[1].cluster.learners == {4}


def test_a_removed_member_knows_it_and_the_rest_go_on() -> None:
    trio = Trio()
    trio.elect(1)
    assert change(trio, MembershipChangeKind.REMOVE, 1) == [b""]
    assert trio[1].is_removed
    leader = trio.leader()
    assert leader.member_id != 1
    answers: Answers = []
    trio.put(leader.member_id, b"a", answers)
    trio.settle()
    assert isinstance(answers[0], bytes)


def test_who_asks_a_leader_to_remove_itself_hears_that_it_is_done() -> None:
    """The leader's own word might not reach anybody once it is out."""
    trio = Trio()
    trio.elect(1)
    trio.drops = lambda message: isinstance(message, Return)
    assert change(trio, MembershipChangeKind.REMOVE, 1, at=2) == [b""]
    assert trio[2].cluster.voters == {2, 3}


def test_leadership_is_handed_over_and_the_caller_told() -> None:
    trio = Trio()
    leader = trio.elect(1)
    answers: Answers = []
    leader.leader.transfer(3, answers.append, deadline_s=trio.now_s + 7)
    trio.settle()
    trio.tick()
    assert trio[3].leads
    assert answers == [b""]


def test_leadership_is_not_handed_to_a_member_whose_removal_is_on_its_way() -> None:
    """Found by the simulator: the registry still knew it as a voter, the log did not."""
    trio = Trio()
    leader = trio.elect(1)
    trio.drops = lambda message: isinstance(message, AppendEntries)
    removal = MembershipChange(kind=MembershipChangeKind.REMOVE, member_id=3)
    leader.change_membership(removal, lambda _: None, deadline_s=trio.now_s + 7)
    trio.settle()
    assert 3 in leader.cluster.voters
    with pytest.raises(BadTransfereeError):
        leader.leader.transfer(3, lambda _: None, deadline_s=trio.now_s + 7)


def test_a_follower_hands_nothing_over() -> None:
    trio = Trio()
    trio.elect(1)
    answers: Answers = []
    with pytest.raises(LeadershipElsewhereError):
        trio[2].leader.transfer(3, answers.append, deadline_s=trio.now_s + 7)
    assert answers == []


def test_no_leader_is_an_answer_that_makes_the_asker_look_for_another() -> None:
    trio = Trio()
    trio.elect(1)
    answers: Answers = []
    trio[2].leader.answers()[KEEP_ALIVE](pb.LeaseKeepAliveRequest(ID=5).SerializeToString(), answers.append)
    assert [type(answer) for answer in answers] == [NoLeaderError]
