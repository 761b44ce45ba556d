"""Mistakes in elections, replication and reads; most have been made before, by somebody.

Each is the program's own code with one thought left out.
"""

from itertools import count
from typing import Any

from tests.sim.mutants.patches import Patches

from fairlead.raft import Configuration, election, log, node, quorum, raft, reads, replication
from fairlead.raft.node import Node
from fairlead.raft.types import (
    NOBODY,
    AppendEntries,
    AppendReply,
    Heartbeat,
    Message,
    ReadReply,
    ReadState,
    RequestVote,
    Role,
    VoteReply,
)

_FOLLOWERS = (Role.FOLLOWER, Role.PRE_CANDIDATE, Role.CANDIDATE)


def commit_an_old_term_by_counting(patches: Patches) -> None:
    """Commit entries of earlier terms as soon as a majority has them (Raft, figure 8)."""

    def commit(leader: Node, reached: int) -> None:
        if reached <= leader.log.commit or leader.role is not Role.LEADER:
            return
        index = leader.agreed(lambda progress: progress.match, own=leader.log.written)
        leader.log.commit_to(max(index, leader.log.commit))

    patches.set(replication, "commit", commit)


def count_the_leader_before_its_disk(patches: Patches) -> None:
    """Count the leader's own copy of an entry before it is on its disk (etcd issue 14370)."""

    def commit(leader: Node, reached: int) -> None:
        if leader.role is not Role.LEADER:
            return
        index = leader.agreed(lambda progress: progress.match, own=leader.log.last_index)
        if index > leader.log.commit and leader.log.term_at(index) == leader.term:
            leader.log.commit_to(index)

    patches.set(replication, "commit", commit)


def acknowledge_before_the_sync(patches: Patches) -> None:
    """Send the reply to an append while its entries are on their way to the disk."""
    patches.set(node, "_NEEDS_NO_DISK", (*node._NEEDS_NO_DISK, AppendReply))


def vote_before_the_sync(patches: Patches) -> None:
    """Send a vote, and ask for votes, while the own vote is on its way to the disk."""
    patches.set(node, "_NEEDS_NO_DISK", (*node._NEEDS_NO_DISK, VoteReply, RequestVote))


def vote_for_everybody(patches: Patches) -> None:
    """Vote for whoever asks, again in the same term."""
    original = election.on_request_vote

    def on_request_vote(voter: Node, message: RequestVote) -> None:
        voter.vote = NOBODY
        voter.leader = NOBODY
        original(voter, message)

    for role in _FOLLOWERS:
        patches.put(raft._HANDLERS[role], RequestVote, on_request_vote)


def elect_without_a_look_at_the_log(patches: Patches) -> None:
    """Vote for a candidate whose log is behind one's own (Raft, section 5.4.1)."""
    patches.set(log.Log, "is_up_to_date", lambda *_, **__: True)


def count_doubled_votes(patches: Patches) -> None:
    """Count the messages that grant a vote instead of the members that do."""
    original = election._count
    numbers = count(1 << 70)

    def recount(candidate: Node, voter: int, *, granted: bool) -> None:
        if granted and candidate.votes.get(voter):
            known = sum(candidate.votes.values()) + 1
            if candidate.role is Role.CANDIDATE and 2 * known > len(candidate.configuration.voters):
                candidate.become_leader()
                return
            candidate.votes[next(numbers)] = True
        original(candidate, voter, granted=granted)

    patches.set(election, "_count", recount)


def take_replies_of_an_old_term(patches: Patches) -> None:
    """Let a leader count what its followers acknowledged to it in an earlier term."""
    original = election.is_current

    def is_current(receiver: Node, message: Message) -> bool:
        if isinstance(message, AppendReply | VoteReply) and message.term < receiver.term:
            return True
        return original(receiver, message)

    patches.set(election, "is_current", is_current)


def truncate_on_every_append(patches: Patches) -> None:
    """Replace what the log has behind an append, whether or not it conflicts: late messages cut the log."""

    def replicate(self: log.Log, entries: Any) -> None:
        for position, entry in enumerate(entries):
            if entry.index > self.commit:
                if entry.index <= self.last_index:
                    self._truncate(entry.index)
                self._extend(entries[position:])
                return

    patches.set(log.Log, "replicate", replicate)


def append_without_a_look_at_what_is_before(patches: Patches) -> None:
    """Take entries if the log is long enough, whatever term the one before them has (Raft, section 5.3)."""
    original = replication.on_append_entries

    def on_append_entries(follower: Node, message: AppendEntries) -> None:
        term = follower.log.term_at(message.prev_index)
        if term is not None and message.prev_index >= follower.log.commit:
            follower.log.replicate(message.entries)
            last_new = message.prev_index + len(message.entries)
            follower.log.commit_to(min(message.commit, last_new))
            replication._reply(follower, message.sender, index=last_new)
        else:
            original(follower, message)

    _replace_append(patches, on_append_entries)


