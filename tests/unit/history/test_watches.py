"""Watches known to be bad, each one message away from a good one."""

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.history import Event, Status, Timeline, Watch, WatchRequest, WatchResponse, check_watches
from tests.unit.history.stories import deleted, kv, wrote
from tests.unit.history.telling import tell
from tests.unit.history.world import World

A2 = wrote("a", "1", 2, 2, 1)
A3, B3 = wrote("a", "2", 2, 3, 2), wrote("b", "1", 3, 3, 1)
GONE4 = deleted("a", 4)
C5 = wrote("c", "1", 5, 5, 1)
A6 = wrote("a", "3", 6, 6, 1)
LOG = Timeline([A2, A3, B3, GONE4, C5, A6])

EVERYTHING = WatchRequest(key=b"\0", range_end=b"\0", start_revision=1)
CREATED = WatchResponse(revision=1, is_created=True)
PROGRESS3 = WatchResponse(revision=3)


def told(*events: Event, header: int = 6, is_fragment: bool = False) -> WatchResponse:
    return WatchResponse(revision=header, events=events, is_fragment=is_fragment)


def believes(
    *responses: WatchResponse, request: WatchRequest = EVERYTHING, reached: int = 0, compacted: int = 0
) -> None:
    verdict = check_watches(
        [Watch(name="w", request=request, responses=responses)], LOG, reached=reached, compacted=compacted
    )
    assert verdict, verdict


def doubts(
    *responses: WatchResponse,
    because: str,
    request: WatchRequest = EVERYTHING,
    reached: int = 0,
    compacted: int = 0,
) -> None:
    verdict = check_watches(
        [Watch(name="w", request=request, responses=responses)], LOG, reached=reached, compacted=compacted
    )
    assert verdict.status is Status.BROKEN, verdict
    assert because in verdict.text


def test_a_watch_tells_the_log() -> None:
    believes(CREATED, told(A2), told(A3, B3, GONE4), told(C5, A6), reached=6)


def test_an_event_may_not_be_lost() -> None:
    """etcd#17529: on a starved stream."""
    doubts(CREATED, told(A2), told(GONE4), because="lost: revision 3, put a=2")


def test_a_deletion_may_not_be_lost_either() -> None:
    """etcd#18089 and #19179: at the compacted revision."""
    doubts(CREATED, told(A2, A3, B3), told(C5), because="lost: revision 4, delete a")


def test_the_last_events_may_not_be_lost() -> None:
    believes(CREATED, told(A2, A3, B3), reached=3)
    doubts(
        CREATED,
        told(A2, A3, B3),
        reached=4,
        because="lost: revision 4, delete a, though revision 4 was reached",
    )


def test_an_event_may_not_be_told_twice() -> None:
    doubts(CREATED, told(A2), told(A2), because="told twice")
    doubts(CREATED, told(A2, A2), because="told twice")


def test_events_come_in_order() -> None:
    doubts(CREATED, told(A2), told(GONE4, A3, B3), because="lost")
    doubts(CREATED, told(A2), told(B3, A3), because="out of order")
    doubts(
        CREATED,
        told(C5),
        told(GONE4),
        request=replace(EVERYTHING, start_revision=5),
        because="before its start",
    )


def test_a_watch_does_not_go_back_in_time() -> None:
    """etcd#15271: after a partition."""
    doubts(CREATED, told(A2, A3, B3), told(GONE4), told(A3, B3), because="told twice")


def test_a_revision_comes_whole() -> None:
    doubts(CREATED, told(A2, A3), told(B3), because="half of revision 3")
    doubts(CREATED, told(A2, A3), because="half of revision 3")


def test_unless_fragments_were_asked_for() -> None:
    request = replace(EVERYTHING, fragment=True)
    believes(CREATED, told(A2, A3, is_fragment=True), told(B3), request=request)
    doubts(CREATED, told(A2, A3, is_fragment=True), told(B3), because="fragments, which nobody asked for")
    doubts(CREATED, told(A2, A3), told(B3), request=request, because="half of revision 3")


def test_nothing_comes_from_before_the_start() -> None:
    """etcd#20221: a watch of a future revision."""
    request = replace(EVERYTHING, start_revision=5)
    believes(CREATED, told(C5), request=request)
    doubts(CREATED, told(GONE4), request=request, because="before its start at revision 5")
    doubts(
        CREATED,
        WatchResponse(revision=4),
        request=request,
        because="progress to revision 4, before its start",
    )


def test_a_watch_from_now_on_starts_after_its_creation() -> None:
    request, created = replace(EVERYTHING, start_revision=0), WatchResponse(revision=3, is_created=True)
    believes(created, WatchResponse(revision=3), told(GONE4), request=request)
    doubts(created, told(A3, B3), request=request, because="before its start at revision 4")
    doubts(created, told(C5), request=request, because="lost: revision 4")


def test_progress_is_never_ahead_of_events() -> None:
    """etcd#15220."""
    believes(CREATED, told(A2, A3, B3), PROGRESS3, told(GONE4))
    doubts(
        CREATED,
        told(A2),
        PROGRESS3,
        told(A3, B3),
        because="progress to revision 3 ahead of revision 3, put a=2",
    )


