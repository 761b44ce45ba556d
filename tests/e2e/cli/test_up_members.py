"""``fairlead up --members 3``: a cluster in one terminal, that goes on when any one member is lost."""

import json
import os
from pathlib import Path
from signal import SIGINT, SIGKILL

import pytest
from tests.e2e.cli.command import COMMAND, Kv, run
from tests.support.ports import free_base, free_port
from tests.support.processes import Program, wait_for

IS_UP = "everything is up; Ctrl-C ends it"
PORTS = (0, 1, 10, 11, 20, 21)


class Trio:
    """A site of three members and one agent."""

    def __init__(self, folder: Path, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured
        base = free_base(PORTS)
        self.urls = [f"http://127.0.0.1:{base + 10 * n}" for n in range(3)]
        self.data = folder / "data"
        self.site = folder / "site.yaml"
        self.site.write_text(
            f"{{store: {{listen: '{self.urls[0]}'}}, agents: {{dns: {{listen: '127.0.0.1:{free_port()}'}}}},"
            " keys: {/a: '1'}}"
        )
        self.program = Program(
            [*COMMAND, "up", str(self.site), "--data-dir", str(self.data), "--members", "3"],
            log=folder / "up.log",
        )

    def start(self) -> None:
        self.program.start(lambda: self.log.count(IS_UP) > self.starts)

    @property
    def log(self) -> str:
        return self.program.log()

    @property
    def starts(self) -> int:
        return self.log.count("stopping")

    def get(self, url: str, key: str) -> str:
        answer = Kv(url, self._captured)("get", key, "-o", "json")
        assert answer.status == 0, answer
        return str(json.loads(answer.out)["kvs"][0]["value"])

    def put(self, urls: list[str], key: str, value: str) -> None:
        answer = Kv(",".join(urls), self._captured)("put", key, value)
        assert answer.status == 0, answer

    def pid_of(self, member: int) -> int:
        """The process whose command line names the member."""
        tasks = Path("/proc", str(self.program.pid), "task").iterdir()
        for child in (int(word) for task in tasks for word in (task / "children").read_text().split()):
            words = Path("/proc", str(child), "cmdline").read_text().split("\0")
            if f"store{member}" in words:
                return child
        raise AssertionError(f"store{member} does not run")


@pytest.fixture
def trio(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Trio:
    return Trio(tmp_path, capsys)


def test_the_site_outlives_any_one_member_and_a_restart_of_all(trio: Trio) -> None:
    """One story, since each start of five programs takes its time."""
    with trio.program:
        trio.start()
        assert {trio.get(url, "/a") for url in trio.urls} == {"1"}
        os.kill(trio.pid_of(1), SIGKILL)
        trio.put(trio.urls[1:], "/a", "2")
        wait_for(lambda: trio.log.count("store1 │ ready") == 2, "the lost member back")
        assert trio.get(trio.urls[0], "/a") == "2"
        trio.program.signal(SIGINT)
        assert trio.program.wait() == 0

        trio.start()
        assert trio.get(trio.urls[1], "/a") == "2"
    assert "Traceback" not in trio.log
    refused = run("up", trio.site, "--data-dir", trio.data).refusal
    assert refused.endswith(
        f"{trio.data} has the data of a store of 3, not of 1; give --members 3, or another --data-dir"
    )
