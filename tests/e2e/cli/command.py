"""The ``fairlead`` command as tests call it."""

import json
import subprocess
import sys
from dataclasses import dataclass

import pytest
from tests.support.processes import clean_environment

from fairlead.cli import main

COMMAND = (sys.executable, "-m", "fairlead.cli")
WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    out: str
    err: str

    @property
    def refusal(self) -> str:
        """The one line of a command that failed as it should."""
        assert self.status != 0, self
        assert self.out == "", self
        assert self.err.count("\n") == 1, self
        assert self.err.startswith("fairlead"), self
        return self.err.strip()


def run(*words: object, data: bytes = b"") -> Answer:
    """Run the command as a program of its own."""
    done = subprocess.run(
        [*COMMAND, *map(str, words)],
        input=data,
        env=clean_environment(),
        check=False,
        capture_output=True,
        timeout=WITHIN_S,
    )
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def run_here(captured: pytest.CaptureFixture[str], *words: object) -> Answer:
    """Run the command within this process, which is quick; for those that neither serve nor start programs."""
    captured.readouterr()
    status = main([str(word) for word in words])
    printed = captured.readouterr()
    return Answer(status, printed.out, printed.err)


class Kv:
    """``fairlead kv`` within this process, which is quick."""

    def __init__(self, endpoint: str, captured: pytest.CaptureFixture[str]) -> None:
        self._endpoint = endpoint
        self._captured = captured

    def __call__(self, *words: str) -> Answer:
        command, *rest = words
        return run_here(self._captured, "kv", command, "--endpoints", self._endpoint, *rest)

    def revision(self) -> int:
        """Return the store's revision."""
        return int(json.loads(self.lines("get", "/", "-o", "json")[0])["revision"])

    def lines(self, *words: str) -> list[str]:
        """Return what a command that succeeds prints."""
        answer = self(*words)
        assert (answer.status, answer.err) == (0, ""), answer
        return answer.out.splitlines()
