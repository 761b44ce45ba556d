"""Histories known to be bad, each with a good twin, so that the judge is neither blind nor a bully."""

from tests.history import (
    Compact,
    CompactResponse,
    Delete,
    DeleteResponse,
    Error,
    Failed,
    Grant,
    GrantResponse,
    KeepAlive,
    KeepAliveResponse,
    Operation,
    Range,
    RangeResponse,
    Refused,
    Revoke,
    RevokeResponse,
    Status,
    Txn,
    TxnResponse,
    check_linearizable,
)
from tests.unit.history.stories import UNKNOWN, done, found, get, kv, listing, op, put, swap

A1, A2 = kv("a", "1", 2, 2, 1), kv("a", "2", 2, 3, 2)
PUT_A1 = op(1, (0, 1), put("a", "1"), done(2))
PUT_A2 = op(1, (2, 3), put("a", "2"), done(3))
LOST_A2 = op(2, (1.5, 0), put("a", "2"), UNKNOWN)


def accepts(*history: Operation) -> None:
    verdict = check_linearizable(history)
    assert verdict, verdict


def rejects(*history: Operation, because: str = "") -> None:
    verdict = check_linearizable(history)
    assert verdict.status is Status.BROKEN, verdict
    assert because in verdict.text, verdict


def test_an_empty_history_is_fine() -> None:
    accepts()


def test_a_read_sees_what_was_written() -> None:
    accepts(PUT_A1, PUT_A2, op(2, (4, 5), get("a"), found(3, A2)))


def test_a_stale_read_is_not_linearizable() -> None:
    """etcd#741, and #20418 after a pause: an old leader answered from its own state."""
    rejects(
        PUT_A1,
        PUT_A2,
        op(2, (4, 5), get("a"), found(2, A1)),
        because="revision 3 had been answered before this was asked for",
    )


def test_a_read_beside_a_write_may_see_either() -> None:
    accepts(PUT_A1, PUT_A2, op(2, (2.5, 5), get("a"), found(2, A1)))
    accepts(PUT_A1, PUT_A2, op(2, (1.5, 2.5), get("a"), found(3, A2)))


def test_a_read_of_the_future_is_not_linearizable() -> None:
    rejects(PUT_A1, op(2, (1.2, 1.5), get("a"), found(3, A2)), PUT_A2)


def test_an_acknowledged_write_may_not_be_lost() -> None:
    """etcd#14370: acknowledged before it was durable."""
    rejects(
        PUT_A1,
        PUT_A2,
        op(2, (4, 5), get("a"), found(3, A1)),
        because="put a=2 -> revision 3\n    but this says otherwise: client 2",
    )


def test_a_lost_write_whose_revision_is_given_again_is_noticed() -> None:
    rejects(
        PUT_A1,
        PUT_A2,
        op(3, (4, 5), put("b", "1"), done(3)),
        because="two writes made revision 3",
    )


def test_a_revision_may_not_go_back() -> None:
    """etcd#17780: after a crash in a compaction."""
    rejects(PUT_A1, PUT_A2, op(2, (4, 5), get("x"), found(2)))


def test_a_revision_may_not_be_skipped() -> None:
    rejects(
        PUT_A1,
        op(1, (2, 3), put("a", "2"), done(4)),
        because="nobody who could have made revision 3 is known",
    )


def test_a_write_may_not_be_applied_twice() -> None:
    rejects(
        PUT_A1,
        op(2, (4, 5), get("a"), found(3, kv("a", "1", 2, 3, 2))),
        because="nobody who could have made revision 3 is known; it holds: a=1",
    )


def test_nor_may_one_that_was_never_answered() -> None:
    rejects(PUT_A1, LOST_A2, op(2, (4, 5), get("a"), found(4, kv("a", "2", 2, 4, 3))))


def test_but_two_of_them_may_be_done_once_each() -> None:
    accepts(PUT_A1, LOST_A2, LOST_A2, op(2, (4, 5), get("a"), found(4, kv("a", "2", 2, 4, 3))))


def test_a_write_that_failed_for_certain_is_never_seen() -> None:
    failed = op(2, (1.5, 1.6), put("a", "2"), Failed(reason="no leader"))
    accepts(PUT_A1, failed, op(2, (4, 5), get("a"), found(2, A1)))
    rejects(PUT_A1, failed, op(2, (4, 5), get("a"), found(3, A2)))


