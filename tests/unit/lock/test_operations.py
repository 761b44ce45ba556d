"""What may become of a group, told on a store that a test holds in its hand."""

import json
from dataclasses import replace

import pytest
from tests.unit.lock.boards import Keys

from fairlead.lock import (
    BrokenSemaphoreError,
    Claim,
    FrozenError,
    FullError,
    LimitError,
    NotHeldError,
    OccupiedError,
    TwoHostsError,
    UnknownGroupError,
    keys,
    operations,
)
from fairlead.lock.board import LOG_ENTRIES_MAX
from fairlead.lock.operations import acquire, freeze, release, renew, set_max, set_policy, tend, unfreeze

A = Claim(holder="a", host="host-a", boot_id="boot-1", reason="kernel", since_s=100, hold_s=60)
B = Claim(holder="b", host="host-b", boot_id="boot-9", since_s=101)


def test_the_first_to_come_makes_the_group_with_one_permit() -> None:
    store = Keys()
    assert store.apply(acquire(store.board(), A))
    board = store.board()
    assert board.semaphore is not None
    assert board.semaphore.encode() == b'{"semaphore":0,"max":1,"holders":["a"]}'
    (holder,) = board.holders
    assert (holder.host, holder.reason, holder.boot_id, holder.since_s) == ("host-a", "kernel", "boot-1", 100)
    assert not holder.is_overdue


def test_coming_again_changes_nothing() -> None:
    store = Keys()
    store.apply(acquire(store.board(), A))
    assert acquire(store.board(), A) is None


def test_a_host_that_has_rebooted_is_still_in() -> None:
    store = Keys()
    store.apply(acquire(store.board(), A))
    again = operations.Claim(holder="a", host="host-a", boot_id="boot-2")
    assert acquire(store.board(), again) is None
    found = store.board().find("a")
    assert found is not None
    assert found.boot_id == "boot-1"


def test_two_hosts_with_one_id_are_told_apart() -> None:
    store = Keys()
    store.apply(acquire(store.board(), A))
    with pytest.raises(TwoHostsError, match="a is held by host host-a, and this is host-b: two hosts"):
        acquire(store.board(), operations.Claim(holder="a", host="host-b"))


def test_of_two_who_saw_the_same_board_one_gets_in() -> None:
    store = Keys()
    board = store.board()
    assert store.apply(acquire(board, A))
    assert not store.apply(acquire(board, B))
    with pytest.raises(FullError):
        acquire(store.board(), B)


def test_a_later_holder_has_a_larger_token() -> None:
    store = Keys()
    store.apply(acquire(store.board(), A))
    first = store.board().holders[0].token
    store.apply(release(store.board(), "a", why="", at_s=0))
    store.apply(acquire(store.board(), A))
    assert store.board().holders[0].token > first > 0


def test_a_record_that_locksmith_left_behind_does_not_lend_its_token_to_the_next() -> None:
    """Locksmith's unlock takes the holder out of the semaphore and knows nothing of our record."""
    store = Keys()
    store.apply(acquire(store.board(), A))
    first = store.board().holders[0].token
    store.put(keys.semaphore_key("default"), b'{"semaphore":1,"max":1,"holders":[]}')
    assert store.board().holders == ()
    store.apply(acquire(store.board(), A))
    assert store.board().holders[0].token > first


def test_a_host_that_goes_down_has_its_whole_time_and_one_that_was_let_out_stays_up() -> None:
    """Found by the simulated fleet: what is left of the time may be less than a reboot takes."""
    store = Keys()
    store.apply(acquire(store.board(), A))
    before, renewed = store.board(), renew(store.board(), "a")
    assert renewed.due == (keys.child("default", "due", "a"), 60)
    assert store.apply(renewed)
    assert not store.apply(release(before, "a", why="overdue, seen before", at_s=0))
    store.apply(release(store.board(), "a", why="", at_s=0))
    with pytest.raises(NotHeldError):
        renew(store.board(), "a")


def test_leaving_takes_all_records_along() -> None:
    store = Keys()
    store.apply(acquire(store.board(), A))
    store.apply(release(store.board(), "a", why="done", at_s=200))
    left = {key for key in store.pairs if "/log/" not in key}
    assert left == {keys.semaphore_key("default")}


def test_a_group_that_is_not_there_can_be_made_but_not_left() -> None:
    store = Keys(group="web")
    with pytest.raises(
        UnknownGroupError, match="no group 'web'; make it with: fairlead lock set-max 1 --group web"
    ):
        release(store.board(), "a", why="", at_s=0)
    assert store.apply(set_max(store.board(), 3, at_s=0))
    assert store.board().semaphore is not None


