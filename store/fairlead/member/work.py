"""What a replica is told to allow, and what it tells its shell to do."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fairlead.member.reconfigure import ReconfigurationRules
from fairlead.peer import PeerMessage
from fairlead.raft import HardState, InstallSnapshot, Ready


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaLimits:
    """How much may wait, how long, and how often the leader looks after things.

    Attributes:
        pending_max, pending_bytes_max: proposals that wait for their answer.
        reads_max: linearizable reads that wait.
        questions_max: questions to the leader that wait.
        request_timeout_s: how long any of them waits.
        read_retry_ticks: a read's question to the leader is put again after this many ticks.
        lease_ticks: the leader looks for dead leases this often...
        leases_revoked_max: ...and ends so many at a time.
        lease_extend_s: what a new leader adds to every lease.
        reconfiguration: which changes of the members are allowed.
    """

    pending_max: int = 50_000
    pending_bytes_max: int = 256 << 20
    reads_max: int = 100_000
    questions_max: int = 10_000
    request_timeout_s: float = 7.0
    read_retry_ticks: int = 5
    lease_ticks: int = 5
    leases_revoked_max: int = 500
    lease_extend_s: float = 1.0
    reconfiguration: ReconfigurationRules = field(default_factory=ReconfigurationRules)


@dataclass(frozen=True, slots=True)
class Work:
    """What has to be done now.

    Attributes:
        send: messages that may go at once.
        snapshots: to be delivered in bulk; each wants a ``report_snapshot``.
        ready: its ``snapshot`` and ``entries`` are to be written, in this order; None when there is nothing.
        hard_state: to be written behind them.
    """

    send: Sequence[PeerMessage]
    snapshots: Sequence[InstallSnapshot]
    ready: Ready | None
    hard_state: HardState | None

    @classmethod
    def of(cls, ready: Ready, outbox: Sequence[PeerMessage], hard_state: HardState | None) -> "Work":
        """Return the work that a `Ready` is, with what else is to be sent; snapshots go another way."""
        snapshots = [message for message in ready.send_first if isinstance(message, InstallSnapshot)]
        send: Sequence[PeerMessage] = ready.send_first
        if snapshots:
            send = [message for message in send if not isinstance(message, InstallSnapshot)]
        return cls([*outbox, *send] if outbox else send, snapshots, ready, hard_state)

    @property
    def needs_disk(self) -> bool:
        """Whether something has to be durable before ``written`` may be called."""
        return self.ready is not None and self.ready.must_sync
