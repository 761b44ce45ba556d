"""A cluster in memory: a network that loses, doubles and reorders, disks that forget what was not synced.

Everything happens by calls, one event at a time; chance comes from the generator that is handed in.  After each
event the promises of Raft, figure 3, are checked, by `Oracle`:

    Election Safety        at most one leader in a term
    Log Matching           an entry has one predecessor and one content wherever it is
    Leader Completeness    who is elected has everything that was committed
    State Machine Safety   nobody applies anything else at an index
    linearizable reads     a read sees what had been committed when it began
"""

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from fairlead.raft.config import Config
from fairlead.raft.configuration import Configuration
from fairlead.raft.raft import Raft
from fairlead.raft.types import Chance, Entry, HardState, InstallSnapshot, Message, Ready, Role, Snapshot


class Oracle:
    """What has been promised so far."""

    def __init__(self) -> None:
        self.leaders: dict[int, int] = {}
        self.committed: dict[int, Entry] = {}
        self.commit = 0
        self._entries: dict[tuple[int, int], tuple[int | None, bytes]] = {}
        self._reads: dict[int, int] = {}
        self.reads_done = 0

    def saw_entries(self, raft: Raft, entries: Iterable[Entry]) -> None:
        """Check Log Matching, by induction: each entry goes with one predecessor."""
        for entry in entries:
            previous = raft.log.term_at(entry.index - 1)
            known = self._entries.setdefault((entry.term, entry.index), (previous, entry.data))
            assert known == (previous, entry.data), f"log matching: {entry} of {raft}"

    def saw(self, member: int, raft: Raft) -> None:
        """Check what one event at ``member`` has changed."""
        if raft.role is Role.LEADER and self.leaders.get(raft.term) != member:
            assert raft.term not in self.leaders, f"election safety: two leaders in term {raft.term}"
            self.leaders[raft.term] = member
            for entry in self.committed.values():
                term = raft.log.term_at(entry.index)
                is_gone = entry.index < raft.log.first_index
                assert is_gone or term == entry.term, f"leader completeness: {raft} lacks {entry}"
        if raft.log.commit > self.commit:
            for entry in raft.log.entries_from(self.commit + 1, last=raft.log.commit):
                self.committed[entry.index] = entry
            self.commit = raft.log.commit

    def saw_applied(self, member: int, entry: Entry) -> None:
        """Check State Machine Safety."""
        known = self.committed[entry.index]
        assert known == entry, f"state machine safety: {member} applies {entry}, not {known}"

    def read_begins(self, context: int) -> None:
        """Remember what a read has to see."""
        self._reads[context] = self.commit

    def read_ends(self, context: int, index: int) -> None:
        """Check that a read sees it."""
        assert index >= self._reads[context], f"a read at {index} misses {self._reads[context]}"
        self.reads_done += 1


@dataclass(slots=True)
class Disk:
    """What a crash leaves."""

    snapshot: Snapshot
    hard_state: HardState = field(default_factory=HardState)
    entries: list[Entry] = field(default_factory=list)

    def write(self, ready: Ready) -> None:
        """Do step 2 of a `Ready`."""
        if ready.snapshot is not None:
            self.snapshot, self.entries = ready.snapshot, []
        if ready.entries:
            keep = ready.entries[0].index - self.snapshot.index - 1
            assert 0 <= keep <= len(self.entries), "the log would have a hole"
            self.entries[keep:] = ready.entries
        if ready.hard_state is not None:
            self.hard_state = ready.hard_state

    def compact(self, snapshot: Snapshot) -> None:
        """Replace entries by a snapshot."""
        del self.entries[: snapshot.index - self.snapshot.index]
        self.snapshot = snapshot


