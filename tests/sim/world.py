"""One simulated world: machines, a network, clients and faults, all of it out of one seed.

Three acts.  Until `Temper.heal_s` everything goes wrong that the seed has drawn.  Then all faults end for good, and
the promise of progress is held to: a leader within ten election timeouts, an answer to every request, every member
equally far.  At last nobody asks any more, and what the members hold, and what the clients have seen, is judged.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.sim.admin import Admin
from tests.sim.clients import Client, Operation
from tests.sim.coverage import Coverage
from tests.sim.disk import SimulatedDisk
from tests.sim.faults import Faults
from tests.sim.judges import Judges
from tests.sim.machines import Machine, Process
from tests.sim.network import Network
from tests.sim.oracles import Oracle, check
from tests.sim.scheduler import Clock, Scheduler
from tests.sim.shell import Reply, Shell
from tests.sim.temper import LULL_S, draw_temper
from tests.sim.trace import Trace
from tests.sim.watchers import WatchClient
from tests.sim.workload import Request

from fairlead.member.config import MemberConfig
from fairlead.member.errors import MemberError
from fairlead.member.opening import Founding, open_member
from fairlead.mvcc import MvccError
from fairlead.raft import InstallSnapshot, Role
from fairlead.wal import CorruptError, DiskFailedError
from fairlead.wal.testing import PowerCutError

HEARTBEAT_S, ELECTION_TIMEOUT_S = 0.1, 1.0
ELECTIONS_UNTIL_LEADER = 10
DIAL_S = 1.0
CALM_S = 3.0
"""Clients go on for so long after a leader was found."""
SETTLE_S = 20.0
"""...and members have so long to become equal."""


class World:
    """One run.

    Args:
        seed: decides everything.
        show: prints each line of the trace; None keeps the last ones.
    """

    def __init__(self, seed: int, *, show: Callable[[str], None] | None = None) -> None:
        self.seed = seed
        self.temper = draw_temper(self.chance("temper"))
        self.scheduler = Scheduler()
        self.trace = Trace(show)
        self.coverage = Coverage()
        self.oracle = Oracle()
        self.network = Network(
            self.scheduler,
            rng=self.chance("network"),
            temper=self.temper,
            deliver=self._deliver,
            note=self._note,
        )
        self.rng = self.chance("world")
        self.bulk_cuts = 0
        self.is_healed = False
        self.is_closing = False
        self.compacted_to = 1
        """The newest compaction that a client knows of."""
        self.operations: list[Operation] = []
        self.machines: list[Machine] = []
        self._names = 0
        self._by_id: dict[int, Machine] = {}
        for _ in range(self.temper.members):
            self.add_machine()
        self.cluster: dict[str, tuple[str, ...]] = {
            f"m{machine.slot}": (self.url_of(machine),) for machine in self.machines
        }
        self.rot_max = (self.temper.members - 1) // 2
        self.admin = Admin(self)
        self.faults = Faults(self)
        self.judges = Judges(self)
        self.clients = [Client(self, number) for number in range(1, self.temper.clients + 1)]
        self.clients.append(Client(self, 0, is_compactor=True))
        self.clients.append(Client(self, self.temper.clients + 1, is_reader=True))
        self.watchers = [WatchClient(self, number) for number in range(self.temper.watchers)]

    def __repr__(self) -> str:
        return f"<World seed={self.seed} {self.temper.temper} {self.scheduler!r}>"

    def chance(self, name: str) -> random.Random:
        """Return a generator of this seed's, for one use, so that another use cannot shift what it draws."""
        return random.Random(f"{self.seed}/{name}")

    def log(self, who: str, what: str) -> None:
        """Write a line into the trace."""
        self.trace.add(self.scheduler.now_s, who, what)

    # ---- the three acts ----

    def run(self) -> None:
        """Run to the end.

        Raises:
            ViolationError: a promise was broken.
        """
        for machine in self.machines:
            self.start(machine)
        for client in self.clients:
            client.begin()
        for watcher in self.watchers:
            watcher.begin()
        self.faults.begin()
        if self.temper.lull_s > 0:
            self.scheduler.after(
                self.temper.lull_s + LULL_S * self.rng.random(), self.faults.restart_somebody
            )
        self._until(self.temper.heal_s)
        self.log("", "all faults end")
        self.is_healed = True
        self.faults.end()
        self._dial()
        self._wait(self._has_leader, ELECTIONS_UNTIL_LEADER * ELECTION_TIMEOUT_S, "progress: no leader")
        self._until(self.scheduler.now_s + CALM_S)
        self.is_closing = True
        self._wait(self._is_settled, SETTLE_S, "progress: not settled")
        self.judges.judge()

    def _until(self, time_s: float) -> None:
        while self.scheduler.step(until_s=time_s):
            pass

    def _wait(self, condition: Callable[[], bool], patience_s: float, promise: str) -> None:
        until_s = self.scheduler.now_s + patience_s
        while not condition():
            check(self.scheduler.now_s < until_s, promise, self.machines)
            self._until(min(until_s, self.scheduler.now_s + HEARTBEAT_S))

    def _has_leader(self) -> bool:
        leaders = {shell.replica.raft.leader for shell in self.shells()}
        return len(leaders) == 1 and 0 not in leaders

    def _is_settled(self) -> bool:
        if any(client.current is not None for client in self.clients):
            return False
        shells = self.shells()
        marks = {(shell.replica.applied, shell.replica.raft.log.last_index) for shell in shells}
        is_level = len(marks) == 1 and all(applied == last for applied, last in marks)
        return is_level and all(watcher.has_all(shells) for watcher in self.watchers)

    def shells(self) -> list[Shell]:
        """Return the members that run and belong to the cluster."""
        running = [machine.process.shell for machine in self.machines if machine.process is not None]
        return [shell for shell in running if not shell.replica.is_removed]

    # ---- machines ----

    def add_machine(self) -> Machine:
        """Put another machine into the world; nothing runs on it yet."""
        slot = len(self.machines) + 1
        rng = self.chance(f"machine {slot}")
        skew = self.temper.skew
        clock = Clock(self.scheduler, offset_s=1000.0 * rng.random(), rate=1 + rng.uniform(-skew, skew))
        machine = Machine(slot, disk=SimulatedDisk(rng.getrandbits(64)), clock=clock)
        self.machines.append(machine)
        return machine

    def url_of(self, machine: Machine) -> str:
        """Return where a machine's member listens for its peers; nobody does."""
        return f"http://10.0.0.{machine.slot}:2380"

    def config_of(self, machine: Machine) -> MemberConfig:
        """Return what the member of a machine is told."""
        return MemberConfig(
            name=f"m{machine.slot}",
            data_dir=Path(f"/m{machine.slot}"),
            peer_urls=(self.url_of(machine),),
            initial_cluster=self.cluster,
            heartbeat_s=HEARTBEAT_S,
            election_timeout_s=ELECTION_TIMEOUT_S,
            strict_reconfig_check=False,
            wal_segment_bytes=self.temper.segment_bytes,
        )

    def start(self, machine: Machine, founding: Founding | None = None) -> None:
        """Start a member, if it can be."""
        if machine.is_up or machine.trouble:
            return
        machine.founding = founding or machine.founding
        try:
            opened = open_member(
                self.config_of(machine),
                rng=self.chance(f"member {machine.slot} {self.scheduler.steps}"),
                founding=machine.founding,
                disk=machine.disk,
                databases=machine.databases,
            )
        except PowerCutError:
            self._lost_power(machine)
            return
        except DiskFailedError as error:
            self.log(f"m{machine.slot}", f"cannot start: {error.reason}")
            self.scheduler.after(0.5, lambda: self.start(machine))
            return
        except (CorruptError, MemberError, MvccError) as error:
            self._refused(machine, error)
            return
        process = Process(machine, self.scheduler, on_power_cut=lambda: self._lost_power(machine))
        machine.process = process
        machine.runs += 1
        machine.member_id = opened.identity.member_id
        self._by_id[machine.member_id] = machine
        process.shell = Shell(self, machine, process, opened)
        node = opened.replica.raft._node
        node.config = replace(
            node.config, append_bytes_max=self.temper.append_bytes_max, inflight_max=self.temper.inflight_max
        )
        self.log(f"m{machine.slot}", f"starts: {process.shell.replica.raft!r}")
        self.coverage.event("restarted" if process.shell.replica.applied else "started")
        process.run(process.shell.begin)

    def _refused(self, machine: Machine, error: Exception) -> None:
        """A member that finds its data damaged stays down: that is right if, and only if, we damaged it."""
        self.log(f"m{machine.slot}", f"refuses to start: {type(error).__name__}")
        check(machine.is_rotten, "a member refuses to start", f"m{machine.slot}", repr(error))
        self.coverage.event("refused to start")
        machine.trouble = type(error).__name__

    def crash(self, machine: Machine, *, loses_power: bool) -> None:
        """End a member at once; with a loss of power, its disk forgets what was not synced."""
        process = machine.process
        assert process is not None
        self.log(f"m{machine.slot}", "loses power" if loses_power else "is killed")
        process.die()
        process.shell.opened.backend.close()
        machine.process = None
        for reset in list(machine.connections):
            reset()
        machine.connections.clear()
        if loses_power:
            machine.disk.crash()
        machine.databases.crash()

    def _lost_power(self, machine: Machine) -> None:
        if machine.process is None:
            self.log(f"m{machine.slot}", "loses power while it starts")
            machine.disk.crash()
            machine.databases.crash()
        else:
            self.faults.note("power-cut", machine)
            self.crash(machine, loses_power=True)
        self.scheduler.after(0.1 + 2 * self.rng.random(), lambda: self.start(machine))

    def failed(self, machine: Machine, error: Exception) -> None:
        """Take the news that a member's disk has failed: the process ends, and is started again in a while."""
        check(
            isinstance(error, DiskFailedError) or (machine.is_rotten and isinstance(error, CorruptError)),
            "a member failed", machine, repr(error),
        )  # fmt: skip
        self.crash(machine, loses_power=False)
        self.scheduler.after(0.1 + self.rng.random(), lambda: self.start(machine))

    def role_of(self, machine: Machine) -> str:
        """Return the role of the member on a machine, for the coverage."""
        return "down" if machine.process is None else machine.process.shell.replica.raft.role.value

    def saw(self, shell: Shell) -> None:
        """Look at what an event at a member has changed."""
        raft, replica = shell.replica.raft, shell.replica
        seen = (raft.role, raft.term, raft.log.commit, replica.applied, raft.log.configuration_index)
        if seen == shell.seen:
            return
        before, shell.seen = shell.seen, seen
        self.oracle.saw(shell.member_id, raft)
        self.oracle.applied(shell.member_id, replica.applied, replica.state_hash)
        if before[:2] != seen[:2]:
            self.log(f"m{shell.machine.slot}", f"is {raft.role.value} in term {raft.term}")
            if raft.role is Role.LEADER:
                self.coverage.event("elected")
            self.faults.on_role(shell.machine)

    # ---- the network ----

    def _deliver(self, message: Any) -> None:
        machine = self._by_id.get(message.to)
        process = None if machine is None else machine.process
        if machine is None or process is None or process.shell.member_id != message.to:
            return
        if message.sender in process.shell.replica.cluster.removed:
            self._tell_removed(message.sender)
            return
        self.trace.message(self.scheduler.now_s, machine.slot, message, self._slots)
        process.run(lambda: process.shell.receive(message))

    def _tell_removed(self, member_id: int) -> None:
        """Let a member know that it is none any more, as a transport does that refuses its connections."""
        machine = self._by_id.get(member_id)
        process = None if machine is None else machine.process
        if process is not None:
            self.scheduler.after(self.temper.delay_s, lambda: process.run(process.shell.end_removed))

    def _dial(self) -> None:
        """Let everybody reach the members he knows, as transports do who dial until they are answered.

        A learner says nothing by itself: one that was removed behind its back hears of it in no other way.
        """
        for shell in self.shells():
            known = shell.replica.cluster.members
            others = [other for other in self.shells() if other.member_id in known]
            if any(shell.member_id in other.replica.cluster.removed for other in others):
                self._tell_removed(shell.member_id)
        self.scheduler.after(DIAL_S, self._dial)

    def removed(self, machine: Machine) -> None:
        """Take the news that a member has ended because it was removed; it does not come back."""
        if machine.is_up:
            self.coverage.event("removed stopped")
            self.crash(machine, loses_power=False)
        machine.trouble = "removed"

    def _slots(self, member_id: int) -> int:
        machine = self._by_id.get(member_id)
        return 0 if machine is None else machine.slot

    def _note(self, kind: str, member_id: int) -> None:
        machine = self._by_id.get(member_id)
        if machine is not None:
            self.coverage.fault(kind, self.role_of(machine))

    def send_bulk(
        self,
        sender: Shell,
        message: InstallSnapshot,
        chunks: list[bytes],
        delivered: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        """Carry a snapshot, which takes its time and may break off; the sender hears of it."""
        process = sender.process
        delay_s = self.temper.delay_s + 0.02 + 0.2 * self.rng.random()

        def tell(news: Callable[[], None]) -> None:
            self.scheduler.after(self.temper.delay_s, lambda: process.run(news))

        def arrive() -> None:
            machine = self._by_id.get(message.to)
            target = None if machine is None else machine.process
            is_cut = self.network.is_cut(message.sender, message.to)
            if self.bulk_cuts > 0 and not process.is_dead:
                self.bulk_cuts -= 1
                self.faults.note("snapshot-cut", sender.machine)
                is_cut = True
            if is_cut or machine is None or target is None or target.shell.member_id != message.to:
                tell(lost)
                return
            self.log(f"m{machine.slot}", f"snapshot arrives at {message.snapshot.index}")
            target.run(lambda: target.shell.snapshots.take(message, chunks, lambda _: tell(delivered)))
            # A receiver that dies before it has the file breaks the connection.
            machine.connections.append(lambda: tell(lost))

        self.scheduler.after(delay_s, arrive)

    def saved_snapshot(self, machine: Machine, path: Path) -> None:
        """Take the news that a snapshot file is on a disk; perhaps it rots at once."""
        if machine.rots_next_snapshot:
            machine.rots_next_snapshot = False
            self.faults.rot_file(machine, path)

    # ---- clients ----

    def new_client_name(self) -> int:
        """Return a name under which nobody has asked before."""
        self._names += 1
        return self._names

    def request(self, machine: Machine, request: Request, reply: Reply) -> None:
        """Carry a request to a member and its answer back; a member that dies breaks the connection."""
        delay_s = 0.001 + 0.004 * self.rng.random()
        is_open = True

        def back(result: bytes | Exception) -> None:
            nonlocal is_open
            if is_open:
                is_open = False
                if reset in machine.connections:
                    machine.connections.remove(reset)
                self.scheduler.after(delay_s, lambda: reply(result))

        def reset() -> None:
            back(ConnectionResetError())

        def arrive() -> None:
            process = machine.process
            if process is None:
                back(ConnectionRefusedError())
                return
            machine.connections.append(reset)
            process.run(lambda: process.shell.serve(request, back))

        self.scheduler.after(delay_s, arrive)

    def gave_up(self, operation: Operation) -> None:
        """Take the news that a client waits no longer."""
        check(not self.is_healed or operation.called_s < self.temper.heal_s, "progress: no answer", operation)
        self.coverage.event("no answer")

    def answered(self, operation: Operation) -> None:
        """Take the news that a client has its answer."""
        name = operation.request.name
        if operation.refusal is not None:
            self.coverage.event("refused")
        elif name == "keep-alive":
            self.coverage.event("lease kept" if operation.response.TTL > 0 else "lease gone")
        elif name == "compact":
            self.coverage.event("compacted")
        else:
            self.coverage.event("write" if operation.request.kind else "read")
