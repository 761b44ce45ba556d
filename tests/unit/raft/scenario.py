"""A small language for what happens in a cluster, and the transcript of what the members do about it.

A scenario is a text: comments, commands at the beginning of a line, and under each command, indented, its
transcript.  Beside the transcript, `Oracle` checks Raft's promises after each event.

    cluster 3 [name=value ...]     members 1 to 3 with what `Config` is told; their election timeouts are
                                   election_ticks and 0, 1, 2 more, so that who is first is known
    join 4                         start a member that knows nobody
    logs 2: 1 1 4 [term=5]         member 2 restarts with entries of these terms
    elect 1                        campaign and settle; the transcript has changes of role only
    campaign 1, propose 1 x y, read 1, tick 1 [10], tick all [10], compact 1 [keep=2]
    transfer 1 2, change 1 +4 ~3 -2 [joint] [by-hand], leave 1      (+ voter, ~ learner, - removed)
    unreachable 1 2                member 1's transport says that messages to 2 get lost
    take 1, sync 1                 take one `Ready` and begin its write; end the oldest write
    deliver [1->2] [n]             messages on their way: all of them, some, or the first n
    lose 1->2, cut 1->2, cut 3, heal
    acknowledge 3->1 4             a reply that 3 has entries up to 4 comes from nowhere
    slow 1, fast 1                 a slow disk: settle does not end its writes
    settle [1 2]                   everybody, or these, go on until nothing is left to do
    crash 2, restart 2, forget 2 3 (2's disk loses the entries after 3)
    state, log 2, progress 1
    quietly ...                    any command; the transcript leaves out messages and writes
"""

from collections.abc import Callable, Iterable
from functools import partial

from tests.unit.raft import notation

from fairlead.raft import (
    AppendReply,
    Change,
    ChangeKind,
    Entry,
    HardState,
    InstallSnapshot,
    Message,
    Raft,
    RaftError,
)
from fairlead.raft.testing import Cluster

KINDS = {"+": ChangeKind.ADD_VOTER, "~": ChangeKind.ADD_LEARNER, "-": ChangeKind.REMOVE}


class First:
    """Chance that lets member 1 time out first, then 2, and so on."""

    def __init__(self, member: int) -> None:
        self.member = member

    def randrange(self, start: int, stop: int, /) -> int:
        return min(start + self.member - 1, stop - 1)


class Staggered(Cluster):
    """A cluster whose members have election timeouts that one can read off."""

    def chance(self, member: int) -> First:
        return First(member)


