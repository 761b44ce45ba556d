"""The rules of the Raft paper (extended version), one test for each sentence that is built; section first.

Figure 2, and where each of its lines is held to (``s:`` a scenario, ``raft:`` in test_raft.py):

    persistent state, before responding    a_vote_is_on_disk..., a_vote_survives..., an_acknowledgement_waits...
    commitIndex, lastApplied grow          the_commit_index_never_goes_down, followers_learn_the_commit_index...
    nextIndex, matchIndex at first         a_new_leader_begins_at_its_own_end
    AppendEntries 1, term < currentTerm    a_stale_term_is_rejected
                  2, no such prevLog       a_follower_refuses_entries_that_do_not_follow
                  3, conflict              only_conflicting_entries_are_deleted
                  4, append                a_leader_makes_every_log_of_figure_7_its_own; s: figure_7
                  5, commitIndex           a_follower_commits_no_further_than_the_last_new_entry
    RequestVote 1, term < currentTerm      a_stale_term_is_rejected
                2, votedFor, up-to-date    a_server_votes_for_one_candidate..., a_vote_is_denied_to_a_log...
    all servers, apply                     followers_learn_the_commit_index_and_apply_in_log_order
                 a larger term             a_larger_term_makes_every_role_a_follower
    followers, election timeout            a_follower_that_hears_nobody..., a_heartbeat_keeps_a_follower_quiet
    candidates, on conversion              a_candidate_increments_its_term_votes_for_itself_and_asks_the_others
                majority                   a_candidate_wins_with_votes_from_a_majority
                AppendEntries              a_candidate_gives_way_to_a_leader_of_its_term
                election timeout           a_candidate_that_neither_wins_nor_loses_begins_again
    leaders, upon election, when idle      a_leader_begins_its_term..., a_leader_sends_heartbeats_to_all_followers
             command                       an_entry_is_committed_once_a_majority_has_it
             last index >= nextIndex       a_leader_retries_what_got_lost; s: heartbeat_frees_a_probe
             success, failure              a_leader_makes_every_log...; test_progress.py
             commit by majority, own term  an_earlier_terms_entries_are_not...; s: figure_8, figure_8_e

Sections 5.1 to 5.6: the tests below that name them; 5.5 an_answer_that_was_lost..., 5.6 raft: a_config_that_cannot_work.
Section 6: the tests that name it; s: joint_*, replace_*, remove_*, add_a_voter, removed_member_disturbs,
truncated_configuration, joint_survives_its_leader.  Section 7: s: snapshot_*, follower_after_compaction.
Section 8: s: read_*; raft: only_the_leader_changes_the_membership_and_says_who_it_is.

ReadIndex has been built wrong elsewhere in these ways (etcd-io/raft#397, etcd#20418 and what they grew from):

    an index from before the own term's first commit     a_read_waits_for_the_terms_first_commit
    answers to heartbeats sent before the read came      a_read_is_confirmed_by_heartbeats_sent_after_it_arrived
    a repeated request confirmed by answers to the first s: read_at_a_follower, read_with_late_answers
    a deposed leader that was paused                     s: read_of_a_paused_leader, read_across_a_hand_over
    answers of learners, or of one set of two            reads_are_confirmed_by_voters_of_both_sets
    answers of an earlier term with the same number      an_answer_of_an_earlier_term_confirms_nothing
"""

from dataclasses import replace
from functools import partial

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
    HardState,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    Message,
    Raft,
    Ready,
    RequestVote,
    Role,
    Snapshot,
    VoteReply,
)
from fairlead.raft.testing import Cluster

THREE = Configuration(voters=frozenset({1, 2, 3}))


class Middle:
    """Chance without surprises."""

    def randrange(self, start: int, stop: int, /) -> int:
        return (start + stop) // 2


def member(*terms: int, term: int = 0, vote: int = 0, commit: int = 0, voters: int = 3) -> Raft:
    """Member 1 of three, with a log of these terms, all of it on disk."""
    entries = [Entry(each, index, b"%d" % index) for index, each in enumerate(terms, 1)]
    return Raft(
        Config(member_id=1),
        snapshot=Snapshot(0, 0, Configuration(voters=frozenset(range(1, voters + 1)))),
        hard_state=HardState(term or max(terms, default=0), vote, commit),
        entries=entries,
        rng=Middle(),
    )


