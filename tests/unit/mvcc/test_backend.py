"""What holds of a backend on LMDB and of one in memory alike."""

import threading
from pathlib import Path

import pytest
from tests.unit.mvcc.databases import Databases

from fairlead.mvcc import Backend, BackendCorruptError, BackendError, BucketName, Store


def everything(backend: Backend) -> dict[str, dict[bytes, bytes]]:
    return {name: pairs for name in BucketName if (pairs := dict(backend.items(name)))}


def test_one_commit_holds_every_bucket_or_none(either: Backend, databases: Databases, path: Path) -> None:
    """The applied index and the data it speaks of must never disagree."""
    either.put("key", b"revision", b"1")
    either.put("meta", b"applied", b"1")
    either.commit_now()
    either.put("key", b"revision 2", b"2")
    either.put("meta", b"applied", b"2")
    either.begin_commit()  # killed before it ran
    databases.crash()
    found = databases.open(path)
    assert dict(found.items("key")) == {b"revision": b"1"}
    assert found.get("meta", b"applied") == b"1"


def test_a_commit_that_has_run_survives_though_nobody_finished_it(
    either: Backend, databases: Databases, path: Path
) -> None:
    either.put("meta", b"old", b"1")
    either.put("meta", b"gone", b"1")
    either.commit_now()
    either.put("meta", b"new", b"2")
    either.delete("meta", b"gone")
    either.begin_commit().run()
    either.put("meta", b"later", b"3")
    databases.crash()
    assert everything(databases.open(path)) == {"meta": {b"old": b"1", b"new": b"2"}}


def test_a_commit_may_run_on_another_thread_while_this_one_writes_and_reads(either: Backend) -> None:
    either.put("meta", b"a", b"1")
    commit = either.begin_commit()
    thread = threading.Thread(target=commit.run)
    thread.start()
    either.put("meta", b"a", b"2")
    assert either.get("meta", b"a") == b"2"
    thread.join()
    either.finish(commit)
    assert either.get("meta", b"a") == b"2"
    assert either.pending_count == 1
    assert commit.count == 1


def test_only_one_commit_is_on_its_way(either: Backend) -> None:
    """Without LMDB's lock file, a reader's pages outlive one commit only."""
    commit = either.begin_commit()
    assert either.is_committing
    with pytest.raises(AssertionError):
        either.begin_commit()
    with pytest.raises(AssertionError, match="after it has run"):
        either.finish(commit)
    commit.run()
    either.finish(commit)
    assert not either.is_committing


def test_readers_survive_many_commits_that_reuse_pages(either: Backend) -> None:
    for turn in range(200):
        for number in range(20):
            either.put("meta", b"%d" % number, b"%d" % turn * 50)
        commit = either.begin_commit()
        for number in range(20):
            assert either.get("meta", b"%d" % number) == b"%d" % turn * 50
        commit.run()
        either.finish(commit)
        assert all(value == b"%d" % turn * 50 for _, value in either.items("meta"))


def test_an_iteration_goes_on_while_a_commit_runs(either: Backend) -> None:
    for number in range(10):
        either.put("meta", b"%d" % number, b"old")
    either.commit_now()
    either.put("meta", b"5", b"new")
    either.delete("meta", b"7")
    commit = either.begin_commit()
    items = either.items("meta")
    before = [next(items) for _ in range(3)]
    commit.run()
    found = [key for key, _ in [*before, *items]]
    assert found == [b"%d" % number for number in range(10) if number != 7]
    either.finish(commit)


@pytest.mark.parametrize("key", [b"", b"k" * 512])
def test_keys_of_a_size_that_the_database_lacks_are_refused(either: Backend, key: bytes) -> None:
    either.put("meta", key, b"1")
    with pytest.raises(BackendError, match="cannot write"):
        either.begin_commit()


def test_the_largest_key_is_taken(either: Backend) -> None:
    either.put("meta", b"k" * 511, b"")
    either.commit_now()
    assert either.get("meta", b"k" * 511) == b""


def test_revisions_must_ascend(either: Backend) -> None:
    either.put("key", b"2", b"v")
    either.commit_now()
    either.put("key", b"1", b"v")
    with pytest.raises(AssertionError, match="ascend"):
        either.begin_commit()


def test_old_revisions_can_be_deleted_beside_new_ones(either: Backend) -> None:
    for number in range(3):
        either.put("key", b"%d" % number, b"v")
    either.commit_now()
    either.put("key", b"3", b"v")
    either.delete("key", b"1")
    either.delete("key", b"never was")
    either.commit_now()
    assert [key for key, _ in either.items("key")] == [b"0", b"2", b"3"]
    assert either.bucket("key").entries == 3


def test_defragmenting_gives_free_room_back_and_keeps_data_and_buffer(
    either: Backend, databases: Databases, path: Path
) -> None:
    for number in range(500):
        either.put("meta", b"%d" % number, bytes(4000))
    either.commit_now()
    for number in range(450):
        either.delete("meta", b"%d" % number)
    either.commit_now()
    before = either.size_bytes
    assert either.size_in_use_bytes < before / 2
    either.put("meta", b"pending", b"1")
    either.defragment()
    assert either.size_bytes < before / 2
    assert either.get("meta", b"499") == bytes(4000)
    assert either.get("meta", b"pending") == b"1"
    either.commit_now()
    databases.crash()
    assert databases.open(path).get("meta", b"pending") == b"1"


def test_what_is_in_use_is_never_more_than_the_file(either: Backend) -> None:
    assert 0 < either.size_in_use_bytes <= either.size_bytes
    for number in range(300):
        either.put("key", b"%08d" % number, bytes(number * 10))
    either.commit_now()
    assert 400_000 < either.size_in_use_bytes <= either.size_bytes


