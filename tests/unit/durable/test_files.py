"""A file is whole or not there, on the disk when the call returns, and for its owner's eyes alone."""

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from fairlead.durable import create_durably, make_directory, whole_file, write_durably


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reached the disk, in order: ``write NAME``, ``rename NAME``, ``names DIRECTORY``."""
    seen: list[str] = []
    fsync: Callable[[int], None] = os.fsync
    replace = Path.replace

    def note_sync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        seen.append(f"names {path.name}" if path.is_dir() else f"write {path.name}")
        fsync(descriptor)

    def note_rename(self: Path, target: Path) -> Path:
        seen.append(f"rename {target.name}")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "replace", note_rename)
    return seen


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, calls: list[str]
) -> None:
    write_durably(tmp_path / "a", b"one")
    assert (tmp_path / "a").read_bytes() == b"one"
    assert calls == ["write .a.new", "rename a", f"names {tmp_path.name}"]


def test_a_new_file_is_on_the_disk_with_its_name(tmp_path: Path, calls: list[str]) -> None:
    create_durably(tmp_path / "a", b"one")
    assert calls == ["write a", f"names {tmp_path.name}"]


@pytest.mark.parametrize("put", [write_durably, create_durably])
def test_it_is_for_its_owner_alone_whatever_the_umask(
    tmp_path: Path, put: Callable[[Path, bytes], None]
) -> None:
    before = os.umask(0)
    try:
        put(tmp_path / "a", b"secret")
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "a") == 0o600


def test_a_file_that_is_there_is_replaced_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o644)
    with pytest.raises(FileExistsError, match=str(path)):
        create_durably(path, b"new")
    assert path.read_bytes() == b"old"
    write_durably(path, b"new")
    assert (path.read_bytes(), mode_of(path)) == (b"new", 0o600)


def test_what_a_crash_left_or_somebody_put_there_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / ".a.new").symlink_to(tmp_path / "precious")
    write_durably(tmp_path / "a", b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "a").is_symlink()


class _StopError(Exception):
    pass


def test_an_exception_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    write_durably(tmp_path / "a", b"old")
    with contextlib.suppress(_StopError), whole_file(tmp_path / "a") as file:
        file.write(b"half")
        raise _StopError
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"old")]


@pytest.mark.parametrize("put", [write_durably, create_durably])
def test_a_folder_that_is_not_there_is_said_by_the_file_that_was_asked_for(
    tmp_path: Path, put: Callable[[Path, bytes], None]
) -> None:
    with pytest.raises(FileNotFoundError, match=f"'{tmp_path}/absent/a'"):
        put(tmp_path / "absent" / "a", b"x")


@pytest.mark.parametrize("put", [write_durably, create_durably])
def test_a_failed_sync_leaves_nothing_and_names_the_file(
    tmp_path: Path, put: Callable[[Path, bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=f"No space left on device: '{tmp_path}/a'"):
        put(tmp_path / "a", b"x")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_made_with_those_above_it_each_on_the_disk(tmp_path: Path, calls: list[str]) -> None:
    before = os.umask(0o022)
    try:
        make_directory(tmp_path / "a" / "b" / "c")
    finally:
        os.umask(before)
    assert [mode_of(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o755, 0o755, 0o700]
    assert calls == [f"names {tmp_path.name}", "names a", "names b"]


def test_the_mode_of_a_directory_is_as_asked_for_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o777)
    try:
        make_directory(tmp_path / "a", mode=0o750)
    finally:
        os.umask(before)
    assert mode_of(tmp_path / "a") == 0o750


def test_a_directory_that_is_there_stays_as_it_is_and_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o755)
    (tmp_path / "a").chmod(0o755)
    make_directory(tmp_path / "a")
    assert mode_of(tmp_path / "a") == 0o755
    (tmp_path / "file").write_text("")
    with pytest.raises(FileExistsError, match="file"):
        make_directory(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        make_directory(tmp_path / "file" / "below")