def run(raft: Raft) -> tuple[list[Message], list[Ready]]:
    """Do what there is to do, with a disk that is never late."""
    messages, readies = [], []
    while ready := raft.ready():
        readies.append(ready)
        raft.advance(ready)
        messages += [*ready.send_first, *ready.send_after]
    return messages, readies


def is_now(raft: Raft, role: Role) -> bool:
    """Return whether a member has this role; mypy would take a role once seen for the last."""
    return raft.role is role


def vote_request(raft: Raft, *, sender: int = 2, last_index: int = 9, last_term: int = 9) -> VoteReply:
    """Ask for a vote in the member's own term."""
    raft.step(RequestVote(to=1, sender=sender, term=raft.term, last_index=last_index, last_term=last_term))
    (reply,) = run(raft)[0]
    assert isinstance(reply, VoteReply)
    return reply


def leading(*terms: int, term: int = 0, voters: int = 3) -> Raft:
    """The same member, elected by everybody."""
    raft = member(*terms, term=term, voters=voters)
    raft.campaign()
    run(raft)
    for is_pre_vote in (True, False):
        for other in range(2, voters + 1):
            asked = raft.term + is_pre_vote
            raft.step(VoteReply(to=1, sender=other, term=asked, granted=True, is_pre_vote=is_pre_vote))
        run(raft)
    assert is_now(raft, Role.LEADER)
    return raft


def append(raft: Raft, prev: tuple[int, int], *terms: int, commit: int = 0, term: int = 0) -> AppendReply:
    """Send entries as member 2, the leader of the term; ``prev`` is index and term."""
    entries = [Entry(each, index, b"new") for index, each in enumerate(terms, prev[0] + 1)]
    raft.step(
        AppendEntries(
            to=1, sender=2, term=term or raft.term,
            prev_index=prev[0], prev_term=prev[1], entries=entries, commit=commit,
        )
    )  # fmt: skip
    (reply,) = run(raft)[0]
    assert isinstance(reply, AppendReply)
    return reply


def acknowledge(raft: Raft, sender: int, index: int) -> None:
    raft.step(AppendReply(to=1, sender=sender, term=raft.term, index=index, success=True))


def log_terms(raft: Raft) -> list[int | None]:
    return [raft.log.term_at(index) for index in range(1, raft.log.last_index + 1)]


@pytest.mark.parametrize("role", list(Role))
def test_a_larger_term_makes_every_role_a_follower(role: Role) -> None:
    """5.1: "If one server's current term is smaller than the other's, then it updates its current term"."""
    raft = member(1)
    if role is not Role.FOLLOWER:
        raft.campaign()
        run(raft)
    if role in {Role.CANDIDATE, Role.LEADER}:
        raft.step(VoteReply(to=1, sender=2, term=2, granted=True, is_pre_vote=True))
        run(raft)
    if role is Role.LEADER:
        raft.step(VoteReply(to=1, sender=2, term=2, granted=True))
    assert raft.role is role
    raft.step(Heartbeat(to=1, sender=3, term=7, commit=0, round=0))
    assert (raft.role, raft.term, raft.leader) == (Role.FOLLOWER, 7, 3)


def test_a_stale_term_is_rejected() -> None:
    """5.1: "If a server receives a request with a stale term number, it rejects the request"."""
    raft = member(3)
    raft.step(RequestVote(to=1, sender=2, term=2, last_index=9, last_term=2))
    raft.step(Heartbeat(to=1, sender=2, term=2, commit=1, round=4))
    raft.step(AppendEntries(to=1, sender=2, term=2, prev_index=1, prev_term=3, entries=[], commit=1))
    raft.step(InstallSnapshot(to=1, sender=2, term=2, snapshot=Snapshot(9, 2, THREE)))
    vote, *answers = run(raft)[0]
    assert isinstance(vote, VoteReply)
    assert (vote.granted, vote.term) == (False, 3)
    assert len(answers) == 3
    for answer in answers:
        assert isinstance(answer, AppendReply)
        assert (answer.success, answer.term) == (False, 3)
    assert (raft.log.commit, raft.log.last_index) == (0, 1)


def test_servers_begin_as_followers() -> None:
    """5.2: "When servers start up, they begin as followers"."""
    assert member(1, term=4, vote=1).role is Role.FOLLOWER