def test_a_write_never_answered_may_have_happened_or_not_or_late() -> None:
    late = op(3, (6, 7), get("a"), found(3, A2))
    accepts(PUT_A1, LOST_A2, op(3, (4, 5), get("a"), found(2, A1)))
    accepts(PUT_A1, LOST_A2, op(3, (4, 5), get("a"), found(3, A2)))
    accepts(PUT_A1, LOST_A2, op(3, (4, 5), get("a"), found(2, A1)), late)


def test_a_write_never_answered_that_was_seen_may_not_be_unseen() -> None:
    seen = op(3, (4, 5), get("a"), found(3, A2))
    accepts(PUT_A1, LOST_A2, seen, op(3, (6, 7), get("a"), found(3, A2)))
    rejects(PUT_A1, LOST_A2, seen, op(3, (6, 7), get("a"), found(2, A1)))
    rejects(PUT_A1, LOST_A2, seen, op(3, (6, 7), get("a"), found(3, A1)))


def test_a_write_never_answered_may_not_happen_before_it_is_asked_for() -> None:
    rejects(PUT_A1, op(3, (1.2, 1.3), get("a"), found(3, A2)), LOST_A2)


def test_of_several_writes_never_answered_the_right_one_is_found() -> None:
    lost = [op(n, (1.5, 0), put("a", str(n)), UNKNOWN) for n in range(20)]
    accepts(PUT_A1, *lost, op(3, (4, 5), get("a"), found(4, kv("a", "7", 2, 4, 3))))
    rejects(PUT_A1, *lost, op(3, (4, 5), get("a"), found(4, kv("a", "7", 2, 4, 2))))


def test_a_compare_and_swap_succeeds_once() -> None:
    first = op(1, (2, 5), swap("a", 2, "2"), TxnResponse(revision=3, succeeded=True, responses=(done(3),)))
    again = op(2, (2, 5), swap("a", 2, "3"), TxnResponse(revision=4, succeeded=True, responses=(done(4),)))
    refused = op(2, (2, 5), swap("a", 2, "3"), TxnResponse(revision=3, succeeded=False))
    accepts(PUT_A1, first, refused)
    rejects(PUT_A1, first, again, because="but this says otherwise: client 2")


def test_a_compare_and_swap_may_not_fail_for_nothing() -> None:
    rejects(PUT_A1, op(2, (2, 3), swap("a", 2, "3"), TxnResponse(revision=2, succeeded=False)))


def test_what_a_failed_transaction_would_have_written_is_not_there() -> None:
    """A dirty read."""
    failed = op(2, (2, 3), swap("a", 7, "dirty"), TxnResponse(revision=2, succeeded=False))
    accepts(PUT_A1, failed, op(3, (4, 5), get("a"), found(2, A1)))
    rejects(PUT_A1, failed, op(3, (4, 5), get("a"), found(3, kv("a", "dirty", 2, 3, 2))))
    rejects(PUT_A1, failed, op(3, (4, 5), get("a"), found(2, kv("a", "dirty", 2, 2, 1))))


BOTH = op(
    1,
    (2, 3),
    Txn(success=(put("a", "2"), put("b", "1"))),
    TxnResponse(revision=3, succeeded=True, responses=(done(3), done(3))),
)
B1 = kv("b", "1", 3, 3, 1)


def test_a_transaction_is_seen_whole() -> None:
    accepts(PUT_A1, BOTH, op(2, (2, 5), listing(), found(2, A1)))
    accepts(PUT_A1, BOTH, op(2, (2, 5), listing(), found(3, A2, B1)))
    rejects(PUT_A1, BOTH, op(2, (2, 5), listing(), found(3, A2)))
    rejects(PUT_A1, BOTH, op(2, (2, 5), listing(), found(2, A1, B1)))


def test_a_transaction_is_done_whole() -> None:
    """Half of it in a revision of its own."""
    rejects(PUT_A1, BOTH, op(2, (4, 5), listing(), found(4, A2, kv("b", "1", 4, 4, 1))))


