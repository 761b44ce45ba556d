"""A watch that tells the truth, in batches and with progress as chance will have it."""

import random
from collections.abc import Iterator
from itertools import groupby

from tests.history import Event, Timeline, Watch, WatchRequest, WatchResponse
from tests.history.requests import in_range


def tell(timeline: Timeline, request: WatchRequest, *, rng: random.Random, now: int = 1) -> Watch:
    """Return what an honest watch tells that was created at revision ``now``."""
    return Watch(name="w", request=request, responses=tuple(_messages(timeline, request, rng, now)))


def _messages(
    timeline: Timeline, request: WatchRequest, rng: random.Random, now: int
) -> Iterator[WatchResponse]:
    yield WatchResponse(revision=now, is_created=True)
    batch: list[Event] = []
    for revision in range(request.start_revision or now + 1, timeline.last + 1):
        batch += wanted(timeline, request, revision)
        is_progress = rng.random() < 0.1
        if batch and (is_progress or rng.random() < 0.5):
            yield from _sent(batch, request, rng.randint(revision, timeline.last), rng)
            batch = []
        if is_progress:
            yield WatchResponse(revision=revision)
    if batch:
        yield from _sent(batch, request, timeline.last, rng)


def wanted(timeline: Timeline, request: WatchRequest, revision: int) -> list[Event]:
    """Return what a watch has to tell of one revision."""
    return [
        Event(kv=event.kv, is_delete=event.is_delete, prev_kv=change.before if request.prev_kv else None)
        for event, change in zip(timeline.events(revision), timeline.changes(revision), strict=True)
        if in_range(event.kv.key, request.key, request.range_end)
        and not (request.no_delete if event.is_delete else request.no_put)
    ]


def _sent(
    batch: list[Event], request: WatchRequest, header: int, rng: random.Random
) -> Iterator[WatchResponse]:
    parts = [batch]
    if request.fragment and len(batch) > 1:
        cut = rng.randrange(1, len(batch))
        parts = [batch[:cut], batch[cut:]]
    for part in parts:
        yield WatchResponse(revision=header, events=tuple(part), is_fragment=part is not parts[-1])


def revisions(events: tuple[Event, ...]) -> list[int]:
    """Return the distinct revisions of events, in order."""
    return [revision for revision, _ in groupby(event.kv.mod_revision for event in events)]