class Machine:
    """One member: the core, its disk, and what it has applied."""

    def __init__(self, config: Config, snapshot: Snapshot, *, rng: Chance, oracle: Oracle) -> None:
        self.config = config
        self.disk = Disk(snapshot)
        self._rng = rng
        self._oracle = oracle
        self.writes: deque[Ready] = deque()
        self.applied: list[Entry] = []
        self.applied_index = 0
        self.reads: list[tuple[int, int]] = []
        self.is_up = True
        self.raft = self._load()

    def __repr__(self) -> str:
        return f"<Machine {'up' if self.is_up else 'down'} writes={len(self.writes)} {self.raft!r}>"

    def _load(self) -> Raft:
        disk = self.disk
        self.applied_index = disk.snapshot.index
        return Raft(
            self.config,
            snapshot=disk.snapshot,
            hard_state=disk.hard_state,
            entries=disk.entries,
            rng=self._rng,
        )

    def take(self) -> list[Message]:
        """Take one `Ready`; return what may be sent at once."""
        ready = self.raft.ready()
        if ready is None:
            return []
        self._oracle.saw_entries(self.raft, ready.entries)
        self.writes.append(ready)
        for entry in ready.committed:
            assert entry.index == self.applied_index + 1, "applied out of order"
            self._oracle.saw_applied(self.config.member_id, entry)
            self.applied_index = entry.index
            self.applied.append(entry)
        for read in ready.reads:
            self._oracle.read_ends(*read)
            self.reads.append(read)
        return list(ready.send_first)

    def sync(self) -> list[Message]:
        """Finish the oldest write; return what may be sent now."""
        if not self.writes:
            return []
        ready = self.writes.popleft()
        self.disk.write(ready)
        if ready.snapshot is not None:
            self.applied_index = ready.snapshot.index
        self.raft.advance(ready)
        return list(ready.send_after)

    def crash(self, *, survive: int = 0, torn: int = 0) -> None:
        """Lose what was not synced, but for the first ``survive`` writes, which nobody had heard of.

        Of the write after those, ``torn`` entries are kept too.
        """
        writes = list(self.writes)
        for ready in writes[:survive]:
            self.disk.write(ready)
        if torn and survive < len(writes):
            self.disk.write(replace(writes[survive], entries=writes[survive].entries[:torn], hard_state=None))
        self.writes.clear()
        self.is_up = False

    def restart(self) -> None:
        """Begin again from the disk."""
        self.raft = self._load()
        self.applied = []
        self.reads = []
        self.is_up = True

    def compact(self, *, keep: int = 0) -> None:
        """Take a snapshot of what has been applied, and forget all but ``keep`` entries before it."""
        if self.writes or self.applied_index <= self.disk.snapshot.index:
            return
        if snapshot := self.raft.snapshot_at(self.applied_index):
            self.disk.compact(snapshot)
            self.raft.compact(max(0, self.applied_index - keep))