def test_the_maximum_can_change_while_held() -> None:
    store = Keys()
    store.apply(acquire(store.board(), A))
    store.apply(set_max(store.board(), 2, at_s=0))
    assert store.apply(acquire(store.board(), B))
    store.apply(set_max(store.board(), 1, at_s=0))
    assert len(store.board().holders) == 2
    with pytest.raises(LimitError):
        set_max(store.board(), -1, at_s=0)


def test_a_maximum_of_0_freezes() -> None:
    store = Keys()
    store.apply(set_max(store.board(), 0, at_s=0))
    with pytest.raises(FrozenError, match=r"its maximum is 0.*set-max 1"):
        acquire(store.board(), A)


def test_frozen_lets_nobody_in_not_even_locksmiths_hosts_and_comes_back_as_it_was() -> None:
    store = Keys()
    store.apply(set_max(store.board(), 2, at_s=0))
    store.apply(acquire(store.board(), A))
    store.apply(freeze(store.board(), reason="holidays", by="operator", at_s=0))
    assert json.loads(store.pairs[keys.semaphore_key("default")].value)["max"] == 0
    with pytest.raises(FrozenError, match=r"frozen \(holidays\); end it with: fairlead lock unfreeze"):
        acquire(store.board(), B)
    with pytest.raises(FrozenError):
        set_max(store.board(), 5, at_s=0)
    assert freeze(store.board(), reason="again", by="operator", at_s=0) is None
    store.apply(unfreeze(store.board(), by="operator", at_s=0))
    semaphore = store.board().semaphore
    assert semaphore is not None
    assert (semaphore.permits, semaphore.holders) == (2, ("a",))
    assert unfreeze(store.board(), by="operator", at_s=0) is None


def test_who_read_the_board_before_it_froze_does_not_get_in() -> None:
    store = Keys()
    store.apply(set_max(store.board(), 2, at_s=0))
    board = store.board()
    store.put(f"{keys.root_of('default')}freeze", b"{}")
    assert not store.apply(acquire(board, A))


def test_overdue_is_what_the_stores_clock_says_and_blocks_by_default() -> None:
    store = Keys(hosts_alive={"host-a"})
    store.apply(acquire(store.board(), A))
    store.expire("due", "a")
    (holder,) = store.board().holders
    assert holder.is_overdue
    assert not holder.is_silent
    assert tend(store.board(), by="b", at_s=0) is None
    with pytest.raises(FullError):
        acquire(store.board(), B)


def test_an_overdue_host_without_an_agent_is_silent_and_still_blocks_by_default() -> None:
    store = Keys()
    store.apply(acquire(store.board(), A))
    store.expire("due", "a")
    assert store.board().holders[0].is_silent
    assert tend(store.board(), by="b", at_s=0) is None
    with pytest.raises(FullError):
        acquire(store.board(), B)


def test_overdue_is_paged_once_of_all_who_would() -> None:
    store = Keys()
    store.apply(acquire(store.board(), A))
    store.apply(set_policy(store.board(), "page"))
    store.expire("due", "a")
    board = store.board()
    work = [tend(board, by=name, at_s=0) for name in ("b", "c")]
    assert [one is not None and store.apply(one[0]) for one in work] == [True, False]
    assert tend(store.board(), by="d", at_s=0) is None
    holder = store.board().holders[0]
    assert (holder.reason, holder.hold_s, holder.is_paged) == ("kernel", 60, True)


def test_overdue_is_let_out_where_the_policy_says_so() -> None:
    store = Keys()
    store.apply(acquire(store.board(), A))
    store.apply(set_policy(store.board(), "release"))
    store.expire("due", "a")
    work = tend(store.board(), by="b", at_s=0)
    assert work is not None
    assert work[2] == "released"
    store.apply(work[0])
    assert store.board().holders == ()
    assert tend(store.board(), by="b", at_s=0) is None


def test_who_promised_to_live_and_died_makes_room_at_once() -> None:
    store = Keys()
    store.apply(acquire(store.board(), operations.Claim(holder="job-1", lives=True)))
    with pytest.raises(FullError):
        acquire(store.board(), B)
    store.expire("alive", "job-1")
    assert store.apply(acquire(store.board(), B))
    assert [one.holder for one in store.board().holders] == ["b"]


