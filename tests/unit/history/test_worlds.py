"""What a linearizable store told its clients is always accepted, whatever the timing."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.history import check_linearizable, check_timeline
from tests.unit.history.world import World

SEEDS = st.integers(min_value=0, max_value=2**32)


def world(seed: int, *, lost: float) -> World:
    return World(rng=random.Random(seed), lost=lost, clients=6, keys=6)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, lost=st.sampled_from((0.0, 0.05, 0.2)))
def test_a_linearizable_store_is_found_linearizable(seed: int, lost: float) -> None:
    verdict = check_linearizable(world(seed, lost=lost).run(60))
    assert verdict, verdict


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, lost=st.sampled_from((0.0, 0.2)))
def test_and_so_it_is_with_its_log(seed: int, lost: float) -> None:
    """The log has to agree with the answers, and fills what they leave open."""
    played = world(seed, lost=lost)
    history = played.run(60)
    assert check_timeline(played.timeline())
    verdict = check_linearizable(history, timeline=played.timeline())
    assert verdict, verdict
