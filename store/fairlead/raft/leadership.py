"""What time does to a leader: heartbeats are due, and there may be reason to lead no longer.

Two reasons.  A leader that a majority does not answer may have been replaced without knowing (Ongaro's thesis,
section 6.2).  And a leader whose own disk is stuck is no use, though it need not be in anybody's way: the
followers' disks commit without it, but it applies nothing, so that nobody who asks it gets an answer, while its
heartbeats keep everybody else from taking over.  Where writing blocks the leader altogether, its silence ends
this; here, where writing does not, it gives up after the time that a follower would have waited.
"""

from fairlead.raft import replication, transfer
from fairlead.raft.node import Node
from fairlead.raft.types import NOBODY


def tick(node: Node) -> None:
    """Let one tick pass for a leader."""
    node.heartbeat_elapsed += 1
    node.election_elapsed += 1
    election_ticks = node.config.election_ticks
    for progress in node.progress.values():
        progress.tick(election_ticks=election_ticks)
    if node.election_elapsed >= election_ticks:
        node.election_elapsed = 0
        node.transferee = NOBODY
        # Ongaro's thesis, section 6.2: "a leader steps down if an election timeout elapses without a
        # successful round of heartbeats to a majority of its cluster".
        if not node.agreed(lambda progress: int(progress.is_active), own=1):
            node.become_follower(node.term)
            return
    node.write_elapsed = node.write_elapsed + 1 if node.log.is_writing else 0
    if node.write_elapsed >= node.election_timeout and transfer.bequeath(node):
        node.become_follower(node.term)
        return
    if node.heartbeat_elapsed >= node.config.heartbeat_ticks:
        replication.send_heartbeats(node)
