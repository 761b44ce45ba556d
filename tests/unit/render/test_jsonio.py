"""JSON that somebody else has written is what was asked for, or is refused."""

import pytest

from fairlead.render.jsonio import integer, read_object, time_s


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b'"a"',
        b"null",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"1" * 10_000 + b"}",
    ],
)
def test_what_is_no_object_is_none(data: bytes) -> None:
    assert read_object(data) is None


def test_an_object_is_itself() -> None:
    assert read_object(b'{"a": [1]}') == {"a": [1]}


@pytest.mark.parametrize("value", [True, 1.0, "1", None, [], 2**63, -(2**63) - 1])
def test_what_is_no_number_of_64_bits_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="not a whole number"):
        integer(value)


@pytest.mark.parametrize("value", [True, -1, 1e300, float("nan"), float("inf"), "1", None])
def test_what_no_calendar_has_is_no_time(value: object) -> None:
    with pytest.raises(ValueError, match="not a time"):
        time_s(value)
