"""etcd.md 1.2: revisions; 1.5: what a transaction sees of itself."""

import pytest
from tests.unit.mvcc.writes import delete, latest, pairs, put

from fairlead.mvcc import FutureRevisionError, Store
from fairlead.proto.kv_pb2 import KeyValue


def test_an_empty_store_is_at_revision_1_and_the_first_write_makes_2(store: Store) -> None:
    assert store.revision == 1
    assert put(store, b"a") == 2


def test_all_changes_of_a_transaction_share_one_revision(store: Store) -> None:
    txn = store.begin()
    txn.put(b"a", b"1")
    txn.put(b"b", b"2")
    assert repr(txn) == "Transaction(revision=2, changes=2)"
    assert txn.changes == 2
    assert txn.end() == store.revision == 2
    assert latest(store, b"a").mod_revision == latest(store, b"b").mod_revision == 2


def test_a_put_of_the_same_value_makes_a_revision(store: Store) -> None:
    put(store, b"a", b"same")
    assert put(store, b"a", b"same") == 3
    assert latest(store, b"a").version == 2


def test_a_deletion_that_matches_nothing_makes_no_revision(store: Store) -> None:
    put(store, b"a")
    assert delete(store, b"b") == delete(store, b"b", b"z") == store.revision == 2


def test_a_transaction_that_changes_nothing_makes_no_revision(store: Store) -> None:
    assert store.begin().end() == store.revision == 1


def test_a_new_generation_begins_at_version_1(store: Store) -> None:
    put(store, b"a")
    put(store, b"a")
    delete(store, b"a")
    put(store, b"a", b"again", 9)
    assert latest(store, b"a") == KeyValue(
        key=b"a", value=b"again", create_revision=5, mod_revision=5, version=1, lease=9
    )


def test_a_put_without_lease_takes_the_key_off_its_lease(store: Store) -> None:
    put(store, b"a", lease=9)
    put(store, b"b", lease=9)
    put(store, b"a")
    assert latest(store, b"a").lease == 0
    assert list(store.leased_keys()) == [(b"b", 9)]


def test_a_deletion_returns_the_last_pairs_in_key_order(store: Store) -> None:
    for key in (b"c", b"a", b"b", b"d"):
        put(store, key, b"of " + key)
    txn = store.begin()
    deleted = txn.delete_range(b"a", b"d", prev_kv=True)
    assert deleted.keys == [b"a", b"b", b"c"]
    assert pairs(deleted.kvs) == [(b"a", b"of a"), (b"b", b"of b"), (b"c", b"of c")]
    assert pairs(txn.delete_range(b"d", prev_kv=True).kvs) == [(b"d", b"of d")]
    assert txn.delete_range(b"d", prev_kv=True) == ([], [])
    assert txn.end() == 6


def test_keys_are_deleted_in_ascending_order(store: Store) -> None:
    """So that every member writes the same log, and hashes to the same number."""
    for key in (b"c", b"a", b"b"):
        put(store, key)
    delete(store, b"\0", b"\0")
    assert [change.key for change in store.changes_from(5)] == [b"a", b"b", b"c"]


def test_a_transaction_sees_its_own_writes(store: Store) -> None:
    put(store, b"a", b"before")
    txn = store.begin()
    txn.put(b"a", b"after")
    txn.put(b"b", b"new")
    found = txn.latest(b"a")
    assert found is not None
    assert pairs([found]) == [(b"a", b"after")]
    assert pairs(txn.range(b"a", b"z").kvs) == [(b"a", b"after"), (b"b", b"new")]
    assert pairs(txn.range(b"a", b"z", revision=2).kvs) == [(b"a", b"before")]
    txn.end()


def test_a_transaction_cannot_ask_for_its_own_revision(store: Store) -> None:
    put(store, b"a")
    txn = store.begin()
    txn.put(b"a", b"x")
    with pytest.raises(FutureRevisionError, match="revision 3 is in the future; the store is at 2"):
        txn.range(b"a", revision=3)
    txn.end()


def test_only_one_transaction_is_open(store: Store) -> None:
    txn = store.begin()
    with pytest.raises(AssertionError):
        store.begin()
    txn.end()
    store.begin().end()
