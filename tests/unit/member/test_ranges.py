"""Range: order of work, limits, counts, filters and sorts (reference section 1.3)."""

import pytest
from tests.unit.member.conftest import Rig

from fairlead.mvcc import FutureRevisionError
from fairlead.proto import rpc_pb2 as pb

R = pb.RangeRequest


def keys(answer: pb.RangeResponse) -> list[bytes]:
    return [kv.key for kv in answer.kvs]


@pytest.fixture
def filled(rig: Rig) -> Rig:
    """a, b, c, d with values 4, 3, 2, 1; b was written twice."""
    for key, value in ((b"a", b"4"), (b"b", b"0"), (b"c", b"2"), (b"d", b"1"), (b"b", b"3")):
        rig.put(key, value)
    return rig


def test_a_range_ends_before_its_end(filled: Rig) -> None:
    assert keys(filled.range(b"a", b"c")) == [b"a", b"b"]


def test_one_zero_byte_as_the_end_is_every_key_from_the_first(filled: Rig) -> None:
    assert keys(filled.range(b"c", b"\0")) == [b"c", b"d"]
    assert filled.range(b"\0", b"\0").count == 4


def test_an_end_before_the_key_is_empty_and_no_error(filled: Rig) -> None:
    assert filled.range(b"c", b"a").count == 0
    assert filled.range(b"c", b"c").count == 0


def test_the_count_ignores_limit_and_filters(filled: Rig) -> None:
    answer = filled.range(b"a", b"z", limit=2)
    assert (len(answer.kvs), answer.count, answer.more) == (2, 4, True)
    answer = filled.range(b"a", b"z", min_mod_revision=5)
    assert (keys(answer), answer.count, answer.more) == ([b"b", b"d"], 4, False)


def test_a_limit_that_is_just_enough_says_no_more(filled: Rig) -> None:
    assert not filled.range(b"a", b"z", limit=4).more


def test_count_only_returns_no_pairs(filled: Rig) -> None:
    answer = filled.range(b"a", b"z", count_only=True)
    assert (len(answer.kvs), answer.count, answer.more) == (0, 4, False)


def test_keys_only_leaves_the_value_away_and_keeps_the_rest(filled: Rig) -> None:
    kv = filled.range(b"b", keys_only=True).kvs[0]
    assert (kv.value, kv.version, kv.mod_revision) == (b"", 2, 6)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"min_mod_revision": 4}, [b"b", b"c", b"d"]),
        ({"max_mod_revision": 4}, [b"a", b"c"]),
        ({"min_create_revision": 4}, [b"c", b"d"]),
        ({"max_create_revision": 3}, [b"a", b"b"]),
    ],
)
def test_each_bound_filters_by_its_revision(
    filled: Rig, bounds: dict[str, int], expected: list[bytes]
) -> None:
    assert keys(filled.range(b"a", b"z", **bounds)) == expected


def test_more_is_about_what_passed_the_filters(filled: Rig) -> None:
    assert filled.range(b"a", b"z", min_mod_revision=4, limit=2).more
    assert not filled.range(b"a", b"z", min_mod_revision=4, limit=3).more


@pytest.mark.parametrize(
    ("target", "ascending"),
    [
        (R.KEY, [b"a", b"b", b"c", b"d"]),
        (R.CREATE, [b"a", b"b", b"c", b"d"]),
        (R.MOD, [b"a", b"c", b"d", b"b"]),
        (R.VALUE, [b"d", b"c", b"b", b"a"]),
    ],
)
def test_each_target_sorts_both_ways(filled: Rig, target: int, ascending: list[bytes]) -> None:
    up = filled.range(b"a", b"z", sort_order=R.ASCEND, sort_target=target)
    down = filled.range(b"a", b"z", sort_order=R.DESCEND, sort_target=target)
    assert keys(up) == ascending
    assert keys(down) == ascending[::-1]


def test_sorting_by_version_puts_the_most_written_last(filled: Rig) -> None:
    assert keys(filled.range(b"a", b"z", sort_order=R.ASCEND, sort_target=R.VERSION))[-1] == b"b"


def test_an_order_sorts_all_before_the_limit_cuts(filled: Rig) -> None:
    answer = filled.range(b"a", b"z", sort_order=R.ASCEND, sort_target=R.VALUE, limit=2)
    assert (keys(answer), answer.more) == ([b"d", b"c"], True)


def test_a_target_without_an_order_sorts_only_what_the_limit_let_through(filled: Rig) -> None:
    """etcd's trap: the first limit + 1 keys by key, sorted ascending by the target, then cut."""
    answer = filled.range(b"a", b"z", sort_target=R.VALUE, limit=2)
    assert (keys(answer), answer.more) == ([b"c", b"b"], True)


def test_a_revision_of_zero_or_less_is_now(filled: Rig) -> None:
    assert filled.range(b"b", revision=-3).kvs[0].value == b"3"


def test_a_past_revision_shows_the_past(filled: Rig) -> None:
    assert filled.range(b"b", revision=3).kvs[0].value == b"0"
    assert keys(filled.range(b"a", b"z", revision=3)) == [b"a", b"b"]


def test_a_future_revision_is_refused(filled: Rig) -> None:
    with pytest.raises(FutureRevisionError):
        filled.range(b"a", revision=7)
