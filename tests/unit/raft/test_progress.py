"""One follower, as its leader sees it."""

from fairlead.raft import Progress, ProgressState


def replicating(*, match: int = 0) -> Progress:
    progress = Progress(next_index=match + 1)
    progress.acknowledge(match, first_index=1)
    assert progress.state is ProgressState.REPLICATE
    return progress


def test_a_probe_waits_for_a_reply_or_a_sign_of_life() -> None:
    progress = Progress(next_index=5)
    progress.sent(6, 2)
    assert progress.is_paused
    progress.answered_heartbeat(round_=0, last_index=6)
    assert not progress.is_paused


def test_appends_follow_each_other_up_to_a_number_and_a_size() -> None:
    progress = replicating()
    progress.sent(1, 6)
    assert progress.next == 2
    assert progress.has_room(inflight_max=2, inflight_bytes_max=10)
    assert not progress.has_room(inflight_max=1, inflight_bytes_max=10)
    assert not progress.has_room(inflight_max=2, inflight_bytes_max=6)
    progress.acknowledge(1, first_index=1)
    assert progress.has_room(inflight_max=1, inflight_bytes_max=6)


def test_a_rejection_while_replicating_means_that_something_was_lost() -> None:
    progress = replicating(match=3)
    progress.sent(9, 6)
    progress.reject(9, hint=3)
    assert (progress.state, progress.next) == (ProgressState.PROBE, 4)


def test_late_rejections_change_nothing() -> None:
    progress = replicating(match=3)
    progress.reject(2, hint=0)
    assert progress.state is ProgressState.REPLICATE
    probe = Progress(next_index=8)
    probe.reject(4, hint=1)
    assert probe.next == 8


def test_a_probe_goes_back_to_the_hint_and_never_below_what_matches() -> None:
    probe = Progress(next_index=8)
    probe.reject(7, hint=3)
    assert probe.next == 4
    probe.match = 5
    probe.next = 8
    probe.reject(7, hint=1)
    assert probe.next == 6


def test_a_snapshot_holds_appends_until_its_end_is_known() -> None:
    progress = Progress(next_index=2)
    progress.begin_snapshot(10)
    assert progress.is_paused
    progress.acknowledge(3, first_index=8)
    assert progress.state is ProgressState.SNAPSHOT, "entries 4 to 7 are gone"
    progress.acknowledge(10, first_index=8)
    assert (progress.state, progress.next) == (ProgressState.REPLICATE, 11)


def test_a_snapshot_that_did_not_arrive_is_probed_for_again() -> None:
    progress = Progress(next_index=2)
    progress.begin_snapshot(10)
    progress.end_snapshot(is_delivered=False)
    assert (progress.state, progress.next, progress.is_paused) == (ProgressState.PROBE, 1, True)
    progress.begin_snapshot(10)
    progress.end_snapshot(is_delivered=True)
    assert progress.next == 11


def test_a_loss_ends_optimism() -> None:
    progress = replicating(match=2)
    progress.sent(4, 2)
    progress.lost()
    assert (progress.state, progress.next) == (ProgressState.PROBE, 3)
    assert repr(progress) == "<Progress probe match=2 next=3 inflight=0>"
