"""Consensus: one log, the same on every member.

Source: Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", the extended version;
Ongaro's thesis for what it leaves open.

Door: `Raft`.  Messages, ticks, proposals and reads go in; `Ready` comes out and says what to write, send, apply
and answer, in which order.  It never touches a disk, a socket, a clock or a source of chance of its own, knows
nothing of commands, and imports nothing else of Fairlead.

    quorum, configuration, confchange    counting; who counts; who will
    log, progress                        the log and its marks; what a leader knows of a follower
    node                                 a member's state and its changes of role
    election, leadership, replication, proposals, reads, membership, transfer    the rules
    raft                                 the table of roles and messages, and the door
    testing                              a cluster in memory, with faults, that checks Raft's promises

Four decisions differ from etcd-io/raft.  A configuration counts from the moment it is in the log, as the paper
has it, not from when it is applied.  A candidate asks for votes only after its own is on disk.  Entries are
applied only when they are on this member's disk; hence a leader whose disk is stuck leaves leadership to somebody.
And so does a leader that removes itself, instead of leaving it to a timeout.
"""

from fairlead.raft.confchange import Change, ChangeKind
from fairlead.raft.config import Config
from fairlead.raft.configuration import Configuration, decode_configuration, encode_configuration
from fairlead.raft.errors import (
    ChangeRefusedError,
    LostEntriesError,
    NoLeaderError,
    NotLeaderError,
    ProposalDroppedError,
    RaftError,
    TooManyReadsError,
)
from fairlead.raft.progress import Progress, ProgressState
from fairlead.raft.raft import Raft
from fairlead.raft.types import (
    NOBODY,
    AppendEntries,
    AppendReply,
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
    Ready,
    RequestVote,
    Role,
    Snapshot,
    TimeoutNow,
    VoteReply,
)

__all__ = [
    "NOBODY",
    "AppendEntries",
    "AppendReply",
    "Chance",
    "Change",
    "ChangeKind",
    "ChangeRefusedError",
    "Config",
    "Configuration",
    "Entry",
    "EntryKind",
    "Forward",
    "HardState",
    "Heartbeat",
    "HeartbeatReply",
    "InstallSnapshot",
    "LostEntriesError",
    "Message",
    "NoLeaderError",
    "NotLeaderError",
    "Progress",
    "ProgressState",
    "ProposalDroppedError",
    "Raft",
    "RaftError",
    "ReadReply",
    "ReadRequest",
    "ReadState",
    "Ready",
    "RequestVote",
    "Role",
    "Snapshot",
    "TimeoutNow",
    "TooManyReadsError",
    "VoteReply",
    "decode_configuration",
    "encode_configuration",
]
