import os
from pathlib import Path
from types import SimpleNamespace

import lmdb
import pytest

from fairlead.mvcc import Backend, BackendCorruptError, BackendFailedError, BackendFullError
from fairlead.mvcc.lmdb_engine import translated


def test_the_map_grows_before_it_is_full(tmp_path: Path) -> None:
    backend = Backend.open(tmp_path / "db", map_bytes=1 << 20)
    value = bytes(100_000)
    for number in range(100):
        backend.put("meta", b"%d" % number, value)
        backend.commit_now()
    assert backend.size_bytes > 1 << 20
    assert all(backend.get("meta", b"%d" % number) == value for number in range(100))
    backend.close()


def test_the_map_grows_for_a_dump_that_is_larger(backend: Backend, tmp_path: Path) -> None:
    for number in range(30):
        backend.put("meta", b"%d" % number, bytes(100_000))
    backend.commit_now()
    Backend.load(tmp_path / "other", backend.dump(tmp_path / "scratch"))
    other = Backend.open(tmp_path / "other", map_bytes=1 << 20)
    other.put("meta", b"more", bytes(100_000))
    other.commit_now()
    assert len(list(other.items("meta"))) == 31
    other.close()


def test_defragmenting_leaves_one_file(backend: Backend, path: Path) -> None:
    backend.put("meta", b"a", b"1")
    backend.commit_now()
    backend.defragment()
    assert sorted(found.name for found in path.iterdir()) == ["data.mdb"]


def test_a_copy_takes_the_place_of_one_that_died(backend: Backend, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "data.mdb").write_bytes(b"half")
    assert b"".join(backend.dump(scratch))
    assert not scratch.exists()


def test_a_load_takes_the_place_of_one_that_died(backend: Backend, tmp_path: Path) -> None:
    backend.put("meta", b"a", b"1")
    backend.commit_now()
    died = tmp_path / "other.unfinished"
    died.mkdir()
    (died / "data.mdb").write_bytes(b"half")
    Backend.load(tmp_path / "other", backend.dump(tmp_path / "scratch"))
    assert not died.exists()
    other = Backend.open(tmp_path / "other", map_bytes=1 << 24)
    assert other.get("meta", b"a") == b"1"
    other.close()


def test_a_copy_that_cannot_be_made_is_one_line(backend: Backend, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendFailedError, match=r"cannot copy .*check the disk and the permissions"):
        next(backend.dump(tmp_path / "file" / "scratch"))


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


@pytest.mark.parametrize(
    ("free_blocks", "kind"), [(0, BackendFullError), (1 << 20, BackendFailedError)], ids=["full", "broken"]
)
def test_a_short_write_tells_a_full_disk_from_a_broken_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_blocks: int, kind: type[Exception]
) -> None:
    """LMDB calls it an IO error, whose reader would look for a broken disk."""
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=free_blocks, f_frsize=4096))
    with pytest.raises(kind), translated(tmp_path, "commit"):
        raise lmdb.Error("mdb_txn_commit: Input/output error")
