"""What one member is told at its start, and how much of everything it allows."""

from dataclasses import dataclass, field
from pathlib import Path

from fairlead.peer import PeerTls
from fairlead.wal import SEGMENT_BYTES

GIB = 1024**3
QUOTA_BYTES_DEFAULT = 2 * GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberConfig:
    """One member's identity, place and limits.  Times are in seconds, sizes in bytes."""

    name: str = "default"
    data_dir: Path
    peer_urls: tuple[str, ...] = ("http://localhost:2380",)
    """Where other members are told to reach this one."""
    listen_peer_urls: tuple[str, ...] = ()
    """Where it listens for them; nowhere is for a member that will always be alone."""
    peer_tls: PeerTls | None = None
    client_urls: tuple[str, ...] = ("http://localhost:2379",)
    initial_cluster: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Member name to peer URLs; empty is this member alone.  Read when the data directory is new."""
    cluster_token: str = "etcd-cluster"  # noqa: S105  # etcd's default name of a cluster, no secret
    is_join: bool = False
    """A new data directory is that of a member that was added to a cluster which is there already."""
    force_new_cluster: bool = False
    """Go on alone, whoever the members were: after the majority is lost for good."""

    heartbeat_s: float = 0.1
    election_timeout_s: float = 1.0
    election_tick_advance: bool = True
    """The first election after a start comes a whole election timeout sooner."""
    strict_reconfig_check: bool = True
    """Refuse changes of the members that could cost the majority."""
    max_learners: int = 1
    initial_corrupt_check: bool = False
    """Compare with the other members before serving."""
    corrupt_check_s: float = 0.0
    """The leader compares all members this often; 0 is never."""
    compact_hash_check_s: float = 0.0
    """The leader compares what all members had at the last compactions this often; 0 is never."""
    quota_bytes: int = QUOTA_BYTES_DEFAULT
    """The database may grow to this; below 0 there is no quota."""
    request_bytes_max: int = 1_572_864
    txn_ops_max: int = 128
    pending_max: int = 50_000
    """Proposals that wait for their turn; more are refused."""
    pending_bytes_max: int = 256 * 1024**2
    commit_interval_s: float = 0.1
    """The database file follows the log at least this often."""
    commit_writes_max: int = 10_000
    """...or after this many writes, whichever comes first."""
    snapshot_count: int = 10_000
    """The log is cut after so many entries are in the database file..."""
    snapshot_catchup_entries: int = 5_000
    """...but for this many, which a follower that is a little behind may ask for."""
    wal_segment_bytes: int = SEGMENT_BYTES
    """Preallocated for each file of the log, and about the size of each."""
    compaction_batch: int = 1_000
    """Revisions looked at in one slice of a compaction."""
    compaction_pause_s: float = 0.01

    @property
    def election_ticks(self) -> int:
        """The election timeout in ticks, each of which is one heartbeat interval."""
        return max(2, round(self.election_timeout_s / self.heartbeat_s))

    @property
    def lease_ttl_min_s(self) -> int:
        """The shortest lease: it must outlive an election.  2 s at the defaults, as in etcd."""
        return -(-int(self.election_timeout_s * 3000) // 2000)

    @property
    def request_timeout_s(self) -> float:
        """How long a proposal may wait.  7 s at the defaults, as in etcd."""
        return 5.0 + 2 * self.election_timeout_s
