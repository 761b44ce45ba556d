"""Leases: granted once, renewed in time, dead when due, their keys with them."""

import math

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fairlead.lease import (
    TTL_S_MAX,
    LeaseError,
    LeaseExistsError,
    LeaseNotFoundError,
    LeaseNotPrimaryError,
    LeaseStatus,
    LeaseTable,
    LeaseTtlTooLargeError,
)


def promoted_table(*, now_s: float = 0.0) -> LeaseTable:
    table = LeaseTable(ttl_s_min=2, retry_s=3.0)
    table.promote(now_s=now_s, extend_s=0.0)
    return table


def test_a_live_id_cannot_be_granted_twice() -> None:
    table = promoted_table()
    table.grant(7, 10, now_s=0.0)
    with pytest.raises(LeaseExistsError) as caught:
        table.grant(7, 20, now_s=1.0)
    assert caught.value.lease_id == 7
    assert table.time_to_live(7, now_s=0.0).ttl_s == 10


def test_an_id_is_free_again_after_its_revocation() -> None:
    table = promoted_table()
    table.grant(7, 10, now_s=0.0)
    table.revoke(7)
    assert table.grant(7, 20, now_s=1.0) == 20


@pytest.mark.parametrize("ttl_s", [-5, 0, 1, 2])
def test_a_ttl_below_the_minimum_is_raised_silently(ttl_s: int) -> None:
    assert promoted_table().grant(1, ttl_s, now_s=0.0) == 2


def test_the_largest_ttl_is_granted_and_one_second_more_is_refused() -> None:
    table = promoted_table()
    assert table.grant(1, TTL_S_MAX, now_s=0.0) == 9_000_000_000
    with pytest.raises(LeaseTtlTooLargeError) as caught:
        table.grant(2, TTL_S_MAX + 1, now_s=0.0)
    assert caught.value.ttl_s == TTL_S_MAX + 1
    assert 2 not in table


def test_revoking_returns_the_keys_in_order_and_forgets_them() -> None:
    """All of them are deleted in one revision, in key order, on every member alike."""
    table = promoted_table()
    table.grant(1, 10, now_s=0.0)
    for key in (b"c", b"a", b"b"):
        table.attach(key, 1)
    assert table.revoke(1) == [b"a", b"b", b"c"]
    assert table.lease_of(b"a") == 0
    assert table.next_deadline_s() is None


def test_revoking_an_unknown_lease_is_refused() -> None:
    with pytest.raises(LeaseNotFoundError):
        promoted_table().revoke(404)


def test_a_renewal_gives_the_full_ttl_from_now() -> None:
    table = promoted_table()
    table.grant(1, 10, now_s=0.0)
    assert table.keep_alive(1, now_s=9.0) == 10
    assert table.expire(now_s=18.9, limit=10) == []
    assert table.expire(now_s=19.0, limit=10) == [1]


def test_a_lease_that_is_due_cannot_be_renewed() -> None:
    """Its revocation may be in the log already: a renewal now would be a promise that cannot be kept."""
    table = promoted_table()
    table.grant(1, 10, now_s=0.0)
    with pytest.raises(LeaseNotFoundError):
        table.keep_alive(1, now_s=10.0)


def test_an_unknown_lease_cannot_be_renewed_or_asked_about() -> None:
    table = promoted_table()
    with pytest.raises(LeaseNotFoundError):
        table.keep_alive(404, now_s=0.0)
    with pytest.raises(LeaseNotFoundError):
        table.time_to_live(404, now_s=0.0)


@pytest.mark.parametrize(("now_s", "remaining_s"), [(0.0, 10), (0.1, 9), (9.5, 0), (10.0, 0), (99.0, 0)])
def test_the_remaining_time_is_whole_seconds_rounded_down(now_s: float, remaining_s: int) -> None:
    table = promoted_table()
    table.grant(1, 10, now_s=0.0)
    table.attach(b"b", 1)
    table.attach(b"a", 1)
    expected = LeaseStatus(lease_id=1, ttl_s=10, remaining_s=remaining_s, keys=(b"a", b"b"))
    assert table.time_to_live(1, now_s=now_s) == expected


def test_leases_are_listed_by_expiry() -> None:
    table = promoted_table()
    table.grant(1, 30, now_s=0.0)
    table.grant(2, 10, now_s=0.0)
    table.grant(3, 20, now_s=0.0)
    assert table.leases() == [2, 3, 1]
    table.keep_alive(2, now_s=9.0)
    table.keep_alive(2, now_s=15.0)
    assert table.leases() == [3, 2, 1]


def test_attaching_moves_a_key_from_its_older_lease() -> None:
    table = promoted_table()
    table.grant(1, 10, now_s=0.0)
    table.grant(2, 10, now_s=0.0)
    table.attach(b"k", 1)
    table.attach(b"k", 2)
    assert table.lease_of(b"k") == 2
    assert table.revoke(1) == []
    assert table.revoke(2) == [b"k"]