def test_later_operations_of_a_transaction_see_earlier_ones() -> None:
    request = Txn(success=(put("a", "2"), get("a")))
    good = TxnResponse(revision=3, succeeded=True, responses=(done(3), found(3, A2)))
    bad = TxnResponse(revision=3, succeeded=True, responses=(done(3), found(2, A1)))
    accepts(PUT_A1, op(1, (2, 3), request, good))
    rejects(PUT_A1, op(1, (2, 3), request, bad))


DELETE_A = op(1, (2, 3), Delete(key=b"a"), DeleteResponse(revision=3, deleted=1))


def test_a_deletion_may_not_be_lost() -> None:
    accepts(PUT_A1, DELETE_A, op(2, (4, 5), get("a"), found(3)))
    rejects(PUT_A1, DELETE_A, op(2, (4, 5), get("a"), found(3, A1)))


def test_a_deletion_tells_what_it_deleted() -> None:
    request = Delete(key=b"a", prev_kv=True)
    accepts(PUT_A1, op(1, (2, 3), request, DeleteResponse(revision=3, deleted=1, prev_kvs=(A1,))))
    rejects(PUT_A1, op(1, (2, 3), request, DeleteResponse(revision=3, deleted=1, prev_kvs=(A2,))))
    rejects(PUT_A1, op(1, (2, 3), request, DeleteResponse(revision=2, deleted=0)))


def test_a_key_made_anew_starts_at_version_one() -> None:
    again = op(1, (4, 5), put("a", "2"), done(4))
    accepts(PUT_A1, DELETE_A, again, op(2, (6, 7), get("a"), found(4, kv("a", "2", 4, 4, 1))))
    rejects(PUT_A1, DELETE_A, again, op(2, (6, 7), get("a"), found(4, kv("a", "2", 2, 4, 2))))


def test_a_put_tells_what_was_before() -> None:
    accepts(PUT_A1, op(1, (2, 3), put("a", "2", prev_kv=True), done(3, A1)))
    rejects(PUT_A1, op(1, (2, 3), put("a", "2", prev_kv=True), done(3)))


def test_two_clients_may_not_see_two_orders() -> None:
    lost = (op(1, (0, 0), put("a", "1"), UNKNOWN), op(2, (0, 0), put("b", "1"), UNKNOWN))
    a, b = kv("a", "1", 2, 2, 1), kv("b", "1", 2, 2, 1)
    accepts(*lost, op(3, (1, 2), listing(), found(2, a)), op(4, (1, 2), listing(), found(2, a)))
    rejects(*lost, op(3, (1, 2), listing(), found(2, a)), op(4, (1, 2), listing(), found(2, b)))


def test_a_read_of_the_past_is_of_that_past() -> None:
    accepts(PUT_A1, PUT_A2, op(2, (4, 5), get("a", revision=2), found(3, A1)))
    rejects(PUT_A1, PUT_A2, op(2, (4, 5), get("a", revision=2), found(3, A2)))


def test_what_is_compacted_is_not_read_and_what_is_not_is() -> None:
    compacted = op(1, (4, 5), Compact(revision=3), CompactResponse(revision=3))
    refused = op(2, (6, 7), get("a", revision=2), Refused(error=Error.COMPACTED))
    accepts(PUT_A1, PUT_A2, compacted, refused)
    accepts(PUT_A1, PUT_A2, compacted, op(2, (6, 7), get("a", revision=3), found(3, A2)))
    rejects(PUT_A1, PUT_A2, compacted, op(2, (6, 7), get("a", revision=2), found(3, A1)))
    rejects(PUT_A1, PUT_A2, refused)


def test_a_compaction_never_answered_may_have_happened() -> None:
    lost = op(1, (4, 5), Compact(revision=3), UNKNOWN)
    refused = op(2, (6, 7), get("a", revision=2), Refused(error=Error.COMPACTED))
    still = op(2, (8, 9), get("a", revision=2), found(3, A1))
    accepts(PUT_A1, PUT_A2, lost, refused)
    accepts(PUT_A1, PUT_A2, lost, still)
    rejects(PUT_A1, PUT_A2, lost, refused, still)