def test_a_leader_sends_heartbeats_to_all_followers() -> None:
    """5.2: "Leaders send periodic heartbeats to all followers in order to maintain their authority"."""
    raft = leading()
    raft.tick()
    heartbeats = [message for message in run(raft)[0] if isinstance(message, Heartbeat)]
    assert [message.to for message in heartbeats] == [2, 3]


def test_a_follower_that_hears_nobody_begins_an_election() -> None:
    """5.2: "If a follower receives no communication over [...] the election timeout", it begins an election."""
    raft = member()
    for _ in range(14):
        raft.tick()
    assert run(raft)[0] == []
    raft.tick()
    requests = run(raft)[0]
    assert [(m.to, m.term, m.is_pre_vote) for m in requests if isinstance(m, RequestVote)] == [
        (2, 1, True),
        (3, 1, True),
    ]
    assert raft.term == 0, "asking first costs no term"


def test_a_heartbeat_keeps_a_follower_quiet() -> None:
    """5.2: "A server remains in follower state as long as it receives valid RPCs from a leader"."""
    raft = member(term=1)
    for _ in range(50):
        raft.tick()
        raft.step(Heartbeat(to=1, sender=2, term=1, commit=0, round=0))
    assert is_now(raft, Role.FOLLOWER)


def test_a_candidate_increments_its_term_votes_for_itself_and_asks_the_others() -> None:
    """5.2: "a follower increments its current term and transitions to candidate state.  It then votes for
    itself and issues RequestVote RPCs in parallel".
    """  # noqa: D205 - a quotation
    raft = member(1)
    raft.campaign()
    run(raft)
    raft.step(VoteReply(to=1, sender=3, term=2, granted=True, is_pre_vote=True))
    ready = raft.ready()
    assert ready is not None
    assert (raft.role, raft.term) == (Role.CANDIDATE, 2)
    assert ready.hard_state == HardState(2, 1, 0)
    assert ready.must_sync
    assert list(ready.send_first) == [], "no request leaves before the candidate's own vote is on disk"
    assert [message.to for message in ready.send_after] == [2, 3]


def test_a_candidate_wins_with_votes_from_a_majority() -> None:
    """5.2: "A candidate wins an election if it receives votes from a majority of the servers"."""
    raft = member(voters=5)
    raft.campaign()
    run(raft)
    for voter in (2, 3):
        raft.step(VoteReply(to=1, sender=voter, term=1, granted=True, is_pre_vote=True))
    run(raft)
    raft.step(VoteReply(to=1, sender=2, term=1, granted=True))
    raft.step(VoteReply(to=1, sender=2, term=1, granted=True))
    assert is_now(raft, Role.CANDIDATE), "a doubled vote is one vote"
    raft.step(VoteReply(to=1, sender=3, term=1, granted=True))
    assert is_now(raft, Role.LEADER)


def test_a_candidates_own_vote_counts_once_it_is_on_disk() -> None:
    """5.2 and figure 2: votedFor is "updated on stable storage before responding to RPCs"."""
    raft = member()
    raft.campaign()
    run(raft)
    raft.step(VoteReply(to=1, sender=2, term=1, granted=True, is_pre_vote=True))
    ready = raft.ready()
    assert ready is not None
    raft.step(VoteReply(to=1, sender=2, term=1, granted=True))
    assert is_now(raft, Role.CANDIDATE)
    raft.advance(ready)
    assert is_now(raft, Role.LEADER)


def test_a_pre_vote_of_an_earlier_attempt_does_not_count() -> None:
    """Ongaro's thesis, 9.6: it was given for another term, perhaps in view of another log."""
    raft = member(3)
    raft.campaign()
    run(raft)
    raft.step(VoteReply(to=1, sender=2, term=3, granted=True, is_pre_vote=True))
    assert raft.role is Role.PRE_CANDIDATE


def test_a_server_votes_for_one_candidate_in_a_term() -> None:
    """5.2: "Each server will vote for at most one candidate in a given term, on a first-come basis"."""
    raft = member(term=1)
    assert vote_request(raft, sender=2).granted
    assert not vote_request(raft, sender=3).granted
    assert vote_request(raft, sender=2).granted, "the same answer to the same question"


def test_a_vote_is_on_disk_before_it_is_given() -> None:
    """Figure 2: persistent state is "updated on stable storage before responding to RPCs"."""
    raft = member(term=1)
    raft.step(RequestVote(to=1, sender=2, term=1, last_index=0, last_term=0))
    ready = raft.ready()
    assert ready is not None
    assert ready.hard_state == HardState(1, 2, 0)
    assert ready.must_sync
    assert not ready.send_first
    assert len(ready.send_after) == 1


