"""From rendered bytes to a file that its program has taken, with real files and commands."""

import dataclasses
import errno
import os
import resource as resource_limits
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.applying import apply
from tests.unit.render.conftest import ConfDir, MakeResource, rendered_as

from fairlead.render.change import Outcome, Step
from fairlead.render.change.journal import Journal
from fairlead.render.command import describe
from fairlead.render.destination import Destination
from fairlead.render.errors import (
    CheckFailedError,
    DestinationError,
    ReloadFailedError,
    RolledBackError,
    TemplateError,
)
from fairlead.render.resource import parse_group

Apply = Callable[..., Outcome]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "state") as journal:
        yield journal


@pytest.fixture
def put(confdir: ConfDir, make_resource: MakeResource, journal: Journal) -> Apply:
    """Apply some bytes to ``web.conf``, with fields of the resource and settings by name."""

    def put(content: bytes | None, *, settings: dict[str, object] | None = None, **fields: object) -> Outcome:
        resource = make_resource(**fields)
        error = None if content is not None else TemplateError(resource.name, "templates/web.j2: broken")
        return apply(
            rendered_as(resource, content, error=error), journal, confdir.settings(**(settings or {}))
        )

    return put


@pytest.fixture
def put_group(confdir: ConfDir, journal: Journal) -> Apply:
    """Apply some bytes to ``a`` and ``b``, with more lines of YAML."""

    def put_group(*contents: bytes, more: str = "") -> Outcome:
        files = ", ".join(f"{{src: t.j2, dest: {confdir.out}/{name}}}" for name in "ab"[: len(contents)])
        text = f"files: [{files}]\n{more}"
        resource = parse_group(text, name="conf.d/web.yaml", settings=confdir.settings())
        return apply(rendered_as(resource, *contents), journal, confdir.settings())

    return put_group


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
    before = dest.stat().st_mtime_ns, dest.stat().st_ino
    assert put(b"one", check_cmd="exit 1", reload_cmd="exit 1").step is Step.NOTHING
    assert (dest.stat().st_mtime_ns, dest.stat().st_ino) == before


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
        f"conf.d/web.toml: check failed, {dest} is left as it was (from templates/web.j2, after a change of /key):"
        " `echo bad port 99999; exit 1`: exit status 1: bad port 99999"
    )
    assert (dest.read_text(), dest.stat().st_ino) == ("old", before.st_ino)
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
    assert "`true`: cannot be run: No space left on device" in str(outcome.error)
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
    assert str(first.error) == (
        f"conf.d/web.toml: {dest} in place, but the reload failed (from templates/web.j2, after a change of /key):"
        f" `{describe(['/bin/sh', '-c', reload_cmd])}`: exit status 1"
    )
    assert first.is_reload_owed
    assert dest.read_text() == "new"
    second = put(b"new", reload_cmd=reload_cmd)
    assert (second.step, second.is_reload_owed) == (Step.RELOAD, True)
    good.touch()
    third = put(b"new", reload_cmd=reload_cmd)
    assert (third.error, third.is_reload_owed) == (None, False)
    # Each put is a new start, and the first thing it does is the reload that is owed.
    assert runs.read_text() == "run\n" * 4


@pytest.mark.parametrize("content", [None, b"newer"])
def test_an_owed_reload_does_not_wait_for_the_next_good_file(
    content: bytes | None, put: Apply, tmp_path: Path
) -> None:
    """The file in place passed its check; that its successor is broken is no reason to keep it from the program."""
    runs = tmp_path / "runs"
    put(b"new", reload_cmd="exit 1")
    outcome = put(content, check_cmd="exit 1", reload_cmd=f"echo run >> {runs}")
    assert isinstance(outcome.error, CheckFailedError if content else TemplateError)
    assert not outcome.is_reload_owed
    assert runs.read_text() == "run\n"


def test_a_render_error_leaves_everything_as_it_was(put: Apply, dest: Path) -> None:
    dest.write_text("old")
    outcome = put(None, check_cmd="exit 1", reload_cmd="exit 1")
    assert isinstance(outcome.error, TemplateError)
    assert dest.read_text() == "old"


def test_sync_only_runs_no_commands(put: Apply, dest: Path) -> None:
    outcome = put(b"new", settings={"sync_only": True}, check_cmd="exit 1", reload_cmd="exit 1")
    assert (outcome.error, outcome.is_reload_owed) == (None, False)
    assert dest.read_text() == "new"


@pytest.mark.parametrize("noop", [True, False])
def test_a_kept_stage_file_shows_what_was_refused(put: Apply, dest: Path, *, noop: bool) -> None:
    put(b"new", settings={"keep_stage_file": True, "noop": noop}, check_cmd="exit 1")
    assert left_beside(dest) == [".web.conf.staged~"]
    assert (dest.parent / ".web.conf.staged~").read_bytes() == b"new"


