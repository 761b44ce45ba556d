"""What a test can do to databases in memory; the contract itself is in test_backend."""

from pathlib import Path

import pytest

from fairlead.mvcc import BackendFailedError
from fairlead.mvcc.testing import MemoryDatabases

PATH = Path("/m1/db")


def test_nothing_of_before_a_crash_can_be_used_after_it() -> None:
    databases = MemoryDatabases()
    backend = databases.open(PATH)
    backend.put("meta", b"a", b"1")
    commit = backend.begin_commit()
    databases.crash()
    with pytest.raises(AssertionError, match="before the crash"):
        commit.run()
    assert databases.open(PATH).get("meta", b"a") is None


def test_an_operation_fails_once_when_it_is_told_to() -> None:
    databases = MemoryDatabases()
    backend = databases.open(PATH)
    backend.put("meta", b"a", b"1")
    commit = backend.begin_commit()
    databases.fail_next("commit")
    with pytest.raises(BackendFailedError, match=r"/m1/db: cannot commit \(Input/output error\)"):
        commit.run()
    assert not commit.is_durable
    databases.crash()
    assert databases.open(PATH).get("meta", b"a") is None


def test_machines_do_not_share_their_databases() -> None:
    one, other = MemoryDatabases(), MemoryDatabases()
    backend = one.open(PATH)
    backend.put("meta", b"a", b"1")
    backend.commit_now()
    assert other.open(PATH).get("meta", b"a") is None
    assert repr(one) == "MemoryDatabases(['/m1/db'], crashes=0)"


def test_equal_content_is_an_equal_dump(tmp_path: Path) -> None:
    """A simulation must be repeatable byte by byte."""
    dumps = []
    for keys in ((b"a", b"b"), (b"b", b"a")):
        databases = MemoryDatabases()
        backend = databases.open(PATH)
        for key in keys:
            backend.put("meta", key, b"1")
        backend.commit_now()
        dumps.append(b"".join(backend.dump(tmp_path)))
    assert dumps[0] == dumps[1]
