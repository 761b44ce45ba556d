"""Commands on their way into the log: at the leader, or through it.

What a follower is asked to propose between two `Ready`s travels in one message, cut where it would be too long.
Nothing is tried twice: whoever proposes knows best whether it may be repeated.
"""

from collections.abc import Iterator, Sequence

from fairlead.raft.errors import NoLeaderError, ProposalDroppedError
from fairlead.raft.node import Node
from fairlead.raft.types import LEADER, NOBODY, Forward


def propose(node: Node, data: bytes) -> None:
    """Append a command, or keep it for the leader."""
    if node.role is LEADER:
        _append(node, data)
    elif node.leader == NOBODY:
        raise NoLeaderError
    elif node.forwards_bytes and node.forwards_bytes + len(data) > node.config.uncommitted_bytes_max:
        raise ProposalDroppedError("too much is waiting to be forwarded")
    else:
        if node.forwards_term != node.term:
            _drop_forwards(node)
            node.forwards_term = node.term
        node.forwards.append(data)
        node.forwards_bytes += len(data)


def send_forwards(node: Node) -> None:
    """Send what was kept for the leader of this term, and drop what was meant for one of an earlier term.

    A command is offered in one term, and can be committed as an entry of that term only: whoever proposed it may
    offer it again as soon as he has applied an entry of a later term, and not his own.
    """
    if node.forwards_term != node.term or node.leader == NOBODY or node.role is LEADER:
        _drop_forwards(node)
        return
    proposals, node.forwards, node.forwards_bytes = node.forwards, [], 0
    for batch in _batches(proposals, bytes_max=node.config.append_bytes_max):
        node.send(Forward(to=node.leader, sender=node.member_id, term=node.term, proposals=batch))


def _drop_forwards(node: Node) -> None:
    node.dropped_total += len(node.forwards)
    node.forwards, node.forwards_bytes = [], 0


def on_forward(node: Node, message: Forward) -> None:
    """Append what a follower was asked to propose."""
    _append_all(node, message.proposals)


def on_late_forward(node: Node, message: Forward) -> None:
    """Drop what was meant for a leader that this member has ceased to be: one hop only."""
    node.dropped_total += len(message.proposals)


def _append_all(node: Node, proposals: Sequence[bytes]) -> None:
    for data in proposals:
        try:
            _append(node, data)
        except ProposalDroppedError:
            node.dropped_total += 1


def _append(node: Node, data: bytes) -> None:
    if node.transferee != NOBODY:
        raise ProposalDroppedError("leadership is being handed over")
    waiting = node.log.bytes_after(node.log.commit)
    # One entry always fits, or a large one never would.
    if waiting and waiting + len(data) > node.config.uncommitted_bytes_max:
        raise ProposalDroppedError("too much is waiting to be committed")
    node.append_own(data)


def _batches(proposals: Sequence[bytes], *, bytes_max: int) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for data in proposals:
        if batch and size + len(data) > bytes_max:
            yield batch
            batch, size = [], 0
        batch.append(data)
        size += len(data)
    yield batch
