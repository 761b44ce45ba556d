"""Checks and reloads: their end, their output, and those that do not end."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest
from tests.support.processes import wait_for

from fairlead.render.command import describe, expand, run_command
from fairlead.render.config import Limits
from fairlead.render.resource import Command

LIMITS = Limits(kill_grace_s=0.2, command_output_bytes_max=200)


def run(command: str, *, timeout_s: float = 20.0) -> str | None:
    problem = run_command(["/bin/sh", "-c", command], timeout_s=timeout_s, limits=LIMITS)
    if problem is None:
        return None
    shown, _, rest = problem.partition("`: ")
    assert command.startswith(shown.removeprefix("`").removesuffix(" ..."))
    return rest


def expanded(command: str, *, src: str, dest: str) -> str:
    argv = expand(Command(shell=command, timeout_s=1.0), src=src, dest=dest)
    assert argv[:2] == ["/bin/sh", "-c"]
    return argv[2]


@pytest.mark.parametrize("placeholder", ["{{.src}}", "{{ .src }}", "{{src}}", "{{ src }}", "{{- .src -}}"])
def test_the_staged_file_stands_where_confd_or_jinja_put_it(placeholder: str) -> None:
    assert expanded(f"check -c {placeholder} {{{{.dest}}}}", src="/d/.x.staged~", dest="/d/x") == (
        "check -c /d/.x.staged~ /d/x"
    )


def test_other_braces_are_left_alone() -> None:
    assert expanded("docker ps --format '{{.Names}}' ${X}", src="/s", dest="/d") == (
        "docker ps --format '{{.Names}}' ${X}"
    )


def test_a_path_that_a_shell_would_take_apart_is_quoted(tmp_path: Path) -> None:
    path = tmp_path / "a b;'c"
    path.write_text("")
    assert run(expanded("test -f {{.src}}", src=str(path), dest="")) is None


def test_success_is_no_problem_and_its_output_no_news() -> None:
    assert run("echo noise; echo more >&2") is None


def test_a_failure_tells_status_and_the_end_of_the_output() -> None:
    assert run("echo first; echo bad port >&2; exit 3") == "exit status 3: first\nbad port"
    problem = run("yes | head -c 100000; echo the end; exit 1")
    assert problem is not None
    assert problem.endswith("the end")
    assert len(problem) < 250


def test_death_by_a_signal_is_named() -> None:
    assert run("kill -SEGV $$") == "killed by SIGSEGV"


def test_a_command_reads_nothing_from_us() -> None:
    assert run("cat") is None


def test_out_of_time_the_whole_group_is_killed(tmp_path: Path) -> None:
    """A reload script's child would hold on for ever, and the next reload would meet it."""
    pids = tmp_path / "pids"
    problem = run(
        f"trap '' TERM; echo $$ >> {pids}; sh -c 'trap \"\" TERM; echo $$ >> {pids}; exec sleep 1000' & wait; wait",
        timeout_s=0.5,
    )
    assert problem == "did not end within 0.5 s and was killed"
    children = [int(pid) for pid in pids.read_text().split()]
    assert len(children) == 2
    for pid in children:
        wait_for(partial(is_gone, pid), f"{pid} is gone")


def test_a_child_that_outlives_its_leader_is_killed_too(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    problem = run(
        f"sh -c 'trap \"\" TERM; echo $$ > {pids}; exec sleep 1000' & exec sleep 1000", timeout_s=0.5
    )
    assert problem is not None
    child = int(pids.read_text())
    wait_for(lambda: is_gone(child), "the child is gone")


def test_a_reload_that_leaves_a_daemon_behind_is_done_when_it_returns(tmp_path: Path) -> None:
    """The daemon holds our output open: whoever reads to its end waits for ever, as confd does."""
    pid_file = tmp_path / "pid"
    try:
        assert run(f"sleep 1000 & echo $! > {pid_file}") is None
        assert not is_gone(int(pid_file.read_text()))
    finally:
        os.kill(int(pid_file.read_text()), signal.SIGKILL)


def is_gone(pid: int) -> bool:
    """Whether the process has ended; a zombie has, its parent is only slow to look."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_list_is_run_as_it_is_and_no_shell_reads_it() -> None:
    command = Command(argv=("printf", "%s|", "{{ src }}", "$HOME; exit 1"), timeout_s=1.0)
    argv = expand(command, src="a b", dest="/d")
    assert argv == ["printf", "%s|", "a b", "$HOME; exit 1"]
    assert run_command([*argv[:2], "x"], timeout_s=20.0, limits=LIMITS) is None
    assert describe(argv) == "printf '%s|' 'a b' '$HOME; exit 1'"


def test_a_program_that_is_not_there_is_named() -> None:
    problem = run_command(["/no/such/program", "-t"], timeout_s=1.0, limits=LIMITS)
    assert problem == "`/no/such/program -t`: cannot be run: No such file or directory"


def test_a_long_command_leaves_room_for_what_it_said() -> None:
    problem = run_command(
        ["/bin/sh", "-c", "true\n" * 100 + "echo because; exit 3"], timeout_s=5, limits=LIMITS
    )
    assert problem is not None
    assert problem.startswith("`true true ")
    assert problem.endswith(" ...`: exit status 3: because")
    assert len(problem) < 200
