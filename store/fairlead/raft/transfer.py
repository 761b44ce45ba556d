"""Handing leadership over (Ongaro's thesis, section 3.10).

The leader takes no more proposals, waits until the target's log is as long as its own, and tells it to campaign
at once.  If that takes longer than an election timeout, it goes on leading.
"""

from fairlead.raft.errors import ChangeRefusedError, NotLeaderError
from fairlead.raft.node import Node
from fairlead.raft.types import NOBODY, Role, TimeoutNow


def begin(node: Node, target: int) -> None:
    """Begin to hand over to ``target``."""
    if node.role is not Role.LEADER:
        raise NotLeaderError(node.leader)
    if target == node.member_id:
        return
    if target not in node.configuration.voters:
        raise ChangeRefusedError(f"member {target:x} is no voter and cannot lead")
    node.transferee = target
    node.election_elapsed = 0
    hand_over(node)


def hand_over(node: Node) -> None:
    """Tell the target to campaign, once it has everything."""
    progress = node.progress.get(node.transferee)
    if progress is None:
        node.transferee = NOBODY
    elif progress.match == node.log.last_index:
        node.send(TimeoutNow(to=node.transferee, sender=node.member_id, term=node.term))
