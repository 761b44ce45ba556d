"""The semaphore's rules, and locksmith's text for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead.lock import BrokenSemaphoreError, FullError, LimitError, NotHeldError, Semaphore
from fairlead.lock.keys import child, group_of, name_of, semaphore_key


def test_a_new_semaphore_is_written_as_locksmith_reads_it() -> None:
    assert Semaphore().encode() == b'{"semaphore":1,"max":1,"holders":[]}'


def test_no_holders_are_null_where_go_wrote_a_nil_slice() -> None:
    assert Semaphore.decode(b'{"semaphore":1,"max":1,"holders":null}') == Semaphore()


def test_holders_are_in_order_whoever_came_first() -> None:
    both = Semaphore(permits=2).acquired("b").acquired("a")
    assert both.encode() == b'{"semaphore":0,"max":2,"holders":["a","b"]}'


def test_who_is_in_gets_in_again_without_taking_a_second_permit() -> None:
    one = Semaphore().acquired("a")
    assert one.acquired("a") is one


def test_nobody_gets_in_when_no_permit_is_left() -> None:
    with pytest.raises(FullError, match="1 of 1 held, by a"):
        Semaphore().acquired("a").acquired("b")


def test_who_is_not_in_cannot_get_out() -> None:
    with pytest.raises(NotHeldError, match="b holds nothing; a does"):
        Semaphore().acquired("a").released("b")


def test_a_maximum_below_the_holders_leaves_less_than_nothing_and_everybody_in() -> None:
    over = Semaphore(permits=2).acquired("a").acquired("b").resized(1)
    assert over.encode() == b'{"semaphore":-1,"max":1,"holders":["a","b"]}'
    with pytest.raises(FullError):
        over.released("a").acquired("c")
    assert over.released("a").released("b").acquired("c").holders == ("c",)


@pytest.mark.parametrize("permits", [-1, 10**9])
def test_a_maximum_that_cannot_be_is_refused(permits: int) -> None:
    with pytest.raises(LimitError, match="cannot be"):
        Semaphore().resized(permits)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no JSON object"),
        (b"{}", "max is not a number"),
        (b'{"semaphore":1,"max":true}', "max is not a number"),
        (b'{"semaphore":1,"max":1,"holders":{"a":1}}', "not a list of ids"),
        (b'{"semaphore":0,"max":1,"holders":[""]}', "not a list of ids"),
        (b'{"semaphore":0,"max":2,"holders":["a","a"]}', "holds it twice"),
        (b'{"semaphore":1,"max":1,"holders":["a"]}', "1 less 1 holders is not 1"),
        (b'{"semaphore":-2,"max":-2,"holders":[]}', "cannot be"),
    ],
)
def test_what_is_no_semaphore_is_refused_with_the_reason(value: bytes, reason: str) -> None:
    with pytest.raises(BrokenSemaphoreError, match=reason):
        Semaphore.decode(value)


def test_fields_that_are_not_locksmiths_are_ignored() -> None:
    assert Semaphore.decode(b'{"semaphore":1,"max":1,"holders":[],"more":1}') == Semaphore()


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abcd"))), st.integers(0, 3))
def test_never_more_than_the_maximum_get_in_and_what_is_left_adds_up(
    steps: list[tuple[bool, str]], permits: int
) -> None:
    semaphore = Semaphore(permits=permits)
    for comes, who in steps:
        try:
            semaphore = semaphore.acquired(who) if comes else semaphore.released(who)
        except (FullError, NotHeldError):
            continue
        assert len(semaphore.holders) <= permits
        assert Semaphore.decode(semaphore.encode()) == semaphore


@pytest.mark.parametrize(
    ("group", "key"),
    [
        ("default", "coreos.com/updateengine/rebootlock/semaphore"),
        ("web", "coreos.com/updateengine/rebootlock/groups/web/semaphore"),
        ("a b/c", "coreos.com/updateengine/rebootlock/groups/a+b%2Fc/semaphore"),
    ],
)
def test_keys_are_where_locksmith_has_them(group: str, key: str) -> None:
    assert semaphore_key(group) == key
    assert group_of(key) == group


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_id_has_a_key_of_its_own(holder: str) -> None:
    assert name_of(child("g", "holders", holder)) == holder
