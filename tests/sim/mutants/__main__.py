"""``python -m tests.sim.mutants [NAME ...]``: find the first seed that catches each mutant, and print the table."""

import argparse
import multiprocessing
import sys

from tests.sim.mutants import MUTANTS
from tests.sim.mutants.hunt import hunt, row
from tests.sim.run import PROCESSES


def main(arguments: list[str]) -> int:
    """Hunt all mutants, or those that are named; return 1 if one got away."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--last", type=int, default=200)
    chosen = parser.parse_args(arguments)
    names = chosen.names or [mutant.name for mutant in MUTANTS]
    seeds: dict[str, int] = {}
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        hunts = [pool.apply_async(hunt, (name, chosen.first, chosen.last)) for name in names]
        for waiting in hunts:
            catch = waiting.get()
            seeds[catch.name] = catch.seed
            print(f"{catch.name}: {catch.seed or 'got away'}  {catch.failure[:160]}", flush=True)
    for mutant in MUTANTS:
        if mutant.name in seeds:
            print(row(mutant, seeds[mutant.name]))
    return 0 if all(seeds.values()) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
