"""Spans of time as people write them."""

import pytest

from fairlead.agent import parse_duration_s, parse_go_duration_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("1h30m", 5400),
        ("250ms", 0.25),
        ("2d", 172800),
        ("1.5m", 90),
        ("7", 7),
        (" 3s ", 3),
        ("0s", 0),
        ("10us", 1e-5),
    ],
)
def test_a_duration_is_read_as_go_does_with_days(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "soon", "1x", "-1s", "1h 30m", "1h30", "\u0661s", "1e3s"])
def test_anything_else_is_refused_and_shown(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration; write one such as 10s"):
        parse_duration_s(text)


@pytest.mark.parametrize(("text", "seconds"), [("1h2m3.5s", 3723.5), ("1.s", 1), (".5s", 0.5), ("1µs", 1e-6)])
def test_what_go_reads_is_read_alike(text: str, seconds: float) -> None:
    assert parse_go_duration_s(text) == pytest.approx(seconds)
    assert parse_duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["2d", "1d2h", "7", " 3s", "", ".s", "-1s"])
def test_what_go_does_not_read_is_no_duration_of_its(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration; write one such as 10s"):
        parse_go_duration_s(text)
