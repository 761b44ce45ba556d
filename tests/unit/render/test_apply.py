"""From rendered bytes to a file that its program has taken, with real files and commands."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.render.conftest import ConfDir, MakeResource, rendered_as

from fairlead.render.apply import Outcome, apply
from fairlead.render.destination import Destination
from fairlead.render.errors import CheckFailedError, DestinationError, ReloadFailedError, TemplateError
from fairlead.render.plan import FileState, Step

Apply = Callable[..., Outcome]


@pytest.fixture
def put(confdir: ConfDir, make_resource: MakeResource) -> Apply:
    """Apply some bytes to ``web.conf``, with fields of the resource and settings by name."""

    def put(
        content: bytes | None,
        *,
        is_reload_owed: bool = False,
        settings: dict[str, object] | None = None,
        **fields: object,
    ) -> Outcome:
        resource = make_resource(**fields)
        error = None if content is not None else TemplateError(resource.name, "templates/web.j2: broken")
        return apply(
            rendered_as(resource, content, error=error),
            confdir.settings(**(settings or {})),
            is_reload_owed=is_reload_owed,
        )

    return put


@pytest.fixture
def dest(confdir: ConfDir) -> Path:
    return confdir.dest("web")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def left_beside(dest: Path) -> list[str]:
    return sorted(path.name for path in dest.parent.iterdir() if path != dest)


def test_a_new_file_is_made_with_the_default_mode(put: Apply, dest: Path) -> None:
    before = os.umask(0o077)
    try:
        outcome = put(b"one\n")
    finally:
        os.umask(before)
    assert (outcome.step, outcome.error) == (Step.REPLACE, None)
    assert dest.read_bytes() == b"one\n"
    assert mode_of(dest) == 0o644
    assert left_beside(dest) == []


def test_an_existing_file_keeps_its_mode_unless_told_otherwise(put: Apply, dest: Path) -> None:
    dest.write_text("old")
    dest.chmod(0o640)
    put(b"new")
    assert mode_of(dest) == 0o640
    put(b"newer", mode="0600")
    assert mode_of(dest) == 0o600


def test_an_equal_file_is_not_touched(put: Apply, dest: Path) -> None:
    put(b"one", check_cmd="exit 0")
    before = dest.stat()
    assert put(b"one", check_cmd="exit 1", reload_cmd="exit 1").step is Step.NOTHING
    assert dest.stat() == before


def test_drift_of_the_mode_alone_is_repaired_without_a_reload(put: Apply, dest: Path) -> None:
    put(b"one", mode="0600")
    dest.chmod(0o666)
    inode = dest.stat().st_ino
    outcome = put(b"one", mode="0600", reload_cmd="exit 1")
    assert (outcome.step, outcome.error) == (Step.REPAIR, None)
    assert (mode_of(dest), dest.stat().st_ino) == (0o600, inode)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_and_group_are_set_before_the_swap(put: Apply, dest: Path) -> None:
    put(b"one", uid=1, gid=2, mode="04750")
    assert (dest.stat().st_uid, dest.stat().st_gid, mode_of(dest)) == (1, 2, 0o4750)
    put(b"one", uid=0, gid=0, mode="04750")
    assert (dest.stat().st_uid, dest.stat().st_gid, mode_of(dest)) == (0, 0, 0o4750)


def test_the_check_reads_the_staged_file_while_the_old_one_is_in_place(
    put: Apply, dest: Path, tmp_path: Path
) -> None:
    dest.write_text("old")
    seen = tmp_path / "seen"
    put(b"new", check_cmd=f"cat {{{{.src}}}} {dest} > {seen}; echo {{{{.src}}}} >> {seen}")
    assert seen.read_text() == f"newold{dest.parent}/.web.conf.staged~\n"
    assert dest.read_text() == "new"


def test_a_failed_check_leaves_the_destination_as_it_was(put: Apply, dest: Path) -> None:
    dest.write_text("old")
    before = dest.stat()
    outcome = put(b"new", check_cmd="echo bad port 99999; exit 1", reload_cmd="touch reloaded")
    assert isinstance(outcome.error, CheckFailedError)
    assert str(outcome.error) == (
        f"conf.d/web.toml: check failed, {dest} is left as it was: exit status 1: bad port 99999"
    )
    assert (dest.read_text(), dest.stat()) == ("old", before)
    assert left_beside(dest) == []
    assert not outcome.is_reload_owed


def test_a_command_that_cannot_even_start_is_a_failed_check(
    put: Apply, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("fairlead.render.command.tempfile.TemporaryFile", refuse)
    outcome = put(b"new", check_cmd="true")
    assert isinstance(outcome.error, CheckFailedError)
    assert "the command cannot be run: [Errno 28] No space left on device" in str(outcome.error)
    assert not dest.exists()


def test_a_reload_comes_after_the_swap(put: Apply, dest: Path, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    outcome = put(b"new", reload_cmd=f"cat {{{{.dest}}}} {{{{ src }}}} > {seen}")
    assert outcome.error is None
    assert seen.read_text() == "newnew"


def test_a_failed_reload_is_owed_and_made_good_though_the_file_is_equal(
    put: Apply, dest: Path, tmp_path: Path
) -> None:
    """The finding behind it: every renderer of this kind forgets such a reload."""
    good, runs = tmp_path / "good", tmp_path / "runs"
    reload_cmd = f"echo run >> {runs}; test -e {good}"
    first = put(b"new", reload_cmd=reload_cmd)
    assert isinstance(first.error, ReloadFailedError)
    assert str(first.error) == (f"conf.d/web.toml: {dest} is in place, but its reload failed: exit status 1")
    assert first.is_reload_owed
    assert dest.read_text() == "new"
    second = put(b"new", reload_cmd=reload_cmd, is_reload_owed=True)
    assert (second.step, second.is_reload_owed) == (Step.RELOAD, True)
    good.touch()
    third = put(b"new", reload_cmd=reload_cmd, is_reload_owed=True)
    assert (third.error, third.is_reload_owed) == (None, False)
    assert runs.read_text() == "run\n" * 3


@pytest.mark.parametrize("content", [None, b"newer"])
def test_an_owed_reload_does_not_wait_for_the_next_good_file(
    content: bytes | None, put: Apply, tmp_path: Path
) -> None:
    """The file in place passed its check; that its successor is broken is no reason to keep it from the program."""
    runs = tmp_path / "runs"
    put(b"new", reload_cmd="exit 1")
    outcome = put(content, check_cmd="exit 1", reload_cmd=f"echo run >> {runs}", is_reload_owed=True)
    assert isinstance(outcome.error, CheckFailedError if content else TemplateError)
    assert not outcome.is_reload_owed
    assert runs.read_text() == "run\n"


def test_a_render_error_leaves_everything_as_it_was(put: Apply, dest: Path) -> None:
    dest.write_text("old")
    outcome = put(None, check_cmd="exit 1", reload_cmd="exit 1")
    assert isinstance(outcome.error, TemplateError)
    assert dest.read_text() == "old"


def test_noop_tells_and_touches_nothing(put: Apply, dest: Path, tmp_path: Path) -> None:
    dest.write_text("old")
    touch = f"touch {tmp_path}/ran"
    put(None, settings={"noop": True}, reload_cmd=touch, is_reload_owed=True)
    outcome = put(b"new", settings={"noop": True}, check_cmd=touch, reload_cmd=touch, is_reload_owed=True)
    assert outcome.step is Step.REPLACE
    assert outcome.wanted is not None
    assert outcome.wanted.content == b"new"
    assert dest.read_text() == "old"
    assert left_beside(dest) == []
    assert not (tmp_path / "ran").exists()


def test_sync_only_runs_no_commands(put: Apply, dest: Path) -> None:
    outcome = put(b"new", settings={"sync_only": True}, check_cmd="exit 1", reload_cmd="exit 1")
    assert (outcome.error, outcome.is_reload_owed) == (None, False)
    assert dest.read_text() == "new"


@pytest.mark.parametrize("noop", [True, False])
def test_a_kept_stage_file_shows_what_was_refused(put: Apply, dest: Path, *, noop: bool) -> None:
    put(b"new", settings={"keep_stage_file": True, "noop": noop}, check_cmd="exit 1")
    assert left_beside(dest) == [".web.conf.staged~"]
    assert (dest.parent / ".web.conf.staged~").read_bytes() == b"new"


def test_what_lies_at_the_staged_name_is_not_written_through(put: Apply, dest: Path, tmp_path: Path) -> None:
    """Somebody else's link there would lead our bytes into their file, or theirs into our place."""
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (dest.parent / ".web.conf.staged~").symlink_to(victim)
    assert put(b"new").error is None
    assert victim.read_text() == "mine"
    assert dest.read_text() == "new"


