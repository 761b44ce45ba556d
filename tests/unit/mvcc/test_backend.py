import threading
from pathlib import Path

import lmdb
import pytest

from fairlead.mvcc import (
    Backend,
    BackendCorruptError,
    BackendFailedError,
    BackendFullError,
    BucketName,
)
from fairlead.mvcc.backend import translated


def reopened(backend: Backend, path: Path) -> Backend:
    backend.close()
    return Backend.open(path, map_bytes=1 << 24)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "db"


def test_one_commit_holds_every_bucket_or_none(backend: Backend, path: Path) -> None:
    """The applied index and the data it speaks of must never disagree."""
    backend.put("key", b"revision", b"1")
    backend.put("meta", b"applied", b"1")
    backend.commit_now()
    backend.put("key", b"revision 2", b"2")
    backend.put("meta", b"applied", b"2")
    backend.begin_commit()  # killed before it ran
    found = reopened(backend, path)
    assert dict(found.items("key")) == {b"revision": b"1"}
    assert found.get("meta", b"applied") == b"1"
    found.close()


def test_a_commit_may_run_on_another_thread_while_this_one_writes_and_reads(backend: Backend) -> None:
    backend.put("meta", b"a", b"1")
    commit = backend.begin_commit()
    thread = threading.Thread(target=commit.run)
    thread.start()
    backend.put("meta", b"a", b"2")
    assert backend.get("meta", b"a") == b"2"
    thread.join()
    backend.finish(commit)
    assert backend.get("meta", b"a") == b"2"
    assert backend.pending_count == 1
    assert commit.count == 1


def test_only_one_commit_is_on_its_way(backend: Backend) -> None:
    """Without LMDB's lock file, a reader's pages outlive one commit only."""
    commit = backend.begin_commit()
    assert backend.is_committing
    with pytest.raises(AssertionError):
        backend.begin_commit()
    with pytest.raises(AssertionError, match="after it has run"):
        backend.finish(commit)
    commit.run()
    backend.finish(commit)
    assert not backend.is_committing


def test_readers_survive_many_commits_that_reuse_pages(backend: Backend) -> None:
    for turn in range(200):
        for number in range(20):
            backend.put("meta", b"%d" % number, b"%d" % turn * 50)
        commit = backend.begin_commit()
        for number in range(20):
            assert backend.get("meta", b"%d" % number) == b"%d" % turn * 50
        commit.run()
        backend.finish(commit)
        assert all(value == b"%d" % turn * 50 for _, value in backend.items("meta"))


def test_the_map_grows_before_it_is_full(tmp_path: Path) -> None:
    backend = Backend.open(tmp_path / "db", map_bytes=1 << 20)
    value = bytes(100_000)
    for number in range(100):
        backend.put("meta", b"%d" % number, value)
        backend.commit_now()
    assert backend.size_bytes > 1 << 20
    assert all(backend.get("meta", b"%d" % number) == value for number in range(100))
    backend.close()


def test_defragmenting_gives_free_pages_back_and_keeps_data_and_buffer(backend: Backend, path: Path) -> None:
    for number in range(500):
        backend.put("meta", b"%d" % number, bytes(4000))
    backend.commit_now()
    for number in range(450):
        backend.delete("meta", b"%d" % number)
    backend.commit_now()
    before = backend.size_bytes
    assert backend.size_in_use_bytes < before / 2
    backend.put("meta", b"pending", b"1")
    backend.defragment()
    assert backend.size_bytes < before / 2
    assert backend.get("meta", b"499") == bytes(4000)
    assert backend.get("meta", b"pending") == b"1"
    assert sorted(found.name for found in path.iterdir()) == ["data.mdb"]
    backend.commit_now()
    found = reopened(backend, path)
    assert found.get("meta", b"pending") == b"1"
    found.close()


def test_what_is_in_use_is_never_more_than_the_file(backend: Backend) -> None:
    for number in range(300):
        backend.put("key", b"%08d" % number, bytes(number * 10))
    backend.commit_now()
    assert 0 < backend.size_in_use_bytes <= backend.size_bytes


def test_a_damaged_file_is_refused_in_one_line(path: Path) -> None:
    path.mkdir()
    (path / "data.mdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(BackendCorruptError, match=r"restore this member from a snapshot$") as caught:
        Backend.open(path)
    assert str(path) in str(caught.value)


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendFailedError, match=r"cannot open .*check the disk and the permissions"):
        Backend.open(tmp_path / "file" / "db")


@pytest.mark.parametrize("error", [lmdb.MapFullError("full"), lmdb.DiskError("No space left on device")])
def test_a_full_disk_says_so(tmp_path: Path, error: lmdb.Error) -> None:
    with pytest.raises(BackendFullError, match="free space"), translated(tmp_path, "commit"):
        raise error


def test_buckets_are_named_as_etcd_names_them() -> None:
    assert {"key", "meta", "lease", "alarm", "cluster", "members"} < set(BucketName)
