"""The rollback guard, and what leads back to an earlier revision."""

import pytest

from fairlead.client import KeyValue
from fairlead.proxy.guard import Guard, GuardSettings
from fairlead.proxy.history import difference


def guard() -> Guard:
    return Guard(GuardSettings(watch_s=30, jump=0.2, requests_min=10))


def answer(it: Guard, *statuses: int, now_s: float) -> int | None:
    for status in statuses:
        it.on_answer(status, now_s=now_s)
    return it.reverting


def test_answers_that_turn_bad_after_a_change_take_it_back() -> None:
    it = guard()
    it.on_change(7, now_s=0, before=(0.0, 100))
    assert answer(it, *[200] * 7, 502, now_s=1) is None
    assert answer(it, 502, 503, now_s=2) == 7
    it.on_reverted()
    assert it.reverting is None


@pytest.mark.parametrize(
    ("before", "statuses", "now_s"),
    [
        ((0.0, 100), [502] * 9, 1.0),  # too few to conclude anything
        ((0.0, 100), [502] * 50, 31.0),  # too late
        ((0.5, 100), [502, 200] * 20, 1.0),  # it was no better before
        ((0.0, 100), [499] * 50, 1.0),  # clients that leave prove nothing
        ((0.0, 100), [404] * 50, 1.0),  # nor does what they ask for
    ],
)
def test_it_leaves_alone_what_is_not_proved(
    before: tuple[float, int], statuses: list[int], now_s: float
) -> None:
    it = guard()
    it.on_change(7, now_s=0, before=before)
    assert answer(it, *statuses, now_s=now_s) is None


def test_nothing_is_taken_back_without_a_change_or_before_the_first_one() -> None:
    it = guard()
    assert answer(it, *[502] * 50, now_s=0) is None
    it.on_change(0, now_s=1, before=(0.0, 0))
    assert answer(it, *[502] * 50, now_s=2) is None


def test_a_burst_of_changes_is_taken_back_as_one() -> None:
    it = guard()
    it.on_change(7, now_s=0, before=(0.0, 100))
    it.on_change(8, now_s=20, before=(0.0, 100))
    assert answer(it, *[502] * 10, now_s=45) == 7


def test_a_change_that_has_proved_itself_is_not_taken_back_with_the_next_one() -> None:
    it = guard()
    it.on_change(7, now_s=0, before=(0.0, 0))
    assert answer(it, *[200] * 10, now_s=1) is None
    it.on_change(8, now_s=2, before=(0.0, 10))
    assert answer(it, *[502] * 10, now_s=3) == 8


def key_value(key: str, value: str, *, lease: int = 0, revision: int = 1) -> KeyValue:
    return KeyValue(
        key=key.encode(),
        value=value.encode(),
        create_revision=1,
        mod_revision=revision,
        version=1,
        lease=lease,
    )


def test_the_way_back_touches_what_differs_and_nothing_on_a_lease() -> None:
    then = [
        key_value("same", "1"),
        key_value("changed", "old"),
        key_value("gone", "x"),
        key_value("leased", "l", lease=5),
    ]
    today = [
        key_value("same", "1", revision=4),
        key_value("changed", "new", revision=8),
        key_value("added", "y", revision=9),
        key_value("beat", "z", lease=6, revision=9),
    ]
    undoing = difference({kv.key: kv for kv in then}, {kv.key: kv for kv in today}, revision=9)
    assert undoing.puts == {b"changed": b"old", b"gone": b"x"}
    assert undoing.deletes == [b"added"]
    assert undoing.now == {b"changed": 8, b"gone": 0, b"added": 9}
    assert undoing.lines() == ["restore changed", "re-create gone", "delete added"]
