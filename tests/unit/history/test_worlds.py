"""What a linearizable store told its clients is always accepted, whatever the timing."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.history import (
    WatchRequest,
    check_leases,
    check_linearizable,
    check_serializable,
    check_timeline,
    check_watches,
)
from tests.unit.history.telling import tell
from tests.unit.history.world import World

SEEDS = st.integers(min_value=0, max_value=2**32)


def world(seed: int, *, lost: float) -> World:
    return World(rng=random.Random(seed), lost=lost, clients=6, keys=6)


@settings(max_examples=60)
@given(seed=SEEDS, lost=st.sampled_from((0.0, 0.05, 0.2)))
def test_a_linearizable_store_is_found_linearizable(seed: int, lost: float) -> None:
    verdict = check_linearizable(world(seed, lost=lost).run(60))
    assert verdict, verdict


@settings(max_examples=60)
@given(seed=SEEDS, lost=st.sampled_from((0.0, 0.2)))
def test_and_so_it_is_with_its_log(seed: int, lost: float) -> None:
    """The log has to agree with the answers, and fills what they leave open."""
    played = world(seed, lost=lost)
    history = played.run(60)
    assert check_timeline(played.timeline())
    verdict = check_linearizable(history, timeline=played.timeline())
    assert verdict, verdict


@settings(max_examples=60)
@given(seed=SEEDS)
def test_no_lease_of_it_ends_early_and_old_reads_are_true(seed: int) -> None:
    played = world(seed, lost=0.1)
    history = played.run(150)
    timeline = played.timeline()
    assert (verdict := check_serializable(history, timeline)), verdict
    assert (verdict := check_leases(history, timeline)), verdict


@settings(max_examples=60)
@given(
    seed=SEEDS,
    request=st.builds(
        WatchRequest,
        key=st.sampled_from((b"k1", b"k2", b"k")),
        range_end=st.sampled_from((b"", b"\0", b"k4")),
        start_revision=st.integers(min_value=0, max_value=60),
        prev_kv=st.booleans(),
        no_put=st.booleans(),
        no_delete=st.booleans(),
        fragment=st.booleans(),
    ),
    now=st.integers(min_value=1, max_value=30),
)
def test_a_watch_that_tells_the_truth_is_believed(seed: int, request: WatchRequest, now: int) -> None:
    played = world(seed, lost=0.0)
    played.run(80)
    timeline = played.timeline()
    watch = tell(timeline, request, rng=played.rng, now=min(now, timeline.last))
    assert (verdict := check_watches([watch], timeline, reached=timeline.last, compacted=0)), verdict
