"""`Raft`, the door: events in, `Ready` out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fairlead.raft import election, leadership, membership, proposals, reads, replication, transfer
from fairlead.raft.confchange import Change
from fairlead.raft.config import Config
from fairlead.raft.configuration import Configuration
from fairlead.raft.log import Log
from fairlead.raft.node import Node
from fairlead.raft.progress import Progress
from fairlead.raft.types import (
    LEADER,
    NOBODY,
    AppendEntries,
    AppendReply,
    Chance,
    Entry,
    Forward,
    HardState,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    Message,
    ReadReply,
    ReadRequest,
    Ready,
    RequestVote,
    Role,
    Snapshot,
    TimeoutNow,
    VoteReply,
)

Handler = Callable[[Node, Any], None]


def _following(handler: Handler) -> Handler:
    """Make a handler that first recognises the sender as this term's leader (Raft, section 5.2)."""

    def handle(node: Node, message: Message) -> None:
        node.become_follower(node.term, message.sender)
        handler(node, message)

    return handle


_APPEND = _following(replication.on_append_entries)
_HEARTBEAT = _following(replication.on_heartbeat)
_INSTALL = _following(replication.on_install_snapshot)
_TIMEOUT_NOW = _following(election.on_timeout_now)
_VOTE = election.on_request_vote
_READ = reads.on_read_reply
_NOT_HERE = proposals.on_late_forward

# What a member does with a message of its own term.  A pair that is not here is of no meaning: late, or wrong.
_HANDLERS: Mapping[Role, Mapping[type[Message], Handler]] = {
    Role.FOLLOWER: {
        RequestVote: _VOTE, AppendEntries: _APPEND, Heartbeat: _HEARTBEAT, InstallSnapshot: _INSTALL,
        ReadReply: _READ, Forward: _NOT_HERE, TimeoutNow: _TIMEOUT_NOW,
    },
    Role.PRE_CANDIDATE: {
        RequestVote: _VOTE, AppendEntries: _APPEND, Heartbeat: _HEARTBEAT, InstallSnapshot: _INSTALL,
        ReadReply: _READ, Forward: _NOT_HERE, TimeoutNow: _TIMEOUT_NOW,
        VoteReply: election.on_pre_vote_reply,
    },
    Role.CANDIDATE: {
        RequestVote: _VOTE, AppendEntries: _APPEND, Heartbeat: _HEARTBEAT, InstallSnapshot: _INSTALL,
        ReadReply: _READ, Forward: _NOT_HERE, TimeoutNow: _TIMEOUT_NOW,
        VoteReply: election.on_vote_reply,
    },
    Role.LEADER: {
        RequestVote: _VOTE, AppendReply: replication.on_append_reply,
        HeartbeatReply: replication.on_heartbeat_reply,
        ReadRequest: reads.on_read_request, ReadReply: _READ, Forward: proposals.on_forward,
    },
}  # fmt: skip


