"""Files that a crash leaves whole, seen by what is asked of the system."""

import os
import stat
from pathlib import Path

import pytest

from fairlead.agent import write_durably


def test_a_file_is_on_disk_before_its_name_and_its_name_before_the_call_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        sync(descriptor)
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")

    def replaced(draft: Path, target: Path) -> Path:
        done.append("name")
        return replace(draft, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    write_durably(tmp_path / "a", b"content")
    assert done == ["file", "name", "folder"]
    assert (tmp_path / "a").read_bytes() == b"content"


def test_what_is_left_of_a_crash_lends_its_mode_to_nothing(tmp_path: Path) -> None:
    draft = tmp_path / "a.draft"
    draft.write_bytes(b"half")
    draft.chmod(0o644)
    write_durably(tmp_path / "a", b"content")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600
    assert not draft.exists()


def test_what_cannot_be_written_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    write_durably(path, b"before")

    def fails(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space"):
        write_durably(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
