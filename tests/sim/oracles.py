"""What Raft promises, checked after each event at a member.

    Election Safety        at most one leader in a term
    Log Matching           an entry has one predecessor and one content wherever it is
    Leader Completeness    who is elected has everything that was committed
    State Machine Safety   nobody commits anything else at an index
    Majorities             who is elected was voted for by a majority of the members, of both sets if there are two
    Configuration          a member counts by the last one that is committed, or by a later one in its log
    Durability             what is committed is on the disks of a quorum
    Memory                 a member keeps its term, its vote and its log over a crash
    Reads                  a read sees what was committed when it began
    State hash             members that have applied the same entries are in the same state

(Raft, figures 2 and 3, and section 8.)
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairlead.raft import (
    AppendReply,
    Configuration,
    Entry,
    EntryKind,
    Raft,
    RequestVote,
    Role,
    VoteReply,
    decode_configuration,
)


class ViolationError(AssertionError):
    """A promise was broken; the text says which, and by whom."""


def check(holds: object, promise: str, *facts: object) -> None:
    """Raise unless the promise holds."""
    if not holds:
        raise ViolationError(f"{promise}: " + " ".join(map(str, facts)))


@dataclass(slots=True)
class Durable:
    """What one member's disk is known to hold, and the writes that may or may not be there."""

    snapshot_index: int = 0
    terms: dict[int, int] = field(default_factory=dict)
    last_index: int = 0
    pending: list[tuple[int, Sequence[Entry]]] = field(default_factory=list)

    def holds(self, index: int, term: int) -> bool:
        """Tell whether an entry is safe here."""
        return index <= self.snapshot_index or self.terms.get(index) == term

    def write(self, snapshot_index: int, entries: Sequence[Entry]) -> None:
        """Take what a sync has made safe."""
        if snapshot_index:
            self.snapshot_index = max(self.snapshot_index, snapshot_index)
            self.terms.clear()
            self.last_index = snapshot_index
        if entries:
            for index in range(entries[0].index, self.last_index + 1):
                self.terms.pop(index, None)
            self.terms.update((entry.index, entry.term) for entry in entries)
            self.last_index = entries[-1].index


