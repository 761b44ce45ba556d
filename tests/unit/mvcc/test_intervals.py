from hypothesis import given
from hypothesis import strategies as st

from fairlead.mvcc.intervals import IntervalIndex

keys = st.binary(max_size=2).map(lambda raw: bytes(byte & 7 for byte in raw))
actions = st.lists(
    st.one_of(
        st.tuples(st.just("add"), keys, st.none() | keys), st.tuples(st.just("remove"), st.integers(0))
    ),
    max_size=120,
)


@given(actions, st.lists(keys, max_size=10))
def test_a_key_is_in_the_ranges_that_a_scan_of_all_finds(
    todo: list[tuple[str, bytes, bytes | None] | tuple[str, int]], asked: list[bytes]
) -> None:
    index: IntervalIndex[int] = IntervalIndex()
    model: dict[int, tuple[bytes, bytes | None]] = {}
    for number, action in enumerate(todo):
        if len(action) == 3:
            model[number] = (action[1], action[2])
            index.add(number, action[1], action[2])
        elif model:
            chosen = sorted(model)[action[1] % len(model)]
            del model[chosen]
            index.remove(chosen)
        assert len(index) == len(model)
    for key in asked:
        expected = {
            item for item, (start, end) in model.items() if start <= key and (end is None or key < end)
        }
        found = list(index.holding(key))
        assert len(found) == len(set(found)), "an item was found twice"
        assert set(found) == expected


def test_a_removed_range_is_found_no_more_though_the_tree_was_built_with_it() -> None:
    index: IntervalIndex[int] = IntervalIndex()
    for number in range(100):
        index.add(number, b"a", b"z")
    for number in range(99):
        index.remove(number)
        assert sorted(index.holding(b"k")) == list(range(number + 1, 100))


def test_disjoint_ranges_are_passed_over() -> None:
    """The cost of an event must not grow with watchers of other prefixes."""
    compared = 0

    class Counting(bytes):
        __slots__ = ()

        def __le__(self, other: bytes) -> bool:
            nonlocal compared
            compared += 1
            return bytes.__le__(self, other)

    index: IntervalIndex[int] = IntervalIndex()
    for number in range(4096):
        index.add(number, b"/%04d/" % number, Counting(b"/%04d0" % number))
    assert list(index.holding(b"/2048/x")) == [2048]
    assert compared < 100
