"""Running seeds: many of them on both cores with a summary, or one with its whole trace."""

import argparse
import multiprocessing
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import structlog
from tests.sim.coverage import Coverage
from tests.sim.world import World

PROCESSES = 2
SEEDS_FOR_COVERAGE = 1000
"""So many seeds have to leave no cell of the coverage empty."""
_TAIL_LINES = 40
_PROGRESS_S = 10.0


@dataclass(slots=True)
class Outcome:
    """What became of one seed.

    Attributes:
        failure: what was broken, in one line; empty for a clean run.
        detail: for a person: the traceback and the end of the trace.
    """

    seed: int
    temper: str
    digest: str
    steps: int
    virtual_s: float
    operations: int
    answered: int
    failure: str = ""
    detail: str = ""
    coverage: Coverage = field(default_factory=Coverage)


def _say_nothing(*_: object) -> NoReturn:
    raise structlog.DropEvent


def run_seed(seed: int, *, is_shown: bool = False) -> Outcome:
    """Run one world to its end, or to the first broken promise."""
    structlog.configure(processors=[_say_nothing])
    world = World(seed, show=print if is_shown else None)
    failure = detail = ""
    try:
        world.run()
    except Exception as error:  # noqa: BLE001 - a bug of any kind is what we are looking for
        failure = f"{type(error).__name__}: {error}".split("\n")[0][:600]
        last = "\n".join(world.trace.tail[-_TAIL_LINES:])
        detail = f"{traceback.format_exc()}\n{error}\n--- the end of the trace\n{last}"
    return Outcome(
        seed=seed,
        temper=world.temper.temper,
        digest=world.trace.digest,
        steps=world.scheduler.steps,
        virtual_s=world.scheduler.now_s,
        operations=len(world.operations),
        answered=sum(operation.is_known for operation in world.operations),
        failure=failure,
        detail=detail,
        coverage=world.coverage,
    )


def run_seeds(seeds: Sequence[int], *, processes: int = PROCESSES) -> Iterable[Outcome]:
    """Run many worlds, in any order."""
    if processes == 1:
        yield from map(run_seed, seeds)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        yield from pool.imap_unordered(run_seed, seeds, chunksize=4)


class Summary:
    """What many seeds have shown together."""

    def __init__(self) -> None:
        self.coverage = Coverage()
        self.failures: list[Outcome] = []
        self.seeds = self.steps = self.operations = self.answered = 0
        self.virtual_s = 0.0
        self._tempers: Counter[str] = Counter()
        self._began_s = time.monotonic()

    def add(self, outcome: Outcome) -> None:
        """Take in one seed."""
        self.seeds += 1
        self.steps += outcome.steps
        self.operations += outcome.operations
        self.answered += outcome.answered
        self.virtual_s += outcome.virtual_s
        self._tempers[outcome.temper] += 1
        self.coverage.add(outcome.coverage)
        if outcome.failure:
            self.failures.append(outcome)

    @property
    def line(self) -> str:
        """Where it stands."""
        spent_s = time.monotonic() - self._began_s
        return (
            f"{self.seeds} seeds, {len(self.failures)} failed, {self.steps} events, "
            f"{self.operations} operations ({self.answered} answered), {self.virtual_s / 3600:.1f} virtual hours, "
            f"{spent_s:.0f} s"
        )

    def lines(self) -> Iterable[str]:
        """Yield the whole of it."""
        yield from self.coverage.table()
        yield ""
        yield "tempers: " + ", ".join(f"{name} {count}" for name, count in sorted(self._tempers.items()))
        if self.seeds >= SEEDS_FOR_COVERAGE:
            empty = self.coverage.empty_cells()
            yield f"never tried: {', '.join(empty)}" if empty else "every fault has met every role"
        for outcome in self.failures:
            yield f"seed {outcome.seed} ({outcome.temper}): {outcome.failure}"
        yield self.line


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; return 1 if a promise was broken or a cell of the coverage is empty."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--seeds", type=int, default=200, help="how many seeds to run (default: 200)")
    what.add_argument("--seed", type=int, help="replay this one, with its trace")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    chosen = parser.parse_args(arguments)
    if chosen.seed is not None:
        return _replay(chosen.seed)
    summary, shown_s = Summary(), time.monotonic()
    for outcome in run_seeds(range(chosen.first, chosen.first + chosen.seeds), processes=chosen.processes):
        summary.add(outcome)
        if outcome.failure:
            print(f"seed {outcome.seed} ({outcome.temper}): {outcome.failure}", flush=True)
        if time.monotonic() - shown_s > _PROGRESS_S:
            shown_s = time.monotonic()
            print(summary.line, flush=True)
    for line in summary.lines():
        print(line)
    is_full = summary.seeds < SEEDS_FOR_COVERAGE or not summary.coverage.empty_cells()
    return 0 if not summary.failures and is_full else 1


def _replay(seed: int) -> int:
    outcome = run_seed(seed, is_shown=True)
    print(outcome.detail or "clean", file=sys.stderr if outcome.failure else sys.stdout)
    print(f"seed {seed} ({outcome.temper}): trace {outcome.digest}, {outcome.failure or 'clean'}")
    return 1 if outcome.failure else 0