GRANT = op(1, (0, 1), Grant(lease_id=7, ttl_s=10), GrantResponse(revision=1, lease_id=7, ttl_s=10))
PUT_LEASED = op(1, (2, 3), put("a", "1", lease=7), done(2))
LEASED = kv("a", "1", 2, 2, 1, lease=7)


def test_a_lease_may_not_end_before_its_time() -> None:
    gone = found(3)
    accepts(GRANT, PUT_LEASED, op(2, (9, 10.5), get("a"), gone))
    rejects(
        GRANT, PUT_LEASED, op(2, (9, 9.9), get("a"), gone), because="nobody who could have made revision 3"
    )


def test_a_renewal_that_was_acknowledged_counts_from_its_call() -> None:
    kept = op(1, (8, 9), KeepAlive(lease_id=7), KeepAliveResponse(revision=2, ttl_s=10))
    accepts(GRANT, PUT_LEASED, kept, op(2, (15, 18), get("a"), found(3)))
    rejects(GRANT, PUT_LEASED, kept, op(2, (15, 17.9), get("a"), found(3)))


def test_a_renewal_that_was_not_acknowledged_promises_nothing() -> None:
    kept = op(1, (8, 9), KeepAlive(lease_id=7), UNKNOWN)
    accepts(GRANT, PUT_LEASED, kept, op(2, (15, 17), get("a"), found(3)))


def test_a_lease_whose_time_has_passed_may_be_refused_before_its_keys_go() -> None:
    refused = op(1, (9, 11), KeepAlive(lease_id=7), KeepAliveResponse(revision=2, ttl_s=0))
    accepts(GRANT, PUT_LEASED, refused, op(2, (12, 13), get("a"), found(2, LEASED)))


def test_a_lease_that_ended_does_not_come_back() -> None:
    gone = op(2, (15, 16), get("a"), found(3))
    dead = op(1, (17, 18), KeepAlive(lease_id=7), KeepAliveResponse(revision=3, ttl_s=0))
    alive = op(1, (17, 18), KeepAlive(lease_id=7), KeepAliveResponse(revision=3, ttl_s=10))
    accepts(GRANT, PUT_LEASED, gone, dead)
    rejects(GRANT, PUT_LEASED, gone, alive, because="no such lease")


def test_all_keys_of_a_lease_go_in_one_revision() -> None:
    other = op(1, (4, 5), put("b", "1", lease=7), done(3))
    accepts(GRANT, PUT_LEASED, other, op(2, (15, 16), listing(), found(4)))
    rejects(GRANT, PUT_LEASED, other, op(2, (15, 16), listing(), found(4, kv("b", "1", 3, 3, 1, lease=7))))


def test_a_key_put_without_its_lease_stays() -> None:
    put_again = op(1, (4, 5), put("a", "1"), done(3))
    accepts(GRANT, PUT_LEASED, put_again, op(2, (15, 16), get("a"), found(3, kv("a", "1", 2, 3, 2))))
    rejects(GRANT, PUT_LEASED, put_again, op(2, (15, 16), get("a"), found(4)))


def test_a_revocation_deletes_the_keys_at_once() -> None:
    revoked = op(1, (4, 5), Revoke(lease_id=7), RevokeResponse(revision=3))
    accepts(GRANT, PUT_LEASED, revoked, op(2, (6, 7), get("a"), found(3)))
    rejects(GRANT, PUT_LEASED, revoked, op(2, (6, 7), get("a"), found(3, LEASED)))
    refused = op(3, (6, 7), put("c", "1", lease=7), Refused(error=Error.LEASE_NOT_FOUND))
    accepts(GRANT, PUT_LEASED, revoked, refused)
    rejects(GRANT, PUT_LEASED, refused)


def test_a_lease_without_keys_may_not_end_early_either() -> None:
    early = op(1, (5, 6), KeepAlive(lease_id=7), KeepAliveResponse(revision=1, ttl_s=0))
    late = op(1, (9, 11), KeepAlive(lease_id=7), KeepAliveResponse(revision=1, ttl_s=0))
    accepts(GRANT, late)
    rejects(GRANT, early)


