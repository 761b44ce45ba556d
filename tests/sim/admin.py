"""The operator of a simulated cluster: hands leadership over, adds, removes and replaces members.

It asks only for what a careful operator would: never to go below a majority that is whole.
"""

from typing import TYPE_CHECKING

from tests.sim.machines import Machine

from fairlead.member.cluster import MembershipChange, MembershipChangeKind
from fairlead.member.errors import MemberError
from fairlead.member.identity import Identity, member_id_of
from fairlead.member.opening import Founding
from fairlead.raft import Change, ChangeKind, RaftError, Role

if TYPE_CHECKING:
    from tests.sim.shell import Shell
    from tests.sim.world import World

MACHINES_MAX = 8
VOTERS_MAX, VOTERS_MIN = 5, 3
_LOOK_S = 0.5
_PATIENCE_S = 5.0


class Admin:
    """Asks for changes, and sees to it that who was added starts."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.rng = world.chance("admin")
        self.has_changed_members = False
        self._joining: list[Machine] = []

    def ask(self, kind: str, machine: Machine) -> None:
        """Ask for a change about a machine, if it is wise now."""
        leader = self.leader()
        shells = self.world.shells()
        if leader is None and kind in {"add", "remove", "replace"} and shells:
            leader = self.rng.choice(shells)  # whoever is asked finds the leader, once there is one
        if leader is not None:
            {
                "transfer": self._transfer,
                "add": self._add,
                "remove": self._remove,
                "replace": self._replace,
                "joint": self._joint,
            }[kind](leader, machine)

    def leader(self) -> "Shell | None":
        """Return the leader of the highest term among those that run, if there is one."""
        leaders = [shell for shell in self.world.shells() if shell.replica.raft.role is Role.LEADER]
        return max(leaders, key=lambda shell: shell.replica.raft.term, default=None)

    # ---- one thing at a time ----

    def _transfer(self, leader: "Shell", machine: Machine) -> None:
        self.world.faults.note("transfer", machine)

        def begin() -> None:
            deadline_s = leader.machine.clock.now_s + _PATIENCE_S
            try:
                leader.replica.leader.transfer(machine.member_id, _ignore, deadline_s=deadline_s)
            except MemberError as error:
                self.world.log("", f"transfer refused: {type(error).__name__}")
            leader.turn()

        leader.process.run(begin)

    def _add(self, leader: "Shell", machine: Machine) -> None:
        members = leader.replica.cluster.members
        if len(self.world.machines) >= MACHINES_MAX or len(members) >= VOTERS_MAX or self.any_rotten():
            return
        self.world.faults.note("add", machine)
        self.has_changed_members = True
        new = self.world.add_machine()
        new.trouble = "not added yet"
        url = self.world.url_of(new)
        config = self.world.config_of(new)
        new.member_id = member_id_of((url,), config.cluster_token)
        change = MembershipChange(kind=MembershipChangeKind.ADD, member_id=new.member_id, peer_urls=(url,))
        self._joining.append(new)
        self._change(machine, change)
        self.world.scheduler.after(_LOOK_S, lambda: self._start_if_added(new))

    def _start_if_added(self, machine: Machine) -> None:
        """Start a machine as soon as the cluster has its member, whatever became of the answer."""
        for shell in self.world.shells():
            cluster = shell.replica.cluster
            if machine.member_id in cluster.members:
                identity = Identity(cluster_id=shell.opened.identity.cluster_id, member_id=machine.member_id)
                founding = Founding(identity=identity, members=list(cluster.members.values()), is_join=True)
                machine.trouble = ""
                self.world.coverage.event("joined")
                self.world.start(machine, founding)
                return
        self.world.scheduler.after(_LOOK_S, lambda: self._start_if_added(machine))

    def _remove(self, leader: "Shell", machine: Machine) -> None:
        voters = leader.replica.raft.configuration.voters
        if machine.member_id not in voters or (self.any_rotten() and not machine.is_rotten):
            return
        rest = voters - {machine.member_id}
        whole = [other for other in self.world.machines if other.member_id in rest and not other.trouble]
        is_safe = len(rest) >= VOTERS_MIN - machine.is_rotten and 2 * len(whole) > len(rest)
        if not is_safe:
            return
        self.world.faults.note("remove", machine)
        self.has_changed_members = True
        change = MembershipChange(kind=MembershipChangeKind.REMOVE, member_id=machine.member_id)
        self._change(self.rng.choice(self.world.machines), change)

    def _replace(self, leader: "Shell", machine: Machine) -> None:
        """Take a member away for good and add another; best one that cannot start any more."""
        broken = [other for other in self.world.machines if other.is_rotten and not other.is_up]
        machine = broken[0] if broken else machine
        if len(leader.replica.raft.configuration.voters) <= VOTERS_MIN and not broken:
            return
        self.world.faults.note("replace", machine)
        self._remove(leader, machine)

        def add() -> None:
            now_leading = self.leader()
            if now_leading is not None and not self.world.faults.is_over:
                machine.is_rotten = machine.is_rotten and machine.is_up
                self._add(now_leading, machine)

        self.world.scheduler.after(1.0, add)

    def _joint(self, leader: "Shell", machine: Machine) -> None:
        """Demote some voters in one step, or make voters of all learners again: joint consensus."""
        configuration = leader.replica.raft.configuration
        if self.any_rotten() or leader.replica.cluster.joining:
            return
        learners = [Change(ChangeKind.ADD_VOTER, member) for member in sorted(configuration.learners)]
        count = min(2, len(configuration.voters) - 2)
        if not learners and count < 1:
            return
        demoted = self.rng.sample(sorted(configuration.voters), count) if not learners else []
        changes = learners or [Change(ChangeKind.ADD_LEARNER, member) for member in demoted]
        self.world.faults.note("joint", machine)
        self.has_changed_members = True
        auto_leave = self.rng.random() < 0.7

        def begin() -> None:
            try:
                leader.replica.raft.propose_change(changes, is_joint=True, auto_leave=auto_leave)
            except RaftError as error:
                self.world.log("", f"joint change refused: {error}")
            leader.turn()

        leader.process.run(begin)
        if self.rng.random() < 0.7:
            self._cut_during_joint(leader)
        if not auto_leave:
            self.world.scheduler.after(self.rng.random(), self.leave_joint)

    def _cut_during_joint(self, leader: "Shell") -> None:
        """Leave the leader with a few, who may be a majority of one set of voters and not of the other."""
        others = [machine for machine in self.world.machines if machine is not leader.machine]
        count = self.rng.randrange(1, len(others) + 1)
        pairs = [(leader.member_id, other.member_id) for other in self.rng.sample(others, count)]
        links = [link for a, b in pairs for link in ((a, b), (b, a))]
        self.world.faults.later(0.3, 1.5, self.world.network.cut(links))

    def leave_joint(self) -> None:
        """End joint consensus that does not end by itself; again, until it has ended."""
        leader = self.leader()
        if leader is not None and not leader.process.is_paused:
            configuration = leader.replica.raft.configuration
            if not configuration.is_joint:
                return
            if not configuration.auto_leave:
                try:
                    leader.replica.raft.leave_joint()
                except RaftError as error:
                    self.world.log("", f"cannot leave joint consensus: {error}")
                leader.process.run(leader.turn)
        self.world.scheduler.after(0.3, self.leave_joint)

    def any_rotten(self) -> bool:
        """Whether some disk has rotted: then nothing else may cost the majority a member."""
        return any(machine.is_rotten for machine in self.world.machines)

    def _change(self, machine: Machine, change: MembershipChange) -> None:
        process = machine.process
        if process is None:
            return
        shell = process.shell

        def begin() -> None:
            deadline_s = machine.clock.now_s + _PATIENCE_S
            shell.replica.change_membership(change, answered, deadline_s=deadline_s)
            shell.turn()

        def answered(result: bytes | Exception) -> None:
            outcome = "done" if isinstance(result, bytes) else type(result).__name__
            self.world.log(f"m{machine.slot}", f"{change.kind.name} {outcome}")

        process.run(begin)


def _ignore(result: bytes | Exception) -> None:
    del result
