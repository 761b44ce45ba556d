"""Layouts of ``time.Format``; the expected texts are those of Go's documentation, for another time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from fairlead.render.golang import format_time, time_text

TIME = datetime(2026, 3, 4, 5, 6, 7, 80900, tzinfo=UTC)
EAST = TIME.astimezone(timezone(timedelta(hours=-3, minutes=-30), "NST"))


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("Jan 2, 2006 at 3:04pm (MST)", "Mar 4, 2026 at 5:06am (UTC)"),
        ("Mon Jan _2 15:04:05 2006", "Wed Mar  4 05:06:07 2026"),
        ("Monday, 02-Jan-06 15:04:05 MST", "Wednesday, 04-Mar-26 05:06:07 UTC"),
        ("Mon, 02 Jan 2006 15:04:05 -0700", "Wed, 04 Mar 2026 05:06:07 +0000"),
        ("2006-01-02T15:04:05Z07:00", "2026-03-04T05:06:07Z"),
        ("2006-01-02T15:04:05.999999999Z07:00", "2026-03-04T05:06:07.0809Z"),
        ("3:04PM January 1 2 002 __2 04 4 5", "5:06AM March 3 4 063  63 06 6 7"),
        ("05.000 05,000000", "07.080 07,080900"),
        ("20060102150405 _2006", "20260304050607 _2026"),
        ("Janus Month 7", "Janus Month 7"),
    ],
)
def test_a_layout_shows_the_time_as_the_reference_time(layout: str, expected: str) -> None:
    assert format_time(TIME, layout) == expected


def test_a_zone_is_shown_in_every_way() -> None:
    assert format_time(EAST, "MST -0700 -07:00 -07 Z07:00 Z0700") == "NST -0330 -03:30 -03 -03:30 -0330"


def test_a_time_prints_as_its_string_method_has_it() -> None:
    assert time_text(TIME) == "2026-03-04 05:06:07.0809 +0000 UTC"
    assert time_text(TIME.replace(microsecond=0)) == "2026-03-04 05:06:07 +0000 UTC"
