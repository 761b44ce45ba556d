"""What is asked for the most, and what in vain: lists that stay short, and cheap, whatever is asked.

The Space-Saving algorithm (Metwally, Agrawal, El Abbadi, 2005), with one change: of the items that are not on a full list only
each sixteenth makes room for itself.  Random names then cost next to nothing, and who is asked for often gets on all the same.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")
SIZE: Final = 256
_SAMPLE: Final = 16


class Popular(Generic[Item]):
    """The most frequent items of a stream, among ``size`` that are counted."""

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._counts: dict[Item, int] = {}
        self._strangers = 0
        self.total = 0

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, item: Item, count: int = 1) -> None:
        """Count ``item``."""
        self.total += count
        if item in self._counts:
            self._counts[item] += count
        elif len(self._counts) < self._size:
            self._counts[item] = count
        else:
            self._strangers += 1
            if self._strangers % _SAMPLE == 0 or count >= _SAMPLE:
                least = min(self._counts, key=self._counts.__getitem__)
                # It may have been counted before it was forgotten: as often as the least, at most.
                self._counts[item] = self._counts.pop(least) + count

    def counts(self) -> Counter[Item]:
        """Return every item that is counted, with its count."""
        return Counter(self._counts)

    def top(self, count: int) -> Iterator[tuple[Item, int]]:
        """Yield the first ``count`` items with their counts, the most frequent first."""
        yield from sorted(self._counts.items(), key=lambda entry: -entry[1])[:count]
