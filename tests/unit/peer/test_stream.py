"""How long a stream waits before it dials again."""

import random

from hypothesis import given
from hypothesis import strategies as st

from fairlead.peer.stream import dial_delay_s


@given(attempt=st.integers(1, 5000), seed=st.integers())
def test_delays_are_bounded_and_never_nothing(attempt: int, seed: int) -> None:
    delay_s = dial_delay_s(attempt, first_s=0.1, max_s=2.0, rng=random.Random(seed))
    assert 0.05 <= delay_s <= 2.0


def test_delays_double() -> None:
    class Highest(random.Random):
        def random(self) -> float:
            return 1.0

    delays = [dial_delay_s(attempt, first_s=0.1, max_s=0.5, rng=Highest()) for attempt in range(1, 6)]
    assert delays == [0.1, 0.2, 0.4, 0.5, 0.5]


def test_two_members_do_not_dial_in_step() -> None:
    assert dial_delay_s(5, first_s=0.1, max_s=2.0, rng=random.Random(1)) != dial_delay_s(
        5, first_s=0.1, max_s=2.0, rng=random.Random(2)
    )
