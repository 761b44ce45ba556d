"""What the answers together, and the log where there is one, say about each revision.

Whoever sees a key sees more than its value: at ``mod_revision`` it was put, at ``create_revision`` too, and from
``mod_revision`` up to the moment of the sight nobody touched it.  The same follows from a comparison that held.
All of it are facts if the answers are true, so a search that respects them loses no order that explains them.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from operator import itemgetter

from tests.history.calls import Call
from tests.history.model import Past
from tests.history.requests import Range, Relation, Request, Target, Txn
from tests.history.responses import (
    DeleteResponse,
    KeyValue,
    PutResponse,
    RangeResponse,
    Response,
    TxnResponse,
    has_written,
)
from tests.history.timeline import Timeline


class Clues:
    """Facts by revision; ``horizon`` is the last revision of which anything is known."""

    def __init__(self, answered: Iterable[Call], timeline: Timeline | None) -> None:
        answered = tuple(answered)
        self.timeline = timeline
        self._written = {call.after for call in answered if call.is_writer}
        self._counts = Counter(call.after for call in answered if call.after is not None)
        self.horizon = timeline.last if timeline else max(self._counts, default=0)
        self._seen: dict[int, dict[KeyValue, Call]] = defaultdict(dict)
        self._put: dict[int, dict[bytes, Call]] = defaultdict(dict)
        still: dict[bytes, dict[tuple[int, int], Call]] = defaultdict(dict)
        for call in answered if timeline is None else ():
            for kv, as_of in _sights(call.request, call.response):
                self._seen[kv.mod_revision].setdefault(kv, call)
                self._put[kv.create_revision].setdefault(kv.key, call)
                still[kv.key].setdefault((as_of, kv.mod_revision), call)
            for key, revision, as_of in _held(call):
                self._put[revision].setdefault(key, call)
                still[key].setdefault((as_of, revision), call)
        self._still = {key: sorted(sights.items(), key=itemgetter(0)) for key, sights in still.items()}

    def is_gap(self, revision: int, *, is_open_ended: bool = False) -> bool:
        """Whether there was (or, beyond all answers, may have been) a revision that no answer claims."""
        return revision not in self._written and (is_open_ended or revision <= self.horizon)

    def count_at(self, revision: int) -> int:
        """Return how many answers carry a revision."""
        return self._counts[revision]

    def seen_at(self, revision: int) -> Iterable[KeyValue]:
        """Return the pairs that somebody saw and that say they are of this revision."""
        return self._seen.get(revision, {}).keys()

    def allows(self, made: Past) -> bool:
        """Whether a revision may have done what a call in this place would make it do."""
        if self.timeline is not None:
            return self.timeline.changes(made.revision) == made.changes
        return self.witness(made) is None

    def witness(self, made: Past) -> Call | None:
        """Return a call whose answer says that a revision did something else; None if nobody does."""
        for change in made.changes:
            sights = self._still.get(change.key, [])
            place = bisect_left(sights, (made.revision, 0), key=itemgetter(0))
            # At this revision or later somebody saw the key, unchanged since before it.
            if place < len(sights) and sights[place][0][1] < made.revision:
                return sights[place][1]
        after = {change.after for change in made.changes}
        for kv, call in self._seen.get(made.revision, {}).items():
            if kv not in after:
                return call
        keys = {change.key for change in made.changes if change.after is not None}
        for key, call in self._put.get(made.revision, {}).items():
            if key not in keys:
                return call
        return None


def _sights(request: Request, response: Response | None) -> Iterator[tuple[KeyValue, int]]:
    """Yield each pair that an answer shows, with a revision at which it surely was what the key held."""
    match response:
        case RangeResponse():
            past = request.revision if isinstance(request, Range) else 0
            yield from ((kv, past or response.revision) for kv in response.kvs)
        case PutResponse() if response.prev_kv is not None:
            yield response.prev_kv, response.revision - 1
        case DeleteResponse():
            yield from ((kv, response.revision - 1) for kv in response.prev_kvs)
        case TxnResponse() if isinstance(request, Txn):
            before = response.revision - has_written(response)
            ops = request.success if response.succeeded else request.failure
            for op, part in zip(ops, response.responses, strict=False):
                # What it wrote itself, other operations of it may have changed since.
                yield from (
                    (kv, min(as_of, before)) for kv, as_of in _sights(op, part) if kv.mod_revision <= before
                )
        case _:
            pass


def _held(call: Call) -> Iterator[tuple[bytes, int, int]]:
    """Yield each key whose last change a comparison named rightly, the change, and the revision of comparing."""
    if isinstance(call.request, Txn) and isinstance(call.response, TxnResponse) and call.response.succeeded:
        before = call.response.revision - call.is_writer
        for compare in call.request.compares:
            operand = compare.operand
            is_exact = compare.target is Target.MOD and compare.relation is Relation.EQUAL
            if is_exact and isinstance(operand, int) and operand > 0:
                yield compare.key, operand, before