def test_a_vote_survives_a_restart() -> None:
    """5.2, with figure 2: votedFor is persistent."""
    raft = member(term=1, vote=3)
    assert not vote_request(raft, sender=2).granted


def test_a_candidate_gives_way_to_a_leader_of_its_term() -> None:
    """5.2: "the candidate recognizes the leader as legitimate and returns to follower state"."""
    raft = member(1)
    raft.campaign()
    run(raft)
    append(raft, (1, 1), 1, term=1)
    assert (raft.role, raft.leader) == (Role.FOLLOWER, 2)


def test_a_candidate_that_neither_wins_nor_loses_begins_again() -> None:
    """5.2: "When this happens, each candidate will time out and start a new election"."""
    raft = member(1)
    raft.campaign()
    run(raft)
    raft.step(VoteReply(to=1, sender=2, term=2, granted=True, is_pre_vote=True))
    run(raft)
    assert (raft.role, raft.term) == (Role.CANDIDATE, 2)
    for _ in range(15):
        raft.tick()
    requests = [message for message in run(raft)[0] if isinstance(message, RequestVote)]
    assert [(message.term, message.is_pre_vote) for message in requests] == [(3, True)] * 2


def test_election_timeouts_differ_by_chance() -> None:
    """5.2: "election timeouts are chosen randomly from a fixed interval"."""
    cluster = Cluster(30, election_ticks=20)
    for ticks in range(1, 41):
        for each in cluster.machines:
            cluster.on(each, Raft.tick)
        roles = [cluster[each].role for each in cluster.machines]
        assert ticks >= 20 or roles.count(Role.FOLLOWER) == 30
    assert Role.FOLLOWER not in roles
    first = Cluster(30, seed=1, election_ticks=20)
    for _ in range(29):
        for each in first.machines:
            first.on(each, Raft.tick)
    assert {first[each].role for each in first.machines} == {Role.FOLLOWER, Role.PRE_CANDIDATE}


@pytest.mark.parametrize(
    ("last_index", "last_term", "granted"),
    [
        (
            9,
            2,
            False,
        ),  # "If the logs have last entries with different terms, then the log with the later term
        (1, 4, True),  # is more up-to-date.
        (
            2,
            3,
            False,
        ),  # If the logs end with the same term, then whichever log is longer is more up-to-date."
        (3, 3, True),
    ],
)
def test_a_vote_is_denied_to_a_log_that_is_less_up_to_date(
    last_index: int, last_term: int, *, granted: bool
) -> None:
    """5.4.1."""
    raft = member(1, 2, 3, term=4)
    assert vote_request(raft, last_index=last_index, last_term=last_term).granted is granted


def test_a_leader_appends_and_sends_while_its_own_disk_is_busy() -> None:
    """Ongaro's thesis, 10.2.1: the leader may "write to its disk in parallel with replicating"."""
    raft = leading()
    raft.propose(b"command")
    ready = raft.ready()
    assert ready is not None
    assert [m.to for m in ready.send_first if isinstance(m, AppendEntries)] == []
    for follower in (2, 3):
        acknowledge(raft, follower, 1)
    busy = raft.ready()
    assert busy is not None
    assert [len(m.entries) for m in busy.send_first if isinstance(m, AppendEntries) and m.entries] == [1, 1]
    for follower in (2, 3):
        acknowledge(raft, follower, 2)
    assert raft.log.commit == 2, "a majority may even commit without the leader's disk"
    assert [entry.index for entry in busy.committed] == [1]
    later = raft.ready()
    assert later is not None
    assert list(later.committed) == [], "but it applies only what its own disk has"


def test_an_entry_is_committed_once_a_majority_has_it() -> None:
    """5.3: "A log entry is committed once the leader [...] has replicated it on a majority of the servers"."""
    raft = leading(voters=5)
    raft.propose(b"command")
    run(raft)
    acknowledge(raft, 2, 2)
    assert raft.log.commit == 0
    acknowledge(raft, 3, 2)
    assert raft.log.commit == 2


