"""How the transcripts of scenarios write what the core says, in a few words a line."""

from collections.abc import Sequence

from fairlead.raft import (
    AppendEntries,
    AppendReply,
    Configuration,
    Entry,
    Forward,
    HardState,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    Message,
    Progress,
    Raft,
    ReadReply,
    ReadRequest,
    Ready,
    RequestVote,
    TimeoutNow,
    VoteReply,
    decode_configuration,
)


def of_configuration(configuration: Configuration) -> str:
    """C_new, then C_old behind a slash: ``{1 2 4/1 2 3 +5 ~3}``; + a learner, ~ one to be."""

    def ids(members: frozenset[int], sign: str = "") -> str:
        return " ".join(f"{sign}{member}" for member in sorted(members))

    voters = ids(configuration.voters)
    voters += f"/{ids(configuration.outgoing)}" if configuration.is_joint else ""
    parts = [voters, ids(configuration.learners, "+"), ids(configuration.learners_next, "~")]
    parts += ["by hand"] if configuration.is_joint and not configuration.auto_leave else []
    return "{" + " ".join(part for part in parts if part) + "}"


def of_payload(entry: Entry) -> str:
    if entry.kind:
        return of_configuration(decode_configuration(entry.data)[0])
    return entry.data.decode()


def of_entry(entry: Entry) -> str:
    """Index, term and payload: ``4/2 x``."""
    return f"{entry.index}/{entry.term} {of_payload(entry)}".rstrip()


def of_entries(entries: Sequence[Entry]) -> str:
    return "[" + ", ".join(map(of_entry, entries)) + "]"


def of_message(message: Message) -> str:
    """Sender, receiver, term and what it says."""
    return f"{message.sender}->{message.to} t{message.term} {_saying(message)}"


def _saying(message: Message) -> str:
    match message:
        case RequestVote():
            why = "pre-vote" if message.is_pre_vote else "vote, told to" if message.is_transfer else "vote"
            return f"asks for a {why}; log ends at {message.last_index}/{message.last_term}"
        case VoteReply():
            return f"{'pre-vote' if message.is_pre_vote else 'vote'}: {'yes' if message.granted else 'no'}"
        case AppendEntries():
            after = f"after {message.prev_index}/{message.prev_term}"
            return f"append {of_entries(message.entries)} {after}, commit {message.commit}"
        case AppendReply(success=True):
            return f"has {message.index}"
        case AppendReply():
            return f"refuses {message.index}, try {message.hint_index}/{message.hint_term}"
        case Heartbeat():
            return f"heartbeat {message.round}, commit {message.commit}"
        case HeartbeatReply():
            return f"answers heartbeat {message.round}"
        case InstallSnapshot():
            index, term, configuration = message.snapshot
            return f"snapshot {index}/{term} {of_configuration(configuration)}"
        case TimeoutNow():
            return "campaign now"
        case Forward():
            return "forward " + " ".join(data.decode() for data in message.proposals)
        case ReadRequest():
            return f"asks for read {message.context}"
        case ReadReply():
            return f"read {message.context} at {message.index}"
        case _:
            raise AssertionError(f"no notation for {message}")


def of_writes(ready: Ready, before: HardState) -> str:
    """What a `Ready` has to be written, but for a commit index alone; empty for nothing."""
    parts = []
    if ready.snapshot is not None:
        parts.append(f"snapshot {ready.snapshot.index}/{ready.snapshot.term}")
    if ready.entries:
        parts.append(of_entries(ready.entries))
    if ready.hard_state is not None and ready.hard_state[:2] != before[:2]:
        term, vote, _ = ready.hard_state
        parts.append(f"term {term} vote {vote or '-'}")
    return ", ".join(parts)


def of_role(raft: Raft) -> str:
    """What a member is, and whom it follows."""
    follows = f" of {raft.leader}" if raft.leader and raft.role.value == "follower" else ""
    return f"{raft.role.value}{follows}, term {raft.term}"


def of_state(raft: Raft) -> str:
    """Role, the log's marks, and the configuration."""
    log = raft.log
    written = f" written {log.written}" if log.written != log.last_index else ""
    configuration = of_configuration(raft.configuration)
    return f"{of_role(raft)}, last {log.last_index}{written} commit {log.commit}, {configuration}"


def of_progress(progress: Progress) -> str:
    there = "" if progress.is_active else ", silent"
    return f"{progress.state.value} match {progress.match} next {progress.next}{there}"