def test_attaching_to_an_unknown_lease_leaves_the_key_where_it_was() -> None:
    table = promoted_table()
    table.grant(1, 10, now_s=0.0)
    table.attach(b"k", 1)
    with pytest.raises(LeaseNotFoundError):
        table.attach(b"k", 404)
    assert table.lease_of(b"k") == 1


def test_a_detached_key_outlives_the_lease() -> None:
    table = promoted_table()
    table.grant(1, 10, now_s=0.0)
    table.attach(b"k", 1)
    table.detach(b"k")
    table.detach(b"never attached")
    assert table.revoke(1) == []


def test_expiry_names_the_longest_due_first_and_no_more_than_the_limit() -> None:
    """At most 1,000 a second are revoked, as in etcd, so that a mass death does not stall the log."""
    table = promoted_table()
    for lease_id in range(1, 6):
        table.grant(lease_id, 10 - lease_id, now_s=0.0)
    assert table.expire(now_s=20.0, limit=2) == [5, 4]
    assert table.expire(now_s=20.0, limit=2) == [3, 2]
    assert table.expire(now_s=20.0, limit=2) == [1]
    assert table.expire(now_s=20.0, limit=2) == []


def test_a_due_lease_is_named_again_while_its_revocation_does_not_come() -> None:
    """The proposal may be lost with a leader; the lease must not live for ever."""
    table = promoted_table()
    table.grant(1, 10, now_s=0.0)
    assert table.expire(now_s=10.0, limit=5) == [1]
    assert table.next_deadline_s() == 13.0
    assert table.expire(now_s=12.9, limit=5) == []
    assert table.expire(now_s=13.0, limit=5) == [1]
    table.revoke(1)
    assert table.expire(now_s=99.0, limit=5) == []


def test_the_next_deadline_is_that_of_the_first_to_die() -> None:
    table = promoted_table()
    assert table.next_deadline_s() is None
    table.grant(1, 30, now_s=0.0)
    table.grant(2, 10, now_s=0.0)
    assert table.next_deadline_s() == 10.0
    table.keep_alive(2, now_s=9.0)
    assert table.next_deadline_s() == 19.0


def test_a_new_table_lets_nothing_expire_before_it_is_promoted() -> None:
    table = LeaseTable()
    table.grant(1, 10, now_s=0.0)
    assert table.next_deadline_s() is None
    assert table.expire(now_s=1e9, limit=5) == []


def test_a_promotion_gives_every_lease_its_full_ttl_and_the_extension() -> None:
    """The new leader cannot know what was left: the TTL is a minimum over every change of leader."""
    table = promoted_table()
    table.grant(1, 10, now_s=0.0)
    table.promote(now_s=9.0, extend_s=1.0)
    assert table.expire(now_s=19.9, limit=5) == []
    assert table.expire(now_s=20.0, limit=5) == [1]


def test_a_demoted_table_lets_nothing_expire_and_answers_no_question_of_time() -> None:
    table = promoted_table()
    table.grant(1, 10, now_s=0.0)
    table.demote()
    table.grant(2, 10, now_s=0.0)
    assert table.expire(now_s=1e9, limit=5) == []
    assert table.next_deadline_s() is None
    assert table.leases() == [1, 2]
    with pytest.raises(LeaseNotPrimaryError):
        table.keep_alive(1, now_s=0.0)
    with pytest.raises(LeaseNotPrimaryError):
        table.time_to_live(1, now_s=0.0)


def test_a_demoted_table_still_applies_revocations() -> None:
    table = LeaseTable()
    table.grant(1, 10, now_s=0.0)
    table.attach(b"k", 1)
    assert table.revoke(1) == [b"k"]
    assert len(table) == 0


def test_the_table_says_what_it_holds() -> None:
    table = LeaseTable()
    table.grant(1, 10, now_s=0.0)
    table.attach(b"k", 1)
    assert repr(table) == "<LeaseTable [demoted, 1 leases, 1 keys]>"
    table.promote(now_s=0.0, extend_s=0.0)
    assert table.is_promoted
    assert repr(table) == "<LeaseTable [promoted, 1 leases, 1 keys]>"


def test_every_error_is_one_line_that_names_the_lease() -> None:
    errors: list[LeaseError] = [
        LeaseNotFoundError(0xBEEF),
        LeaseExistsError(0xBEEF),
        LeaseTtlTooLargeError(0xBEEF, TTL_S_MAX + 1),
        LeaseNotPrimaryError(0xBEEF),
    ]
    assert {type(error) for error in errors} == set(LeaseError.__subclasses__())
    for error in errors:
        assert "lease beef" in str(error)
        assert "\n" not in str(error)


