"""The state of one member (Raft, figure 2), and the changes of role that every part of the core shares."""

from collections.abc import Callable
from dataclasses import dataclass

from fairlead.raft.config import Config
from fairlead.raft.configuration import Configuration
from fairlead.raft.log import Log
from fairlead.raft.progress import Progress
from fairlead.raft.types import (
    NOBODY,
    AppendEntries,
    Chance,
    Entry,
    EntryKind,
    Forward,
    HardState,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    Message,
    ReadReply,
    ReadRequest,
    ReadState,
    Role,
    TimeoutNow,
)

# A leader's word promises nothing about its own disk; neither does a question, nor a sign of life: whoever
# elects another leader does so after it, whatever a crash in between makes the sender forget.
_NEEDS_NO_DISK = (
    AppendEntries, Heartbeat, HeartbeatReply, InstallSnapshot, TimeoutNow, Forward, ReadRequest, ReadReply,
)  # fmt: skip


@dataclass(slots=True)
class PendingRead:
    """A read on its way to be confirmed by a leader."""

    context: int
    requester: int
    index: int = 0
    round: int = 0


class Node:
    """What the parts of the core work on.  Not part of the door."""

    __slots__ = (
        "config",
        "dropped_total",
        "election_elapsed",
        "election_timeout",
        "forwards",
        "forwards_bytes",
        "forwards_term",
        "heartbeat_elapsed",
        "leader",
        "log",
        "member_id",
        "new_reads",
        "own_term_index",
        "progress",
        "read_states",
        "rng",
        "role",
        "round",
        "rounds_reads",
        "send_after",
        "send_first",
        "term",
        "transferee",
        "vote",
        "votes",
        "write_elapsed",
    )

    def __init__(self, config: Config, log: Log, hard_state: HardState, *, rng: Chance) -> None:
        self.config = config
        self.member_id = config.member_id
        self.log = log
        self.rng = rng
        self.term, self.vote, _ = hard_state
        self.role = Role.FOLLOWER
        self.leader = NOBODY
        self.send_first: list[Message] = []
        self.send_after: list[Message] = []
        self.read_states: list[ReadState] = []
        self.forwards: list[bytes] = []
        """Proposals for the leader, to travel together with the next `Ready`."""
        self.forwards_bytes = 0
        self.forwards_term = 0
        self.dropped_total = 0
        """Forwarded proposals and reads that this leader did not take."""
        self._forget_role()

    def __repr__(self) -> str:
        return f"<Node {self.config.member_id:x} {self.role.value} term={self.term} {self.log!r}>"

    @property
    def configuration(self) -> Configuration:
        """The latest in the log: in use from the moment it is appended (Raft, section 6)."""
        return self.log.configuration

    @property
    def hard_state(self) -> HardState:
        """What has to be on disk."""
        return HardState(self.term, self.vote, self.log.commit)

    @property
    def hears_leader(self) -> bool:
        """Whether a leader was heard of within the shortest election timeout (Raft, section 6)."""
        return self.leader != NOBODY and self.election_elapsed < self.config.election_ticks

    @property
    def has_own_term_commit(self) -> bool:
        """Whether this leader knows everything that is committed (Raft, section 8)."""
        return self.log.commit >= self.own_term_index

    def send(self, message: Message) -> None:
        """Put a message where `Ready` says when it may go."""
        into = self.send_first if isinstance(message, _NEEDS_NO_DISK) else self.send_after
        into.append(message)

    def append_own(self, data: bytes, kind: EntryKind = EntryKind.COMMAND) -> int:
        """Append an entry as leader; return its index."""
        index = self.log.last_index + 1
        self.log.append(Entry(self.term, index, data, kind))
        if kind:
            self.track_members()
        return index

    def track_members(self) -> None:
        """Follow everybody who gets the log, and nobody else."""
        members = self.configuration.members - {self.member_id}
        for gone in self.progress.keys() - members:
            del self.progress[gone]
        for new in sorted(members - self.progress.keys()):
            self.progress[new] = Progress(next_index=self.log.last_index + 1)

    def agreed(self, reached: Callable[[Progress], int], *, own: int) -> int:
        """Return the highest number that a quorum has reached, this leader being at ``own``."""
        progress = self.progress

        def of(member: int) -> int:
            return own if member == self.member_id else reached(progress[member])

        return self.configuration.agreed(of)

    def become_follower(self, term: int, leader: int = NOBODY) -> None:
        """Follow ``leader``, or nobody yet."""
        if term != self.term:
            assert term > self.term, "terms only grow"
            self.term, self.vote = term, NOBODY
        if self.role is not Role.FOLLOWER:
            self._change_role(Role.FOLLOWER)
        self.leader = leader
        self.election_elapsed = 0

    def become_pre_candidate(self) -> None:
        """Ask who would vote for this member; term and vote stay (Ongaro's thesis, section 9.6)."""
        assert self.role is not Role.LEADER, "a leader does not campaign"
        self._change_role(Role.PRE_CANDIDATE)

    def become_candidate(self) -> None:
        """Begin a term, and vote for itself in it (Raft, section 5.2)."""
        assert self.role is not Role.LEADER, "a leader does not campaign"
        self._change_role(Role.CANDIDATE)
        self.term, self.vote = self.term + 1, self.member_id

    def become_leader(self) -> None:
        """Lead this term: whatever is sent from here on is sent as its leader."""
        assert self.role is Role.CANDIDATE, "only a candidate is elected"
        self._change_role(Role.LEADER)
        self.leader = self.member_id
        self.heartbeat_elapsed = 0
        self.track_members()
        # Raft, section 8: a leader learns what is committed by committing an entry of its own term.
        self.own_term_index = self.append_own(b"")

    def _change_role(self, role: Role) -> None:
        self._forget_role()
        self.role = role

    def _forget_role(self) -> None:
        """Begin a role with nothing of the last one: no votes, followers, reads or transfer."""
        self.leader = NOBODY
        self.votes: dict[int, bool] = {}
        self.progress: dict[int, Progress] = {}
        self.transferee = NOBODY
        self.own_term_index = 0
        self.round = 0
        self.new_reads: list[PendingRead] = []
        self.rounds_reads: list[PendingRead] = []
        self.election_elapsed = self.heartbeat_elapsed = 0
        self.write_elapsed = 0  # ticks since a write last ended, while another is under way
        # Raft, section 5.2: "election timeouts are chosen randomly from a fixed interval".
        ticks = self.config.election_ticks
        self.election_timeout = self.rng.randrange(ticks, 2 * ticks)
