"""The routes of one host, or of none in particular, by path: what the router looks things up in.

Everything here is shared between routers of different revisions, and changed only by who owns it: ``editable``
returns the node itself to its owner, and a copy that is theirs to anybody else.  So one change copies the few
nodes on its way, and loading ten thousand routes copies nothing.
"""

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from fairlead.proxy.match import Condition, Routable, Test
from fairlead.proxy.model import Frontend
from fairlead.proxy.pattern import compile_pattern, is_literal

if TYPE_CHECKING:
    import re

Order = tuple[int, bytes, str]
"""Sorts routes as they are tried, the smallest first."""


class Candidate(NamedTuple):
    """A frontend that fits if ``tests`` do.

    Attributes:
        is_decoded: it is filed under what is left of a path after ``decoded``.
    """

    order: Order
    tests: tuple[Test, ...]
    frontend: Frontend
    is_decoded: bool = False


Candidates = tuple[Candidate, ...]
"""In order."""


def better(candidates: Candidates, request: Routable, best: Candidate | None) -> Candidate | None:
    """Return the first of ``candidates`` that fits and goes before ``best``, else ``best``."""
    for candidate in candidates:
        if best is not None and candidate.order >= best.order:
            return best
        for test in candidate.tests:
            if not test(request):
                break
        else:
            return candidate
    return best


def _with(candidates: Candidates, new: Candidate) -> Candidates:
    place = bisect_left(candidates, new.order, key=_order_of)
    return (*candidates[:place], new, *candidates[place:])


def _without(candidates: Candidates, order: Order) -> Candidates:
    start = end = bisect_left(candidates, order, key=_order_of)
    while end < len(candidates) and candidates[end].order == order:
        end += 1
    return candidates[:start] + candidates[end:]


def _order_of(candidate: Candidate) -> Order:
    return candidate.order


class Paths:
    """The routes of one host by path.

    Attributes:
        rest: those that say nothing of the path that could be looked up.
    """

    __slots__ = ("_lengths", "_owner", "literal", "patterns", "prefixes", "rest")

    def __init__(self, owner: object) -> None:
        self._owner = owner
        self.literal: dict[bytes, Candidates] = {}
        self.prefixes: dict[bytes, Candidates] = {}
        self._lengths: dict[int, int] = {}  # of prefixes, and how many have it
        self.patterns: _Segment | None = None
        self.rest: Candidates = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left here."""
        return not (self.literal or self.prefixes or self.patterns or self.rest)

    def editable(self, owner: object) -> "Paths":
        """Return what ``owner`` may change."""
        if self._owner is owner:
            return self
        copy = Paths(owner)
        copy.literal, copy.prefixes = dict(self.literal), dict(self.prefixes)
        copy._lengths, copy.patterns, copy.rest = dict(self._lengths), self.patterns, self.rest
        return copy

    def find(self, request: Routable, best: Candidate | None) -> Candidate | None:
        """Return the best candidate here that fits, if it goes before ``best``; else ``best``."""
        path = request.path
        if (found := self.literal.get(path)) is not None:
            best = better(found, request, best)
        if self.prefixes:
            for length in self._lengths:
                if (found := self.prefixes.get(path[:length])) is not None and len(path) >= length:
                    best = better(found, request, best)
        if self.patterns is not None:
            for candidates in self.patterns.walk(path.split(b"/"), 0):
                best = better(candidates, request, best)
        return better(self.rest, request, best) if self.rest else best

    def find_decoded(self, request: Routable, path: bytes, best: Candidate | None) -> Candidate | None:
        """Do as ``find`` does for those that see ``path``, decoded, in place of the request's."""
        places = [self.literal.get(path)]
        places += [self.prefixes.get(path[:length]) for length in self._lengths if length <= len(path)]
        for found in places:
            if found is not None:
                best = better(tuple(each for each in found if each.is_decoded), request, best)
        return best

    def add(self, path: Condition | None, new: Candidate) -> None:
        """File ``new``; who owns this may call it."""
        if path is None:
            self.rest = _with(self.rest, new)
        elif path.literal is not None:
            self.literal[path.literal] = _with(self.literal.get(path.literal, ()), new)
        elif path.prefix is not None:
            prefix = path.prefix
            if prefix not in self.prefixes:
                self._lengths[len(prefix)] = self._lengths.get(len(prefix), 0) + 1
            self.prefixes[prefix] = _with(self.prefixes.get(prefix, ()), new)
        elif path.pattern is not None:
            self.patterns = (self.patterns or _Segment(self._owner)).editable(self._owner)
            self.patterns.add(path.pattern.split("/"), new)

    def remove(self, path: Condition | None, order: Order) -> None:
        """Take out what is filed at ``path`` with ``order``; who owns this may call it."""
        if path is None:
            self.rest = _without(self.rest, order)
        elif path.literal is not None:
            _shrink(self.literal, path.literal, order)
        elif path.prefix is not None:
            prefix = path.prefix
            if prefix in self.prefixes and not _shrink(self.prefixes, prefix, order):
                self._lengths[len(prefix)] -= 1
                if not self._lengths[len(prefix)]:
                    del self._lengths[len(prefix)]
        elif path.pattern is not None and self.patterns is not None:
            self.patterns = self.patterns.editable(self._owner)
            self.patterns.remove(path.pattern.split("/"), order)
            if self.patterns.is_empty:
                self.patterns = None