lease_ids = st.integers(1, 6)
keys = st.sampled_from([b"a", b"b", b"c", b"d"])


class LeaseModel(RuleBasedStateMachine):
    """Whatever the order of calls: each death is due, none is missed, and a key dies with its last lease."""

    def __init__(self) -> None:
        super().__init__()
        self.table = LeaseTable(ttl_s_min=2, retry_s=3.0)
        self.now_s = 0.0
        self.is_promoted = False
        self.ttl_s: dict[int, int] = {}
        self.deadline_s: dict[int, float] = {}
        self.offered_s: dict[int, float] = {}
        self.lease_of: dict[bytes, int] = {}

    @rule(seconds=st.floats(0, 5))
    def wait(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(lease_id=lease_ids, ttl_s=st.integers(-1, 12))
    def grant(self, lease_id: int, ttl_s: int) -> None:
        if lease_id in self.ttl_s:
            with pytest.raises(LeaseExistsError):
                self.table.grant(lease_id, ttl_s, now_s=self.now_s)
            return
        granted_s = self.table.grant(lease_id, ttl_s, now_s=self.now_s)
        assert granted_s == max(ttl_s, 2)
        self.ttl_s[lease_id] = granted_s
        self.deadline_s[lease_id] = self.now_s + granted_s if self.is_promoted else math.inf

    @rule(lease_id=lease_ids)
    def revoke(self, lease_id: int) -> None:
        if lease_id not in self.ttl_s:
            with pytest.raises(LeaseNotFoundError):
                self.table.revoke(lease_id)
            return
        attached = sorted(key for key, owner in self.lease_of.items() if owner == lease_id)
        assert self.table.revoke(lease_id) == attached
        for key in attached:
            del self.lease_of[key]
        del self.ttl_s[lease_id], self.deadline_s[lease_id]
        self.offered_s.pop(lease_id, None)

    @precondition(lambda self: self.is_promoted)
    @rule(lease_id=lease_ids)
    def keep_alive(self, lease_id: int) -> None:
        if self.deadline_s.get(lease_id, -1.0) <= self.now_s:
            with pytest.raises(LeaseNotFoundError):
                self.table.keep_alive(lease_id, now_s=self.now_s)
            return
        assert self.table.keep_alive(lease_id, now_s=self.now_s) == self.ttl_s[lease_id]
        self.deadline_s[lease_id] = self.now_s + self.ttl_s[lease_id]

    @rule(key=keys, lease_id=lease_ids)
    def attach(self, key: bytes, lease_id: int) -> None:
        if lease_id in self.ttl_s:
            self.table.attach(key, lease_id)
            self.lease_of[key] = lease_id

    @rule(key=keys)
    def detach(self, key: bytes) -> None:
        self.table.detach(key)
        self.lease_of.pop(key, None)

    @rule(extend_s=st.floats(0, 2))
    def promote(self, extend_s: float) -> None:
        self.table.promote(now_s=self.now_s, extend_s=extend_s)
        self.is_promoted = True
        self.deadline_s = {i: self.now_s + ttl_s + extend_s for i, ttl_s in self.ttl_s.items()}
        self.offered_s.clear()

    @rule()
    def demote(self) -> None:
        self.table.demote()
        self.is_promoted = False
        self.deadline_s = dict.fromkeys(self.ttl_s, math.inf)
        self.offered_s.clear()

    @rule()
    def expire(self) -> None:
        due = self.table.expire(now_s=self.now_s, limit=100)
        expected = {
            lease_id
            for lease_id, deadline_s in self.deadline_s.items()
            if deadline_s <= self.now_s and self.offered_s.get(lease_id, -math.inf) + 3.0 <= self.now_s
        }
        assert set(due) == expected
        assert len(due) == len(expected)
        self.offered_s.update(dict.fromkeys(due, self.now_s))

    @invariant()
    def the_table_holds_what_the_model_holds(self) -> None:
        assert set(self.table.leases()) == set(self.ttl_s)
        assert {key: self.table.lease_of(key) for key in (b"a", b"b", b"c", b"d")} == {
            key: self.lease_of.get(key, 0) for key in (b"a", b"b", b"c", b"d")
        }

    @invariant()
    def the_next_deadline_wakes_nobody_late(self) -> None:
        if self.is_promoted and self.ttl_s:
            next_s = self.table.next_deadline_s()
            assert next_s is not None
            assert next_s == min(self.offered_s.get(i, -math.inf) + 3.0 if i in self.offered_s else d
                                 for i, d in self.deadline_s.items())  # fmt: skip


TestLeaseModel = LeaseModel.TestCase
TestLeaseModel.settings = settings(max_examples=60, stateful_step_count=40)
