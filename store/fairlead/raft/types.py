"""What goes in and out of the core: entries, messages, and `Ready`.  Names are those of the Raft paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NamedTuple, Protocol

from fairlead.raft.configuration import Configuration

NOBODY = 0
"""No member has this id: no vote, no leader."""


class Chance(Protocol):
    """Where the core's only random numbers come from; a ``random.Random`` is one."""

    def randrange(self, start: int, stop: int, /) -> int:
        """Return a number from ``start`` to before ``stop``."""


class Role(Enum):
    """What a member is (Raft, figure 4; a pre-candidate asks first whether it could win)."""

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    CANDIDATE = "candidate"
    LEADER = "leader"


LEADER = Role.LEADER
"""The same, for where it is asked often: before Python 3.12 a look into an enum costs more than a call."""


class EntryKind(IntEnum):
    """What an entry's data is."""

    COMMAND = 0
    CONFIGURATION = 1


class Entry(NamedTuple):
    """One entry of the log.  Empty data marks the start of a term."""

    term: int
    index: int  # type: ignore[assignment]  # Raft's name; nobody asks a tuple for a position here
    data: bytes
    kind: EntryKind = EntryKind.COMMAND


class HardState(NamedTuple):
    """What a member must not forget (Raft, figure 2: persistent state), and how far the log is committed."""

    term: int = 0
    vote: int = NOBODY
    commit: int = 0


class Snapshot(NamedTuple):
    """The state up to and with an entry, by name: its content travels and rests outside the core."""

    index: int = 0  # type: ignore[assignment]  # see Entry
    term: int = 0
    configuration: Configuration = Configuration()


class ReadState(NamedTuple):
    """A read is linearizable on this member once it has applied ``index`` (Raft, section 8)."""

    context: int
    index: int  # type: ignore[assignment]  # see Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """From one member to another; ``term`` is the sender's, unless a subclass says otherwise."""

    to: int
    sender: int
    term: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestVote(Message):
    """A candidate asks for a vote; with ``is_pre_vote`` whether it would get one, in the term after its own.

    ``is_transfer`` says that the leader asked for it, so that nobody has to protect that leader.
    """

    last_index: int
    last_term: int
    is_pre_vote: bool = False
    is_transfer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteReply(Message):
    """A vote given or denied.  The term of a pre-vote that is granted is the one asked for."""

    granted: bool
    is_pre_vote: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendEntries(Message):
    """Entries to put after the one named by ``prev_index`` and ``prev_term``."""

    prev_index: int
    prev_term: int
    entries: Sequence[Entry]
    commit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendReply(Message):
    """The follower's log equals the leader's up to ``index``, or does not at ``index``.

    A rejection hints at where they could meet: no entry of the follower above ``hint_index`` fits, and
    that one has the term ``hint_term``.
    """

    index: int
    success: bool
    hint_index: int = 0
    hint_term: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Message):
    """The leader is there.  ``round`` goes up with every group of reads that wait for its replies."""

    commit: int
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatReply(Message):
    """The sender follows the leader of this term, and did so after ``round`` began."""

    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallSnapshot(Message):
    """The follower needs entries that are gone.  Step it into the receiver once the content is there."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeoutNow(Message):
    """Campaign at once: the leader hands over (Ongaro's thesis, section 3.10)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward(Message):
    """Proposals on their way to the leader.  The transport must not double them."""

    proposals: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRequest(Message):
    """A follower asks the leader for an index at which a read is linearizable."""

    context: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadReply(Message):
    """The index of a `ReadRequest`, confirmed after it had arrived."""

    context: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What has to be done now, in the order that Raft's safety hangs on.

    1. Send ``send_first``.  This needs no disk: a leader's appends travel while its own fsync runs.
    2. Write ``snapshot``, ``entries`` and ``hard_state``, in this order: a crash may keep a prefix of it, and
       nothing behind a gap.  Entries replace whatever the log has at their first index and after.  Sync if
       ``must_sync``.
    3. When this and every `Ready` before it is durable, send ``send_after`` and call ``Raft.advance``.
       These are promises (votes, acknowledgements) that a crash must not break.
    4. Apply ``committed``, all of which is durable here, in order.
    5. Answer each of ``reads`` once its index is applied.

    Further `Ready`s may be taken and their writes begun while step 2 of an earlier one runs; steps 3 go in
    order.
    """

    sequence: int
    send_first: Sequence[Message]
    snapshot: Snapshot | None
    entries: Sequence[Entry]
    hard_state: HardState | None
    must_sync: bool
    send_after: Sequence[Message]
    committed: Sequence[Entry]
    reads: Sequence[ReadState]
