"""The times and limits of one member's consensus core."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Times in ticks, whose length is the caller's choice, and a limit on every queue.

    Attributes:
        member_id: this member; not 0.
        election_ticks: a follower that hears no leader for between this and twice this many campaigns.
        heartbeat_ticks: how often a leader lets its followers know.
        append_bytes_max: payload of one AppendEntries or Forward; a single larger entry still goes, alone.
        inflight_max: appends on their way to one follower.
        inflight_bytes_max: payload on its way to one follower.
        uncommitted_bytes_max: payload that a leader holds uncommitted, or a follower holds to be forwarded with
            its next `Ready`, before it drops proposals.
        committed_bytes_max: payload that one `Ready` gives to apply.
        reads_max: reads that wait for confirmation.
    """

    member_id: int
    election_ticks: int = 10
    heartbeat_ticks: int = 1
    append_bytes_max: int = 1 << 20
    inflight_max: int = 512
    inflight_bytes_max: int = 16 << 20
    uncommitted_bytes_max: int = 64 << 20
    committed_bytes_max: int = 4 << 20
    reads_max: int = 65_536

    def __post_init__(self) -> None:
        if self.member_id <= 0:
            raise ValueError(f"member_id is {self.member_id}; it has to be above 0")
        # Raft, section 5.6: the broadcast time has to be well below the election timeout.
        if not 0 < self.heartbeat_ticks < self.election_ticks:
            raise ValueError(
                f"heartbeat_ticks is {self.heartbeat_ticks}; "
                f"it has to be above 0 and below election_ticks, {self.election_ticks}"
            )
        limits = ("append_bytes_max", "inflight_max", "inflight_bytes_max", "uncommitted_bytes_max",
                  "committed_bytes_max", "reads_max")  # fmt: skip
        for name in limits:
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} is {getattr(self, name)}; it has to be above 0")
