"""etcd.md 1.9: HashKV."""

import json
import subprocess
from pathlib import Path

import pytest
from tests import peers
from tests.support.processes import clean_environment
from tests.support.store import EtcdServer
from tests.unit.mvcc.model import Model
from tests.unit.mvcc.writes import compact, delete, put

from fairlead.mvcc import Backend, BackendHashRun, CompactedError, FutureRevisionError, Store


def fill(store: Store) -> None:
    for key in (b"a", b"b", b"c", b"a", b"b", b"a"):
        put(store, key, b"value of " + key)
    delete(store, b"b")
    delete(store, b"c")
    put(store, b"b", b"again")


def test_the_hash_does_not_depend_on_how_far_removal_has_come(store: Store) -> None:
    fill(store)
    store.compact(8)
    before = store.hash_kv()
    while not store.compact_step(1):
        assert store.hash_kv() == before
    assert store.hash_kv() == before


def test_a_hash_names_both_revisions_that_must_agree(store: Store) -> None:
    fill(store)
    assert store.hash_kv()[1:] == (-1, 10)
    assert store.hash_kv(5)[1:] == (-1, 5)
    compact(store, 6)
    assert store.hash_kv(8)[1:] == (6, 8)


def test_a_hash_of_an_old_revision_does_not_see_later_writes(store: Store) -> None:
    fill(store)
    before = store.hash_kv(7)
    put(store, b"z")
    assert store.hash_kv(7) == before


def test_every_byte_counts(store: Store) -> None:
    seen = set()
    for value in (b"1", b"1", b"2"):
        put(store, b"a", value)
        seen.add(store.hash_kv().hash)
    assert len(seen) == 3


def test_the_hash_is_of_what_compaction_keeps_but_a_deletion_at_its_revision(store: Store) -> None:
    model = Model()
    for kind, key, argument in (
        ("put", b"a", b"1"),
        ("put", b"b", b"2"),
        ("put", b"a", b"3"),
        ("delete", b"b", b""),
        ("delete", b"a", b""),
        ("put", b"a", b"4"),
        ("delete", b"a", b""),
    ):
        model.apply([(kind, key, argument)])
        txn = store.begin()
        if kind == "put":
            txn.put(key, argument, len(argument))
        else:
            txn.delete_range(key)
        txn.end()
    assert store.hash_kv().hash == model.hash(8)
    model.compact_revision = 5
    store.compact(5)
    assert store.hash_kv().hash == model.hash(8)
    assert store.hash_kv(6).hash == model.hash(6)


def test_a_hash_in_slices_is_the_hash_at_one_go_though_writes_come_between(store: Store) -> None:
    fill(store)
    expected = store.hash_kv()
    run = store.begin_hash()
    while (found := run.step(2)) is None:
        put(store, b"later")
    assert found == expected


def test_a_compaction_makes_a_hash_begin_again(store: Store) -> None:
    fill(store)
    run = store.begin_hash()
    assert run.step(3) is None
    compact(store, 9)
    while (found := run.step(3)) is None:
        pass
    assert found == store.hash_kv()


def test_a_hash_that_a_compaction_overtakes_is_refused(store: Store) -> None:
    fill(store)
    run = store.begin_hash(5)
    store.compact(6)
    with pytest.raises(CompactedError):
        run.step(3)
    with pytest.raises(CompactedError):
        store.hash_kv(5)
    with pytest.raises(FutureRevisionError):
        store.hash_kv(11)


class Etcdctl:
    """A real etcd, asked through its own client."""

    def __init__(self, server: EtcdServer) -> None:
        self._server = server

    def __call__(self, *words: str) -> str:
        program = peers.find("etcdctl")
        assert program is not None
        done = subprocess.run(
            [program, "--endpoints", self._server.endpoint, *words],
            capture_output=True,
            text=True,
            check=True,
            env=clean_environment({"ETCDCTL_API": "3"}),
        )
        return done.stdout

    def hash(self) -> int:
        return int(json.loads(self("endpoint", "hashkv", "-w", "json"))[0]["HashKV"]["hash"])


@pytest.mark.peer("etcd", "etcdctl")
def test_the_hash_is_the_one_etcd_gives(store: Store, tmp_path: Path) -> None:
    """The strongest proof that the stored values, their order and the tombstones are etcd's own."""
    with EtcdServer(tmp_path / "etcd") as server:
        etcdctl = Etcdctl(server)
        for key, value in (("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")):
            etcdctl("put", key, value)
            put(store, key.encode(), value.encode())
        etcdctl("del", "a", "z")
        delete(store, b"a", b"z")
        etcdctl("put", "b", "5")
        put(store, b"b", b"5")
        assert store.hash_kv().hash == etcdctl.hash()
        # At the current revision: etcd 3.4 leaves out more than compaction removes at any other.
        etcdctl("compaction", "7", "--physical")
        store.compact(7)
        assert store.hash_kv().hash == etcdctl.hash()


def hash_of(
    backend: Backend, *, pairs_max: int = 1000, ignored: frozenset[tuple[str, bytes]] = frozenset()
) -> int:
    run = BackendHashRun(backend, ignored=ignored)
    while (found := run.step(pairs_max)) is None:
        pass
    return found


def test_the_hash_of_a_database_is_of_every_table_and_of_where_each_pair_lies(backend: Backend) -> None:
    seen = {hash_of(backend)}
    for bucket, key, content in (
        ("meta", b"a", b"b"),
        ("meta", b"a", b"c"),
        ("lease", b"a", b"c"),
        ("key", b"1", b""),
        ("key", b"2", b""),
    ):
        backend.put(bucket, key, content)
        seen.add(hash_of(backend))
    backend.delete("meta", b"a")
    seen.add(hash_of(backend))
    assert len(seen) == 7


def test_the_hash_of_a_database_is_the_same_in_slices_and_committed_or_not(backend: Backend) -> None:
    for number in range(20):
        backend.put("meta", b"%02d" % number, b"v")
        backend.put("auth", b"%02d" % number, b"v")
    expected = hash_of(backend)
    backend.commit_now()
    assert {hash_of(backend, pairs_max=pairs_max) for pairs_max in (1, 3, 20, 21)} == {expected}


def test_the_hash_of_a_database_leaves_out_what_it_is_told_to(backend: Backend) -> None:
    ignored = frozenset({("meta", b"applied")})
    before = hash_of(backend, ignored=ignored)
    backend.put("meta", b"applied", b"7")
    assert hash_of(backend, ignored=ignored) == before
    backend.put("auth", b"applied", b"7")
    assert hash_of(backend, ignored=ignored) != before
