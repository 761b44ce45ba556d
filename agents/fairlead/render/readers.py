"""Who has read which keys: a change is looked up, and nobody is asked who has not read it."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from fairlead.render.view import Dependencies

_NOBODY: set[str] = set()


class Readers:
    """The dependencies of many resources, by key and by prefix."""

    def __init__(self) -> None:
        self._dependencies: dict[str, Dependencies] = {}
        self._by_key: defaultdict[str, set[str]] = defaultdict(set)
        self._by_prefix: defaultdict[str, set[str]] = defaultdict(set)
        # How many prefixes there are of each length: so many cuts of a key can be one.
        self._lengths: Counter[int] = Counter()

    def note(self, name: str, dependencies: Dependencies) -> None:
        """Take note of what ``name`` has read, in the place of what it had read before."""
        before = self._dependencies.get(name, Dependencies())
        self._dependencies[name] = dependencies
        _move(self._by_key, name, before.keys, dependencies.keys)
        _move(self._by_prefix, name, before.prefixes, dependencies.prefixes)
        self._lengths.subtract(map(len, before.prefixes))
        self._lengths.update(map(len, dependencies.prefixes))
        self._lengths = +self._lengths

    def touched_by(self, changed: Iterable[str]) -> dict[str, list[str]]:
        """Return whom the changed keys touch, each with those keys of his, sorted."""
        touched: defaultdict[str, list[str]] = defaultdict(list)
        for key in sorted(changed):
            for name in self._of(key):
                touched[name].append(key)
        return touched

    def _of(self, key: str) -> set[str]:
        exact = self._by_key.get(key, _NOBODY)
        by_prefix = (self._by_prefix.get(key[:length], _NOBODY) for length in self._lengths)
        return exact.union(*by_prefix)


def _move(index: defaultdict[str, set[str]], name: str, before: set[str], after: set[str]) -> None:
    for read in before - after:
        index[read].discard(name)
        if not index[read]:
            del index[read]
    for read in after - before:
        index[read].add(name)
