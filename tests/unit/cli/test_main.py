"""Exit statuses and the one line on stderr; commands that need a store are in tests/e2e/cli."""

import subprocess
import sys

import click
import pytest

from fairlead.cli.errors import CliError, exit_status_of
from fairlead.cli.main import COMMANDS, main


def one_line(text: str) -> str:
    assert text.count("\n") == 1, text
    return text.strip()


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["nonsense"], "fairlead: no such command 'nonsense'; see fairlead --help"),
        (["--nonsense"], "fairlead: no such option '--nonsense'; see fairlead --help"),
        (["kv", "nonsense"], "fairlead kv: no such command 'nonsense'; see fairlead kv --help"),
        (["kv", "get"], "fairlead kv get: missing argument 'KEY'; see fairlead kv get --help"),
        (
            ["store", "restor", "file"],
            (
                "fairlead: unexpected argument 'restor'; flags begin with --; commands are save, restore and status: "
                "see fairlead store --help"
            ),
        ),
        (["up", "--nonsense"], "fairlead up: no such option '--nonsense'; see fairlead up --help"),
        (["dns", "--nonsense"], "fairlead dns run: no such option '--nonsense'; see fairlead dns run --help"),
        (["proxy", "--qqq"], "fairlead proxy run: no such option '--qqq'; see fairlead proxy run --help"),
        (["stroe"], "fairlead: no such command 'stroe'. Did you mean 'store'? See fairlead --help"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(
    argv: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2

    printed = capsys.readouterr()
    assert printed.out == ""
    assert one_line(printed.err) == line


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (
            ["--nonsense"],
            "run: no such option '--nonsense'. Did you mean '--onetime'? See fairlead render run --help",
        ),
        (["pln"], "no such command 'pln'. Did you mean 'plan'? See fairlead render --help"),
        (["plan", "--at-rev", "x"], "'x' is not a valid integer range; see fairlead render plan --help"),
    ],
)
def test_a_wrong_word_for_the_renderer_is_not_taken_for_a_plan_with_changes(
    argv: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """There 2 means that something would change."""
    assert main(["render", *argv]) == 64
    assert one_line(capsys.readouterr().err).endswith(line)


def test_a_value_that_looks_like_a_flag_is_told_its_cure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kv", "put", "/offset", "-5"]) == 2
    assert "write -- before a value that begins with a dash" in one_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["up", "none.yaml"], "cannot read none.yaml: No such file or directory; name a site file"),
        (["store", "status", "none"], "snapshot none: No such file or directory; check the path"),
        (["store", "snapshot", "status", "none"], "snapshot none: No such file or directory; check the path"),
        (
            ["store", "restore", "none", "--bump-revision", "5"],
            "--bump-revision N and --mark-compacted go together; give both, or neither",
        ),
        (["kv", "get", "a", "--endpoints", "x"], "not an endpoint: 'x'; write --endpoints http://HOST:PORT"),
        (["kv", "get", "a", "--user", "x"], "a user is given as NAME:PASSWORD"),
        (["kv", "get", "a", "--cacert", "none.pem"], "cannot read none.pem; check --cacert"),
        (["kv", "get", "a", "--key", "none.pem"], "cannot read none.pem; check --key"),
        (["kv", "put", "a", "b", "--lease", "x"], "--lease 'x' is no lease; it is a hexadecimal number"),
        (["kv", "txn"], "nothing to do; give --then"),
        (["kv", "txn", "--if", "x", "--then", "get a"], "'x' is no condition"),
        (["dns", "--listen", "x"], "not an address: 'x'; write --listen HOST:PORT"),
        (["proxy", "--config", "none.yaml"], "cannot read none.yaml"),
        (["hello", "--listen", "x", "--name", "n"], "not an address: 'x'"),
    ],
)
def test_what_an_operator_got_wrong_is_one_line_and_status_1(
    argv: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 1

    printed = capsys.readouterr()
    assert printed.out == ""
    line = one_line(printed.err)
    assert line.startswith("fairlead")
    assert says in line


@pytest.mark.parametrize("argv", [["--help"], ["-h"], ["help"]])
def test_help_lists_the_commands_but_not_the_demos_web_server(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 0

    words = capsys.readouterr().out.split()
    assert {name for name in COMMANDS if name in words} == set(COMMANDS) - {"hello"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_list_is_there_and_has_help(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["help", name]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: fairlead {name}")


def test_a_text_of_several_lines_leaves_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status_of(CliError("first\n  second")) == 1
    assert one_line(capsys.readouterr().err) == "fairlead: first second"


def test_an_interrupted_question_is_130_and_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_status_of(click.Abort()) == 130
    assert capsys.readouterr().err == ""


def test_a_bug_is_not_dressed_up_as_an_operators_mistake() -> None:
    assert exit_status_of(ValueError("our own")) is None


def test_help_and_kv_do_not_load_the_store() -> None:
    """The command is typed all day; it should not wait for what it does not use."""
    code = (
        "import sys; from fairlead.cli.main import main; main(['kv', '--help']);"
        "sys.exit(','.join(n for n in ('fairlead.member', 'fairlead.mvcc', 'fairlead.api') if n in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.stderr == "\n"