def commit_before_the_logs_have_met(patches: Patches) -> None:
    """Take the leader's commit index for a log that is not known to be the leader's (Raft, figure 2)."""
    original = replication.on_append_entries

    def on_append_entries(follower: Node, message: AppendEntries) -> None:
        follower.log.commit_to(max(follower.log.commit, min(message.commit, follower.log.last_index)))
        original(follower, message)

    _replace_append(patches, on_append_entries)


def commit_by_heartbeat_what_may_differ(patches: Patches) -> None:
    """Let heartbeats carry the leader's commit index to followers that may not have its log."""

    def on_heartbeat(follower: Node, message: Heartbeat) -> None:
        follower.log.commit_to(min(message.commit, follower.log.last_index))
        replication.on_heartbeat(follower, Heartbeat(
            to=message.to, sender=message.sender, term=message.term, commit=0, round=message.round
        ))  # fmt: skip

    def send_heartbeats(leader: Node) -> None:
        leader.heartbeat_elapsed = 0
        for member in leader.progress:
            leader.send(
                Heartbeat(
                    to=member,
                    sender=leader.member_id,
                    term=leader.term,
                    commit=leader.log.commit,
                    round=leader.round,
                )
            )

    patches.set(replication, "send_heartbeats", send_heartbeats)
    for role in _FOLLOWERS:
        patches.put(raft._HANDLERS[role], Heartbeat, raft._following(on_heartbeat))


def read_without_confirmation(patches: Patches) -> None:
    """Answer a read from what the leader knows, without asking whether it still leads (etcd issue 741)."""

    def confirm(leader: Node) -> None:
        for read in leader.rounds_reads:
            reads._hand_out(leader, read)
        leader.rounds_reads.clear()

    patches.set(reads, "confirm", confirm)


def confirm_reads_by_older_heartbeats(patches: Patches) -> None:
    """Let a heartbeat that was sent before a read arrived confirm it (etcd issue 20418)."""

    def begin_round(leader: Node) -> bool:
        if not leader.has_own_term_commit:
            return False
        for read in leader.new_reads:
            read.index = max(read.index, leader.own_term_index)
            read.round = max(1, leader.round)
        leader.round = max(1, leader.round)
        leader.rounds_reads += leader.new_reads
        leader.new_reads = []
        reads.confirm(leader)
        return True

    patches.set(reads, "begin_round", begin_round)


def read_before_the_term_has_begun(patches: Patches) -> None:
    """Answer a read before an entry of the leader's own term is committed (Raft, section 8)."""

    def begin_round(leader: Node) -> bool:
        leader.round += 1
        for read in leader.new_reads:
            read.round = leader.round
        leader.rounds_reads += leader.new_reads
        leader.new_reads = []
        reads.confirm(leader)
        return True

    patches.set(reads, "begin_round", begin_round)


def read_what_the_leader_has_committed_only(patches: Patches) -> None:
    """Let a follower answer from what it has applied itself, once the leader has confirmed the read."""

    def on_read_reply(follower: Node, message: Any) -> None:
        follower.read_states.append(ReadState(message.context, 0))

    for handlers in raft._HANDLERS.values():
        patches.put(handlers, ReadReply, on_read_reply)


def count_a_joint_quorum_by_union(patches: Patches) -> None:
    """During joint consensus, let a majority of all voters together decide (Raft, section 6)."""

    def voters(self: Configuration) -> frozenset[int]:
        return self.voters | self.outgoing

    patches.set(Configuration, "vote_result", lambda self, votes: quorum.count_votes(voters(self), votes))
    patches.set(Configuration, "agreed", lambda self, reached: quorum.agreed(voters(self), reached))


def count_the_new_configuration_alone(patches: Patches) -> None:
    """During joint consensus, let C_new decide without C_old."""
    patches.set(Configuration, "vote_result", lambda self, votes: quorum.count_votes(self.voters, votes))
    patches.set(Configuration, "agreed", lambda self, reached: quorum.agreed(self.voters, reached))


def keep_a_configuration_that_was_truncated(patches: Patches) -> None:
    """Go on counting by a configuration whose entry is gone from the log."""
    original = log.Log._truncate

    def truncate(self: log.Log, index: int) -> None:
        configurations = list(self._configurations)
        original(self, index)
        self._configurations = configurations

    patches.set(log.Log, "_truncate", truncate)


def _replace_append(patches: Patches, handler: Any) -> None:
    for role in _FOLLOWERS:
        patches.put(raft._HANDLERS[role], AppendEntries, raft._following(handler))
