"""When the window is open, across midnight and across the two odd days of the year."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from fairlead.lock.sources import ask_window
from fairlead.lock.window import Window

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Window(days=frozenset({"sat"}), start=time(23), length=timedelta(hours=2), zone=BERLIN)


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-28T22:59:59", False),
        ("2026-11-28T23:00:00", True),  # a Saturday
        ("2026-11-29T00:59:59", True),
        ("2026-11-29T01:00:00", False),
        ("2026-11-29T23:30:00", False),
    ],
)
def test_a_window_opens_on_its_day_and_reaches_over_midnight(moment: str, *, is_open: bool) -> None:
    assert NIGHT.is_open(at(moment)) is is_open


def test_the_zone_of_the_window_counts_and_not_the_clocks() -> None:
    assert NIGHT.is_open(datetime(2026, 11, 28, 22, 30, tzinfo=UTC))
    assert not NIGHT.is_open(datetime(2026, 11, 28, 23, 30, tzinfo=ZoneInfo("Asia/Tokyo")))


def test_a_window_of_a_day_on_every_day_is_always_open() -> None:
    always = Window(zone=ZoneInfo("UTC"))
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    assert all(always.is_open(moment + timedelta(minutes=7 * step)) for step in range(500))


def test_a_length_is_that_of_a_stopwatch_when_clocks_go_forward() -> None:
    spring = Window(start=time(1, 30), length=timedelta(hours=1), zone=BERLIN)
    # On 2026-03-29 02:00 is followed by 03:00.
    assert spring.is_open(at("2026-03-29T03:29:00"))
    assert not spring.is_open(at("2026-03-29T03:30:00"))


def test_a_window_of_the_hour_that_comes_twice_is_one_window() -> None:
    autumn = Window(days=frozenset({"sun"}), start=time(2, 30), length=timedelta(minutes=30), zone=BERLIN)
    open_s = sum(
        autumn.is_open(datetime(2026, 10, 24, 22, tzinfo=UTC) + timedelta(minutes=minute))
        for minute in range(600)
    )
    assert open_s == 30


def test_the_next_opening_is_told_in_the_windows_zone() -> None:
    now_s = at("2026-11-26T12:00:00").timestamp()
    assert ask_window(NIGHT, now_s=now_s) == "the window opens on Sat 28 Nov at 23:00 (Europe/Berlin)"


def test_a_clock_that_jumps_is_believed_at_once_and_nothing_is_remembered() -> None:
    inside, outside = at("2026-11-28T23:30:00").timestamp(), at("2026-11-26T23:30:00").timestamp()
    assert [bool(ask_window(NIGHT, now_s=now_s)) for now_s in (outside, inside, outside)] == [
        True,
        False,
        True,
    ]


def test_without_a_window_it_is_always_open() -> None:
    assert ask_window(None, now_s=0) == ""
