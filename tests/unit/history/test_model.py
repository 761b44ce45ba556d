"""The semantics against which everything is judged; ``test_against_etcd`` holds them to the original."""

import pytest
from tests.history import (
    Compact,
    CompactResponse,
    Compare,
    Delete,
    Error,
    Grant,
    Put,
    Range,
    Refused,
    Relation,
    Request,
    Revoke,
    Target,
    Txn,
    TxnResponse,
)
from tests.history.model import EMPTY, State, expire, step
from tests.unit.history.stories import get, kv, put, swap


def after(*requests: Request) -> State:
    """Return the empty store after these requests."""
    state = EMPTY
    for request in requests:
        state, answer = step(state, request)
        assert not isinstance(answer, Refused), answer
    return state


def test_the_empty_store_is_at_revision_one() -> None:
    assert EMPTY.revision == 1
    assert after(put("a", "1")).revision == 2


def test_what_changes_nothing_makes_no_revision() -> None:
    state = after(put("a", "1"))
    for request in (
        Delete(key=b"b"),
        get("a"),
        swap("a", 9, "2"),
        Grant(lease_id=7, ttl_s=1),
        Compact(revision=2),
    ):
        assert step(state, request)[0].revision == 2


def test_a_put_of_the_same_value_makes_a_revision() -> None:
    assert after(put("a", "1"), put("a", "1")).keys[b"a"] == kv("a", "1", 2, 3, 2)


def test_a_transaction_makes_one_revision() -> None:
    state = after(put("a", "1"), Txn(success=(put("b", "1"), put("c", "1"), Delete(key=b"a"))))
    assert state.revision == 3
    assert state.keys == {b"b": kv("b", "1", 3, 3, 1), b"c": kv("c", "1", 3, 3, 1)}


def test_nothing_of_a_refused_transaction_is_done() -> None:
    state = after(put("a", "1"))
    request = Txn(success=(put("a", "2"), put("b", "1", lease=7)))
    assert step(state, request) == (state, Refused(error=Error.LEASE_NOT_FOUND))


def test_the_past_can_be_read_until_it_is_compacted() -> None:
    state = after(put("a", "1"), put("a", "2"), Delete(key=b"a"), put("b", "1"))
    assert [len(state.at(revision)) for revision in range(1, 6)] == [0, 1, 1, 0, 1]
    assert state.at(2)[b"a"].value == b"1"
    compacted, answer = step(state, Compact(revision=3))
    assert answer == CompactResponse(revision=5)
    assert step(compacted, get("a", revision=2))[1] == Refused(error=Error.COMPACTED)
    assert not isinstance(step(compacted, get("a", revision=3))[1], Refused)
    assert step(compacted, get("a", revision=6))[1] == Refused(error=Error.FUTURE_REVISION)


@pytest.mark.parametrize(
    ("target", "relation", "operand", "holds"),
    [
        (Target.VERSION, Relation.EQUAL, 0, True),
        (Target.MOD, Relation.LESS, 1, True),
        (Target.CREATE, Relation.NOT_EQUAL, 0, False),
        (Target.VALUE, Relation.NOT_EQUAL, b"x", False),
        (Target.VALUE, Relation.EQUAL, b"", False),
        (Target.LEASE, Relation.EQUAL, 0, True),
    ],
)
def test_a_missing_key_compares_as_zero_but_has_no_value(
    *, target: Target, relation: Relation, operand: int | bytes, holds: bool
) -> None:
    request = Txn(compares=(Compare(key=b"a", target=target, relation=relation, operand=operand),))
    assert step(EMPTY, request)[1] == TxnResponse(revision=1, succeeded=holds)


def test_a_range_knows_an_open_end_and_a_limit() -> None:
    state = after(put("a", "1"), put("b", "1"), put("c", "1"))
    for request, found in (
        (Range(key=b"b", range_end=b"\0"), 2),
        (Range(key=b"a", range_end=b"c"), 2),
        (Range(key=b"\0", range_end=b"\0", limit=1), 1),
        (Range(key=b"c", range_end=b"a"), 0),
    ):
        assert len(getattr(step(state, request)[1], "kvs")) == found  # noqa: B009 - the union has it in part


def test_a_lease_takes_its_keys_along_in_one_revision_and_in_order() -> None:
    leased = (put("b", "1", lease=7), put("a", "1", lease=7), put("c", "1"))
    state = after(Grant(lease_id=7, ttl_s=1), *leased)
    for ended in (after(Grant(lease_id=7, ttl_s=1), *leased, Revoke(lease_id=7)), expire(state, 7)):
        assert ended.revision == state.revision + 1
        assert list(ended.keys) == [b"c"]
        assert ended.past is not None
        assert [change.key for change in ended.past.changes] == [b"a", b"b"]


def test_a_state_does_not_change_by_what_follows() -> None:
    state = after(put("a", "1"))
    step(state, put("a", "2"))
    step(state, Txn(success=(put("b", "1"), Delete(key=b"a"))))
    assert state.keys == {b"a": kv("a", "1", 2, 2, 1)}


def test_states_are_equal_by_what_led_to_them() -> None:
    """A later read of the past could tell two stores apart that hold the same now."""
    first, second = Put(key=b"a", value=b"1"), Put(key=b"a", value=b"2")
    gone = Delete(key=b"a")
    assert after(first, gone) == after(first, gone)
    assert hash(after(first, gone)) == hash(after(first, gone))
    assert after(first, gone) != after(second, gone)
    assert after(Grant(lease_id=7, ttl_s=1)) != after(Grant(lease_id=8, ttl_s=1))
