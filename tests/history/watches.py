"""Watches: each must tell exactly what the log holds, from its start on (etcd, "KV API guarantees", watch).

Ordered, unique, atomic, reliable, resumable and bookmarkable, and what etcd's robustness tests add: filters,
creation told by the revisions of the key, previous pairs.  One walk along the log finds all of it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.history.requests import in_range
from tests.history.responses import KeyValue
from tests.history.timeline import Event, Timeline
from tests.history.verdict import OK, Verdict, broken
from tests.history.words import kv_text, text


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRequest:
    """What a watch asked for; ``start_revision`` 0 means from its creation on."""

    key: bytes
    range_end: bytes = b""
    start_revision: int = 0
    prev_kv: bool = False
    no_put: bool = False
    no_delete: bool = False
    fragment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchResponse:
    """One message; one without events that neither creates nor cancels is progress up to ``revision``."""

    revision: int
    events: tuple[Event, ...] = ()
    is_created: bool = False
    is_canceled: bool = False
    compact_revision: int = 0
    is_fragment: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """All messages of one watch id, in order; progress of the whole stream (id -1) belongs to each of its watches.

    A watch that is resumed on a new stream is another ``Watch``.
    """

    name: str
    request: WatchRequest
    responses: tuple[WatchResponse, ...]


def check_watches(
    watches: Iterable[Watch], timeline: Timeline, *, reached: int = 0, compacted: int | None = None
) -> Verdict:
    """Judge watches against the log.

    Args:
        watches: every watch that was opened.
        timeline: what truly happened.
        reached: a revision by which each watch that was not cancelled must have told everything.
        compacted: the newest revision that anybody ever compacted to.  Below it previous pairs may be missing, and
            none may be cancelled for a newer one.  None: unknown, so both are let pass.
    """
    faults = [fault for watch in watches if (fault := _fault(watch, timeline, reached, compacted))]
    return broken("\n".join(faults)) if faults else OK


class _FaultError(Exception):
    """The watch broke a promise; the text says which."""


def _fault(watch: Watch, timeline: Timeline, reached: int, compacted: int | None) -> str:
    listener = _Listener(watch.request, timeline, compacted)
    try:
        for response in watch.responses:
            listener.hear(response)
        listener.finish(reached)
    except _FaultError as fault:
        return f"watch {watch.name} of {text(watch.request.key)}: {fault}"
    return ""


class _Listener:
    """Walks along the log as the watch speaks."""

    def __init__(self, request: WatchRequest, timeline: Timeline, compacted: int | None) -> None:
        self._request = request
        self._timeline = timeline
        self._compacted = compacted
        self._start = request.start_revision
        self._truth: Iterator[Event] = iter(())
        self._awaited: Event | None = None
        self._heard: set[tuple[int, bytes]] = set()
        self._last = 0
        """The revision of the last event."""
        self._progress = 0
        self._is_created = False
        self._is_canceled = False

    def hear(self, response: WatchResponse) -> None:
        """Take one message.

        Raises:
            _FaultError: it breaks a promise.
        """
        if self._is_canceled:
            raise _FaultError("it spoke after it was cancelled")
        if response.is_created or not self._is_created:
            self._create(response)
        elif response.events:
            self._hear_events(response)
        elif not response.is_canceled:
            self._hear_progress(response.revision)
        if response.is_canceled:
            self._cancel(response.compact_revision)

    def finish(self, reached: int) -> None:
        """Ask for what must have been told by the end."""
        if self._awaited is not None and not self._is_canceled and _revision(self._awaited) <= reached:
            raise _FaultError(f"lost: {_text(self._awaited)}, though revision {reached} was reached")

    def _create(self, response: WatchResponse) -> None:
        if self._is_created or not response.is_created or response.events:
            raise _FaultError("its first message, and no other, says that it is created, without events")
        self._is_created = True
        self._start = self._request.start_revision or response.revision + 1
        self._truth = self._wanted()
        self._awaited = next(self._truth, None)

    def _wanted(self) -> Iterator[Event]:
        """Yield what the watch has to tell, with the previous pairs."""
        for revision in range(self._start, self._timeline.last + 1):
            pairs = zip(self._timeline.events(revision), self._timeline.changes(revision), strict=True)
            for event, change in pairs:
                if self._is_asked_for(event):
                    yield Event(kv=event.kv, is_delete=event.is_delete, prev_kv=change.before)

    def _is_asked_for(self, event: Event) -> bool:
        is_filtered = self._request.no_delete if event.is_delete else self._request.no_put
        return not is_filtered and in_range(event.kv.key, self._request.key, self._request.range_end)

    def _hear_events(self, response: WatchResponse) -> None:
        for event in response.events:
            self._hear_event(event)
        if response.revision < self._last:
            raise _FaultError(f"its header is at revision {response.revision}, its events go to {self._last}")
        if response.is_fragment and not self._request.fragment:
            raise _FaultError(f"revision {self._last} is in fragments, which nobody asked for")
        if not response.is_fragment and self._awaited is not None and _revision(self._awaited) == self._last:
            raise _FaultError(f"half of revision {self._last}: {_text(self._awaited)} is not with it")

    def _hear_event(self, event: Event) -> None:
        revision, key = _revision(event), event.kv.key
        if not self._is_asked_for(event):
            raise _FaultError(f"not asked for: {_text(event)}")
        if revision < self._start:
            raise _FaultError(f"before its start at revision {self._start}: {_text(event)}")
        if (revision, key) in self._heard:
            raise _FaultError(f"told twice: {_text(event)}")
        if revision < self._last:
            raise _FaultError(f"out of order after revision {self._last}: {_text(event)}")
        self._compare(event)
        self._heard.add((revision, key))
        self._last = revision
        self._awaited = next(self._truth, None)

    def _compare(self, event: Event) -> None:
        revision, key = _revision(event), event.kv.key
        if key not in {real.kv.key for real in self._timeline.events(revision)}:
            raise _FaultError(f"never happened: {_text(event)}")
        awaited = self._awaited
        assert awaited is not None, "what is in the log and was not heard is still awaited"
        if (_revision(awaited), awaited.kv.key) != (revision, key):
            fault = "out of order" if _revision(awaited) == revision else "lost"
            raise _FaultError(f"{fault}: {_text(awaited)} should come before {_text(event)}")
        if (event.kv, event.is_delete) != (awaited.kv, awaited.is_delete):
            created = [kv.create_revision == kv.mod_revision for kv in (event.kv, awaited.kv)]
            flag = " (and whether it was created)" if created[0] != created[1] else ""
            raise _FaultError(f"wrong{flag}: {_text(event)}, but the log holds {_text(awaited)}")
        self._compare_previous(event.prev_kv, awaited)

    def _compare_previous(self, told: KeyValue | None, awaited: Event) -> None:
        if not self._request.prev_kv:
            if told is not None:
                raise _FaultError(f"a previous pair that nobody asked for: {kv_text(told)}")
            return
        may_miss = self._compacted is None or _revision(awaited) - 1 < self._compacted
        if told != awaited.prev_kv and not (told is None and may_miss):
            raise _FaultError(
                f"wrong previous pair with {_text(awaited)}: {kv_text(told)}, but it was {kv_text(awaited.prev_kv)}"
            )

    def _hear_progress(self, revision: int) -> None:
        if revision > self._timeline.last:
            raise _FaultError(f"progress to revision {revision}, the log ends at {self._timeline.last}")
        if revision < self._request.start_revision:
            raise _FaultError(f"progress to revision {revision}, before its start at {self._start}")
        if revision < max(self._last, self._progress):
            raise _FaultError(f"progress went back from {max(self._last, self._progress)} to {revision}")
        if self._awaited is not None and _revision(self._awaited) <= revision:
            raise _FaultError(f"progress to revision {revision} ahead of {_text(self._awaited)}")
        self._progress = revision

    def _cancel(self, compact_revision: int) -> None:
        self._is_canceled = True
        if not compact_revision:
            return
        if self._compacted is not None and compact_revision > self._compacted:
            raise _FaultError(f"cancelled for a compaction to {compact_revision} that nobody made")
        following = max(self._start, self._last + 1, self._progress + 1)
        if following >= compact_revision:
            raise _FaultError(
                f"cancelled for the compaction to {compact_revision}, but revision {following} was still there"
            )


def _revision(event: Event) -> int:
    return event.kv.mod_revision


def _text(event: Event) -> str:
    kind = f"delete {text(event.kv.key)}" if event.is_delete else f"put {kv_text(event.kv)}"
    return f"revision {_revision(event)}, {kind}"
