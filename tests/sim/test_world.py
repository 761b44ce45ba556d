"""The parts of the simulated world keep their own promises."""

import random
from typing import Any

import pytest
from tests.sim.disk import SimulatedDisk
from tests.sim.machines import Job, Machine, Process, Thread
from tests.sim.network import Network
from tests.sim.oracles import Durable, Oracle, ViolationError, _is_quorum, check
from tests.sim.scheduler import Clock, Scheduler
from tests.sim.temper import Temper
from tests.sim.trace import Trace

from fairlead.raft import Configuration, Entry, Forward, Heartbeat
from fairlead.raft.testing import Cluster


def test_events_come_in_the_order_of_their_time_and_then_of_their_asking() -> None:
    scheduler, seen = Scheduler(), list[str]()
    scheduler.after(0.2, lambda: seen.append("late"))
    scheduler.after(0.1, lambda: seen.append("first"))
    scheduler.after(0.1, lambda: seen.append("second"))
    scheduler.after(0.1, lambda: seen.append("never")).cancel()
    while scheduler.step(until_s=1.0):
        pass
    assert seen == ["first", "second", "late"]
    assert scheduler.now_s == 1.0


def test_a_clock_runs_at_its_own_rate_and_never_goes_back() -> None:
    scheduler = Scheduler()
    clock = Clock(scheduler, offset_s=100.0, rate=2.0)
    scheduler.step(until_s=1.0)
    assert clock.now_s == 102.0
    clock.set_rate(0.5)
    scheduler.step(until_s=3.0)
    assert clock.now_s == 103.0


def network(temper: Temper) -> tuple[Scheduler, Network, list[Any]]:
    scheduler, arrived = Scheduler(), list[Any]()
    made = Network(
        scheduler, rng=random.Random(1), temper=temper, deliver=arrived.append, note=lambda *_: None
    )
    return scheduler, made, arrived


def run(scheduler: Scheduler) -> None:
    while scheduler.step(until_s=scheduler.now_s + 10.0):
        pass


def test_a_cut_is_one_way_and_ends_when_every_cut_of_the_link_is_mended() -> None:
    scheduler, net, arrived = network(Temper(temper="calm"))
    there = Heartbeat(to=2, sender=1, term=1, commit=0, round=0)
    back = Heartbeat(to=1, sender=2, term=1, commit=0, round=0)
    first, second = net.cut([(1, 2)]), net.cut([(1, 2)])
    first()
    net.send([there, back])
    run(scheduler)
    assert arrived == [back]
    second()
    net.send([there])
    run(scheduler)
    assert arrived == [back, there]


def test_proposals_on_their_way_to_the_leader_are_never_doubled() -> None:
    """The transport sends a message once; the core relies on it."""
    scheduler, net, arrived = network(Temper(temper="lossy", double=1.0))
    net.send([Forward(to=2, sender=1, term=1, proposals=(b"x",))])
    net.send([Heartbeat(to=2, sender=1, term=1, commit=0, round=0)])
    run(scheduler)
    assert [type(message).__name__ for message in arrived].count("Forward") == 1
    assert len(arrived) == 3


def test_a_process_that_stands_still_does_everything_later_and_a_dead_one_nothing() -> None:
    scheduler = Scheduler()
    machine = Machine(1, disk=SimulatedDisk(1), clock=Clock(scheduler, offset_s=0.0, rate=1.0))
    process, done = Process(machine, scheduler, on_power_cut=lambda: None), list[str]()
    process.pause()
    process.run(lambda: done.append("waited"))
    assert done == []
    process.resume()
    assert done == ["waited"]
    process.die()
    process.run(lambda: done.append("never"))
    assert done == ["waited"]


def test_a_thread_does_one_step_of_one_job_after_the_other() -> None:
    scheduler, done = Scheduler(), list[str]()
    machine = Machine(1, disk=SimulatedDisk(1), clock=Clock(scheduler, offset_s=0.0, rate=1.0))
    thread = Thread(Process(machine, scheduler, on_power_cut=lambda: None), rng=random.Random(1))

    def job(name: str) -> Job:
        yield 0.1
        done.append(name)
        if name == "fails":
            raise OSError(name)
        yield 0.1

    for name in ("works", "fails", "goes on"):
        thread.submit(job(name), lambda error, name=name: done.append(f"{name}: {error}"))  # type: ignore[misc]
    run(scheduler)
    assert done == ["works", "works: None", "fails", "fails: fails", "goes on", "goes on: None"]


def test_what_is_durable_is_what_a_sync_has_covered() -> None:
    disk = Durable()
    disk.write(0, [Entry(1, 1, b""), Entry(1, 2, b"")])
    disk.write(0, [Entry(2, 2, b"")])
    assert disk.holds(1, 1)
    assert disk.holds(2, 2)
    assert not disk.holds(2, 1)
    disk.write(9, [])
    assert disk.holds(2, 1), "a snapshot stands for whatever was committed before it"
    assert not disk.holds(10, 2)


def test_a_joint_quorum_is_a_majority_of_both_sets() -> None:
    joint = Configuration(voters=frozenset({1, 2, 3}), outgoing=frozenset({1, 2, 3, 4, 5}))
    assert _is_quorum({1, 2, 4}, joint)
    assert not _is_quorum({1, 4, 5}, joint)
    assert not _is_quorum({1, 2}, joint)


def test_a_broken_promise_says_which() -> None:
    with pytest.raises(ViolationError, match="two votes: m1 term 3"):
        check(False, "two votes", "m1", "term 3")


def test_the_hash_of_a_trace_is_the_same_whether_or_not_somebody_reads_it() -> None:
    message = Heartbeat(to=2, sender=1, term=1, commit=0, round=0)
    shown: list[str] = []
    traces = [Trace(shown.append), Trace()]
    for trace in traces:
        trace.add(1.5, "m1", "is leader in term 1")
        trace.message(1.6, 2, message, lambda member: member)
    assert traces[0].digest == traces[1].digest
    assert shown[1] == "  1.600000  m2 Heartbeat from m1 term=1"


def test_who_is_elected_late_in_an_old_term_may_lack_what_a_later_one_committed() -> None:
    """Leader Completeness is about the leaders of higher terms; found by seed 1381."""
    cluster, later = Cluster(3), Oracle()
    cluster.elect(1)
    leader = cluster[1]
    later.committed[7] = Entry(leader.term, 7, b"")
    later.commit = 7
    later._committed_in[7] = leader.term + 1
    later._votes = {(member, leader.term): 1 for member in (1, 2)}
    later.saw(1, leader)
    later.leaders.clear()
    later._committed_in[7] = leader.term - 1
    with pytest.raises(ViolationError, match="leader completeness"):
        later.saw(1, leader)
