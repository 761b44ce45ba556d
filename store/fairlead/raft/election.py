"""Elections (Raft, section 5.2 and 5.4.1), with pre-vote and protection of a living leader.

Problem: a member that was cut off comes back with a high term and deposes a leader that everybody else hears.
Pre-vote alone does not help when the member's log is as good as theirs; refusing votes while a leader is heard
does, but leaves a member whose term is above the leader's stuck: so an old leader's messages are answered with
the higher term, and pre-vote makes such terms rare.  (Ongaro's thesis, section 9.6 and 4.2.3.)

A vote counts, and a request for one leaves, only when term and vote are on disk.  A candidate that asked first
and then crashed could ask again in the same term with a shorter log, and win with the votes for the longer one.
"""

from fairlead.raft.node import Node
from fairlead.raft.quorum import VoteResult
from fairlead.raft.types import (
    NOBODY,
    AppendEntries,
    AppendReply,
    HardState,
    Heartbeat,
    InstallSnapshot,
    Message,
    ReadReply,
    ReadRequest,
    RequestVote,
    Role,
    TimeoutNow,
    VoteReply,
)

_FROM_LEADER = (AppendEntries, Heartbeat, InstallSnapshot)
_OF_ANY_TERM = (ReadRequest, ReadReply)


def is_current(node: Node, message: Message) -> bool:
    """Compare terms first, and return whether the message is to be handled (Raft, section 5.1)."""
    if message.term == node.term or isinstance(message, _OF_ANY_TERM):
        return True
    if message.term < node.term:
        _answer_the_past(node, message)
        return False
    if isinstance(message, RequestVote):
        # Raft, section 6: "if a server receives a RequestVote RPC within the minimum election timeout of
        # hearing from a current leader, it does not update its term or grant its vote".
        if node.hears_leader and not message.is_transfer:
            return False
        if message.is_pre_vote:
            return True
    if isinstance(message, VoteReply) and message.is_pre_vote and message.granted:
        return True
    # "If one server's current term is smaller than the other's, then it updates its current term to the
    # larger value.  If a candidate or leader discovers that its term is out of date, it immediately
    # reverts to follower state."
    node.become_follower(message.term, message.sender if isinstance(message, _FROM_LEADER) else NOBODY)
    return True


def _answer_the_past(node: Node, message: Message) -> None:
    to, sender, term = message.sender, node.member_id, node.term
    if isinstance(message, _FROM_LEADER):
        node.send(AppendReply(to=to, sender=sender, term=term, index=0, success=False))
    elif isinstance(message, RequestVote):
        is_pre_vote = message.is_pre_vote
        node.send(VoteReply(to=to, sender=sender, term=term, granted=False, is_pre_vote=is_pre_vote))


def tick(node: Node) -> None:
    """Let a member that does not lead grow impatient."""
    node.election_elapsed += 1
    if node.election_elapsed >= node.election_timeout:
        campaign(node)


def campaign(node: Node) -> None:
    """Stand for election, if this member may lead; first ask whether it could win."""
    node.election_elapsed = 0
    if not node.log.may_lead(node.member_id):
        node.leader = NOBODY  # whom it no longer hears it need not protect
        return
    node.become_pre_candidate()
    _ask_for_votes(node, node.term + 1, is_pre_vote=True)
    _count(node, node.member_id, granted=True)


def campaign_for_real(node: Node, *, is_transfer: bool = False) -> None:
    """Begin a term and ask for votes in it."""
    node.become_candidate()
    _ask_for_votes(node, node.term, is_transfer=is_transfer)


def on_hard_state_written(node: Node, state: HardState) -> None:
    """Count the candidate's own vote, now that it cannot be forgotten."""
    if node.role is Role.CANDIDATE and (state.term, state.vote) == (node.term, node.member_id):
        _count(node, node.member_id, granted=True)


def on_request_vote(node: Node, message: RequestVote) -> None:
    """Answer a request of this term, or a pre-vote for a later one.

    Raft, figure 2: "If votedFor is null or candidateId, and candidate's log is at least as up-to-date as
    receiver's log, grant vote."  A voter answers whatever it believes the configuration to be (section 6).
    """
    is_free = node.vote == message.sender or (node.vote == NOBODY and node.leader == NOBODY)
    is_later_pre_vote = message.is_pre_vote and message.term > node.term
    granted = (is_free or is_later_pre_vote) and node.log.is_up_to_date(
        last_term=message.last_term, last_index=message.last_index
    )
    if granted and not message.is_pre_vote:
        node.vote = message.sender
        node.election_elapsed = 0
    node.send(
        VoteReply(
            to=message.sender,
            sender=node.member_id,
            term=message.term if granted else node.term,
            granted=granted,
            is_pre_vote=message.is_pre_vote,
        )
    )


def on_pre_vote_reply(node: Node, message: VoteReply) -> None:
    """Count a pre-vote."""
    if message.is_pre_vote and (not message.granted or message.term == node.term + 1):
        _count(node, message.sender, granted=message.granted)


def on_vote_reply(node: Node, message: VoteReply) -> None:
    """Count a vote."""
    if not message.is_pre_vote:
        _count(node, message.sender, granted=message.granted)


def on_timeout_now(node: Node, _: TimeoutNow) -> None:
    """Campaign because the leader hands over: without asking first, and with its permission."""
    if node.log.may_lead(node.member_id):
        campaign_for_real(node, is_transfer=True)


def _ask_for_votes(node: Node, term: int, *, is_pre_vote: bool = False, is_transfer: bool = False) -> None:
    configuration = node.configuration
    for voter in sorted((configuration.voters | configuration.outgoing) - {node.member_id}):
        node.send(
            RequestVote(
                to=voter,
                sender=node.member_id,
                term=term,
                last_index=node.log.last_index,
                last_term=node.log.last_term,
                is_pre_vote=is_pre_vote,
                is_transfer=is_transfer,
            )
        )


def _count(node: Node, voter: int, *, granted: bool) -> None:
    # Raft, section 5.2: each member votes at most once in a term; a doubled message is still one vote.
    node.votes.setdefault(voter, granted)
    result = node.configuration.vote_result(node.votes)
    if result is VoteResult.LOST:
        node.become_follower(node.term)
    elif result is VoteResult.WON and node.role is Role.PRE_CANDIDATE:
        campaign_for_real(node)
    elif result is VoteResult.WON:
        node.become_leader()
