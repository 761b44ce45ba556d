"""What a member's transport is told: who it is, where it listens, and how much it bears."""

from dataclasses import dataclass, field
from pathlib import Path

from fairlead.peer.errors import PeerConfigError
from fairlead.peer.handshake import NO_ID, PROTOCOL_VERSION
from fairlead.peer.tls import PeerTls
from fairlead.wal import Disk, OsDisk


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerConfig:
    """Who we are, where, and every limit.

    Attributes:
        cluster_id: members of others are refused; not 0.
        member_id: this member; not 0.
        listen_urls: where other members reach this one, for example ``https://10.0.0.1:2380``.
        snapshot_dir: where snapshots of others are put, and their beginnings kept.
        tls: the files for https URLs, in both directions; None for http alone, or to trust whom the system
            trusts and show no certificate.
        disk: where that directory is.
        version: of the protocol; for tests.
        dial_interval_s: the wait after the first failed attempt; it doubles up to ``dial_interval_max_s``.
        dial_timeout_s: for one address: TCP, TLS and handshake.
        ping_interval_s: how often the round trip is measured, and silence noticed.
        pings_missed_max: intervals of silence after which a connection is given up.
        frame_bytes_max: one message; what is larger is dropped, or refused where it arrives.
        queue_bytes_max: what waits for one peer on its bulk stream; what comes on top is dropped.
        urgent_queue_bytes_max: the same, on its urgent stream.
        connections_max: how many connections of others are open at a time.
        chunk_bytes: of a snapshot, in one frame.
        window_bytes: of a snapshot, on the way at a time.
        snapshot_stall_s: silence after which an attempt to send a snapshot is given up.
        snapshot_attempts_max: failures in a row, without progress, after which a snapshot is.
    """

    cluster_id: int
    member_id: int
    listen_urls: tuple[str, ...]
    snapshot_dir: Path
    tls: PeerTls | None = None
    disk: Disk = field(default_factory=OsDisk)
    version: int = PROTOCOL_VERSION
    dial_interval_s: float = 0.1
    dial_interval_max_s: float = 2.0
    dial_timeout_s: float = 3.0
    ping_interval_s: float = 1.0
    pings_missed_max: int = 4
    frame_bytes_max: int = 64 << 20
    queue_bytes_max: int = 128 << 20
    urgent_queue_bytes_max: int = 16 << 20
    connections_max: int = 256
    chunk_bytes: int = 256 << 10
    window_bytes: int = 4 << 20
    snapshot_stall_s: float = 30.0
    snapshot_attempts_max: int = 5

    def __post_init__(self) -> None:
        """Refuse what could not work."""
        if NO_ID in {self.cluster_id, self.member_id}:
            raise PeerConfigError("a member needs a cluster id and a member id, neither of them 0")
        if not 0 < self.dial_interval_s <= self.dial_interval_max_s:
            raise PeerConfigError("dial_interval_s must be above 0 and at most dial_interval_max_s")
        if not self.chunk_bytes + 64 <= min(self.frame_bytes_max, self.window_bytes):
            raise PeerConfigError("a chunk must fit into a frame and into the window")
        positive = ("dial_timeout_s", "ping_interval_s", "pings_missed_max", "frame_bytes_max", "queue_bytes_max",
                    "urgent_queue_bytes_max", "connections_max", "chunk_bytes", "snapshot_stall_s",
                    "snapshot_attempts_max")  # fmt: skip
        for name in positive:
            if getattr(self, name) <= 0:
                raise PeerConfigError(f"{name} is {getattr(self, name)}; it has to be above 0")
