"""One data directory, one process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fairlead.wal import DirectoryLockedError, DiskFailedError, lock_directory

HOLD = """
import sys
from pathlib import Path
from fairlead.wal import lock_directory
lock = lock_directory(Path(sys.argv[1]))
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    """The kernel drops the lock with the process: nobody ever has to remove a stale file."""
    home = tmp_path / "data"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(DirectoryLockedError) as caught:
            lock_directory(home)
        assert (caught.value.path, caught.value.pid) == (home, holder.pid)
        assert str(caught.value).startswith(f"{home} is in use by process {holder.pid}; ")
        holder.kill()
    lock_directory(home).release()


def test_a_second_lock_in_one_process_is_refused_too(tmp_path: Path) -> None:
    with lock_directory(tmp_path), pytest.raises(DirectoryLockedError):
        lock_directory(tmp_path)
    lock = lock_directory(tmp_path)
    lock.release()
    lock.release()
    lock_directory(tmp_path).release()


@pytest.mark.parametrize("content", ["", "no number"])
def test_an_unreadable_pid_is_not_named(tmp_path: Path, content: str) -> None:
    with lock_directory(tmp_path):
        (tmp_path / "lock").write_text(content)
        with pytest.raises(DirectoryLockedError, match="in use by another process"):
            lock_directory(tmp_path)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskFailedError, match=f"cannot lock {tmp_path}/file/data: "):
        lock_directory(tmp_path / "file" / "data")


def test_the_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    """It holds every value of the store."""
    with lock_directory(tmp_path / "data"):
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "data" / "lock").stat().st_mode & 0o777 == 0o600
