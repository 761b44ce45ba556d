"""Looking for the first seed that catches a mutant."""

from typing import NamedTuple

from tests.sim.mutants import MUTANTS, Mutant, mutated
from tests.sim.run import run_seed


class Catch(NamedTuple):
    """The first seed that caught a mutant, and how; seed 0 for none."""

    name: str
    seed: int
    failure: str


def hunt(name: str, first: int, last: int) -> Catch:
    """Run seed after seed with a mutant until one catches it."""
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    with mutated(mutant):
        for seed in range(first, last + 1):
            outcome = run_seed(seed)
            if outcome.failure:
                return Catch(name, seed, outcome.failure)
    return Catch(name, 0, "")


def row(mutant: Mutant, seed: int) -> str:
    """Return a line of the table in the README."""
    return f"| {mutant.name.replace('_', ' ')} | {mutant.breaks} | {seed} |"
