"""What a transport counts, for whoever exports it."""

from collections import Counter
from dataclasses import dataclass


@dataclass(slots=True)
class PeerCounters:
    """Running totals of what went to one member, and came from it."""

    sent_messages: int = 0
    sent_bytes: int = 0
    received_messages: int = 0
    received_bytes: int = 0
    dropped_messages: int = 0
    """Not sent: no connection, or no room."""
    lost_connections: int = 0
    snapshots_sent: int = 0
    snapshots_failed: int = 0
    snapshots_received: int = 0


class Counters:
    """Running totals of a transport; read them at any time."""

    def __init__(self) -> None:
        self.peers: dict[int, PeerCounters] = {}
        """By member, those that are or were peers."""
        self.refused: Counter[str] = Counter()
        """Connections of others that were refused or cut off, by the kind of the error."""

    def peer(self, member: int) -> PeerCounters:
        """Return the totals of one member."""
        counters = self.peers.get(member)
        if counters is None:
            counters = self.peers[member] = PeerCounters()
        return counters