def test_a_job_that_died_and_comes_again_by_its_name_gets_a_new_token() -> None:
    store = Keys()
    claim = operations.Claim(holder="job", lives=True)
    store.apply(acquire(store.board(), claim))
    first = store.board().holders[0].token
    store.expire("alive", "job")
    assert store.apply(acquire(store.board(), claim))
    assert store.board().holders[0].token > first
    assert not store.board().holders[0].is_dead


def test_who_died_makes_room_under_every_policy_even_when_its_time_is_over_too() -> None:
    store = Keys()
    store.apply(acquire(store.board(), operations.Claim(holder="job", hold_s=60, lives=True)))
    store.expire("due", "job")
    assert tend(store.board(), by="b", at_s=0) is None, "it lives, and is only late"
    store.expire("alive", "job")
    work = tend(store.board(), by="b", at_s=0)
    assert work is not None
    assert (work[1].holder, work[2]) == ("job", "released")
    assert store.apply(acquire(store.board(), B))


def test_a_dead_jobs_name_may_come_again_from_another_host() -> None:
    store = Keys()
    store.apply(acquire(store.board(), operations.Claim(holder="job", host="host-a", lives=True, owner="1")))
    again = operations.Claim(holder="job", host="host-b", lives=True, owner="2")
    with pytest.raises(TwoHostsError):
        acquire(store.board(), again)
    store.expire("alive", "job")
    assert store.apply(acquire(store.board(), again))
    assert (store.board().holders[0].host, store.board().holders[0].owner) == ("host-b", "2")


@pytest.mark.parametrize(("first", "second"), [("1", "2"), ("1", ""), ("", "1")])
def test_a_permit_that_is_one_processs_is_no_other_processs(first: str, second: str) -> None:
    store = Keys()
    store.apply(acquire(store.board(), operations.Claim(holder="job", reason="backup", owner=first)))
    assert acquire(store.board(), operations.Claim(holder="job", owner=first)) is None
    with pytest.raises(OccupiedError, match=r"job is in already, for another process.*--wait"):
        acquire(store.board(), operations.Claim(holder="job", owner=second))


def test_a_process_gives_back_its_own_permit_only_and_an_operator_any() -> None:
    store = Keys()
    store.apply(acquire(store.board(), operations.Claim(holder="job", owner="2")))
    with pytest.raises(NotHeldError):
        release(store.board(), "job", why="", at_s=0, owner="1")
    assert store.apply(release(store.board(), "job", why="", at_s=0, owner="2"))
    store.apply(acquire(store.board(), operations.Claim(holder="job", owner="3")))
    assert store.apply(release(store.board(), "job", why="", at_s=0))


def test_being_paged_takes_nothing_from_a_record() -> None:
    store = Keys()
    store.apply(acquire(store.board(), operations.Claim(holder="job", hold_s=60, lives=True, owner="1")))
    store.apply(set_policy(store.board(), "page"))
    store.expire("due", "job")
    before = store.board().holders[0]
    work = tend(store.board(), by="b", at_s=0)
    assert work is not None
    store.apply(work[0])
    assert store.board().holders[0] == replace(before, is_paged=True)


def test_a_policy_is_one_of_three() -> None:
    store = Keys()
    store.apply(set_max(store.board(), 1, at_s=0))
    with pytest.raises(LimitError, match="no policy 'shoot'; there are hold, page, release"):
        set_policy(store.board(), "shoot")


def test_the_log_tells_what_was_done_with_revisions_and_does_not_grow() -> None:
    store = Keys()
    for turn in range(LOG_ENTRIES_MAX):
        store.apply(acquire(store.board(), A))
        store.apply(release(store.board(), "a", why=f"turn {turn}", at_s=turn))
    log = store.board().log
    assert len(log) == LOG_ENTRIES_MAX
    assert [entry["what"] for entry in log[-2:]] == ["acquired", "released"]
    assert log[-1]["why"] == f"turn {LOG_ENTRIES_MAX - 1}"
    assert log[-1]["revision"] == store.revision


def test_somebody_elses_broken_semaphore_stops_everything_and_stays_as_it_is() -> None:
    store = Keys()
    store.put(keys.semaphore_key("default"), b"{nonsense")
    with pytest.raises(BrokenSemaphoreError, match="rebootlock/semaphore holds no semaphore: it is not JSON"):
        store.board()


def test_a_broken_record_costs_its_words_only() -> None:
    store = Keys()
    store.apply(acquire(store.board(), A))
    store.put(keys.child("default", "holders", "a"), b"[1,")
    (holder,) = store.board().holders
    assert (holder.holder, holder.host, holder.token) == ("a", "", 0)
    assert store.apply(release(store.board(), "a", why="", at_s=0))
