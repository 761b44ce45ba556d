"""Which of many key ranges hold a key: the watch hub's question for each event.

The ranges lie sorted by start under a tree of maximal ends: a node knows the largest end below it, so whole
subtrees that end before the key are passed over, and a look-up costs a logarithm for each range found, however
many disjoint ranges there are.

The tree is an array built in one go.  Ranges added since lie in a short tail that is scanned; once the tail
outgrows the square root of the whole, everything is built anew.  That is less code than a balanced tree, and
faster in Python, where rotating nodes costs more than sorting what is nearly sorted.  Ranges without an end need
no tree: all that begin early enough hold the key.
"""

from bisect import bisect_right
from collections.abc import Hashable, Iterator
from math import isqrt
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)

_TAIL_MIN = 16
_NOWHERE = b""  # as an end it is before every key


class IntervalIndex(Generic[Item]):
    """Ranges [start, end) of keys, each with an item that is in here once."""

    def __init__(self) -> None:
        self._starts: list[bytes] = []
        self._items: list[Item] = []
        self._max_ends: list[bytes] = [_NOWHERE, _NOWHERE]
        self._leaves = 1
        self._leaf_of: dict[Item, int] = {}
        self._tail: dict[Item, tuple[bytes, bytes]] = {}
        self._endless_starts: list[bytes] = []
        self._endless_items: list[Item] = []

    def __len__(self) -> int:
        return len(self._leaf_of) + len(self._tail) + len(self._endless_items)

    def __repr__(self) -> str:
        return f"IntervalIndex(ranges={len(self)}, tail={len(self._tail)})"

    def add(self, item: Item, start: bytes, end: bytes | None) -> None:
        """Add a range; an ``end`` of None holds every key from ``start`` on."""
        if end is None:
            at = bisect_right(self._endless_starts, start)
            self._endless_starts.insert(at, start)
            self._endless_items.insert(at, item)
            return
        self._tail[item] = (start, end)
        if len(self._tail) > max(_TAIL_MIN, isqrt(len(self._leaf_of))):
            self._rebuild()

    def remove(self, item: Item) -> None:
        """Remove the range of an item that was added."""
        if self._tail.pop(item, None) is not None:
            return
        leaf = self._leaf_of.pop(item, None)
        if leaf is not None:
            self._forget(leaf)
            return
        at = self._endless_items.index(item)
        del self._endless_starts[at], self._endless_items[at]

    def holding(self, key: bytes) -> Iterator[Item]:
        """Return the items of all ranges that hold ``key``, in no particular order."""
        yield from self._endless_items[: bisect_right(self._endless_starts, key)]
        for item, (start, end) in self._tail.items():
            if start <= key < end:
                yield item
        early_enough = bisect_right(self._starts, key)
        max_ends = self._max_ends
        nodes = [(1, 0, self._leaves)]
        while nodes:
            node, first, width = nodes.pop()
            if first >= early_enough or max_ends[node] <= key:
                continue
            if width == 1:
                yield self._items[first]
                continue
            half = width // 2
            nodes.append((2 * node + 1, first + half, half))
            nodes.append((2 * node, first, half))

    def _forget(self, leaf: int) -> None:
        """Let a leaf end nowhere; its place is taken back by the next rebuild."""
        node = self._leaves + leaf
        self._max_ends[node] = _NOWHERE
        while node > 1:
            node //= 2
            self._max_ends[node] = max(self._max_ends[2 * node], self._max_ends[2 * node + 1])

    def _rebuild(self) -> None:
        leaves, ends = self._leaves, self._max_ends
        ranges = [(self._starts[leaf], ends[leaves + leaf], item) for item, leaf in self._leaf_of.items()]
        ranges += [(start, end, item) for item, (start, end) in self._tail.items()]
        ranges.sort(key=lambda found: found[0])
        self._tail = {}
        self._starts = [start for start, _, _ in ranges]
        self._items = [item for _, _, item in ranges]
        self._leaf_of = {item: leaf for leaf, item in enumerate(self._items)}
        self._leaves = 1 << (len(ranges) - 1).bit_length()
        padding = [_NOWHERE] * (self._leaves - len(ranges))
        self._max_ends = [_NOWHERE] * self._leaves + [end for _, end, _ in ranges] + padding
        for node in range(self._leaves - 1, 0, -1):
            self._max_ends[node] = max(self._max_ends[2 * node], self._max_ends[2 * node + 1])
