"""Runs a script of etcdctl commands against one store and keeps what came of each."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tests.compat import normalise
from tests.compat.steps import Action, Await, Finish, Outcome, Run, Script, Start, words
from tests.support.processes import clean_environment, wait_for

_WITHIN_S = 20.0


class _Background:
    """One etcdctl that goes on while the script does."""

    def __init__(self, argv: list[str], env: dict[str, str], folder: Path, stdin: str) -> None:
        self._out = folder / "out"
        self._err = folder / "err"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=out, stderr=err, env=env, start_new_session=True
            )
        pipe: IO[bytes] | None = self.process.stdin
        assert pipe is not None
        pipe.write(stdin.encode())
        pipe.flush()  # and left open: an interactive watch ends with its input

    def stdout(self) -> str:
        return self._out.read_text()

    def stderr(self) -> str:
        return self._err.read_text()

    def has_printed(self, lines: int) -> bool:
        return self.stdout().count("\n") >= lines

    def await_lines(self, lines: int) -> None:
        try:
            wait_for(lambda: self.has_printed(lines), f"{lines} lines of output", within_s=_WITHIN_S)
        except TimeoutError as late:
            raise TimeoutError(f"{late}; so far:\n{self.stdout()}{self.stderr()}") from None

    def close(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Transcriber:
    """Plays scripts with one etcdctl on one store."""

    def __init__(self, etcdctl: str, address: str) -> None:
        self._etcdctl = etcdctl
        self._address = address
        self._env = clean_environment({"ETCDCTL_API": "3"})
        self._saved: dict[str, str] = {}
        self._background: dict[str, _Background] = {}

    def play(self, script: Script) -> Iterator[tuple[str, Outcome]]:
        """Do each action in turn and yield its name and normalised outcome.

        An action that waits in vain gives an outcome with the reason, so that the rest still runs.
        """
        with tempfile.TemporaryDirectory() as folder:
            try:
                for number, action in enumerate(script):
                    here = Path(folder, str(number))
                    here.mkdir()
                    yield action.name, self._do(action, here)
            finally:
                for left in self._background.values():
                    left.close()
                self._background.clear()

    def _do(self, action: Action, folder: Path) -> Outcome:
        try:
            match action:
                case Run():
                    return self._run(action)
                case Start():
                    self._start(action, folder)
                case Await():
                    self._background[action.of].await_lines(action.lines)
                case Finish():
                    return self._finish(action)
        except (TimeoutError, subprocess.TimeoutExpired, KeyError) as late:
            return Outcome(None, "", "", f"{type(late).__name__}: {late}")
        return Outcome(0, "", "")

    def _argv(self, command: str) -> list[str]:
        given = words(command, self._saved)
        where = (
            [] if any(word.startswith("--endpoints") for word in given) else ["--endpoints", self._address]
        )
        return [self._etcdctl, *where, *given]

    def _call(self, command: str, stdin: str = "") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self._argv(command),
            input=stdin.encode(),
            capture_output=True,
            env=self._env,
            timeout=_WITHIN_S,
            check=False,
        )

    def _run(self, action: Run) -> Outcome:
        done = self._call(action.command, action.stdin)
        stdout = done.stdout.decode(errors="backslashreplace")
        for name, pattern in action.save.items():
            found = re.search(pattern, stdout)
            self._saved[name] = found[1] if found else f"no-{name}"
        return Outcome(
            done.returncode, normalise.text(stdout), normalise.text(done.stderr.decode(errors="replace"))
        )

    def _start(self, action: Start, folder: Path) -> None:
        started = _Background(self._argv(action.command), self._env, folder, action.stdin)
        self._background[action.name] = started
        if action.nudge:
            wait_for(
                lambda: self._call(action.nudge).returncode or started.has_printed(action.lines),
                f"any output for {action.nudge!r}",
                within_s=_WITHIN_S,
            )
        started.await_lines(action.lines)

    def _finish(self, action: Finish) -> Outcome:
        ended = self._background.pop(action.of)
        try:
            if action.signal is not None:
                ended.process.send_signal(action.signal)
            status = ended.process.wait(_WITHIN_S)
        finally:
            ended.close()
        lines = normalise.text(ended.stdout()).split("\n")
        return Outcome(
            None if action.signal else status,
            "\n".join(sorted(lines) if action.in_any_order else lines),
            normalise.text(ended.stderr()),
        )
