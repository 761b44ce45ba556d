"""A simulator that does not notice a broken program proves nothing about a whole one."""

from itertools import chain
from pathlib import Path

import pytest
from tests.sim.mutants import MUTANTS, Mutant, mutated
from tests.sim.mutants.hunt import row
from tests.sim.run import run_seed

SEEDS_MAX = 150
"""Where a change of the program has moved the story of the known seed, another up to this has to find the mutant."""
FREQUENT = [mutant for mutant in MUTANTS if mutant.seed <= SEEDS_MAX // 2]
"""The rare ones are for ``python -m tests.sim.mutants``."""


@pytest.mark.parametrize("mutant", FREQUENT, ids=lambda mutant: mutant.name)
def test_every_mutant_is_caught(mutant: Mutant) -> None:
    with mutated(mutant):
        seeds = chain([mutant.seed], range(1, SEEDS_MAX + 1))
        assert any(is_caught(seed) for seed in seeds), mutant.breaks


def is_caught(seed: int) -> bool:
    failure = run_seed(seed).failure
    # A mutant that no longer fits the program breaks it in another way than it says.
    assert not failure.startswith(("AttributeError", "NameError", "TypeError")), failure
    return bool(failure)


def test_the_table_lists_every_mutant() -> None:
    table = (Path(__file__).parent / "README.md").read_text()
    assert [row(mutant, mutant.seed) for mutant in MUTANTS if row(mutant, mutant.seed) not in table] == []
