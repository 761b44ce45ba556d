"""Old reads may be old; they may not be wrong, come from the future, or go back within a session."""

from dataclasses import replace

from tests.history import (
    Compare,
    Operation,
    Status,
    Target,
    Timeline,
    Txn,
    TxnResponse,
    check_serializable,
)
from tests.unit.history.stories import done, found, get, kv, listing, op, put, swap, wrote

A1, A2, B1 = kv("a", "1", 2, 2, 1), kv("a", "2", 2, 3, 2), kv("b", "1", 3, 3, 1)
LOG = Timeline([wrote("a", "1", 2, 2, 1), wrote("a", "2", 2, 3, 2), wrote("b", "1", 3, 3, 1)])
OLD_A = get("a", serializable=True)


def accepts(*history: Operation) -> None:
    verdict = check_serializable(history, LOG)
    assert verdict, verdict


def rejects(*history: Operation, because: str) -> None:
    verdict = check_serializable(history, LOG)
    assert verdict.status is Status.BROKEN
    assert because in verdict.text


def test_a_read_may_be_of_any_revision_that_was() -> None:
    accepts(op(1, (9, 10), OLD_A, found(2, A1)))
    accepts(op(1, (9, 10), OLD_A, found(1)))
    accepts(op(1, (9, 10), listing(serializable=True), found(3, A2, B1)))


def test_a_read_is_what_the_store_held_at_its_revision() -> None:
    rejects(op(1, (9, 10), OLD_A, found(3, A1)), because="not what the store held at revision 3")
    rejects(op(1, (9, 10), OLD_A, found(2, A2)), because="not what the store held")
    rejects(op(1, (9, 10), listing(serializable=True), found(3, A2)), because="it held: revision 3: a=2")
    rejects(op(1, (9, 10), OLD_A, found(4, A2)), because="the log ends at 3")


def test_a_read_of_a_past_revision_is_of_that_one() -> None:
    past = get("a", serializable=True, revision=2)
    accepts(op(1, (9, 10), past, found(3, A1)))
    rejects(op(1, (9, 10), past, found(3, A2)), because="not what the store held")


def test_a_transaction_that_only_reads_is_of_one_revision() -> None:
    compare = Compare(key=b"b", target=Target.VERSION, operand=1)
    request = Txn(compares=(compare,), success=(OLD_A,), failure=(listing(serializable=True),))
    accepts(op(1, (9, 10), request, TxnResponse(revision=3, succeeded=True, responses=(found(3, A2),))))
    accepts(op(1, (9, 10), request, TxnResponse(revision=2, succeeded=False, responses=(found(2, A1),))))
    rejects(
        op(1, (9, 10), request, TxnResponse(revision=3, succeeded=True, responses=(found(3, A1),))),
        because="not what the store held",
    )


def test_within_a_session_revisions_do_not_go_back() -> None:
    first, second = op(1, (5, 6), OLD_A, found(3, A2)), op(1, (7, 8), OLD_A, found(2, A1))
    rejects(first, second, because="the revision went back in session 'm1'")
    accepts(first, replace(second, session="m2"))
    accepts(replace(first, session=None), replace(second, session=None))
    accepts(first, replace(second, invoked_s=5.5))


def test_a_write_counts_for_the_session_that_made_it() -> None:
    write = op(1, (5, 6), swap("a", 2, "2"), TxnResponse(revision=3, succeeded=True, responses=(done(3),)))
    rejects(write, op(1, (7, 8), OLD_A, found(2, A1)), because="went back")


def test_nobody_reads_what_nobody_has_asked_for_yet() -> None:
    write = op(1, (5, 6), put("a", "1"), done(2))
    early = op(2, (3, 4), OLD_A, found(2, A1))
    rejects(early, write, because="a read of the future")
    accepts(replace(early, returned_s=5.5), write)