def test_a_leader_counts_itself_only_with_what_is_on_its_disk() -> None:
    """5.3, with figure 2: log[] is persistent state."""
    raft = leading()
    raft.propose(b"command")
    ready = raft.ready()
    assert ready is not None
    acknowledge(raft, 2, 2)
    assert raft.log.commit == 1
    raft.advance(ready)
    assert raft.log.commit == 2


def test_an_acknowledgement_waits_for_the_disk() -> None:
    """Figure 2: log[] is "updated on stable storage before responding to RPCs"."""
    raft = member(term=1)
    entries = [Entry(1, 1, b"a")]
    raft.step(AppendEntries(to=1, sender=2, term=1, prev_index=0, prev_term=0, entries=entries, commit=0))
    ready = raft.ready()
    assert ready is not None
    assert ready.entries == entries
    assert not ready.send_first
    assert [type(message) for message in ready.send_after] == [AppendReply]


def test_the_commit_index_never_goes_down() -> None:
    """Figure 2: commitIndex "increases monotonically"."""
    raft = member(1, 1, commit=2)
    raft.step(Heartbeat(to=1, sender=2, term=1, commit=1, round=0))
    run(raft)
    append(raft, (2, 1), commit=0)
    assert raft.log.commit == 2


def test_a_new_leader_begins_at_its_own_end() -> None:
    """Figure 2: nextIndex is "initialized to leader last log index + 1", matchIndex to 0."""
    raft = leading(1, 1)
    raft.propose(b"a")
    raft.tick()
    appends = [message for message in run(raft)[0] if isinstance(message, Heartbeat | AppendEntries)]
    assert {message.commit for message in appends} == {0}, "nobody has acknowledged anything"
    assert {(raft.progress[other].match, raft.progress[other].next) for other in (2, 3)} == {(0, 3)}


def test_an_answer_that_was_lost_is_given_again() -> None:
    """5.5: "If a server crashes after completing an RPC but before responding, then it will receive the same
    RPC again after it restarts.  Raft RPCs are idempotent, so this causes no harm".
    """  # noqa: D205 - a quotation
    raft = member(term=1)
    append(raft, (0, 0), 1, commit=1)
    first = append(raft, (1, 1), 1, 1, commit=2)
    raft.step(Heartbeat(to=1, sender=2, term=1, commit=1, round=0))
    run(raft)
    second = append(raft, (1, 1), 1, 1, commit=2)
    assert (first.success, first.index) == (True, 3)
    assert (second.success, second.index) == (True, 2), "what is committed is not looked at again"
    assert (log_terms(raft), raft.log.commit) == ([1, 1, 1], 2)


def test_followers_learn_the_commit_index_and_apply_in_log_order() -> None:
    """5.3: "Once a follower learns that a log entry is committed, it applies the entry [...] (in log order)"."""
    raft = member(term=1)
    append(raft, (0, 0), 1, 1, 1)
    raft.step(Heartbeat(to=1, sender=2, term=1, commit=2, round=0))
    committed = [entry.index for ready in run(raft)[1] for entry in ready.committed]
    assert committed == [1, 2]


def test_a_follower_refuses_entries_that_do_not_follow() -> None:
    """5.3: "If the follower does not find an entry in its log with the same index and term, then it refuses"."""
    raft = member(1, 1, 2)
    assert not append(raft, (4, 2), 2).success
    assert not append(raft, (3, 1), 2).success
    assert append(raft, (3, 2), 2).success


# Raft, figure 7: what the leader of term 8 may find.
LEADER = (1, 1, 1, 4, 4, 5, 5, 6, 6, 6)
FIGURE_7 = {
    "a": (1, 1, 1, 4, 4, 5, 5, 6, 6),
    "b": (1, 1, 1, 4),
    "c": (1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6),
    "d": (1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7),
    "e": (1, 1, 1, 4, 4, 4, 4),
    "f": (1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3),
}


@pytest.mark.parametrize("case", FIGURE_7)
def test_a_leader_makes_every_log_of_figure_7_its_own(case: str) -> None:
    """5.3: "the leader handles inconsistencies by forcing the followers' logs to duplicate its own"."""
    leader = leading(*LEADER, term=7)
    follower = member(*FIGURE_7[case], term=leader.term)
    rejections = 0
    leader.tick()
    for _ in range(10):
        for message in run(leader)[0]:
            if message.to == 2:
                follower.step(replace(message, to=1, sender=2))
        for message in run(follower)[0]:
            rejections += isinstance(message, AppendReply) and not message.success
            leader.step(replace(message, to=1, sender=2))
        # The append of the first election round went to nobody: a sign of life has it sent again.
        leader.step(HeartbeatReply(to=1, sender=2, term=leader.term, round=0))
    assert log_terms(follower) == [*LEADER, leader.term]
    assert rejections <= 3, "one for each term that conflicts, not one for each entry"


