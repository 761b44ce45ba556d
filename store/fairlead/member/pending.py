"""Commands on their way through the log, and who waits for each."""

from collections.abc import Callable
from typing import Any

from fairlead.member.errors import MemberError, TimedOutError, TooManyRequestsError

Reply = Callable[[bytes | Exception], None]
"""Takes the encoded response, or the error that the command met.  Called once."""


FATE_UNKNOWN = 1 << 64
"""Beyond every term."""


class Proposal:
    """A command on its way.

    Attributes:
        offered_term: the term of the leader that was given it; 0 while it waits for one, ``FATE_UNKNOWN`` when
            nobody here will learn what became of it.
    """

    __slots__ = ("data", "deadline_s", "kind", "offered_term", "reply", "request")

    def __init__(self, kind: int, request: Any, reply: Reply, *, deadline_s: float, data: bytes) -> None:
        self.kind = kind
        self.request = request
        self.reply = reply
        self.deadline_s = deadline_s
        self.data = data
        self.offered_term = 0


class Pending:
    """Proposals by the id of their command, in the order of their making; bounded in number and in bytes.

    All wait equally long, so that the oldest is the first to run out of time.
    """

    __slots__ = ("_bytes_max", "_count_max", "_proposals", "bytes", "failed_total")

    def __init__(self, *, count_max: int, bytes_max: int) -> None:
        self._proposals: dict[int, Proposal] = {}
        self._count_max = count_max
        self._bytes_max = bytes_max
        self.bytes = 0
        self.failed_total = 0

    def __len__(self) -> int:
        return len(self._proposals)

    def check_room(self, size: int) -> None:
        """Refuse what does not fit.

        Raises:
            TooManyRequestsError: too much is waiting.
        """
        if len(self._proposals) >= self._count_max or self.bytes + size > self._bytes_max:
            raise TooManyRequestsError

    def add(self, command_id: int, proposal: Proposal) -> None:
        """Let somebody wait for a command."""
        self._proposals[command_id] = proposal
        self.bytes += len(proposal.data)

    def take(self, command_id: int) -> Proposal | None:
        """Return who waits for a command, and let him wait no longer; None when nobody here does."""
        proposal = self._proposals.pop(command_id, None)
        if proposal is not None:
            self.bytes -= len(proposal.data)
        return proposal

    def get(self, command_id: int) -> Proposal | None:
        """Look at a proposal that waits."""
        return self._proposals.get(command_id)

    def fail(self, command_id: int, error: Exception) -> None:
        """Tell one who waits that no answer will come."""
        proposal = self.take(command_id)
        if proposal is not None:
            self.failed_total += 1
            proposal.reply(error)

    def lost_before(self, term: int) -> list[int]:
        """Return the commands that were offered to a leader before ``term``, and let them wait for another.

        To be asked when an entry of ``term`` has been applied: its leader had everything that was committed before
        it (Raft, section 5.4), so what was offered earlier and has not been applied by now never will be.
        """
        lost = [key for key, proposal in self._proposals.items() if 0 < proposal.offered_term < term]
        for key in lost:
            self._proposals[key].offered_term = 0
        return lost

    def lose_sight(self) -> None:
        """A snapshot has taken the place of entries: whether a command was among them, nobody here will know.

        To wait for the deadline would be to wait for nothing; a member that joins again would wait so itself.
        """
        for command_id in [key for key, proposal in self._proposals.items() if proposal.offered_term]:
            self.fail(command_id, TimedOutError())

    def expire(self, *, now_s: float, error_for: Callable[[float], MemberError]) -> None:
        """Tell those who have waited too long; their commands may still be applied.

        Args:
            now_s: the present.
            error_for: makes the error for a deadline that has passed.
        """
        while self._proposals:
            command_id = next(iter(self._proposals))
            deadline_s = self._proposals[command_id].deadline_s
            if deadline_s > now_s:
                return
            self.fail(command_id, error_for(deadline_s))

    def fail_all(self, error: MemberError) -> None:
        """Tell everybody."""
        for command_id in list(self._proposals):
            self.fail(command_id, error)
