"""Whole clusters under faults of every kind; `Oracle` checks Raft's promises after each event.

The number in a failing test's name is its seed, and repeats it.
"""

import random
from functools import partial

import pytest

from fairlead.raft import (
    Change,
    ChangeKind,
    ChangeRefusedError,
    NoLeaderError,
    NotLeaderError,
    ProposalDroppedError,
    Raft,
    RaftError,
    Role,
)
from fairlead.raft.testing import Cluster

SEEDS = 240
EVENTS = 1200
REFUSALS = (NoLeaderError, NotLeaderError, ProposalDroppedError, ChangeRefusedError)


class Chaos:
    """One event after the other, as one generator chooses."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        options = {"election_ticks": 5, "inflight_max": self.rng.choice((2, 64)), "append_bytes_max": 40}
        self.cluster = Cluster(self.rng.choice((1, 2, 3, 3, 3, 5, 5)), seed=seed, **options)
        self.loss = self.rng.choice((0.0, 0.05, 0.3))
        self.doubling = self.rng.choice((0.0, 0.1))
        self.changes = self.rng.random() < 0.5
        self.commands = 0
        self.refused = 0

    def run(self, events: int) -> None:
        choices = {
            self.work: 50, self.deliver: 40, self.take: 15, self.sync: 15, self.tick: 20, self.propose: 12, self.read: 5,
            self.crash: 1, self.restart: 2, self.compact: 1, self.partition: 0.5, self.heal: 1,
            self.transfer: 0.3, self.change: 2 if self.changes else 0,
        }  # fmt: skip
        for event in self.rng.choices(list(choices), list(choices.values()), k=events):
            member = self.rng.choice(list(self.cluster.machines))
            try:
                event(member)
            except REFUSALS:
                self.refused += 1

    def is_up(self, member: int) -> bool:
        return self.cluster.machines[member].is_up

    def deliver(self, _: int) -> None:
        network = self.cluster.network
        if not network:
            return
        # Mostly in order, now and then from anywhere.
        position = 0 if self.rng.random() < 0.7 else self.rng.randrange(len(network))
        message = network.pop(position)
        if self.rng.random() < self.doubling:
            network.append(message)
        if self.rng.random() < self.loss:
            self.cluster.cut.add((message.sender, message.to))
            self.cluster.deliver(message)
            self.cluster.cut.discard((message.sender, message.to))
        else:
            self.cluster.deliver(message)

    def work(self, _: int) -> None:
        """What a quiet moment brings: everybody writes what there is, and most messages arrive."""
        for member in self.cluster.machines:
            self.take(member)
            self.sync(member)
        for _ in range(len(self.cluster.network)):
            self.deliver(0)

    def take(self, member: int) -> None:
        if self.is_up(member):
            self.cluster.take(member)

    def sync(self, member: int) -> None:
        if self.is_up(member):
            self.cluster.sync(member)

    def tick(self, _: int) -> None:
        for member in self.cluster.machines:
            if self.is_up(member) and self.rng.random() < 0.8:  # clocks differ
                self.cluster.on(member, Raft.tick)

    def propose(self, member: int) -> None:
        if self.is_up(member):
            self.commands += 1
            data = b"%d" % self.commands * self.rng.choice((1, 1, 10))
            self.cluster.on(member, partial(Raft.propose, data=data))

    def read(self, member: int) -> None:
        if self.is_up(member):
            self.cluster.read(member)

    def crash(self, member: int) -> None:
        machine = self.cluster.machines[member]
        if machine.is_up:
            survive = self.rng.randrange(len(machine.writes) + 1)
            machine.crash(survive=survive, torn=self.rng.randrange(3))

    def restart(self, _: int) -> None:
        for machine in self.cluster.machines.values():
            if not machine.is_up:
                machine.restart()
                return

    def compact(self, member: int) -> None:
        if self.is_up(member):
            self.cluster.machines[member].compact(keep=self.rng.choice((0, 3)))

    def partition(self, _: int) -> None:
        members = list(self.cluster.machines)
        self.cluster.isolate(*self.rng.sample(members, self.rng.randrange(len(members))))

    def heal(self, _: int) -> None:
        self.cluster.heal()

    def transfer(self, member: int) -> None:
        target = self.rng.choice(list(self.cluster.machines))
        self.cluster.on(member, partial(Raft.transfer_leadership, target=target))

    def change(self, member: int) -> None:
        if self.is_up(member) and self.cluster[member].role is Role.LEADER:
            count = self.rng.choice((1, 1, 2, 3))
            targets = self.rng.sample(range(1, 8), count)
            changes = [Change(self.rng.choice(list(ChangeKind)), target) for target in targets]
            is_joint = self.rng.random() < 0.3
            self.cluster.on(member, lambda raft: raft.propose_change(changes, is_joint=is_joint))
            for target in targets:
                if target not in self.cluster.machines:
                    self.cluster.add(target)

    def recover(self) -> None:
        """End all faults; somebody leads within ten election timeouts, and everybody gets the same log."""
        cluster = self.cluster
        cluster.heal()
        for machine in cluster.machines.values():
            if not machine.is_up:
                machine.restart()
        for _ in range(100):
            cluster.tick()
        leader = cluster.leader
        assert leader is not None, cluster.machines
        cluster.propose(leader, b"last")
        cluster.tick(times=3)
        raft = cluster[leader]
        for member in raft.configuration.members:
            log = cluster[member].log
            assert log.applying == raft.log.last_index, (member, cluster.machines)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_raft_keeps_its_promises_under_faults(seed: int) -> None:
    chaos = Chaos(seed)
    chaos.run(EVENTS)
    chaos.recover()


def test_the_faults_do_not_keep_the_cluster_from_working() -> None:
    """A simulation in which nothing commits proves nothing."""
    committed = reads = terms = refused = 0
    for seed in range(20):
        chaos = Chaos(seed)
        chaos.run(EVENTS)
        committed += chaos.cluster.oracle.commit
        reads += chaos.cluster.oracle.reads_done
        terms += len(chaos.cluster.oracle.leaders)
        refused += chaos.refused
    assert committed > 500
    assert reads > 150
    assert terms > 40
    assert refused > 0


def test_the_same_seed_gives_the_same_run() -> None:
    def run() -> str:
        chaos = Chaos(7)
        chaos.run(EVENTS)
        return repr(chaos.cluster.machines)

    assert run() == run()


def test_every_refusal_is_one_that_callers_know() -> None:
    assert all(issubclass(refusal, RaftError) for refusal in REFUSALS)
