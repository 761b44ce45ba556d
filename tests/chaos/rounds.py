"""Disturbances, one after the other, each of them once; then at random, for as long as ``make chaos MINUTES=n`` says."""

import os
import random
import time
from collections.abc import Iterator, Mapping

from tests.chaos.disturb import Disturbance, healed
from tests.chaos.fleet import Fleet
from tests.support.cluster import StoreCluster

MINUTES = float(os.environ.get("FAIRLEAD_CHAOS_MINUTES", "0")) / 3
"""For each of the three tests that go on for so long."""
SEED = int(os.environ.get("FAIRLEAD_CHAOS_SEED", "1"))
_ANSWERS_BETWEEN = 30


def play(cluster: StoreCluster, fleet: Fleet, disturbances: Mapping[str, Disturbance]) -> None:
    """Disturb the cluster in every way once, then at random until the time is up; between two, it has to serve."""
    rng = random.Random(SEED)
    began_s = time.monotonic()
    fleet.wait_for_answers(_ANSWERS_BETWEEN)
    for name in _names(list(disturbances), rng, ends_s=began_s + MINUTES * 60):
        print(f"==> {time.monotonic() - began_s:4.0f} s: {name}", flush=True)
        disturbances[name](cluster, rng)
        healed(cluster)
        fleet.wait_for_answers(_ANSWERS_BETWEEN)


def _names(names: list[str], rng: random.Random, *, ends_s: float) -> Iterator[str]:
    yield from names
    while time.monotonic() < ends_s:
        yield rng.choice(names)


def judged(fleet: Fleet) -> int:
    """Judge what the clients saw, say how much that was, and return how many requests had been answered."""
    verdict = fleet.judge()
    print(f"==> one linearizable history: {verdict}")
    return verdict.answered
