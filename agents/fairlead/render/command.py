"""Runs a check or a reload: a shell command with a time limit, in a process group of its own.

The output goes to an unnamed file and not to a pipe: a reload that leaves a daemon behind would hold the
pipe open, and whoever reads it to the end would wait as long as the daemon lives.
"""

import os
import re
import shlex
import signal
import subprocess
import tempfile
from typing import IO

_PLACEHOLDER = re.compile(r"\{\{-?\s*\.?(src|dest)\s*-?\}\}")
# A tilde inside a word means itself, and our staged names end in one.
_SHELL_WORD = re.compile(r"[\w@%+=:,./~-]+", re.ASCII)


def expand(command: str, *, src: str, dest: str) -> str:
    """Put the paths in for ``{{.src}}``, ``{{ src }}``, ``{{.dest}}`` and ``{{ dest }}``.

    A path that a shell would take apart is quoted.
    """
    paths = {"src": src, "dest": dest}
    return _PLACEHOLDER.sub(lambda match: _shell_word(paths[match[1]]), command)


def _shell_word(path: str) -> str:
    return path if _SHELL_WORD.fullmatch(path) else shlex.quote(path)


def run_command(command: str, *, timeout_s: float, kill_grace_s: float, output_bytes_max: int) -> str | None:
    """Run ``command`` with ``/bin/sh -c`` and wait for it, no longer than ``timeout_s``.

    Out of time, its whole process group gets SIGTERM and, ``kill_grace_s`` later, SIGKILL.

    Returns:
        None when it exited with 0, else what happened, with the end of its output.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(  # noqa: S602 - the operator writes a shell command; keys never reach it
            command,
            shell=True,
            executable="/bin/sh",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _kill_group(process, kill_grace_s=kill_grace_s)
            problem = f"did not end within {timeout_s:g} s and was killed"
        else:
            if status == 0:
                return None
            problem = f"exit status {status}" if status > 0 else f"killed by {signal.Signals(-status).name}"
        return f"{problem}{_tail(output, output_bytes_max)}"


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
