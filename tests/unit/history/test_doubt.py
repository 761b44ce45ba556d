"""The judge itself in the dock: it agrees with the definition, and one false answer seldom escapes it."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.history import Status, check_linearizable
from tests.unit.history.brute import is_linearizable
from tests.unit.history.corruption import corrupt
from tests.unit.history.world import World

SEEDS = st.integers(min_value=0, max_value=2**32)
_HISTORIES = 150
_CAUGHT_AT_LEAST = 0.8


@settings(max_examples=250)
@given(seed=SEEDS, lost=st.sampled_from((0.0, 0.3)), falsehoods=st.integers(min_value=0, max_value=2))
def test_it_agrees_with_trying_every_order(seed: int, lost: float, falsehoods: int) -> None:
    rng = random.Random(seed)
    history = World(rng=rng, lost=lost, clients=3, keys=3, ttls_s=(0.004, 0.02)).run(8)
    for _ in range(falsehoods):
        history = corrupt(history, rng)
    verdict = check_linearizable(history)
    assert verdict.status is not Status.UNKNOWN
    assert bool(verdict) == is_linearizable(history), verdict


def test_a_single_false_answer_is_mostly_caught() -> None:
    """Not always: a read of nothing, or of the past, may be answered one revision off and still be true."""
    rng = random.Random(1)
    caught = 0
    for _ in range(_HISTORIES):
        history = corrupt(World(rng=rng, lost=0.05).run(60), rng)
        caught += check_linearizable(history).status is Status.BROKEN
    assert caught >= _HISTORIES * _CAUGHT_AT_LEAST, f"{caught} of {_HISTORIES} false answers were caught"
