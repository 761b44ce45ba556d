"""``retry`` where no renderer runs: the state directory is made, refused or taken, each in one line."""

import stat
from pathlib import Path

import pytest
from tests.unit.render.conftest import ConfDir

from fairlead.cli import main
from fairlead.render.change.journal import Journal, read_memories


@pytest.fixture
def tree(confdir: ConfDir) -> ConfDir:
    (confdir.path / "conf.d" / "web.yaml").write_text("files: [{src: web.j2, dest: /etc/web.conf}]\n")
    return confdir


def retry(tree: ConfDir, state: Path, *, group: str = "web") -> int:
    return main(["render", "retry", group, "--confdir", str(tree.path), "--state-dir", str(state)])


def test_the_state_directory_is_made_with_those_above_it(tree: ConfDir, tmp_path: Path) -> None:
    state = tmp_path / "var" / "lib" / "render"
    assert retry(tree, state) == 0
    assert read_memories(state).keys() == {"web"}
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_one_that_cannot_be_made_or_written_is_one_line(
    tree: ConfDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    for state, reason in (
        (tmp_path / "file", "Not a directory"),
        (tmp_path / "file" / "below", "Not a directory"),
        (Path("/proc/state"), "No such file or directory"),
    ):
        assert retry(tree, state) == 1
        said = capsys.readouterr().err
        assert said.startswith("fairlead: ")
        assert reason in said
        assert str(state) in said
        assert said.count("\n") == 1


def test_a_second_renderer_is_refused_the_same_one(
    tree: ConfDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Journal(tmp_path / "state"):
        assert retry(tree, tmp_path / "state") == 1
    said = capsys.readouterr().err
    assert said == (
        f"fairlead: another renderer runs with the state in {tmp_path}/state;"
        " stop it, or give this one another --state-dir\n"
    )


def test_a_damaged_journal_is_one_line_with_its_path(
    tree: ConfDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    assert retry(tree, state) == 0
    (state / "journal").write_bytes(b"nonsense\n" + (state / "journal").read_bytes())
    capsys.readouterr()
    words = ["--confdir", str(tree.path), "--state-dir", str(state)]
    for command in (["retry", "web"], ["rollback", "web"], ["history"], ["show", "web"], ["why", "web"]):
        assert main(["render", *command, *words]) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"fairlead: the journal {state}/journal is damaged at byte 0; move it away")
        assert said.count("\n") == 1


def test_a_group_that_is_not_there_is_not_written_down(
    tree: ConfDir, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retry(tree, tmp_path / "state", group="wbe") == 1
    assert capsys.readouterr().err == "fairlead: there is no group wbe; there are web\n"
    assert not (tmp_path / "state").exists()
