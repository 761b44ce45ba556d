"""Power cuts at every step of a script: what was synced is there, in order, and nothing is invented.

The script appends, replaces a suffix, checkpoints, cuts segments and releases them.  For each step of the
disk, and several seeds that decide what an unsynced sector holds, the power fails in place of that step.
"""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.wal.helpers import create, entries, reopen

from fairlead.wal import Checkpoint, Entry, HardState, LogMissingError, Recovered, Wal
from fairlead.wal.testing import MemoryDisk, PowerCutError

Step = Callable[[Wal], None]


class Witness:
    """What the log must hold: all that was synced, and of the rest a prefix of what was written."""

    def __init__(self) -> None:
        self.is_created = False
        self.states: list[Recovered] = [Recovered(b"member 1", HardState(), Checkpoint(), [], [])]
        self.synced = 0  # the state up to which all was synced

    def append(self, batch: list[Entry], hard_state: HardState | None = None) -> Step:
        def run(wal: Wal) -> None:
            for item in batch:
                kept = [old for old in self.states[-1].entries if old.index < item.index]
                self.states.append(self.states[-1]._replace(entries=[*kept, item]))
            if hard_state is not None:
                self.states.append(self.states[-1]._replace(hard_state=hard_state))
            wal.append(batch, hard_state)

        return run

    def checkpoint(self, checkpoint: Checkpoint) -> Step:
        def run(wal: Wal) -> None:
            kept = [old for old in self.states[-1].entries if old.index > checkpoint.index]
            self.states.append(self.states[-1]._replace(checkpoint=checkpoint, entries=kept))
            wal.checkpoint(checkpoint)

        return run

    def sync(self, wal: Wal) -> None:
        wal.sync()
        self.synced = len(self.states) - 1

    def release(self, index: int) -> Step:
        def run(wal: Wal) -> None:
            wal.release(index)
            self.synced = len(self.states) - 1

        return run

    def close(self, wal: Wal) -> None:
        wal.close()
        self.synced = len(self.states) - 1

    def check(self, recovered: Recovered) -> None:
        """Hold the log against what it may be; go on from there."""
        found = recovered._replace(warnings=[])
        allowed = self.states[self.synced :]
        assert found in allowed, f"{found}\nis none of\n{allowed}"
        self.states = [found]
        self.synced = 0


def script(witness: Witness) -> Iterator[Step]:
    yield witness.append(entries(1, 3), HardState(1, 1, 0))
    yield witness.sync
    yield witness.append(entries(4, 8, size=700))  # cuts a segment, and was not synced
    yield witness.append(entries(9, 9), HardState(1, 1, 3))
    yield witness.sync
    yield witness.append(entries(7, 8, term=2, size=900), HardState(2, 0, 3))  # replaces a suffix
    yield witness.append(entries(9, 10, term=2, size=10))
    yield witness.sync
    yield witness.checkpoint(Checkpoint(1, 5))
    yield witness.append(entries(11, 14, term=2, size=900))  # cuts again
    yield witness.sync
    yield witness.release(5)
    yield witness.append(entries(15, 21, term=2, size=700))
    yield witness.append(entries(22, 28, term=2, size=700))
    yield witness.checkpoint(Checkpoint(2, 26))
    yield witness.release(26)  # several segments
    yield witness.append(entries(29, 30, term=2), HardState(2, 0, 28))
    yield witness.close


def run_until_the_power_fails(disk: MemoryDisk, witness: Witness) -> bool:
    """Create a log and run the script; return whether it came to its end."""
    try:
        wal = create(disk)
        witness.is_created = True
        for step in script(witness):
            step(wal)
    except PowerCutError:
        return False
    return True


def steps_of_the_script() -> int:
    disk = MemoryDisk()
    assert run_until_the_power_fails(disk, Witness())
    return disk.steps


STEPS = steps_of_the_script()


@pytest.mark.parametrize("power_cut_at_step", range(STEPS + 1))
def test_whenever_the_power_fails_all_that_was_synced_is_there(power_cut_at_step: int) -> None:
    for seed in range(12):
        disk, witness = MemoryDisk(seed), Witness()
        disk.power_cut_at_step = power_cut_at_step
        finished = run_until_the_power_fails(disk, witness)
        assert finished == (power_cut_at_step == STEPS)
        disk.crash()
        try:
            wal, recovered = reopen(disk)
        except LogMissingError:
            assert not witness.is_created
            continue
        witness.check(recovered)
        wal.append(entries(wal.last_index + 1, wal.last_index + 9, term=3, size=600))
        wal.sync()
        expected = [*recovered.entries, *entries(wal.last_index - 8, wal.last_index, term=3, size=600)]
        disk.crash()
        assert reopen(disk)[1].entries == expected, "a repaired log keeps what is written to it"


@pytest.mark.parametrize("power_cut_at_step", range(STEPS + 1))
def test_whenever_the_process_is_killed_all_that_was_written_is_there(power_cut_at_step: int) -> None:
    """The machine goes on: nothing is lost, and nothing is taken for torn."""
    disk, witness = MemoryDisk(), Witness()
    disk.power_cut_at_step = power_cut_at_step
    run_until_the_power_fails(disk, witness)
    disk.power_cut_at_step = None
    try:
        _, recovered = reopen(disk)
    except LogMissingError:
        assert not witness.is_created
        return
    assert recovered.warnings == []
    witness.check(recovered)


def test_the_power_may_fail_again_while_the_log_is_repaired() -> None:
    """At every step of the repair, and of the next one."""
    for seed in range(8):
        for power_cut_at_step in range(10, STEPS, 3):
            disk, witness = MemoryDisk(seed), Witness()
            disk.power_cut_at_step = power_cut_at_step
            run_until_the_power_fails(disk, witness)
            for steps in range(12):
                disk.crash()
                disk.power_cut_at_step = disk.steps + steps
                try:
                    _, recovered = reopen(disk)
                except PowerCutError:
                    continue
                witness.check(recovered)
                break


plans = st.lists(
    st.one_of(
        st.tuples(
            st.just("append"), st.integers(1, 6), st.integers(0, 3), st.sampled_from([0, 20, 511, 1300])
        ),
        st.tuples(st.sampled_from(["sync", "checkpoint", "release", "crash", "kill"])),
    ),
    max_size=30,
)


@settings(max_examples=150)
@given(plan=plans, seed=st.integers(0, 2**32))
def test_whatever_is_written_whenever_it_crashes_the_log_is_true(
    plan: list[tuple[object, ...]], seed: int
) -> None:
    disk, witness = MemoryDisk(seed), Witness()
    wal = create(disk)
    term = 1
    for name, *details in plan:
        last, covered = wal.last_index, witness.states[-1].checkpoint.index
        if name == "append":
            count, back, size = (int(str(detail)) for detail in details)
            term += back > 0
            first = max(covered + 1, last + 1 - back)
            batch = entries(first, first + count - 1, term=term, size=size)
            witness.append(batch, HardState(term, 0, covered))(wal)
        elif name == "checkpoint" and witness.states[-1].entries:
            middle = witness.states[-1].entries[len(witness.states[-1].entries) // 2]
            witness.checkpoint(Checkpoint(middle.term, middle.index))(wal)
        elif name == "release":
            witness.release(covered)(wal)
        elif name == "sync":
            witness.sync(wal)
        elif name in {"crash", "kill"}:
            if name == "crash":
                disk.crash()
            wal, recovered = reopen(disk)
            witness.check(recovered)
            term += 1
