"""Handing leadership over (Ongaro's thesis, section 3.10).

The leader takes no more proposals, waits until the target's log is as long as its own, and tells it to campaign
at once.  If that takes longer than an election timeout, it goes on leading.

A leader that has to stop leading leaves it to somebody, instead of to a timeout.
"""

from fairlead.raft.errors import ChangeRefusedError, NotLeaderError
from fairlead.raft.node import Node
from fairlead.raft.types import Role, TimeoutNow


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
    """Tell the target to campaign, once it has everything; again and again, for it may get lost."""
    progress = node.progress.get(node.transferee)
    if progress is not None and progress.match == node.log.last_index:
        node.send(TimeoutNow(to=node.transferee, sender=node.member_id, term=node.term))


def bequeath(node: Node) -> bool:
    """Tell the voter that has most of the log to campaign, if one is there; the caller steps down."""
    voters = node.configuration.voters
    heirs = [m for m, progress in node.progress.items() if m in voters and progress.is_active]
    if not heirs:
        return False
    heir = max(heirs, key=lambda member: node.progress[member].match)
    node.send(TimeoutNow(to=heir, sender=node.member_id, term=node.term))
    return True
