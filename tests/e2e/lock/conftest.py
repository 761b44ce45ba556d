"""The lock's commands and agents as programs, on either store."""

import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import pytest
from tests.e2e.cli.command import Answer, run, run_here
from tests.support.ports import free_port
from tests.support.processes import Program, wait_for
from tests.support.store import StoreServer, emptied

_PROGRAMS = {"run", "agent", "serve"}
"""What needs a program of its own: it starts others, or is told by signals to end."""
LOCK = (sys.executable, "-m", "fairlead.cli", "lock")


class Lock:
    """``fairlead lock`` against one store; without ``captured`` every command is a program of its own."""

    def __init__(
        self, store: StoreServer, folder: Path, captured: pytest.CaptureFixture[str] | None = None
    ) -> None:
        self._captured = captured
        self.store = store
        self.folder = folder
        self.programs: list[Program] = []

    def __call__(self, command: str, *words: object) -> Answer:
        return self._run("lock", command, *words)

    def kv(self, *words: str) -> str:
        answer = self._run("kv", *words)
        assert answer.status == 0, answer
        return answer.out

    def _run(self, area: str, command: str, *words: object) -> Answer:
        given = (area, command, "--endpoints", self.store.endpoint, *words)
        if self._captured is None or command in _PROGRAMS:
            return run(*given)
        return run_here(self._captured, *given)

    def start(self, command: str, *words: object, name: str) -> Program:
        program = Program(
            [*LOCK, command, "--endpoints", self.store.endpoint, *map(str, words)],
            log=self.folder / f"{name}.log",
        )
        self.programs.append(program)
        program.start()
        return program

    def agent(self, name: str, policy: str, *, boot: str) -> Program:
        """Start a host's agent; the policy's ``reboot`` stands in for the reboot."""
        path = self.folder / f"{name}.yaml"
        path.write_text(policy)
        return self.start(
            "agent", "--policy", path, "--id", name, "--host", name, "--boot-id", boot, name=f"{name}-{boot}"
        )

    def serve(self, *words: object) -> str:
        """Start a FleetLock server; return its address."""
        address = f"127.0.0.1:{free_port()}"
        program = self.start("serve", "--listen", address, *words, name="serve")
        wait_for(lambda: "ready" in program.log(), "the server is ready")
        return address


@pytest.fixture
def store(kept_store: StoreServer) -> StoreServer:
    """A running store with nothing in it."""
    return emptied(kept_store)


@pytest.fixture
def lock(store: StoreServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Lock]:
    held = Lock(store, tmp_path, capsys)
    yield held
    for program in held.programs:
        program.stop(SIGKILL)
