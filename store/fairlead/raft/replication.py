"""Log replication (Raft, sections 5.3 and 5.4.2): what a leader sends, what a follower takes, what commits.

Handlers only change what is known; `flush` decides, once per `Ready`, what to send.  Whatever has gathered
since the last one travels in one append.
"""

from fairlead.raft import membership, reads, transfer
from fairlead.raft.node import Node
from fairlead.raft.progress import Progress
from fairlead.raft.types import (
    LEADER,
    AppendEntries,
    AppendReply,
    Entry,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
)

Batches = dict[int, list[Entry]]
"""What was cut out of the log already, by its first index: followers that are level share one list."""


def flush(node: Node) -> None:
    """Send every follower what it lacks and may have now."""
    batches: Batches = {}
    last, commit = node.log.last_index, node.log.commit
    for member, progress in node.progress.items():
        if progress.next <= last or progress.sent_commit < commit or progress.wants_empty:
            _send_appends(node, member, progress, batches)


def _send_appends(node: Node, to: int, progress: Progress, batches: Batches) -> None:
    config, log = node.config, node.log
    while progress.next <= log.last_index and progress.has_room(
        inflight_max=config.inflight_max, inflight_bytes_max=config.inflight_bytes_max
    ):
        if not _send_append(node, to, progress, batches):
            return
    is_due = progress.wants_empty or progress.sent_commit < log.commit
    if is_due and not progress.is_paused:
        _send_append(node, to, progress, None)


def _send_append(node: Node, to: int, progress: Progress, batches: Batches | None) -> bool:
    """Send one append, without entries for no ``batches``, or a snapshot if what it needs is gone."""
    log = node.log
    prev_index = progress.next - 1
    prev_term = log.term_at(prev_index)
    if prev_term is None:
        _send_snapshot(node, to, progress)
        return False
    entries: list[Entry] = []
    if batches is not None:
        entries = batches.get(progress.next) or log.entries_from(
            progress.next, bytes_max=node.config.append_bytes_max
        )
        batches[progress.next] = entries
    node.send(
        AppendEntries(
            to=to,
            sender=node.member_id,
            term=node.term,
            prev_index=prev_index,
            prev_term=prev_term,
            entries=entries,
            commit=log.commit,
        )
    )
    progress.sent(prev_index + len(entries), log.bytes_after(prev_index, last=prev_index + len(entries)))
    progress.sent_commit = log.commit
    return True


def _send_snapshot(node: Node, to: int, progress: Progress) -> None:
    if progress.is_active:  # a snapshot is bulk: only to a member that is there
        snapshot = node.log.snapshot
        node.send(InstallSnapshot(to=to, sender=node.member_id, term=node.term, snapshot=snapshot))
        progress.begin_snapshot(snapshot.index)


def send_heartbeats(node: Node) -> None:
    """Let every follower know that this member leads, and which round of reads waits for them."""
    node.heartbeat_elapsed = 0
    for member, progress in node.progress.items():
        # What a follower has not acknowledged it may not have.
        commit = min(progress.match, node.log.commit)
        heartbeat = Heartbeat(
            to=member, sender=node.member_id, term=node.term, commit=commit, round=node.round
        )
        node.send(heartbeat)


def on_append_entries(node: Node, message: AppendEntries) -> None:
    """Take a leader's entries, or say where the logs may meet.

    Raft, figure 2: "Reply false if log doesn't contain an entry at prevLogIndex whose term matches
    prevLogTerm."
    """
    log = node.log
    if message.prev_index < log.commit:
        # An old message: what is committed matches, and nothing of it may be looked at again.
        _reply(node, message.sender, index=log.commit)
    elif log.term_at(message.prev_index) == message.prev_term:
        log.replicate(message.entries)
        last_new = message.prev_index + len(message.entries)
        # "If leaderCommit > commitIndex, set commitIndex = min(leaderCommit, index of last new entry)":
        # what comes after the last new entry may be another leader's.
        log.commit_to(min(message.commit, last_new))
        _reply(node, message.sender, index=last_new)
    else:
        hint_index, hint_term = log.meet(message.prev_index, message.prev_term)
        node.send(
            AppendReply(
                to=message.sender,
                sender=node.member_id,
                term=node.term,
                index=message.prev_index,
                success=False,
                hint_index=hint_index,
                hint_term=hint_term,
            )
        )


def on_heartbeat(node: Node, message: Heartbeat) -> None:
    """Answer a heartbeat."""
    node.log.commit_to(message.commit)
    reply = HeartbeatReply(to=message.sender, sender=node.member_id, term=node.term, round=message.round)
    node.send(reply)


def on_install_snapshot(node: Node, message: InstallSnapshot) -> None:
    """Begin again at a snapshot, unless everything in it is here (Raft, section 7)."""
    snapshot, log = message.snapshot, node.log
    if snapshot.index > log.commit:
        if log.term_at(snapshot.index) == snapshot.term:
            # "If existing log entry has same index and term as snapshot's last included entry, retain log
            # entries following it": the log says all that the snapshot says.
            log.commit_to(snapshot.index)
        else:
            log.restore(snapshot)
    _reply(node, message.sender, index=log.commit)


def _reply(node: Node, to: int, *, index: int) -> None:
    node.send(AppendReply(to=to, sender=node.member_id, term=node.term, index=index, success=True))


def on_append_reply(node: Node, message: AppendReply) -> None:
    """Learn where a follower stands."""
    progress = node.progress.get(message.sender)
    if progress is None or message.index > node.log.last_index:
        return  # no member any more, or nonsense
    progress.heard()
    if not message.success:
        # Raft, section 5.3: skip whole terms, instead of probing one index after the other.
        hint, _ = node.log.meet(message.hint_index, message.hint_term)
        progress.reject(message.index, hint=hint)
    elif progress.acknowledge(message.index, first_index=node.log.first_index):
        commit(node, message.index)
        transfer.hand_over(node)


def on_heartbeat_reply(node: Node, message: HeartbeatReply) -> None:
    """Learn that a follower is there, and confirms this leader."""
    progress = node.progress.get(message.sender)
    if progress is not None:
        progress.answered_heartbeat(round_=message.round, last_index=node.log.last_index)
        reads.confirm(node)
        if message.sender == node.transferee:
            transfer.hand_over(node)


def commit(node: Node, reached: int) -> None:
    """Commit what a quorum has on disk, this leader among others, now that somebody has ``reached`` an index.

    Raft, section 5.4.2: "Raft never commits log entries from previous terms by counting replicas.  Only log
    entries from the leader's current term are committed by counting replicas" (figure 8 shows why).
    """
    log = node.log
    if reached <= log.commit or node.role is not LEADER:
        return
    index = node.agreed(lambda progress: progress.match, own=log.written)
    if index <= log.commit or log.term_at(index) != node.term:
        return
    log.commit_to(index)
    if membership.on_commit(node):
        # Out of the configuration, this leader has two things left to say: that it is committed, and who next.
        flush(node)
        transfer.bequeath(node)
        node.become_follower(node.term)
