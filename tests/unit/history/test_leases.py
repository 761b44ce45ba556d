"""No lease ends early, as far as anybody can tell."""

from dataclasses import replace

from tests.history import (
    Delete,
    Error,
    Grant,
    GrantResponse,
    KeepAlive,
    KeepAliveResponse,
    Operation,
    Refused,
    Revoke,
    RevokeResponse,
    Status,
    Timeline,
    check_leases,
)
from tests.unit.history.stories import UNKNOWN, deleted, done, found, get, kv, listing, op, put, wrote

GRANT = op(1, (0, 1), Grant(lease_id=7, ttl_s=10), GrantResponse(revision=1, lease_id=7, ttl_s=10))
PUT = op(1, (2, 3), put("a", "1", lease=7), done(2))
LOG = Timeline([wrote("a", "1", 2, 2, 1, lease=7), deleted("a", 3)])
KEPT = op(1, (8, 9), KeepAlive(lease_id=7), KeepAliveResponse(revision=2, ttl_s=10))
SEEN_GONE = op(2, (15, 17), get("a"), found(3))


def accepts(*history: Operation, log: Timeline = LOG) -> None:
    verdict = check_leases(history, log)
    assert verdict, verdict


def rejects(*history: Operation, because: str, log: Timeline = LOG) -> None:
    verdict = check_leases(history, log)
    assert verdict.status is Status.BROKEN
    assert because in verdict.text


def test_a_key_may_go_once_its_time_has_passed() -> None:
    accepts(GRANT, PUT, SEEN_GONE)


def test_a_key_may_not_go_before() -> None:
    early = replace(SEEN_GONE, invoked_s=8, returned_s=9.5)
    rejects(GRANT, PUT, early, because="less than 10 s after it was alive")


def test_nor_so_soon_after_a_renewal() -> None:
    rejects(GRANT, PUT, KEPT, SEEN_GONE, because="keep lease 7 alive")
    accepts(GRANT, PUT, KEPT, replace(SEEN_GONE, returned_s=18))


def test_a_watch_that_told_of_the_deletion_dates_it_too() -> None:
    assert check_leases([GRANT, PUT], LOG, sightings=[(3, 10.5)])
    assert check_leases([GRANT, PUT], LOG, sightings=[(3, 9.5)]).status is Status.BROKEN


def test_an_answer_of_a_later_revision_dates_it_as_well() -> None:
    later = op(2, (8, 9), put("b", "1"), done(4))
    log = Timeline([*LOG.events(2), *LOG.events(3), wrote("b", "1", 4, 4, 1)])
    rejects(GRANT, PUT, later, log=log, because="ended no later than 9.0")


def test_what_somebody_deleted_is_no_expiry() -> None:
    accepts(GRANT, PUT, op(2, (4, 0), Delete(key=b"a"), UNKNOWN), replace(SEEN_GONE, returned_s=16))
    accepts(GRANT, PUT, op(2, (4, 0), Revoke(lease_id=7), UNKNOWN), replace(SEEN_GONE, returned_s=16))
    accepts(GRANT, PUT, op(2, (4, 5), Revoke(lease_id=7), RevokeResponse(revision=3)))


def test_what_was_asked_for_later_explains_nothing() -> None:
    early = op(2, (8, 9), get("a"), found(3))
    rejects(GRANT, PUT, early, op(2, (9.5, 0), Delete(key=b"a"), UNKNOWN), because="less than 10 s")


def test_an_expiry_takes_all_keys_of_the_lease() -> None:
    other = op(1, (4, 5), put("b", "1", lease=7), done(3))
    b3 = wrote("b", "1", 3, 3, 1, lease=7)
    late = op(2, (15, 17), listing(), found(4))
    accepts(GRANT, PUT, other, late, log=Timeline([*LOG.events(2), b3, deleted("a", 4), deleted("b", 4)]))
    rejects(
        GRANT,
        PUT,
        other,
        late,
        log=Timeline([*LOG.events(2), b3, deleted("a", 4)]),
        because="not all keys of lease 7",
    )


def test_a_lease_without_keys_may_not_be_gone_early() -> None:
    gone = op(1, (9.2, 9.5), KeepAlive(lease_id=7), KeepAliveResponse(revision=1, ttl_s=0))
    refused = op(1, (9.2, 9.5), put("a", "1", lease=7), Refused(error=Error.LEASE_NOT_FOUND))
    empty = Timeline([])
    rejects(GRANT, gone, log=empty, because="no such lease")
    rejects(GRANT, refused, log=empty, because="refused: the lease does not exist")
    accepts(GRANT, replace(gone, returned_s=11), log=empty)
    accepts(GRANT, op(2, (5, 0), Revoke(lease_id=7), UNKNOWN), gone, log=empty)


def test_a_lease_granted_again_owes_nothing_to_its_former_life() -> None:
    revoked = op(1, (2, 3), Revoke(lease_id=7), RevokeResponse(revision=1))
    again = op(1, (4, 5), Grant(lease_id=7, ttl_s=2), GrantResponse(revision=1, lease_id=7, ttl_s=2))
    write = op(1, (5, 5.5), put("a", "1", lease=7), done(2))
    accepts(GRANT, revoked, again, write, replace(SEEN_GONE, invoked_s=6.5, returned_s=7))
    rejects(
        GRANT,
        revoked,
        again,
        write,
        replace(SEEN_GONE, invoked_s=5.6, returned_s=5.9),
        because="less than 2 s",
    )


def test_a_renewal_in_a_later_life_says_nothing_of_an_earlier_end() -> None:
    slow = op(3, (5, 20), get("a"), found(2, kv("a", "1", 2, 2, 1, lease=7)))
    again = op(1, (13, 14), Grant(lease_id=7, ttl_s=10), GrantResponse(revision=3, lease_id=7, ttl_s=10))
    kept = op(1, (14.5, 15), KeepAlive(lease_id=7), KeepAliveResponse(revision=3, ttl_s=10))
    accepts(GRANT, PUT, slow, again, kept, replace(SEEN_GONE, returned_s=16))


def test_where_members_clocks_run_fast_less_of_a_ttl_has_to_pass() -> None:
    early = replace(SEEN_GONE, invoked_s=8, returned_s=9.5)
    assert check_leases([GRANT, PUT, early], LOG, ttl_share=0.9)
