"""Which frontend a request belongs to: an immutable index over the conditions of all routes.

The rule is vulcand's: routes are tried in reverse lexicographic order of their text, and the first that
matches wins; a ``Priority`` goes before that.  The rank of a route is its place in this order.  Trying a
thousand routes one by one would be slow, so that each conjunction is filed under its literal host, if it
has one, and there under its path: a dictionary for literal paths, a tree of segments for patterns, a list
for the rest.  A look-up collects the best rank from each of these and comes to the same answer as trying
all.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fairlead.proxy.match import Condition, Conjunction, Routable, Test, compile_expression
from fairlead.proxy.model import Frontend
from fairlead.proxy.pattern import compile_pattern, is_literal

if TYPE_CHECKING:
    import re


@dataclass(frozen=True, slots=True)
class Candidate:
    """A frontend that fits if ``tests`` do.  Lower rank wins."""

    rank: int
    tests: tuple[Test, ...]
    frontend: Frontend


def in_order_of_precedence(frontends: Iterable[Frontend]) -> list[Frontend]:
    """Sort as routes are tried: priority, then vulcand's order of the text, then the id."""
    by_id = sorted(frontends, key=lambda frontend: frontend.id)
    by_text = sorted(by_id, key=lambda frontend: frontend.route, reverse=True)
    return sorted(by_text, key=lambda frontend: -frontend.priority)


class Router:
    """The index.  Made once per change of the frontends, and never changed after."""

    __slots__ = ("_anywhere", "_hosts")

    def __init__(self, frontends: Iterable[Frontend]) -> None:
        self._hosts: dict[bytes, _Paths] = {}
        self._anywhere = _Paths()
        for rank, frontend in enumerate(in_order_of_precedence(frontends)):
            for conjunction in compile_expression(frontend.expression):
                self._file(conjunction, rank, frontend)

    def find(self, request: Routable) -> Frontend | None:
        """Return the frontend whose route matches first, or None."""
        best = self._anywhere.find(request, None)
        if (paths := self._hosts.get(request.host)) is not None:
            best = paths.find(request, best)
        return None if best is None else best.frontend

    def _file(self, conjunction: Conjunction, rank: int, frontend: Frontend) -> None:
        host = _first(conjunction, "Host", literal=True)
        path = _first(conjunction, "Path", literal=True) or _first(conjunction, "Path", literal=False)
        tests = tuple(each.test for each in conjunction if each is not host and each is not path)
        paths = self._anywhere
        if host is not None and host.literal is not None:
            paths = self._hosts.setdefault(host.literal, _Paths())
        paths.add(path, Candidate(rank, tests, frontend))


def _first(conjunction: Conjunction, field: str, *, literal: bool) -> Condition | None:
    for each in conjunction:
        if each.field == field and (each.literal if literal else each.pattern) is not None:
            return each
    return None


def _better(candidates: list[Candidate], request: Routable, best: Candidate | None) -> Candidate | None:
    """Return the first of ``candidates`` (by rank) that fits and outranks ``best``, else ``best``."""
    for candidate in candidates:
        if best is not None and candidate.rank >= best.rank:
            return best
        if all(test(request) for test in candidate.tests):
            return candidate
    return best


class _Paths:
    """The candidates of one host, or of no particular one, by path.  Filed in order of rank."""

    __slots__ = ("literal", "patterns", "rest")

    def __init__(self) -> None:
        self.literal: dict[bytes, list[Candidate]] = {}
        self.patterns: _Segment | None = None
        self.rest: list[Candidate] = []

    def add(self, path: Condition | None, candidate: Candidate) -> None:
        if path is None:
            self.rest.append(candidate)
        elif path.literal is not None:
            self.literal.setdefault(path.literal, []).append(candidate)
        elif path.pattern is not None:
            self.patterns = self.patterns or _Segment()
            self.patterns.add(path.pattern.split("/"), candidate)

    def find(self, request: Routable, best: Candidate | None) -> Candidate | None:
        if (found := self.literal.get(request.path)) is not None:
            best = _better(found, request, best)
        if self.patterns is not None:
            for candidates in self.patterns.walk(request.path.split(b"/"), 0):
                best = _better(candidates, request, best)
        return _better(self.rest, request, best) if self.rest else best


class _Segment:
    """A node of the tree of path patterns: one step is one segment between slashes."""

    __slots__ = ("here", "literal", "patterns", "remainders")

    def __init__(self) -> None:
        self.here: list[Candidate] = []
        self.literal: dict[bytes, _Segment] = {}
        self.patterns: dict[re.Pattern[bytes], _Segment] = {}
        # What holds a <path:...> reaches over slashes, and matches all that is left.
        self.remainders: dict[re.Pattern[bytes], list[Candidate]] = {}

    def add(self, segments: list[str], candidate: Candidate) -> None:
        if not segments:
            self.here.append(candidate)
            return
        first, *others = segments
        if not first or is_literal(first):
            self.literal.setdefault(first.encode(), _Segment()).add(others, candidate)
        elif "<path:" in first:
            regexp = compile_pattern("/".join(segments), separator="/")
            self.remainders.setdefault(regexp, []).append(candidate)
        else:
            # re caches what it compiled, so that equal patterns are one key and one branch.
            regexp = compile_pattern(first, separator="/")
            self.patterns.setdefault(regexp, _Segment()).add(others, candidate)

    def walk(self, segments: list[bytes], depth: int) -> Iterator[list[Candidate]]:
        """Yield the candidates of every branch that fits the segments from ``depth`` on."""
        if depth == len(segments):
            if self.here:
                yield self.here
            return
        segment = segments[depth]
        if (branch := self.literal.get(segment)) is not None:
            yield from branch.walk(segments, depth + 1)
        for regexp, branch in self.patterns.items():
            if regexp.fullmatch(segment):
                yield from branch.walk(segments, depth + 1)
        if self.remainders:
            remainder = b"/".join(segments[depth:])
            for regexp, candidates in self.remainders.items():
                if regexp.fullmatch(remainder):
                    yield candidates
