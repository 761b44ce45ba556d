"""Runs a command with a time limit, in a process group of its own.

The output goes to an unnamed file and not to a pipe: a reload that leaves a daemon behind would hold the
pipe open, and whoever reads it to the end would wait as long as the daemon lives.
"""

import os
import re
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from typing import IO

from fairlead.render.config import Limits
from fairlead.render.resource.model import Command

_PLACEHOLDER = re.compile(r"\{\{-?\s*\.?(src|dest)\s*-?\}\}")
# A tilde inside a word means itself, and our staged names end in one.
_SHELL_WORD = re.compile(r"[\w@%+=:,./~-]+", re.ASCII)
_SHELL = "/bin/sh"
_SHOWN_CHARS_MAX = 160
"""Of a command in a message, which has to leave room for what the command said."""


def expand(command: Command, *, src: str, dest: str) -> list[str]:
    """Return the argument list, with the paths put in for ``{{ src }}``, ``{{.src}}``, ``{{ dest }}``, ``{{.dest}}``.

    In a shell command a path that a shell would take apart is quoted.
    """
    paths = {"src": src, "dest": dest}
    if command.argv:
        return [_PLACEHOLDER.sub(lambda match: paths[match[1]], word) for word in command.argv]
    text = _PLACEHOLDER.sub(lambda match: _shell_word(paths[match[1]]), command.shell)
    return [_SHELL, "-c", text]


def names_src(command: Command) -> bool:
    """Whether the staged file is put into the command."""
    words = command.argv or (command.shell,)
    return any(match[1] == "src" for word in words for match in _PLACEHOLDER.finditer(word))


def _shell_word(path: str) -> str:
    return path if _SHELL_WORD.fullmatch(path) else shlex.quote(path)


def describe(argv: Sequence[str]) -> str:
    """Return a command as an operator would type it, in one line; of a long one the beginning."""
    text = argv[2] if tuple(argv[:2]) == (_SHELL, "-c") else shlex.join(argv)
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARS_MAX else f"{line[: _SHOWN_CHARS_MAX - 4]} ..."


def run_command(argv: Sequence[str], *, timeout_s: float, limits: Limits) -> str | None:
    """Run ``argv`` and wait for it, no longer than ``timeout_s``.

    Out of time, its whole process group gets SIGTERM and, a grace later, SIGKILL.

    Returns:
        None when it exited with 0, else what happened, with the command and the end of its output.
    """
    try:
        problem = _run(argv, timeout_s=timeout_s, limits=limits)
    except OSError as error:
        problem = f"cannot be run: {error.strerror or error}"
    return None if problem is None else f"`{describe(argv)}`: {problem}"


def _run(argv: Sequence[str], *, timeout_s: float, limits: Limits) -> str | None:
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S603 - the operator writes the command; keys never reach it
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _kill_group(process, kill_grace_s=limits.kill_grace_s)
            problem = f"did not end within {timeout_s:g} s and was killed"
        else:
            if status == 0:
                return None
            problem = f"exit status {status}" if status > 0 else f"killed by {signal.Signals(-status).name}"
        return f"{problem}{_tail(output, limits.command_output_bytes_max)}"


def _kill_group(process: subprocess.Popen[bytes], *, kill_grace_s: float) -> None:
    """End the command and its children; the leader stays unreaped until the group had both signals."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(kill_grace_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return
    # The leader went; a child that ignores SIGTERM still has the group's id.
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _tail(output: IO[bytes], bytes_max: int) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - bytes_max))
    text = output.read().decode("utf-8", "replace").strip()
    return f": {text}" if text else ""