def test_only_conflicting_entries_are_deleted() -> None:
    """5.3: "delete the existing entry and all that follow it", if they conflict."""
    raft = member(1, 1, 1)
    append(raft, (0, 0), 1)
    assert log_terms(raft) == [1, 1, 1]
    append(raft, (1, 1), 2, term=2)
    assert log_terms(raft) == [1, 2]


def test_a_follower_commits_no_further_than_the_last_new_entry() -> None:
    """Figure 2: "set commitIndex = min(leaderCommit, index of last new entry)"."""
    raft = member(1, 1, 1, term=2)
    append(raft, (0, 0), 1, commit=3)
    assert raft.log.commit == 1


def test_an_earlier_terms_entries_are_not_committed_by_counting() -> None:
    """5.4.2 and figure 8: "Only log entries from the leader's current term are committed by counting"."""
    raft = leading(1, 2)
    acknowledge(raft, 2, 2)
    acknowledge(raft, 3, 2)
    assert raft.log.commit == 0
    acknowledge(raft, 2, 3)
    assert raft.log.commit == 3, "everything before is committed with it"


def test_a_leader_retries_what_got_lost() -> None:
    """5.3: "the leader retries AppendEntries RPCs indefinitely"."""
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.isolate(3)
    cluster.propose(1, b"a", b"b")
    cluster.heal()
    cluster.tick(times=3)
    assert cluster.commands(3) == [b"a", b"b"]


def test_a_follower_far_behind_gets_a_snapshot() -> None:
    """7: "the leader must occasionally send snapshots to followers that lag behind"."""
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.isolate(3)
    cluster.propose(1, b"a", b"b")
    cluster.machines[1].compact()
    sent: list[Message] = []
    cluster.watch = sent.append
    cluster.heal()
    cluster.tick(times=4)
    cluster.propose(1, b"c")
    assert any(isinstance(message, InstallSnapshot) for message in sent)
    assert cluster.commands(3) == [b"c"], "what the snapshot holds is not applied again"
    assert cluster[3].configuration == THREE


def test_a_snapshot_of_what_is_there_keeps_what_follows() -> None:
    """7: "If [...] a snapshot that describes a prefix of its log", the entries after it are retained."""
    raft = member(1, 1, 1)
    raft.step(InstallSnapshot(to=1, sender=2, term=1, snapshot=Snapshot(2, 1, THREE)))
    assert (raft.log.last_index, raft.log.commit) == (3, 2)


def test_a_snapshot_of_what_is_not_here_begins_the_log_again() -> None:
    """7: "the follower discards its entire log; it is all superseded by the snapshot"."""
    raft = member(1, 1, 2, term=3)
    raft.step(InstallSnapshot(to=1, sender=2, term=3, snapshot=Snapshot(2, 2, THREE)))
    assert (raft.log.first_index, raft.log.last_index, raft.log.commit) == (3, 2, 2)
    messages, readies = run(raft)
    assert [ready.snapshot for ready in readies] == [Snapshot(2, 2, THREE)]
    assert [(m.index, m.success) for m in messages if isinstance(m, AppendReply)] == [(2, True)]


def test_an_old_snapshot_changes_nothing() -> None:
    """7, by retransmission or by mistake: what it holds is committed here already."""
    raft = member(1, 1, 1, commit=3)
    raft.step(InstallSnapshot(to=1, sender=2, term=1, snapshot=Snapshot(2, 1, Configuration())))
    messages, readies = run(raft)
    assert [ready.snapshot for ready in readies if ready.snapshot] == []
    assert (raft.log.last_index, raft.configuration) == (3, THREE)
    assert [m.index for m in messages if isinstance(m, AppendReply)] == [3]


def test_a_snapshot_brings_its_configuration() -> None:
    """7: "the snapshot also includes the latest configuration in the log as of last included index"."""
    raft = member()
    configuration = Configuration(voters=frozenset({1, 2}), learners=frozenset({3}))
    raft.step(InstallSnapshot(to=1, sender=2, term=1, snapshot=Snapshot(9, 1, configuration)))
    assert raft.configuration == configuration