class Scenario:
    """Runs commands, and says what they led to."""

    def __init__(self) -> None:
        self.cluster: Cluster = Staggered(0)
        self.lines: list[str] = []
        self.slow: set[int] = set()
        self.seen: dict[int, tuple[str, int]] = {}
        self.hard_states: dict[int, HardState] = {}

    def run(self, command: str) -> list[str]:
        """Run one command; return its transcript."""
        name, *arguments = command.replace(":", "").split()
        if name == "quietly":
            said = self.run(" ".join(arguments))
            return [line for line in said if "->" not in line and " writes " not in line]
        self.lines = []
        do: Callable[..., None] = getattr(self, f"do_{name.replace('-', '_')}")
        options = dict(argument.split("=") for argument in arguments if "=" in argument)
        words = [argument for argument in arguments if "=" not in argument]
        try:
            do(*words, **{key: int(value) for key, value in options.items()})
        except RaftError as error:
            self.say(f"refused: {error}")
        self.look()
        return self.lines

    def say(self, line: str) -> None:
        self.lines.append(line)

    def look(self) -> None:
        """Say what has changed about members."""
        for member, machine in self.cluster.machines.items():
            if not machine.is_up:
                continue
            role, commit = notation.of_role(machine.raft), machine.raft.log.commit
            before = self.seen.get(member, ("follower, term 0", 0))
            if role != before[0]:
                self.say(f"{member} is {role}")
            if commit != before[1]:
                self.say(f"{member} commits {commit}")
            self.seen[member] = (role, commit)

    def on(self, member: str, event: Callable[[Raft], object]) -> None:
        self.cluster.on(int(member), event)
        self.look()

    def do_cluster(self, count: str, **options: int) -> None:
        self.cluster = Staggered(int(count), **options)
        self.seen, self.hard_states, self.slow = {}, {}, set()

    def do_join(self, member: str) -> None:
        self.cluster.add(int(member))

    def do_logs(self, member: str, *terms: str, term: int = 0) -> None:
        machine = self.cluster.machines[int(member)]
        entries = [Entry(int(each), index, f"t{each}".encode()) for index, each in enumerate(terms, 1)]
        machine.disk.entries = entries
        machine.disk.hard_state = HardState(max(term, entries[-1].term))
        machine.restart()
        self.cluster.oracle.saw_entries(machine.raft, entries)

    def do_elect(self, member: str) -> None:
        self.cluster.elect(int(member))
        self.look()
        self.lines = [line for line in self.lines if " is " in line]
        self.remember_hard_states()

    def do_campaign(self, member: str) -> None:
        self.on(member, Raft.campaign)

    def do_propose(self, member: str, *commands: str) -> None:
        for command in commands:
            self.on(member, partial(Raft.propose, data=command.encode()))

    def do_read(self, member: str) -> None:
        self.say(f"read {self.cluster.read(int(member))} begins")

    def do_tick(self, member: str, times: str = "1") -> None:
        members = list(self.cluster.machines) if member == "all" else [int(member)]
        for _ in range(int(times)):
            for each in members:
                if self.cluster.machines[each].is_up:
                    self.on(str(each), Raft.tick)

    def do_transfer(self, member: str, target: str) -> None:
        self.on(member, lambda raft: raft.transfer_leadership(int(target)))

    def do_change(self, member: str, *words: str) -> None:
        changes = [Change(KINDS[word[0]], int(word[1:])) for word in words if word[0] in KINDS]
        is_joint, auto_leave = "joint" in words, "by-hand" not in words
        self.on(member, lambda raft: raft.propose_change(changes, is_joint=is_joint, auto_leave=auto_leave))
        self.say(f"{member} has {notation.of_configuration(self.cluster[int(member)].configuration)}")

    def do_leave(self, member: str) -> None:
        self.on(member, Raft.leave_joint)

    def do_compact(self, member: str, *, keep: int = 0) -> None:
        self.cluster.machines[int(member)].compact(keep=keep)
        self.say(f"{member} holds from {self.cluster[int(member)].log.first_index} on")

    def do_unreachable(self, member: str, other: str) -> None:
        self.on(member, lambda raft: raft.report_unreachable(int(other)))

    def do_take(self, member: str) -> None:
        machine = self.cluster.machines[int(member)]
        under_way = len(machine.writes)
        messages, before = machine.take(), self.hard_states.get(int(member), HardState())
        if len(machine.writes) == under_way:
            return
        ready = machine.writes[-1]
        if ready.hard_state is not None:
            self.hard_states[int(member)] = ready.hard_state
        if writes := notation.of_writes(ready, before):
            self.say(f"{member} writes {writes}")
        self.post(messages)
        if applied := [entry for entry in ready.committed if entry.data]:
            self.say(f"{member} applies {notation.of_entries(applied)}")
        for read in ready.reads:
            self.say(f"{member} may answer read {read.context} at {read.index}")

    def do_sync(self, member: str) -> None:
        messages = self.cluster.machines[int(member)].sync()
        self.cluster.oracle.saw(int(member), self.cluster[int(member)])
        self.look()
        self.post(messages)

    def post(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.say(notation.of_message(message))
            self.cluster.network.append(message)

    def do_deliver(self, *words: str) -> None:
        network = self.cluster.network
        limit = next((int(word) for word in words if word.isdigit()), len(network))
        routes = [word for word in words if "->" in word]
        chosen = [m for m in network if not routes or f"{m.sender}->{m.to}" in routes][:limit]
        self.cluster.network = [message for message in network if not any(message is each for each in chosen)]
        for message in chosen:
            self.deliver(message)

    def deliver(self, message: Message) -> None:
        receiver = self.cluster.machines.get(message.to)
        if receiver is None or not receiver.is_up or (message.sender, message.to) in self.cluster.cut:
            self.say(f"lost: {notation.of_message(message)}")
        self.cluster.deliver(message)
        self.look()

    def do_acknowledge(self, route: str, index: str) -> None:
        sender, to = map(int, route.split("->"))
        term = self.cluster[to].term
        self.on(str(to), partial(Raft.step, message=_acknowledgement(sender, to, term, int(index))))

    def do_lose(self, route: str) -> None:
        kept: list[Message] = []
        for message in self.cluster.network:
            if f"{message.sender}->{message.to}" != route:
                kept.append(message)
                continue
            self.say(f"lost: {notation.of_message(message)}")
            if isinstance(message, InstallSnapshot):
                self.on(str(message.sender), partial(_not_delivered, member=message.to))
        self.cluster.network = kept

    def do_cut(self, what: str) -> None:
        if "->" in what:
            sender, to = what.split("->")
            self.cluster.cut.add((int(sender), int(to)))
        else:
            self.cluster.isolate(int(what))

    def do_heal(self) -> None:
        self.cluster.heal()

    def do_slow(self, member: str) -> None:
        self.slow.add(int(member))

    def do_fast(self, member: str) -> None:
        self.slow.discard(int(member))

    def do_settle(self, *words: str) -> None:
        members = [int(word) for word in words] or list(self.cluster.machines)
        while self.work(members):
            pass

    def work(self, members: list[int]) -> bool:
        """Let members do what there is to do, then deliver; return whether anything was."""
        lines = len(self.lines)
        is_busy = False
        for member in members:
            machine = self.cluster.machines[member]
            if not machine.is_up:
                continue
            writes = len(machine.writes)
            self.do_take(str(member))
            is_busy = is_busy or len(machine.writes) > writes
            while machine.writes and member not in self.slow:
                is_busy = True
                self.do_sync(str(member))
        coming = [m for m in self.cluster.network if m.to in members]
        self.cluster.network = [m for m in self.cluster.network if m.to not in members]
        for message in coming:
            self.deliver(message)
        return is_busy or bool(coming) or len(self.lines) > lines

    def do_crash(self, member: str) -> None:
        self.cluster.machines[int(member)].crash()
        self.seen.pop(int(member), None)

    def do_restart(self, member: str) -> None:
        machine = self.cluster.machines[int(member)]
        machine.restart()
        self.hard_states[int(member)] = machine.disk.hard_state

    def do_forget(self, member: str, index: str) -> None:
        disk = self.cluster.machines[int(member)].disk
        disk.entries = [entry for entry in disk.entries if entry.index <= int(index)]
        disk.hard_state = disk.hard_state._replace(commit=0)

    def do_state(self) -> None:
        for member, machine in self.cluster.machines.items():
            self.say(f"{member} {notation.of_state(machine.raft) if machine.is_up else 'down'}")

    def do_log(self, member: str) -> None:
        log = self.cluster[int(member)].log
        self.say(f"{member} {notation.of_entries(log.entries_from(log.first_index))}")

    def do_progress(self, member: str) -> None:
        for other, progress in self.cluster[int(member)].progress.items():
            self.say(f"{other} {notation.of_progress(progress)}")

    def remember_hard_states(self) -> None:
        for member, machine in self.cluster.machines.items():
            self.hard_states[member] = machine.disk.hard_state


def _acknowledgement(sender: int, to: int, term: int, index: int) -> Message:
    return AppendReply(to=to, sender=sender, term=term, index=index, success=True)


def _not_delivered(raft: Raft, *, member: int) -> None:
    raft.report_snapshot(member, is_delivered=False)