def test_extended_attributes_stay_with_the_name(put: Apply, dest: Path) -> None:
    """SELinux's context is one: without it the program may not read its new file."""
    dest.write_text("old")
    try:
        os.setxattr(dest, "user.note", b"mine")
    except OSError as error:
        pytest.skip(f"the file system of {dest.parent} has no extended attributes: {error}")
    assert put(b"new").error is None
    assert os.getxattr(dest, "user.note") == b"mine"
    assert put(b"newer", reload_cmd="exit 1").error is not None
    assert os.getxattr(dest, "user.note") == b"mine"


def test_a_link_gives_way_to_a_file_and_what_it_led_to_is_left_alone(
    put: Apply, dest: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("theirs")
    dest.symlink_to(target)
    assert put(b"new").error is None
    assert (dest.is_symlink(), dest.read_text(), target.read_text()) == (False, "new", "theirs")


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

    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if target == dest:
            raise OSError(number, os.strerror(number), str(path), None, str(target))
        return rename(path, target)

    synced: list[tuple[Path, str]] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((path, path.read_text() if path == dest else ""))
        fsync(descriptor)

    monkeypatch.setattr(Path, "rename", refuse)
    monkeypatch.setattr(os, "fsync", noted)
    outcome = put(b"new", mode="0600")
    assert outcome.error is None
    assert (dest, "new") in synced, "it is on the disk"
    assert outcome.warnings == (f"{dest} is a mount: written in place, which is not atomic",)
    assert (dest.read_text(), dest.stat().st_ino, mode_of(dest)) == ("new", inode, 0o600)
    assert left_beside(dest) == []


def test_another_error_of_the_swap_is_not_taken_for_a_mount(
    put: Apply, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dest.write_text("old")

    def refuse(path: Path, target: Path) -> Path:
        raise OSError(errno.EIO, "Input/output error", str(path), None, str(target))

    monkeypatch.setattr(Path, "rename", refuse)
    outcome = put(b"new")
    assert str(outcome.error) == f"conf.d/web.toml: {dest}: Input/output error"
    assert dest.read_text() == "old"


def test_a_write_in_place_that_fails_half_way_puts_the_old_content_back(
    dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dest.write_text("old")
    destination = Destination(dest)
    found = destination.inspect()
    assert found is not None
    fsync, is_mount = os.fsync, [False]

    def busy(path: Path, target: Path) -> Path:
        is_mount[0] = True
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), str(path), None, str(target))

    def full_once(descriptor: int) -> None:
        if is_mount[0]:
            is_mount[0] = False
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(Path, "rename", busy)
    monkeypatch.setattr("fairlead.render.destination.os.fsync", full_once)
    with pytest.raises(OSError, match="No space left"):
        destination.put(b"new", found)
    assert dest.read_text() == "old"
    assert left_beside(dest) == []


def test_everything_is_on_disk_before_what_depends_on_it(
    put: Apply, dest: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The staged file, then both contents and the journal, then the name, then the reload, then the journal."""
    put(b"old")
    order: list[str] = []
    fsync, rename, append = os.fsync, Path.rename, journal.append

    def noted_fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        order.append(
            f"fsync {path.relative_to(tmp_path).parts[0 if path.is_relative_to(dest.parent) else 1]}"
        )
        fsync(descriptor)

    def noted_rename(path: Path, target: Path) -> Path:
        order.append(f"rename {path.name}")
        return rename(path, target)

    def noted_append(record: dict[str, object], **contents: dict[str, bytes]) -> dict[str, object]:
        order.append(f"begin {record['kind']}")
        written = append(record, **contents)
        order.append(f"end {record['kind']}")
        return written

    monkeypatch.setattr("os.fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    monkeypatch.setattr(journal, "append", noted_append)
    put(b"new", reload_cmd="true")
    assert order == [
        "fsync confd",
        *("begin pending", "fsync contents", "fsync contents", "fsync journal", "end pending"),
        "rename .web.conf.staged~",
        "fsync confd",
        *("begin done", "fsync journal", "end done"),
    ]


# Groups


def test_files_of_a_group_are_swapped_together_and_rolled_back_together(
    put_group: Apply, confdir: ConfDir
) -> None:
    reload = f"reload: {{shell: '! grep -q bad {confdir.out}/b'}}"
    assert put_group(b"1", b"1", more=reload).error is None
    outcome = put_group(b"2", b"bad", more=reload)
    assert isinstance(outcome.error, RolledBackError)
    assert f"`! grep -q bad {confdir.out}/b`: exit status 1" in str(outcome.error)
    assert [(confdir.out / name).read_bytes() for name in "ab"] == [b"1", b"1"]
    assert sorted(path.name for path in confdir.out.iterdir()) == ["a", "b"]


def test_a_rollback_brings_back_mode_and_owner(put_group: Apply, confdir: ConfDir) -> None:
    (confdir.out / "a").write_text("written by hand")
    (confdir.out / "a").chmod(0o604)
    outcome = put_group(b"2", more="reload: {cmd: ['false']}")
    assert "`false`: exit status 1" in str(outcome.error)
    assert (confdir.out / "a").read_text() == "written by hand"
    assert mode_of(confdir.out / "a") == 0o604


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_check_in_place_sees_the_new_files_at_their_paths_and_nobody_else_does(
    put_group: Apply, confdir: ConfDir, tmp_path: Path
) -> None:
    """What a fragment needs: it is checked with everything that includes it, before anything includes it."""
    seen = tmp_path / "seen"
    put_group(b"1", b"1")
    more = f"check: {{shell: 'cat {confdir.out}/* > {seen}; false', in_place: true}}"
    outcome = put_group(b"2", b"3", more=more)
    assert isinstance(outcome.error, CheckFailedError)
    assert seen.read_text() == "23"
    assert [(confdir.out / name).read_bytes() for name in "ab"] == [b"1", b"1"]
    assert put_group(b"2", b"3", more=more.replace("; false", "")).error is None
    mounts = Path("/proc/self/mounts").read_text()
    assert str(confdir.out) not in mounts


def test_a_file_that_was_edited_while_the_change_waited_is_not_run_over(
    put_group: Apply, confdir: ConfDir
) -> None:
    """The way back would lead to something that nobody has kept."""
    (confdir.out / "a").write_text("by hand")
    outcome = put_group(b"2", more=f"check: {{shell: 'echo edited > {confdir.out}/a'}}")
    assert f"{confdir.out}/a was changed by somebody else meanwhile" in str(outcome.error)
    assert (confdir.out / "a").read_text() == "edited\n"


def test_missing_directories_are_made_where_that_is_asked_for(confdir: ConfDir, journal: Journal) -> None:
    dest = confdir.out / "deep" / "er" / "x"
    text = f"files: [{{src: t.j2, dest: {dest}, make_dirs: true}}]"
    resource = parse_group(text, name="conf.d/x.yaml", settings=confdir.settings())
    assert apply(rendered_as(resource, b"1"), journal, confdir.settings()).error is None
    assert dest.read_bytes() == b"1"


@pytest.mark.parametrize(
    ("pidfile", "complaint"),
    [
        (None, "No such file or directory"),
        ("", "it holds no process id"),
        ("-1", "it holds no process id"),
        ("0", "it holds no process id"),
        ("x", "it holds no process id"),
        ("4194305", "No such process"),
    ],
)
def test_a_signal_to_nobody_is_a_failed_reload(
    pidfile: str | None, complaint: str, put_group: Apply, tmp_path: Path
) -> None:
    """And never one to everybody."""
    path = tmp_path / "pid"
    if pidfile is not None:
        path.write_text(pidfile)
    outcome = put_group(b"1", more=f"reload: {{signal: HUP, pidfile: {path}}}")
    assert f"SIGHUP by {path}: {complaint}" in str(outcome.error)


def test_ten_megabytes_go_through(put: Apply, dest: Path) -> None:
    content = os.urandom(10_000_000)
    assert put(content).error is None
    assert dest.read_bytes() == content


def test_a_secret_is_in_the_file_and_nowhere_else(
    confdir: ConfDir, make_resource: MakeResource, journal: Journal, tmp_path: Path
) -> None:
    resource = make_resource(reload_cmd="true")

    def put_secret(content: bytes) -> Outcome:
        rendered = rendered_as(resource, content)
        assert rendered.files is not None
        files = tuple(dataclasses.replace(file, is_secret=True) for file in rendered.files)
        return apply(dataclasses.replace(rendered, files=files), journal, confdir.settings())

    for content in (b"hunter2", b"hunter3"):
        assert put_secret(content).error is None
    assert mode_of(confdir.dest("web")) == 0o600
    kept = [
        path for path in (tmp_path / "state").rglob("*") if path.is_file() and b"hunter" in path.read_bytes()
    ]
    assert kept == []


def test_a_disk_that_takes_only_half_leaves_the_old_file_whole(put: Apply, dest: Path) -> None:
    """The kernel itself refuses here: no file of ours may grow beyond a limit."""
    put(b"old")
    before = resource_limits.getrlimit(resource_limits.RLIMIT_FSIZE)
    resource_limits.setrlimit(resource_limits.RLIMIT_FSIZE, (1000, before[1]))
    try:
        outcome = put(b"x" * 5000)
    finally:
        resource_limits.setrlimit(resource_limits.RLIMIT_FSIZE, before)
    assert str(outcome.error) == f"conf.d/web.toml: {dest}: File too large"
    assert outcome.is_retry_due
    assert dest.read_bytes() == b"old"
    assert left_beside(dest) == []
    assert put(b"x" * 5000).error is None


def test_a_place_where_nothing_can_be_written_is_named(put: Apply) -> None:
    outcome = put(b"new", dest="/sys/fairlead.conf")
    assert isinstance(outcome.error, DestinationError)
    assert "conf.d/web.toml: /sys/fairlead.conf: " in str(outcome.error)
