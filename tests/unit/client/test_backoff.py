import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.client import Backoff


def test_without_jitter_delays_double_up_to_the_bound() -> None:
    backoff = Backoff(first_s=1.0, max_s=5.0, jitter=0.0)

    assert [backoff.delay_s(attempt, rng=random.Random(0)) for attempt in range(5)] == [
        1.0,
        2.0,
        4.0,
        5.0,
        5.0,
    ]


@given(attempt=st.integers(0, 10**9), seed=st.integers())
def test_a_delay_is_never_nothing_and_never_beyond_the_bound(attempt: int, seed: int) -> None:
    backoff = Backoff(first_s=0.1, max_s=7.0, jitter=0.5)

    assert 0.05 <= backoff.delay_s(attempt, rng=random.Random(seed)) <= 7.0


@pytest.mark.parametrize(
    "wrong", [{"first_s": 0.0}, {"first_s": 9.0, "max_s": 1.0}, {"factor": 0.5}, {"jitter": 2.0}]
)
def test_a_backoff_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="not a backoff"):
        Backoff(**wrong)