def test_a_missing_directory_is_named_with_the_cure(put: Apply, tmp_path: Path) -> None:
    outcome = put(b"new", dest=str(tmp_path / "no" / "web.conf"))
    assert isinstance(outcome.error, DestinationError)
    assert f"{tmp_path}/no does not exist; create it with: mkdir -p {tmp_path}/no" in str(outcome.error)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_a_destination_that_is_no_file_is_refused(
    make: Callable[[Path], None], put: Apply, dest: Path
) -> None:
    """A named pipe would even be waited for."""
    make(dest)
    outcome = put(b"new")
    assert isinstance(outcome.error, DestinationError)
    assert f"{dest}: " in str(outcome.error)


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EXDEV])
def test_a_mounted_file_is_written_in_place_with_a_warning(
    number: int, put: Apply, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dest.write_text("a much longer old content")
    inode = dest.stat().st_ino

    def refuse(_: Destination, __: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Destination, "swap", refuse)
    outcome = put(b"new", mode="0600")
    assert outcome.error is None
    assert outcome.warning == f"{dest} is a mount: written in place, which is not atomic"
    assert (dest.read_text(), dest.stat().st_ino, mode_of(dest)) == ("new", inode, 0o600)
    assert left_beside(dest) == []


def test_another_error_of_the_swap_is_not_taken_for_a_mount(
    put: Apply, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dest.write_text("old")

    def refuse(_: Destination, __: Path) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Destination, "swap", refuse)
    outcome = put(b"new")
    assert str(outcome.error) == f"conf.d/web.toml: {dest}: Input/output error"
    assert dest.read_text() == "old"


def test_a_write_in_place_that_fails_half_way_puts_the_old_content_back(
    dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dest.write_text("old")
    destination = Destination(dest)
    found = destination.read()
    assert found is not None
    wanted = FileState(content=b"new", mode=found.mode, uid=found.uid, gid=found.gid)
    calls: list[int] = []

    def full_once(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("fairlead.render.destination.os.fsync", full_once)
    with pytest.raises(OSError, match="No space left"):
        destination.write_in_place(wanted, found)
    assert dest.read_text() == "old"
    assert len(calls) == 2


def test_the_file_is_on_disk_before_its_name_and_the_name_before_the_reload(
    put: Apply, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor: int) -> None:
        order.append("fsync directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "fsync file")
        fsync(descriptor)

    def noted_rename(path: Path, target: Path) -> Path:
        order.append("rename")
        return rename(path, target)

    monkeypatch.setattr("fairlead.render.destination.os.fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    put(b"new")
    assert order == ["fsync file", "rename", "fsync directory"]
    assert dest.exists()
