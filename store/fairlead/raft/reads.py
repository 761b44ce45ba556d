"""Linearizable reads without writing (Raft, section 8; Ongaro's thesis, section 6.4).

A read gets the commit index of the moment it arrives, provided that an entry of the leader's own term is
committed (before that, the index may lag behind what an earlier leader acknowledged), and must then learn that
nobody else led at that moment.  Wrong ways: to count heartbeat replies that were sent before the read arrived,
or to let the reply to one attempt confirm a later one.  Here every group of reads begins a round of heartbeats
with a number of its own; a quorum that has answered round n was led by this leader after the reads of round n
arrived, and after those of every earlier one.  Heartbeats repeat the newest number, so nothing lost is missed.

Callers give each read a context that they never use again, over restarts neither.
"""

from fairlead.raft.errors import NoLeaderError, TooManyReadsError
from fairlead.raft.node import Node, PendingRead
from fairlead.raft.types import NOBODY, ReadReply, ReadRequest, ReadState, Role


def request(node: Node, context: int) -> None:
    """Begin a read that somebody at this member waits for."""
    if node.role is Role.LEADER:
        if _waiting(node) >= node.config.reads_max:
            raise TooManyReadsError(node.config.reads_max)
        node.new_reads.append(PendingRead(context, node.member_id, node.log.commit))
    elif node.leader != NOBODY:
        node.send(ReadRequest(to=node.leader, sender=node.member_id, term=node.term, context=context))
    else:
        raise NoLeaderError


def index_now(node: Node) -> int | None:
    """Return an index that needs no confirmation, if this leader is its own quorum."""
    is_alone = node.role is Role.LEADER and node.configuration.is_alone(node.member_id)
    return node.log.commit if is_alone and node.has_own_term_commit else None


def on_read_request(node: Node, message: ReadRequest) -> None:
    """Take a follower's read."""
    if _waiting(node) >= node.config.reads_max:
        node.dropped_total += 1
        return
    node.new_reads.append(PendingRead(message.context, message.sender, node.log.commit))


def on_read_reply(node: Node, message: ReadReply) -> None:
    """Hand a read out that the leader has confirmed."""
    node.read_states.append(ReadState(message.context, message.index))


def begin_round(node: Node) -> bool:
    """Begin a round for the reads that have arrived since the last one; return whether it may begin.

    The caller sends its heartbeats.
    """
    if not node.has_own_term_commit:
        return False
    node.round += 1
    for read in node.new_reads:
        # One that came before the first own-term commit must see that commit.
        read.index = max(read.index, node.own_term_index)
        read.round = node.round
    node.rounds_reads += node.new_reads
    node.new_reads = []
    confirm(node)  # a lone voter needs nobody else
    return True


def confirm(node: Node) -> None:
    """Hand out the reads whose round a quorum has answered."""
    if not node.rounds_reads:
        return
    confirmed = node.agreed(lambda progress: progress.confirmed_round, own=node.round)
    done = sum(1 for read in node.rounds_reads if read.round <= confirmed)
    for read in node.rounds_reads[:done]:
        _hand_out(node, read)
    del node.rounds_reads[:done]


def _hand_out(node: Node, read: PendingRead) -> None:
    if read.requester == node.member_id:
        node.read_states.append(ReadState(read.context, read.index))
        return
    reply = ReadReply(
        to=read.requester, sender=node.member_id, term=node.term, context=read.context, index=read.index
    )
    node.send(reply)


def _waiting(node: Node) -> int:
    return len(node.new_reads) + len(node.rounds_reads)