# ---- dumps ----


def fill(backend: Backend) -> None:
    for number in range(2000):
        backend.put("key", b"%08d" % number, b"%d" % number * 10)
    backend.put("meta", b"applied", b"2000")
    backend.put("auth", b"empty", b"")
    backend.commit_now()


def test_a_dump_makes_an_equal_database(
    either: Backend, databases: Databases, path: Path, tmp_path: Path
) -> None:
    fill(either)
    databases.load(tmp_path / "other", either.dump(tmp_path / "scratch"))
    other = databases.open(tmp_path / "other")
    assert everything(other) == everything(either)
    other.put("meta", b"applied", b"2001")
    other.commit_now()
    assert either.get("meta", b"applied") == b"2000"
    assert databases.exists(path)


def test_a_dump_holds_what_is_committed_and_nothing_of_the_buffer(
    either: Backend, databases: Databases, tmp_path: Path
) -> None:
    fill(either)
    committed = everything(either)
    either.put("meta", b"applied", b"2001")
    databases.load(tmp_path / "other", either.dump(tmp_path / "scratch"))
    assert everything(databases.open(tmp_path / "other")) == committed


def test_commits_go_on_once_the_copy_is_made(either: Backend, databases: Databases, tmp_path: Path) -> None:
    """Only the first chunk holds commits off, however slowly the others are taken."""
    fill(either)
    committed = everything(either)
    chunks = either.dump(tmp_path / "scratch")
    first = next(chunks)
    for turn in range(20):
        for number in range(2000):
            either.delete("key", b"%08d" % number)
        either.put("meta", b"applied", b"%d" % turn * 3000)
        either.commit_now()
    databases.load(tmp_path / "other", [first, *chunks])
    assert everything(databases.open(tmp_path / "other")) == committed


def test_a_copy_can_be_made_on_another_thread_while_this_one_writes_and_reads(
    either: Backend, databases: Databases, tmp_path: Path
) -> None:
    fill(either)
    committed = everything(either)
    chunks: list[bytes] = []
    thread = threading.Thread(target=lambda: chunks.extend(either.dump(tmp_path / "scratch")))
    thread.start()
    either.put("meta", b"applied", b"2001")
    assert either.get("key", b"00000001") == b"1" * 10
    thread.join()
    databases.load(tmp_path / "other", chunks)
    assert everything(databases.open(tmp_path / "other")) == committed


def test_a_dump_leaves_nothing_behind_read_or_not(either: Backend, tmp_path: Path) -> None:
    fill(either)
    before = sorted(tmp_path.rglob("*"))
    chunks = iter(either.dump(tmp_path / "scratch"))
    next(chunks)
    assert sorted(tmp_path.rglob("*")) == before
    del chunks


@pytest.mark.parametrize("cut", [0, 1, 5000, -1])
def test_a_dump_that_was_cut_is_refused_and_leaves_nothing(
    either: Backend, databases: Databases, tmp_path: Path, cut: int
) -> None:
    """LMDB itself would open a short file, and die of a bus error when it reads beyond its end."""
    fill(either)
    dump = b"".join(either.dump(tmp_path / "scratch"))[:cut]
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BackendError):
        databases.load(tmp_path / "other", [dump])
    assert not databases.exists(tmp_path / "other")
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_no_dump_is_refused(databases: Databases, tmp_path: Path) -> None:
    with pytest.raises(BackendCorruptError, match="restore this member from a snapshot"):
        databases.load(tmp_path / "other", [b"not a database" * 1000])


def test_a_dump_is_not_loaded_over_a_database(either: Backend, databases: Databases, tmp_path: Path) -> None:
    fill(either)
    committed = everything(either)
    with pytest.raises(BackendError, match="cannot load"):
        databases.load(either.path, either.dump(tmp_path / "scratch"))
    assert everything(either) == committed


def test_an_open_database_can_be_moved_into_the_place_of_another(
    either: Backend, databases: Databases, path: Path, tmp_path: Path
) -> None:
    """How a snapshot is installed: the new database is read before it takes the old one's name."""
    fill(either)
    databases.load(tmp_path / "new", either.dump(tmp_path / "scratch"))
    new = databases.open(tmp_path / "new")
    new.put("meta", b"installed", b"1")
    either.close()
    databases.remove(path)
    databases.move(tmp_path / "new", path)
    new.moved(path)
    new.commit_now()
    new.defragment()
    assert new.path == path
    assert not databases.exists(tmp_path / "new")
    databases.crash()
    assert databases.open(path).get("meta", b"installed") == b"1"


def test_a_store_works_over_either(either: Backend, databases: Databases, path: Path) -> None:
    store = Store.open(either)
    for number in range(10):
        txn = store.begin()
        txn.put(b"k%d" % (number % 3), b"%d" % number)
        txn.end()
    store.compact(6)
    while not store.compact_step():
        pass
    either.commit_now()
    expected = store.hash_kv()
    databases.crash()
    assert Store.open(databases.open(path)).hash_kv() == expected


def test_buckets_are_named_as_etcd_names_them() -> None:
    assert {"key", "meta", "lease", "alarm", "cluster", "members"} < set(BucketName)


def test_a_backend_says_where_it_is_in_one_line(either: Backend, path: Path) -> None:
    either.put("meta", b"a", b"1")
    assert repr(either) in {f"Backend({str(path)!r}, pending=1)", f"MemoryBackend({str(path)!r}, pending=1)"}