def test_progress_over_what_was_not_asked_for_is_fine() -> None:
    request = replace(EVERYTHING, key=b"c", range_end=b"")
    believes(CREATED, WatchResponse(revision=4), told(C5), WatchResponse(revision=6), request=request)


def test_progress_does_not_go_back() -> None:
    doubts(CREATED, told(A2, A3, B3), WatchResponse(revision=2), because="progress went back from 3 to 2")


def test_progress_does_not_go_beyond_the_log() -> None:
    doubts(CREATED, told(A2, A3, B3, GONE4, C5, A6), WatchResponse(revision=7), because="the log ends at 6")


@pytest.mark.parametrize(
    ("wrong", "because"),
    [
        (wrote("a", "9", 2, 2, 1), "wrong: revision 2, put a=9"),
        (wrote("a", "1", 1, 2, 1), "wrong (and whether it was created)"),
        (wrote("a", "1", 2, 2, 2), "wrong"),
        (wrote("a", "1", 2, 2, 1, lease=7), "wrong"),
        (deleted("a", 2), "wrong"),
        (wrote("z", "1", 2, 2, 1), "never happened"),
        (wrote("a", "1", 2, 9, 1), "never happened"),
    ],
)
def test_an_event_says_what_happened(wrong: Event, because: str) -> None:
    doubts(CREATED, told(wrong, header=9), because=because)


def test_only_what_was_asked_for_is_told() -> None:
    only_a = replace(EVERYTHING, key=b"a", range_end=b"")
    believes(CREATED, told(A2, A3, GONE4, A6), request=only_a)
    doubts(CREATED, told(A2, A3, B3), request=only_a, because="not asked for: revision 3, put b=1")


def test_filters_hold() -> None:
    no_put, no_delete = replace(EVERYTHING, no_put=True), replace(EVERYTHING, no_delete=True)
    believes(CREATED, told(GONE4), request=no_put, reached=6)
    believes(CREATED, told(A2, A3, B3, C5, A6), request=no_delete, reached=6)
    doubts(CREATED, told(A2), request=no_put, because="not asked for")
    doubts(CREATED, told(A2, A3, B3, GONE4), request=no_delete, because="not asked for: revision 4, delete a")


def test_previous_pairs_are_those_before() -> None:
    request = replace(EVERYTHING, key=b"a", range_end=b"", prev_kv=True)
    good = replace(A3, prev_kv=A2.kv)
    believes(CREATED, told(A2, good), request=request)
    doubts(CREATED, told(A2, A3), request=request, because="wrong previous pair")
    doubts(
        CREATED,
        told(A2, replace(A3, prev_kv=kv("a", "0", 2, 2, 1))),
        request=request,
        because="wrong previous",
    )
    doubts(CREATED, told(A2, good), because="nobody asked for")
    doubts(CREATED, told(replace(A2, prev_kv=A2.kv)), request=request, because="wrong previous pair")


def test_a_previous_pair_may_be_missing_only_if_it_is_compacted() -> None:
    request = replace(EVERYTHING, key=b"a", range_end=b"", prev_kv=True)
    believes(CREATED, told(A2, A3), request=request, compacted=3)
    doubts(CREATED, told(A2, A3), request=request, compacted=2, because="wrong previous pair")


def test_the_first_message_is_the_creation() -> None:
    doubts(told(A2), because="its first message")
    doubts(CREATED, CREATED, because="its first message")
    doubts(replace(CREATED, events=(A2,)), because="its first message")


def test_a_header_is_not_behind_its_events() -> None:
    doubts(CREATED, told(A2, A3, B3, header=2), because="its header is at revision 2, its events go to 3")


CANCELLED = WatchResponse(revision=0, is_canceled=True)


def test_nothing_follows_a_cancellation() -> None:
    believes(CREATED, told(A2), CANCELLED, reached=6)
    doubts(CREATED, CANCELLED, told(A2), because="spoke after it was cancelled")


def test_only_what_is_compacted_is_refused() -> None:
    compacted4 = replace(CANCELLED, compact_revision=4)
    believes(CREATED, compacted4, compacted=4)
    believes(CREATED, told(A2), compacted4, compacted=4)
    doubts(CREATED, compacted4, compacted=3, because="a compaction to 4 that nobody made")
    doubts(CREATED, told(A2, A3, B3), compacted4, compacted=4, because="revision 4 was still there")


@settings(max_examples=100)
@given(seed=st.integers(min_value=0, max_value=2**32))
def test_leaving_out_doubling_or_swapping_any_event_is_noticed(seed: int) -> None:
    rng = random.Random(seed)
    world = World(rng=rng, lost=0)
    world.run(60)
    log = world.timeline()
    honest = tell(log, EVERYTHING, rng=rng)
    spoken = [place for place, response in enumerate(honest.responses) if response.events]
    place = rng.choice(spoken)
    events = list(honest.responses[place].events)
    index = rng.randrange(len(events))
    match rng.randrange(3):
        case 0:
            del events[index]
        case 1:
            events.insert(index, events[index])
        case _:
            events[index], events[index - 1] = events[index - 1], events[index]
    changed = (
        *honest.responses[:place],
        replace(honest.responses[place], events=tuple(events)),
        *honest.responses[place + 1 :],
    )
    is_same = changed == honest.responses
    assert bool(check_watches([replace(honest, responses=changed)], log, reached=log.last)) == is_same