def _shrink(places: dict[bytes, Candidates], key: bytes, order: Order) -> bool:
    """Take candidates out; return whether any are left there."""
    left = _without(places.get(key, ()), order)
    if left:
        places[key] = left
    else:
        places.pop(key, None)
    return bool(left)


class _Segment:
    """A node of the tree of path patterns: one step is one segment between slashes."""

    __slots__ = ("_owner", "here", "literal", "patterns", "remainders")

    def __init__(self, owner: object) -> None:
        self._owner = owner
        self.here: Candidates = ()
        self.literal: dict[bytes, _Segment] = {}
        # By the text of the pattern, so that equal ones share a branch whatever their placeholders' names.
        self.patterns: dict[bytes, tuple[re.Pattern[bytes], _Segment]] = {}
        # What holds a <path:...> reaches over slashes, and matches all that is left.
        self.remainders: dict[bytes, tuple[re.Pattern[bytes], Candidates]] = {}

    @property
    def is_empty(self) -> bool:
        return not (self.here or self.literal or self.patterns or self.remainders)

    def editable(self, owner: object) -> "_Segment":
        if self._owner is owner:
            return self
        copy = _Segment(owner)
        copy.here, copy.literal = self.here, dict(self.literal)
        copy.patterns, copy.remainders = dict(self.patterns), dict(self.remainders)
        return copy

    def add(self, segments: list[str], new: Candidate) -> None:
        if not segments:
            self.here = _with(self.here, new)
            return
        first, *others = segments
        if not first or is_literal(first):
            branch = self._branch(self.literal.get(first.encode()))
            branch.add(others, new)
            self.literal[first.encode()] = branch
        elif "<path:" in first:
            regexp = compile_pattern("/".join(segments), separator="/")
            _, candidates = self.remainders.get(regexp.pattern, (regexp, ()))
            self.remainders[regexp.pattern] = (regexp, _with(candidates, new))
        else:
            regexp = compile_pattern(first, separator="/")
            branch = self._branch(self.patterns.get(regexp.pattern, (regexp, None))[1])
            branch.add(others, new)
            self.patterns[regexp.pattern] = (regexp, branch)

    def remove(self, segments: list[str], order: Order) -> None:
        if not segments:
            self.here = _without(self.here, order)
            return
        first, *others = segments
        if not first or is_literal(first):
            branch = self._branch(self.literal.pop(first.encode(), None))
            branch.remove(others, order)
            if not branch.is_empty:
                self.literal[first.encode()] = branch
        elif "<path:" in first:
            regexp = compile_pattern("/".join(segments), separator="/")
            _, candidates = self.remainders.pop(regexp.pattern, (regexp, ()))
            if left := _without(candidates, order):
                self.remainders[regexp.pattern] = (regexp, left)
        else:
            regexp = compile_pattern(first, separator="/")
            branch = self._branch(self.patterns.pop(regexp.pattern, (regexp, None))[1])
            branch.remove(others, order)
            if not branch.is_empty:
                self.patterns[regexp.pattern] = (regexp, branch)

    def _branch(self, there: "_Segment | None") -> "_Segment":
        return _Segment(self._owner) if there is None else there.editable(self._owner)

    def walk(self, segments: list[bytes], depth: int) -> Iterator[Candidates]:
        """Yield the candidates of every branch that fits the segments from ``depth`` on."""
        if depth == len(segments):
            if self.here:
                yield self.here
            return
        segment = segments[depth]
        if (branch := self.literal.get(segment)) is not None:
            yield from branch.walk(segments, depth + 1)
        for regexp, branch in self.patterns.values():
            if regexp.fullmatch(segment):
                yield from branch.walk(segments, depth + 1)
        if self.remainders:
            remainder = b"/".join(segments[depth:])
            for regexp, candidates in self.remainders.values():
                if regexp.fullmatch(remainder):
                    yield candidates
