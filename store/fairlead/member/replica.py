"""The replica loop, without sockets, threads or clocks.

Requests go in by ``propose``; ``take_batch`` says what to write to the log next; ``written`` takes the news
that it is on disk, applies what has been committed and answers whoever waits.  Nothing is answered
before its entry is durable and applied: that order lives here and nowhere else.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fairlead.lease import LeaseError
from fairlead.member.errors import MemberError, StoppedError, TimedOutError, TooManyRequestsError
from fairlead.member.machine import Machine
from fairlead.member.responses import varint
from fairlead.member.solo import Solo
from fairlead.mvcc import MvccError
from fairlead.proto import command_pb2
from fairlead.wal import Entry, HardState

Reply = Callable[[bytes | Exception], None]
"""Takes the encoded response, or the error that the command met.  Called once."""

_ID_TAG = b"\x09"  # field 1, 64 bits
_ID_BYTES = 9
_REFUSALS = (MemberError, MvccError, LeaseError)


@dataclass(slots=True)
class Proposal:
    """A command on its way, and who waits for it."""

    kind: int
    request: Any
    reply: Reply
    deadline_s: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one write to the log holds; one fsync covers it all."""

    entries: Sequence[Entry]
    hard_state: HardState | None


class Replica:
    """One member's log and state machine, and the requests in between."""

    __slots__ = (
        "_bytes_max",
        "_count_max",
        "_hard_state",
        "_next_id",
        "_pending",
        "_pending_bytes",
        "applied",
        "applied_term",
        "failed_total",
        "log",
        "machine",
    )

    def __init__(
        self, *, log: Solo, machine: Machine, first_id: int, pending_max: int, pending_bytes_max: int
    ) -> None:
        self.log = log
        self.machine = machine
        self.applied = 0
        """Index of the last applied entry."""
        self.applied_term = 0
        self.failed_total = 0
        self._pending: dict[int, Proposal] = {}
        self._pending_bytes = 0
        self._next_id = first_id
        self._count_max = pending_max
        self._bytes_max = pending_bytes_max
        self._hard_state: HardState | None = None

    def __repr__(self) -> str:
        return f"<Replica term={self.log.term} applied={self.applied} pending={len(self._pending)}>"

    @property
    def pending(self) -> int:
        """Proposals that wait for their answer."""
        return len(self._pending)

    @property
    def can_read(self) -> bool:
        """Whether what is applied here is all that was ever acknowledged.

        True once an entry of the leader's own term is applied (Raft, section 8): a lone voter answers
        nothing that it has not applied.
        """
        return self.applied_term == self.log.term

    def campaign(self) -> None:
        """Begin to lead: a new term, with an entry of its own."""
        self._hard_state = self.log.campaign()
        self.machine.headers.set_term(self.log.term)

    def propose(self, kind: int, payload: bytes, request: Any, reply: Reply, *, deadline_s: float) -> None:
        """Put a command into the log; ``reply`` is called when it has been applied, or refused.

        Args:
            kind: the number of the request's field in ``fairleadpb.Command``.
            payload: the request, encoded.
            request: the same, decoded, so that this member need not decode its own entry again.
            reply: where the answer goes.
            deadline_s: when the client stops waiting.

        Raises:
            TooManyRequestsError: too much is waiting already.
        """
        size = len(payload)
        if len(self._pending) >= self._count_max or self._pending_bytes + size > self._bytes_max:
            raise TooManyRequestsError
        command_id = self._next_id
        self._next_id += 1
        self._pending[command_id] = Proposal(kind, request, reply, deadline_s, size)
        self._pending_bytes += size
        head = struct.pack("<cQB", _ID_TAG, command_id, kind << 3 | 2)
        self.log.propose(b"".join((head, varint(size), payload)))

    def take_batch(self) -> Batch | None:
        """Return what to write next, or None when there is nothing."""
        entries = self.log.take_unwritten()
        hard_state, self._hard_state = self._hard_state, None
        return Batch(entries, hard_state) if entries or hard_state is not None else None

    def written(self, batch: Batch) -> None:
        """Take the news that ``batch`` is durable: apply what is committed, answer who waits."""
        self.apply(self.log.written(batch.entries))

    def apply(self, entries: Sequence[Entry]) -> None:
        """Apply committed entries in order."""
        for term, index, data, _kind in entries:
            assert index == self.applied + 1, f"entry {index} after {self.applied}"
            if data:
                self._apply_command(data)
            self.applied = index
            self.applied_term = term

    def _apply_command(self, data: bytes) -> None:
        proposal = self._pending.pop(int.from_bytes(data[1:_ID_BYTES], "little"), None)
        if proposal is None:
            self._apply_foreign(data)
            return
        self._pending_bytes -= proposal.size_bytes
        try:
            result: bytes | Exception = self.machine.apply(proposal.kind, proposal.request)
        except _REFUSALS as error:
            result = error
        proposal.reply(result)

    def _apply_foreign(self, data: bytes) -> None:
        """Apply a command that nobody here waits for: replayed, or proposed by another member."""
        command = command_pb2.Command.FromString(data)
        field = command.WhichOneof("request")
        assert field is not None, "a command of a newer Fairlead: upgrade this member"
        kind = command.DESCRIPTOR.fields_by_name[field].number
        try:
            self.machine.apply(kind, getattr(command, field))
        except _REFUSALS:
            # Whoever proposed it has been told, there and then.
            self.failed_total += 1

    def expire(self, *, now_s: float) -> None:
        """Tell those who have waited too long; their commands may still be applied."""
        # Proposals are kept in the order of their making, and all wait equally long.
        while self._pending:
            oldest = next(iter(self._pending))
            if self._pending[oldest].deadline_s > now_s:
                break
            self._drop(oldest, TimedOutError())

    def stop(self) -> None:
        """Tell everyone who waits that no answer will come."""
        for command_id in list(self._pending):
            self._drop(command_id, StoppedError())

    def _drop(self, command_id: int, error: Exception) -> None:
        proposal = self._pending.pop(command_id)
        self._pending_bytes -= proposal.size_bytes
        self.failed_total += 1
        proposal.reply(error)
