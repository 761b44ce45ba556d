"""Some hundred worlds, each out of one seed; `make sim` runs more, and replays one."""

import os
import subprocess
import sys

import pytest
from tests.sim.run import Summary, run_seeds

SEEDS = int(os.environ.get("SIM_SEEDS", "200"))


def test_no_promise_is_broken_whatever_goes_wrong() -> None:
    """A seed that fails here is replayed, with its trace, by ``make sim SEED=k``."""
    summary = Summary()
    for outcome in run_seeds(range(1, SEEDS + 1)):
        summary.add(outcome)
    assert [f"seed {failed.seed}: {failed.failure}" for failed in summary.failures] == []
    # A world in which nobody is answered keeps every promise.
    assert summary.answered > 50 * SEEDS
    assert all(summary.coverage.events[event] for event in ("elected", "snapshot installed", "watch resumed"))


@pytest.mark.parametrize("seed", [3, 14, 60])
def test_a_seed_tells_the_same_story_in_every_process(seed: int) -> None:
    """Else a failure could not be replayed; the order of sets and the hash of strings must not matter."""
    program = f"from tests.sim.run import run_seed; print(run_seed({seed}).digest)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1
