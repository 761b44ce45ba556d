"""What the deletion guard holds, and when it lets go."""

from pathlib import Path

import pytest

from fairlead.dns.guard import Guard, GuardSettings, Held, load_held, save_held

SETTINGS = GuardSettings(share_max=0.3, keys_min=10, window_s=1.0)


def keys(count: int, zone: str = "a") -> dict[bytes, bytes]:
    return {f"/{zone}/{number}".encode(): b"value" for number in range(count)}


def guarding(*records: dict[bytes, bytes], settings: GuardSettings = SETTINGS) -> Guard:
    guard = Guard(settings, group_of=lambda key: key.split(b"/")[1])
    for one in records:
        guard.rule(one, [], revision=1, now_s=0)
    return guard


def test_a_few_deletions_pass() -> None:
    guard = guarding(keys(100))
    gone = list(keys(30))
    ruling = guard.rule({}, gone, revision=2, now_s=1)
    assert ruling.deletes == gone
    assert not guard.held


def test_a_mass_disappearance_is_held() -> None:
    guard = guarding(keys(100))
    ruling = guard.rule({}, keys(31), revision=2, now_s=1)
    assert ruling.deletes == []
    assert ruling.has_news
    assert guard.held == dict.fromkeys(keys(31), Held(b"value", 2))


def test_a_mass_in_small_steps_within_the_window_brings_back_what_went() -> None:
    guard = guarding(keys(100))
    gone = list(keys(40))
    for number, key in enumerate(gone[:30]):
        assert guard.rule({}, [key], revision=2 + number, now_s=1 + number / 100).deletes == [key]
    ruling = guard.rule({}, [gone[30]], revision=40, now_s=1.5)
    assert ruling.deletes == []
    assert ruling.puts == dict.fromkeys(gone[:31], b"value")


def test_a_slow_shrinking_is_none() -> None:
    guard = guarding(keys(100))
    for number, key in enumerate(keys(100)):
        assert guard.rule({}, [key], revision=number + 2, now_s=number).deletes == [key]


def test_few_keys_are_never_a_mass() -> None:
    guard = guarding(keys(9))
    assert len(guard.rule({}, keys(9), revision=2, now_s=1).deletes) == 9


def test_a_small_zone_is_counted_by_itself() -> None:
    guard = guarding(keys(1000, "big") | keys(20, "small"))
    assert guard.rule({}, keys(20, "small"), revision=2, now_s=1).deletes == []
    assert len(guard.rule({}, keys(20, "big"), revision=3, now_s=1).deletes) == 20


def test_what_is_written_again_is_held_no_more() -> None:
    guard = guarding(keys(100))
    guard.rule({}, keys(100), revision=2, now_s=1)
    ruling = guard.rule({b"/a/3": b"new"}, [], revision=3, now_s=2)
    assert ruling.puts == {b"/a/3": b"new"}
    assert b"/a/3" not in guard.held
    assert len(guard.held) == 99


def test_when_most_has_come_back_the_rest_is_gone() -> None:
    guard = guarding(keys(100))
    guard.rule({}, keys(100), revision=2, now_s=1)
    ruling = guard.rule(keys(75), [], revision=3, now_s=2)
    assert set(ruling.deletes) == set(keys(100)) - set(keys(75))
    assert not guard.held


def test_a_mass_that_is_replaced_in_the_same_transaction_is_none() -> None:
    guard = guarding(keys(100))
    fresh = {f"/a/new{number}".encode(): b"value" for number in range(300)}
    assert len(guard.rule(fresh, keys(100), revision=2, now_s=1).deletes) == 100


def test_deletions_while_others_are_held_are_held_too() -> None:
    guard = guarding(keys(100))
    guard.rule({}, keys(50), revision=2, now_s=1)
    ruling = guard.rule({}, [b"/a/70"], revision=3, now_s=100)
    assert ruling.deletes == []
    assert b"/a/70" in guard.held


def test_an_operator_accepts_up_to_a_revision() -> None:
    guard = guarding(keys(100))
    guard.rule({}, keys(50), revision=2, now_s=1)
    guard.rule({}, [b"/a/70"], revision=9, now_s=100)
    assert set(guard.accept(5).deletes) == set(keys(50))
    assert list(guard.held) == [b"/a/70"]
    assert guard.accept(5).deletes == []


def test_what_is_accepted_before_it_is_heard_of_is_not_held() -> None:
    """The operator's word and the deletions come by two watches, and to many servers."""
    guard = guarding(keys(100))
    assert guard.accept(2).deletes == []
    assert sorted(guard.rule({}, keys(60), revision=2, now_s=1).deletes) == sorted(keys(60))
    assert guard.held == {}
    assert guard.rule({}, list(keys(100))[60:], revision=3, now_s=5).deletes == [], (
        "what comes later was not meant"
    )


def test_a_store_that_begins_again_lower_has_accepted_nothing() -> None:
    """A backup that lacks a zone takes it away under a revision that was accepted long ago."""
    guard = guarding(keys(100))
    guard.rule({b"/a/one": b"more"}, [], revision=1000, now_s=0)
    guard.accept(1000)
    assert guard.rule({}, keys(60), revision=500, now_s=1).deletes == []
    assert len(guard.held) == 60


def test_it_can_be_switched_off() -> None:
    guard = guarding(keys(100), settings=GuardSettings(share_max=1.0, keys_min=1))
    assert len(guard.rule({}, keys(100), revision=2, now_s=1).deletes) == 100


def test_what_is_held_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "held.json"
    guard = guarding(keys(100))
    guard.rule({}, keys(50), revision=2, now_s=1)
    save_held(path, guard.held)
    again = Guard(SETTINGS, group_of=lambda key: key.split(b"/")[1])
    again.restore(load_held(path))
    left = {key: b"value" for key in keys(100) if key not in keys(50)}
    assert again.rule(left, [], revision=3, now_s=0).puts == keys(100)
    assert again.held == guard.held
    save_held(path, {})
    assert load_held(path) == {}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "[" * 100_000,
        '{"held": [{}]}',
        '{"held": [{"key": 3}]}',
        '{"held": [{"key": "YQ==", "value": "YQ==", "revision": Infinity}]}',
        '{"held": [{"key": "YQ==", "value": "?", "revision": 1}]}',
    ],
)
def test_a_damaged_file_is_said_to_be_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "held.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"held\.json is damaged"):
        load_held(path)