class Cluster:
    """Members and the network between them.

    Args:
        count: members from 1 up, all voters.
        seed: of the election timeouts, and of nothing else.
        options: for `Config`.
    """

    def __init__(self, count: int, *, seed: int = 0, **options: int) -> None:
        self.oracle = Oracle()
        self.machines: dict[int, Machine] = {}
        self.network: list[Message] = []
        self.cut: set[tuple[int, int]] = set()
        self.watch: Callable[[Message], None] = lambda _: None
        self._seed = seed
        self._options = options
        self._contexts = 0
        configuration = Configuration(voters=frozenset(range(1, count + 1)))
        for member in sorted(configuration.voters):
            self.add(member, Snapshot(0, 0, configuration))

    def __repr__(self) -> str:
        return f"<Cluster of {len(self.machines)} leader={self.leader} in flight={len(self.network)}>"

    def __getitem__(self, member: int) -> Raft:
        return self.machines[member].raft

    @property
    def leader(self) -> int | None:
        """The leader of the highest term among those that run."""
        running = [m.raft for m in self.machines.values() if m.is_up and m.raft.role is Role.LEADER]
        newest = max(running, key=lambda raft: raft.term, default=None)
        return self.oracle.leaders[newest.term] if newest is not None else None

    def add(self, member: int, snapshot: Snapshot | None = None) -> None:
        """Start a member, by default one that joins and knows nobody."""
        config = Config(member_id=member, **self._options)
        snapshot = snapshot or Snapshot()
        self.machines[member] = Machine(config, snapshot, rng=self.chance(member), oracle=self.oracle)

    def chance(self, member: int) -> Chance:
        """Return where a member's chance comes from; a subclass may leave none."""
        return random.Random(f"{self._seed}/{member}")  # noqa: S311 - not for secrets

    def on(self, member: int, event: Callable[[Raft], object]) -> None:
        """Let something happen at a member, and check."""
        machine = self.machines[member]
        event(machine.raft)
        self.oracle.saw(member, machine.raft)

    def take(self, member: int) -> None:
        """Take a `Ready` of a member, and send what may be sent at once."""
        self._send(self.machines[member].take())

    def sync(self, member: int) -> None:
        """Finish a write of a member, and send what waited for it."""
        machine = self.machines[member]
        messages = machine.sync()
        self.oracle.saw(member, machine.raft)
        self._send(messages)

    def deliver(self, message: Message) -> None:
        """Bring one message to its member; a snapshot brings its content, and is reported."""
        machine = self.machines.get(message.to)
        arrives = machine is not None and machine.is_up and (message.sender, message.to) not in self.cut
        if arrives:
            self.watch(message)
            self.on(message.to, lambda raft: raft.step(message))
        if isinstance(message, InstallSnapshot) and self.machines[message.sender].is_up:
            self.on(message.sender, lambda raft: raft.report_snapshot(message.to, is_delivered=arrives))

    def read(self, member: int) -> int:
        """Begin a read; return its context."""
        self._contexts += 1
        context = self._contexts
        self.oracle.read_begins(context)
        self.on(member, lambda raft: raft.read(context))
        return context

    def settle(self) -> None:
        """Go on, in order and without faults, until nothing is left to do."""
        is_busy = True
        while is_busy:
            before = self.network
            self.network = []
            for message in before:
                self.deliver(message)
            is_busy = bool(before)
            for member, machine in self.machines.items():
                if machine.is_up:
                    self.take(member)
                    is_busy = is_busy or bool(machine.writes)
                    while machine.writes:
                        self.sync(member)

    def tick(self, *, times: int = 1) -> None:
        """Let time pass for everybody, and settle after each tick."""
        for _ in range(times):
            for member, machine in self.machines.items():
                if machine.is_up:
                    self.on(member, Raft.tick)
            self.settle()

    def elect(self, member: int) -> None:
        """Make a member the leader."""
        for _ in range(8):
            self.on(member, Raft.campaign)
            self.settle()
            if self[member].role is Role.LEADER:
                return
            # The others protect the leader that they heard last, until they have heard nothing for a while.
            for other, machine in self.machines.items():
                if other != member and machine.is_up and machine.raft.role is not Role.LEADER:
                    for _ in range(machine.config.election_ticks // 2):
                        machine.raft.tick()
        raise AssertionError(f"member {member} was not elected: {self.machines}")

    def propose(self, member: int, *commands: bytes) -> None:
        """Propose commands at a member, and settle."""
        for data in commands:
            self.on(member, partial(Raft.propose, data=data))
        self.settle()

    def isolate(self, *members: int) -> None:
        """Cut members off from all others, and nobody else."""
        everybody = set(self.machines)
        inside = set(members)
        self.cut = {(a, b) for a in everybody for b in everybody if (a in inside) != (b in inside)}

    def heal(self) -> None:
        """Let every message through again."""
        self.cut = set()

    def commands(self, member: int) -> list[bytes]:
        """Return the commands that a member has applied since it was made or restarted, in order."""
        return [entry.data for entry in self.machines[member].applied if entry.data and not entry.kind]

    def _send(self, messages: Iterable[Message]) -> None:
        self.network.extend(messages)