class Raft:
    """One member's consensus core: deterministic, given its events and its generator.

    Args:
        config: times and limits.
        snapshot: where the log begins.  A new cluster begins at index 0 with a configuration of all its
            members; a member that joins begins at index 0 with an empty one.
        hard_state: as last written.
        entries: those after the snapshot, as written.
        applied: index up to which the state machine has applied; at least the snapshot's.
        rng: chooses election timeouts.

    Raises:
        LostEntriesError: what was committed or applied here is not in the log.  So does `step`, when a leader
            knows that it was.
    """

    __slots__ = ("_node", "_sequence", "_taken_hard_state")

    def __init__(
        self,
        config: Config,
        *,
        snapshot: Snapshot,
        rng: Chance,
        hard_state: HardState | None = None,
        entries: Sequence[Entry] = (),
        applied: int = 0,
    ) -> None:
        log = Log(snapshot, entries)
        state = hard_state or HardState()
        if state.term < log.last_term:
            # A torn write kept entries and lost the hard state behind them, of which nobody had heard.
            state = HardState(log.last_term, NOBODY, state.commit)
        log.commit_to(max(state.commit, applied))
        log.applying = max(log.applying, applied)
        self._node = Node(config, log, state, rng=rng)
        self._sequence = 0
        self._taken_hard_state = hard_state or HardState()

    def __repr__(self) -> str:
        node = self._node
        return f"<Raft {node.member_id:x} {node.role.value} term={node.term} leader={node.leader:x} {node.log!r}>"

    @property
    def role(self) -> Role:
        """What this member is now."""
        return self._node.role

    @property
    def term(self) -> int:
        """The current term."""
        return self._node.term

    @property
    def leader(self) -> int:
        """The leader as this member knows it; 0 for nobody."""
        return self._node.leader

    @property
    def log(self) -> Log:
        """The log, to look at."""
        return self._node.log

    @property
    def configuration(self) -> Configuration:
        """The latest configuration, committed or not."""
        return self._node.configuration

    @property
    def progress(self) -> Mapping[int, Progress]:
        """What a leader knows of the others, to look at; empty for who does not lead."""
        return self._node.progress

    @property
    def bytes_in_memory(self) -> int:
        """The payload of the entries that are held, for whoever decides when to `compact`."""
        return self._node.log.bytes_in_memory

    @property
    def dropped_total(self) -> int:
        """Forwarded proposals and reads that this member did not take."""
        return self._node.dropped_total

    def step(self, message: Message) -> None:
        """Take a message from another member."""
        node = self._node
        assert message.to == node.member_id, f"{message} came to member {node.member_id:x}"
        if election.is_current(node, message):
            handler = _HANDLERS[node.role].get(type(message))
            if handler is not None:
                handler(node, message)

    def tick(self) -> None:
        """Let one tick pass."""
        node = self._node
        if node.role is Role.LEADER:
            leadership.tick(node)
        else:
            election.tick(node)

    def campaign(self) -> None:
        """Stand for election now, instead of after a timeout."""
        if self._node.role is not Role.LEADER:
            election.campaign(self._node)

    def propose(self, data: bytes) -> None:
        """Ask for a command to be replicated; it comes back in ``Ready.committed``, or is lost.

        Raises:
            NoLeaderError: nobody is known to lead.
            ProposalDroppedError: this member takes nothing now.
        """
        proposals.propose(self._node, data)

    def read(self, context: int) -> None:
        """Ask for an index at which a read is linearizable; it comes back in ``Ready.reads``, or is lost.

        Args:
            context: never used before by any member, this one before a restart included.

        Raises:
            NoLeaderError: nobody is known to lead.
            TooManyReadsError: too many wait already.
        """
        reads.request(self._node, context)

    @property
    def lone_voter(self) -> bool:
        """Whether this member is a quorum by itself.

        That alone does not make what it has committed up to date: see `read_index`.
        """
        return self._node.log.configuration.is_alone(self._node.member_id)

    @property
    def read_index(self) -> int | None:
        """An index at which a read is linearizable now, with nobody asked; None if `read` has to ask.

        Only a leader that is the quorum knows one, once an entry of its term is committed (Raft, section 8).
        """
        return reads.index_now(self._node)

    def is_caught_up(self, member: int) -> bool:
        """Return whether, as this leader knows, a learner is there and near enough to the end to be promoted."""
        return membership.is_caught_up(self._node, member)

    def propose_change(
        self,
        changes: Sequence[Change],
        *,
        is_joint: bool = False,
        auto_leave: bool = True,
        context: bytes = b"",
    ) -> int:
        """Change the membership; return the index of the entry.

        One change is one step; several, or ``is_joint``, go through joint consensus, which the leader leaves by
        itself if ``auto_leave``.

        Raises:
            NotLeaderError: this member does not lead.
            ChangeRefusedError: it is not allowed, or not now.
        """
        return membership.propose(
            self._node, changes, is_joint=is_joint, auto_leave=auto_leave, context=context
        )

    def leave_joint(self, *, context: bytes = b"") -> int:
        """End joint consensus that was begun without ``auto_leave``; return the index of the entry.

        Raises:
            NotLeaderError: this member does not lead.
            ChangeRefusedError: joint consensus is not under way, or not committed.
        """
        return membership.propose_leave(self._node, context=context)

    def transfer_leadership(self, target: int) -> None:
        """Hand leadership over to a voter; proposals are dropped until it has it, or a timeout.

        Raises:
            NotLeaderError: this member does not lead.
            ChangeRefusedError: ``target`` is no voter.
        """
        transfer.begin(self._node, target)

    def report_snapshot(self, member: int, *, is_delivered: bool) -> None:
        """Take the news of a snapshot that was to be sent.  Every `InstallSnapshot` needs one."""
        if progress := self._node.progress.get(member):
            progress.end_snapshot(is_delivered=is_delivered)

    def report_unreachable(self, member: int) -> None:
        """Take the news that messages to ``member`` were lost."""
        if progress := self._node.progress.get(member):
            progress.lost()

    def snapshot_at(self, index: int) -> Snapshot | None:
        """Name the state after applying ``index``; None if there is a newer snapshot already."""
        return self._node.log.snapshot_at(index)

    def compact(self, index: int) -> None:
        """Forget entries up to ``index``, which a snapshot holds durably."""
        self._node.log.compact(index)

    def ready(self) -> Ready | None:
        """Return what has to be done now; None when that is nothing."""
        node = self._node
        if node.forwards:
            proposals.send_forwards(node)
        if node.role is LEADER:
            if node.new_reads and reads.begin_round(node):
                replication.send_heartbeats(node)
            replication.flush(node)
        committed = node.log.take_committed(bytes_max=node.config.committed_bytes_max)
        hard_state = node.hard_state
        is_new_state = hard_state != self._taken_hard_state
        is_written = node.log.is_handed_out and not is_new_state
        if is_written and not (node.send_first or node.send_after or committed or node.read_states):
            return None
        self._sequence += 1
        snapshot, entries = node.log.take_writes(self._sequence)
        ready = Ready(
            sequence=self._sequence,
            send_first=node.send_first,
            snapshot=snapshot,
            entries=entries,
            hard_state=hard_state if is_new_state else None,
            must_sync=bool(entries or snapshot) or hard_state[:2] != self._taken_hard_state[:2],
            send_after=node.send_after,
            committed=committed,
            reads=node.read_states,
        )
        node.send_first, node.send_after, node.read_states = [], [], []
        self._taken_hard_state = hard_state
        return ready

    def advance(self, ready: Ready) -> None:
        """Take the news that ``ready`` and every one before it are durable; once each, in order."""
        node = self._node
        node.log.wrote(ready.sequence)
        node.write_elapsed = 0
        if ready.hard_state is not None:
            election.on_hard_state_written(node, ready.hard_state)
        replication.commit(node, node.log.written)
