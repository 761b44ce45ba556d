"""A wrong command line is 64 and one line, whatever the command: 1 and 2 have meanings of their own here."""

from pathlib import Path

import pytest

from fairlead.cli import main
from fairlead.render.cli import SUBCOMMANDS

EX_USAGE = 64


@pytest.fixture
def confdir(tmp_path: Path) -> Path:
    (tmp_path / "conf.d").mkdir()
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run the command, which must refuse; return its one line."""
    status = main(["render", *words])
    shown = capsys.readouterr()
    assert (status, shown.out, shown.err.count("\n")) == (EX_USAGE, "", 1), shown
    return shown.err


@pytest.mark.parametrize("command", SUBCOMMANDS)
def test_an_option_that_no_command_has_is_named_with_the_help_to_read(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused(capsys, command, "--no-such-option")
    assert said.startswith(f"fairlead render {command}: no such option '--no-such-option'")
    assert f"ee fairlead render {command} --help" in said


NO_MORE = ["a", "b", "c", "d"]


@pytest.mark.parametrize("command", [name for name in SUBCOMMANDS if name not in {"test", "seal", "import"}])
def test_a_word_too_many_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, command, *NO_MORE)


@pytest.mark.parametrize("command", ["show", "why", "rollback", "retry", "keygen", "seal", "import"])
def test_a_word_too_few_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "missing" in refused(capsys, command)


@pytest.mark.parametrize("command", ["run", "once", "plan"])
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--endpoints nowhere", "not an endpoint: 'nowhere'; write --endpoints http://HOST:PORT"),
        ("--metrics-listen 9100", "not an address: '9100'; write --metrics-listen HOST:PORT"),
        ("--log-level loud", "'loud' is not one of"),
        ("--user", "option '--user' requires an argument; see fairlead render --help"),
    ],
)
def test_a_value_that_cannot_be_read_is_refused(
    command: str, words: str, complaint: str, confdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint in refused(capsys, command, "--confdir", str(confdir), *words.split())


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("bogus", "no such command 'bogus'"),
        ("--interval 0", "'--interval': 0.0 is not in the range"),
        ("--onetime --watch", "--onetime goes with neither"),
        ("plan --at-rev 0", "'--at-rev': 0 is not in the range"),
        ("plan --set novalue", "'--set': 'novalue' is not KEY=VALUE"),
        ("rollback web --to x", "'--to': 'x' is not a valid integer"),
        ("show web x", "'x' is not a valid integer"),
        ("import /does/not/exist --output x", "'/does/not/exist' does not exist"),
        # confd's words, which are translated first.
        ("-interval soon", "-interval takes a number, not 'soon'; write -interval 600"),
        ("-node", "flag -node needs a value"),
        ("-watch=maybe", "-watch is true or false, not 'maybe'; write -watch=true"),
        ("-backend consul", "confd's backend consul is not read"),
    ],
)
def test_what_a_command_cannot_mean_is_refused(
    words: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint in refused(capsys, *words.split())


def test_what_is_wrong_elsewhere_is_no_wrong_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is not there, an environment of confd's that means nothing here: 1, as any failure."""
    assert main(["render", "check", "--confdir", str(tmp_path)]) == 1
    monkeypatch.setenv("CONFD_BACKEND", "consul")
    assert main(["render"]) == 1
    assert "confd's backend consul is not read" in capsys.readouterr().err