def test_a_server_that_hears_its_leader_protects_it() -> None:
    """6: "servers disregard RequestVote RPCs when they believe a current leader exists"."""
    raft = member(term=1)
    raft.step(Heartbeat(to=1, sender=2, term=1, commit=0, round=0))
    run(raft)
    request = RequestVote(to=1, sender=3, term=9, last_index=0, last_term=0)
    raft.step(request)
    assert (run(raft)[0], raft.term) == ([], 1)
    for _ in range(10):
        raft.tick()
    raft.step(request)
    assert raft.term == 9


def test_a_configuration_counts_from_the_moment_it_is_in_the_log() -> None:
    """6: "a server always uses the latest configuration in its log, regardless of whether [...] committed"."""
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.on(1, lambda raft: raft.propose_change([Change(ChangeKind.ADD_VOTER, 4)]))
    assert cluster[1].configuration.voters == {1, 2, 3, 4}
    assert cluster[1].log.commit < cluster[1].log.last_index


def test_a_new_server_joins_without_a_vote_first() -> None:
    """6: "new servers join the cluster as non-voting members"."""
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.propose(1, b"a")
    cluster.add(4)
    cluster.on(1, lambda raft: raft.propose_change([Change(ChangeKind.ADD_LEARNER, 4)]))
    cluster.tick(times=3)
    assert cluster.commands(4) == [b"a"]
    cluster.isolate(3, 4)
    cluster.propose(1, b"b")
    assert cluster[1].log.commit == cluster[1].log.last_index, "1 and 2 are a majority of the voters"
    for _ in range(50):
        cluster.on(4, Raft.tick)
    assert cluster[4].role is Role.FOLLOWER


def test_a_leader_that_is_removed_steps_down_when_that_is_committed() -> None:
    """6: "the leader steps down (returns to follower state) once it has committed the C_new log entry"."""
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.on(1, lambda raft: raft.propose_change([Change(ChangeKind.REMOVE, 1)]))
    assert is_now(cluster[1], Role.LEADER), "it manages a cluster that does not include itself"
    cluster.settle()
    assert is_now(cluster[1], Role.FOLLOWER)
    assert cluster[2].log.commit == cluster[2].log.last_index, "the others heard that it is committed"
    cluster.tick(times=50)
    assert cluster.leader in {2, 3}
    assert is_now(cluster[1], Role.FOLLOWER)


def test_joint_consensus_needs_both_majorities_and_is_left_by_itself() -> None:
    """6: "Log entries are replicated to all servers in both configurations"; both have to agree."""
    cluster = Cluster(3)
    cluster.elect(1)
    changes = [Change(ChangeKind.ADD_VOTER, new) for new in (4, 5)]
    changes += [Change(ChangeKind.REMOVE, old) for old in (2, 3)]
    for new in (4, 5):
        cluster.add(new)
    cluster.isolate(4, 5)
    cluster.on(1, lambda raft: raft.propose_change(changes))
    cluster.tick(times=2)
    assert cluster[1].configuration.is_joint
    assert cluster[1].log.commit < cluster[1].log.last_index, "C_new has not agreed"
    cluster.heal()
    cluster.tick(times=5)
    assert cluster[1].configuration == Configuration(voters=frozenset({1, 4, 5}))
    assert cluster[5].configuration == cluster[1].configuration


def test_joint_consensus_needs_the_old_majority_too() -> None:
    """6: "separate majorities from both the old and new configurations"."""
    cluster = Cluster(3)
    cluster.elect(1)
    for new in (4, 5):
        cluster.add(new)
    cluster.isolate(2, 3)
    changes = [Change(ChangeKind.ADD_VOTER, new) for new in (4, 5)]
    cluster.on(1, lambda raft: raft.propose_change(changes))
    cluster.tick(times=5)
    assert cluster[5].log.last_index == cluster[1].log.last_index, "three of five have it"
    assert cluster[1].log.commit < cluster[1].log.last_index


def test_one_change_at_a_time_and_none_before_an_own_term_commit() -> None:
    """Ongaro's thesis, 4.1, and its correction of 2015."""
    raft = leading(1)
    change = partial(raft.propose_change, [Change(ChangeKind.ADD_VOTER, 4)])
    with pytest.raises(ChangeRefusedError, match="own term"):
        change()
    acknowledge(raft, 2, 2)
    change()
    with pytest.raises(ChangeRefusedError, match="another"):
        change()


