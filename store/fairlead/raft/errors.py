"""What the consensus core refuses.

RaftError
├── NotLeaderError          only the leader can do this; ``leader`` says who that is, if anybody
├── NoLeaderError           nobody leads as far as this member knows: try again later
├── ProposalDroppedError    the leader has no room, or is handing over: try again later
├── TooManyReadsError       too many reads wait for their confirmation: try again later
├── ChangeRefusedError      a change of membership that is not allowed, or not now
└── LostEntriesError        this member's disk has lost what it promised to keep: the member has to stop
"""


class RaftError(Exception):
    """Anything that this package raises on purpose."""


class NotLeaderError(RaftError):
    """Only the leader can do this."""

    def __init__(self, leader: int) -> None:
        where = f"ask member {leader:x}" if leader else "nobody is known to lead; try again later"
        super().__init__(f"this member does not lead: {where}")
        self.leader = leader


class NoLeaderError(RaftError):
    """Nobody leads, as far as this member knows."""

    def __init__(self) -> None:
        super().__init__("no leader is known; try again after an election")


class ProposalDroppedError(RaftError):
    """The leader does not take this proposal now; nothing has happened."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the proposal was dropped: {why}; try again later")
        self.why = why


class TooManyReadsError(RaftError):
    """Too many reads wait for their confirmation."""

    def __init__(self, reads_max: int) -> None:
        super().__init__(f"{reads_max} reads wait for confirmation already; try again later")
        self.reads_max = reads_max


class ChangeRefusedError(RaftError):
    """A change of membership that is not allowed, or not now."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the change of membership was refused: {why}")
        self.why = why


class LostEntriesError(RaftError):
    """An entry that was committed with this member's word, or applied here, is not in its log.

    No order of crashes leads there, only a disk that lost or was given an older state.  The member must not
    take part any further: its promises are void.
    """

    def __init__(self, index: int, last_index: int) -> None:
        super().__init__(
            f"entry {index} was committed and this member's log ends at {last_index}: its disk has lost entries"
            " that it had acknowledged; remove this member, empty its data directory and add it again"
        )
        self.index = index
        self.last_index = last_index
