"""What answers are worth while the store is silent."""

import math

import pytest

from fairlead.dns.outage import Freshness, OutageSettings, lag

SETTINGS = OutageSettings(stale_after_s=10, leased_s_max=60)


@pytest.mark.parametrize(
    ("age_s", "is_live", "uptime_s", "expected"),
    [
        (0, True, 5, Freshness.LIVE),
        (9.9, False, 100, Freshness.LIVE),
        (10, False, 100, Freshness.STALE),
        (99, True, 100, Freshness.LIVE),
        (60, False, 100, Freshness.EXPIRED),
        (math.inf, False, 0, Freshness.STALE),
        (math.inf, False, 59, Freshness.STALE),
        (math.inf, False, 60, Freshness.EXPIRED),
    ],
)
def test_silence_makes_answers_stale_and_then_leases_over(
    age_s: float, *, is_live: bool, uptime_s: float, expected: Freshness
) -> None:
    assert SETTINGS.freshness(age_s, is_live=is_live, uptime_s=uptime_s) is expected


def test_leases_are_frozen_for_as_long_as_it_takes_unless_told_otherwise() -> None:
    assert OutageSettings().freshness(10**6, is_live=False, uptime_s=10**6) is Freshness.STALE


def test_an_age_that_nobody_knows_is_not_made_up() -> None:
    assert lag(12.4, uptime_s=99) == "the store was last heard of 12 s ago"
    assert lag(math.inf, uptime_s=99) == "the store was not heard of since the start 99 s ago"