def test_a_leader_begins_its_term_with_an_entry_of_its_own() -> None:
    """8: "having each leader commit a blank no-op entry into the log at the start of its term"."""
    raft = leading(1)
    assert log_terms(raft) == [1, 2]
    assert raft.log.entries_from(2) == [Entry(2, 2, b"")]


def test_a_read_waits_for_the_terms_first_commit() -> None:
    """8: a leader "may not know which [entries] are committed" before one of its term is."""
    raft = leading(1)
    raft.read(7)
    assert [m for m in run(raft)[0] if isinstance(m, Heartbeat)] == []
    acknowledge(raft, 2, 2)
    (heartbeat, *_) = [m for m in run(raft)[0] if isinstance(m, Heartbeat)]
    raft.step(HeartbeatReply(to=1, sender=2, term=2, round=heartbeat.round))
    assert [tuple(read) for ready in run(raft)[1] for read in ready.reads] == [(7, 2)]


def test_a_read_is_confirmed_by_heartbeats_sent_after_it_arrived() -> None:
    """8: "exchange heartbeat messages with a majority of the cluster before responding"."""
    raft = leading()
    acknowledge(raft, 2, 1)
    run(raft)
    rounds = []
    for context in (1, 2):
        raft.read(context)
        rounds += [m.round for m in run(raft)[0] if isinstance(m, Heartbeat) and m.to == 2]
    assert len(set(rounds)) == 2, "each round has a number of its own"
    raft.step(HeartbeatReply(to=1, sender=2, term=1, round=0))
    assert run(raft)[1] == [], "an answer from before"
    raft.step(HeartbeatReply(to=1, sender=2, term=1, round=rounds[0]))
    assert [read.context for ready in run(raft)[1] for read in ready.reads] == [1]
    raft.step(HeartbeatReply(to=1, sender=3, term=1, round=rounds[1]))
    assert [read.context for ready in run(raft)[1] for read in ready.reads] == [2]


def test_a_leader_without_a_majority_answers_no_read() -> None:
    """8: "a leader must check whether it has been deposed before processing a read-only request"."""
    cluster = Cluster(3)
    cluster.elect(1)
    cluster.isolate(1)
    cluster.read(1)
    cluster.settle()
    assert cluster.machines[1].reads == []


def test_reads_are_confirmed_by_voters_of_both_sets() -> None:
    """6 and 8: "majority" means both of them while two configurations decide, and never a learner."""
    raft = leading()
    acknowledge(raft, 2, 1)
    changes = [Change(ChangeKind.ADD_VOTER, 4), Change(ChangeKind.ADD_LEARNER, 3)]
    raft.propose_change(changes, is_joint=True, auto_leave=False)
    assert raft.configuration == Configuration(
        voters=frozenset({1, 2, 4}), outgoing=frozenset({1, 2, 3}), learners_next=frozenset({3})
    )
    for other in (2, 3, 4):
        acknowledge(raft, other, 2)
    raft.read(7)
    run(raft)
    answered: list[int] = []
    for other in (3, 4):
        raft.step(HeartbeatReply(to=1, sender=other, term=1, round=1))
        answered += [read.context for ready in run(raft)[1] for read in ready.reads]
        assert answered == ([] if other == 3 else [7]), (
            "3 is a majority of C_old with 1, and nothing in C_new"
        )


def test_an_answer_of_an_earlier_term_confirms_nothing() -> None:
    """8: each leader numbers its heartbeats from 1."""
    raft = leading()
    raft.step(Heartbeat(to=1, sender=2, term=2, commit=0, round=0))
    for _ in range(15):
        raft.tick()
    run(raft)
    raft.step(VoteReply(to=1, sender=3, term=3, granted=True, is_pre_vote=True))
    run(raft)
    raft.step(VoteReply(to=1, sender=3, term=3, granted=True))
    run(raft)
    acknowledge(raft, 3, raft.log.last_index)
    raft.read(7)
    run(raft)
    raft.step(HeartbeatReply(to=1, sender=3, term=1, round=1))
    assert [read for ready in run(raft)[1] for read in ready.reads] == []
    raft.step(HeartbeatReply(to=1, sender=3, term=3, round=1))
    assert [read.context for ready in run(raft)[1] for read in ready.reads] == [7]