def test_a_grant_never_answered_may_have_happened() -> None:
    lost = op(1, (0, 0), Grant(lease_id=7, ttl_s=10), UNKNOWN)
    accepts(lost, PUT_LEASED)
    accepts(lost, op(1, (2, 3), put("a", "1", lease=7), Refused(error=Error.LEASE_NOT_FOUND)))
    rejects(PUT_LEASED)


def test_a_lease_is_not_granted_twice() -> None:
    again = op(2, (4, 5), Grant(lease_id=7, ttl_s=10), GrantResponse(revision=1, lease_id=7, ttl_s=10))
    accepts(GRANT, op(2, (4, 5), Grant(lease_id=7, ttl_s=10), Refused(error=Error.LEASE_EXISTS)))
    rejects(GRANT, again, because="the lease exists")


def test_a_ttl_may_be_longer_than_asked_for_but_not_shorter() -> None:
    request = Grant(ttl_s=1)
    accepts(op(1, (0, 1), request, GrantResponse(revision=1, lease_id=99, ttl_s=2)))
    rejects(op(1, (0, 1), request, GrantResponse(revision=1, lease_id=99, ttl_s=0.5)))


def test_where_members_clocks_run_fast_less_of_a_ttl_has_to_pass() -> None:
    history = [GRANT, PUT_LEASED, op(2, (9, 9.9), get("a"), found(3))]
    assert check_linearizable(history, ttl_share=0.95)


def test_counts_and_limits_are_judged_too() -> None:
    b = op(1, (2, 3), put("b", "1"), done(3))
    some = Range(key=b"a", range_end=b"\0", limit=1)
    count = Range(key=b"a", range_end=b"\0", count_only=True)
    accepts(PUT_A1, b, op(2, (4, 5), some, RangeResponse(revision=3, kvs=(A1,), count=2, more=True)))
    rejects(PUT_A1, b, op(2, (4, 5), some, RangeResponse(revision=3, kvs=(A1,), count=2)))
    accepts(PUT_A1, b, op(2, (4, 5), count, RangeResponse(revision=3, count=2)))
    rejects(PUT_A1, b, op(2, (4, 5), count, RangeResponse(revision=3, count=1)))


def test_a_serializable_read_says_nothing_about_the_present() -> None:
    accepts(PUT_A1, PUT_A2, op(2, (4, 5), get("a", serializable=True), found(2, A1)))


def test_running_out_of_steps_is_not_a_verdict() -> None:
    verdict = check_linearizable([PUT_A1, PUT_A2], steps_max=0)
    assert verdict.status is Status.UNKNOWN
    assert not verdict


def test_a_rejection_names_the_operation_the_state_and_its_neighbours() -> None:
    verdict = check_linearizable(
        [PUT_A1, PUT_A2, op(2, (4, 5), get("b"), RangeResponse(revision=3, count=1))]
    )
    assert verdict.text.splitlines() == [
        "no order explains the answers: 2 of 3 operations have a place",
        "placed last:",
        "  client 1 [0.000000, 1.000000] put a=1 -> revision 2",
        "  client 1 [2.000000, 3.000000] put a=2 -> revision 3",
        "then the store was at revision 3 (compacted to 0):",
        "  a=2 (created 2, modified 3, v2)",
        "next would be, but cannot:",
        "  client 2 [4.000000, 5.000000] get b -> revision 3: no keys, count 1",
        "    but here the answer would be: revision 3: no keys",
    ]


def test_a_lease_may_end_with_its_keys_after_the_last_revision_that_anybody_saw() -> None:
    accepts(GRANT, PUT_LEASED, op(1, (9, 11), put("b", "1", lease=7), Refused(error=Error.LEASE_NOT_FOUND)))


def test_a_transaction_may_read_a_key_before_it_writes_it() -> None:
    request = Txn(success=(put("b", "1"), get("a"), put("a", "2")))
    answer = TxnResponse(revision=3, succeeded=True, responses=(done(3), found(3, A1), done(3)))
    accepts(PUT_A1, op(1, (2, 3), request, answer))


def test_two_answers_may_not_differ_on_what_a_revision_wrote() -> None:
    other = op(3, (4, 5), get("a"), found(3, kv("a", "9", 2, 3, 2)))
    rejects(PUT_A1, PUT_A2, op(2, (4, 5), get("a"), found(3, A2)), other, because="two answers differ, a=2")