class Oracle:
    """What has been promised so far in one world."""

    def __init__(self) -> None:
        self.leaders: dict[int, int] = {}
        self.committed: dict[int, Entry] = {}
        self.commit = 0
        self._committed_in: dict[int, int] = {}
        self._predecessors: dict[tuple[int, int], tuple[int | None, bytes]] = {}
        self._commit_of: dict[int, int] = {}
        self._configuration_of: dict[int, Configuration] = {}
        self._votes: dict[tuple[int, int], int] = {}
        self._terms: dict[int, int] = {}
        self._configurations: list[tuple[int, Configuration]] = []
        self._hashes: dict[int, tuple[int, int]] = {}
        self.disks: dict[int, Durable] = {}
        self.on_elected: Callable[[int, int], None] = lambda _member, _term: None

    def __repr__(self) -> str:
        return f"<Oracle terms={len(self.leaders)} commit={self.commit}>"

    # ---- what is written ----

    def writes(self, member: int, raft: Raft, *, snapshot_index: int, entries: Sequence[Entry]) -> None:
        """Take note of a write that has been given to a disk; check Log Matching, by induction."""
        self.disks.setdefault(member, Durable()).pending.append((snapshot_index, entries))
        for entry in entries:
            if entry.index > raft.log.last_index or raft.log.term_at(entry.index) != entry.term:
                continue  # replaced already, while it waited
            previous = raft.log.term_at(entry.index - 1)
            known = self._predecessors.setdefault((entry.term, entry.index), (previous, entry.data))
            check(known[1] == entry.data, "log matching", member, entry.term, entry.index)
            check(
                None in {known[0], previous} or known[0] == previous, "log matching", member, entry, known[0]
            )

    def wrote(self, member: int) -> None:
        """Take note that the oldest write under way is safe."""
        disk = self.disks[member]
        disk.write(*disk.pending.pop(0))

    def restarted(self, member: int, raft: Raft) -> None:
        """Check that a member has forgotten nothing that it must not."""
        check(raft.term >= self._terms.get(member, 0), "memory: the term", raft, self._terms.get(member))
        vote = self._votes.get((member, raft.term))
        check(vote in {None, raft._node.vote}, "memory: the vote", raft, vote)
        disk = self.disks.setdefault(member, Durable())
        replaced = [entries[0].index for _, entries in disk.pending if entries]
        is_cut = any(index for index, _ in disk.pending)
        log = raft.log
        for index, term in disk.terms.items():
            if is_cut or index < log.first_index or (replaced and index >= min(replaced)):
                continue
            check(log.term_at(index) == term, "memory: the log", raft, index, term)
        snapshot_index = log.first_index - 1
        terms = {entry.index: entry.term for entry in log.entries_from(log.first_index)}
        self.disks[member] = Durable(snapshot_index, terms, log.last_index)
        self._commit_of[member] = min(self._commit_of.get(member, 0), log.commit)
        self._configuration_of[member] = raft.configuration
        self._check_configuration(raft)

    def forget(self, member: int) -> None:
        """Take note that a member's data is gone for good, and the member with it."""
        self.disks[member] = Durable()

    # ---- what is said ----

    def sends(self, message: Any) -> None:
        """Take note of a promise that leaves a member; check that none is given twice."""
        if isinstance(message, VoteReply):
            if message.granted and not message.is_pre_vote:
                self._vote(message.sender, message.term, message.to)
            elif not message.is_pre_vote:
                self._saw_term(message.sender, message.term)
        elif isinstance(message, RequestVote):
            if not message.is_pre_vote:
                self._vote(message.sender, message.term, message.sender)
        elif isinstance(message, AppendReply):
            self._saw_term(message.sender, message.term)

    def _vote(self, member: int, term: int, candidate: int) -> None:
        self._saw_term(member, term)
        known = self._votes.setdefault((member, term), candidate)
        check(known == candidate, "two votes", member, f"term={term}", known, candidate)

    def _saw_term(self, member: int, term: int) -> None:
        if term > self._terms.get(member, 0):
            self._terms[member] = term

    # ---- what a member is ----

    def saw(self, member: int, raft: Raft) -> None:
        """Check what one event at ``member`` has changed."""
        if raft.role is Role.LEADER and self.leaders.get(raft.term) != member:
            self._elected(member, raft)
        known = self._commit_of.get(member, 0)
        if raft.log.commit > known:
            self._commit_of[member] = raft.log.commit
            self._check_commit(member, raft, known)
        self._configuration_of[member] = raft.configuration

    def _elected(self, member: int, raft: Raft) -> None:
        check(raft.term not in self.leaders, "election safety", raft, self.leaders.get(raft.term))
        voters = {voter for (voter, term), vote in self._votes.items() if (term, vote) == (raft.term, member)}
        check(
            _is_quorum(voters | {member}, raft.configuration), "election by a majority", raft, sorted(voters)
        )
        self.leaders[raft.term] = member
        log = raft.log
        for index in range(log.first_index, self.commit + 1):
            entry = self.committed.get(index)
            # One that is elected late, in a term that others have left, may lack what they committed since.
            if entry is not None and self._committed_in[index] < raft.term:
                check(log.term_at(index) == entry.term, "leader completeness", raft, index, entry.term)
        self.on_elected(member, raft.term)

    def _check_commit(self, member: int, raft: Raft, known: int) -> None:
        log = raft.log
        for entry in log.entries_from(max(known + 1, log.first_index), last=log.commit):
            agreed = self.committed.get(entry.index)
            if agreed is None:
                self.committed[entry.index] = entry
                self._committed_in[entry.index] = raft.term
                if entry.kind == EntryKind.CONFIGURATION:
                    self._configurations.append((entry.index, decode_configuration(entry.data)[0]))
            else:
                check(
                    agreed[:3] == entry[:3],
                    "state machine safety",
                    raft,
                    entry.index,
                    agreed.term,
                    entry.term,
                )
        self._check_configuration(raft)
        if log.commit > self.commit:
            if raft.role is Role.LEADER:
                # Raft, section 5.4.2: "only log entries from the leader's current term are committed by counting".
                check(log.term_at(log.commit) == raft.term, "commit of an earlier term by counting", raft)
            self._check_durable(member, raft)
            self.commit = log.commit

    def _check_configuration(self, raft: Raft) -> None:
        """Check that a member counts by the configuration that is committed, wherever it has it from."""
        log = raft.log
        agreed = [each for since, each in self._configurations if since <= log.commit]
        own = [each for since, each in log._configurations if since <= log.commit]
        check(not agreed or own[-1] == agreed[-1], "configuration", raft, *own[-1:], "not", *agreed[-1:])

    def _check_durable(self, member: int, raft: Raft) -> None:
        index, term = raft.log.commit, raft.log.term_at(raft.log.commit)
        assert term is not None, "what is committed is in the log"

        holders = {voter for voter, disk in self.disks.items() if disk.holds(index, term)}
        # Leaving joint consensus appends the next configuration in the very step that commits the last.
        candidates = (self._configuration_of.get(member, raft.configuration), raft.configuration)
        check(
            any(_is_quorum(holders, each) for each in candidates),
            "durability",
            raft,
            f"index={index}",
            f"holders={sorted(holders)}",
        )

    # ---- what is read and applied ----

    def read_ends(self, member: int, applied: int, *, began_at: int) -> None:
        """Check that a read sees what was committed when it began."""
        check(applied >= began_at, "stale read", member, f"applied={applied}", f"committed={began_at}")

    def applied(self, member: int, index: int, state_hash: int) -> None:
        """Check that equal logs have led to equal states."""
        other, known = self._hashes.setdefault(index, (member, state_hash))
        check(
            known == state_hash, "state hash", f"at {index}", f"{other}:{known:08x} {member}:{state_hash:08x}"
        )

    def check_equal(self, what: str, values: Iterable[tuple[int, object]]) -> None:
        """Check that members agree about something at the end."""
        pairs = list(values)
        check(len({value for _, value in pairs}) <= 1, what, pairs)


def _is_quorum(members: set[int], configuration: Configuration) -> bool:
    return _is_majority(members, configuration.voters) and _is_majority(members, configuration.outgoing)


def _is_majority(holders: set[int], voters: frozenset[int]) -> bool:
    """Count by oneself: the program's own counting may be what is broken."""
    return not voters or 2 * len(holders & voters) > len(voters)
