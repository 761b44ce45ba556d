"""``fairlead up``: the demo site as a new user meets it, on ports of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGKILL

import dns.exception
import dns.message
import dns.query
import pytest
from tests import peers
from tests.e2e.cli.command import COMMAND, run
from tests.support.ports import free_port, free_ports
from tests.support.processes import Program, clean_environment, wait_for

DEMO = Path(__file__).parents[3] / "deploy" / "demo"
PORTS = ("2379", "5353", "8080", "9001", "9002")
IS_UP = "everything is up; Ctrl-C ends it"


class Up:
    """``fairlead up`` of a site file in ``folder``."""

    def __init__(self, folder: Path, site: str) -> None:
        self.data = folder / "data"
        self.site = folder / "site.yaml"
        self.site.write_text(site)
        self.program = Program(
            [*COMMAND, "up", str(self.site), "--data-dir", str(self.data)], log=folder / "up.log"
        )

    def start(self) -> "Up":
        self.program.start(lambda: IS_UP in self.program.log())
        return self

    def refused(self) -> str:
        """Return the line on which it gave up."""
        answer = run("up", self.site, "--data-dir", self.data)
        assert answer.status == 1
        assert answer.err.count("\n") == 1
        assert "Traceback" not in answer.out
        return answer.err.strip()


class Demo(Up):
    """The demo site on free ports."""

    def __init__(self, folder: Path) -> None:
        self.store, self.dns, self.proxy, self.web1, self.web2 = ports = free_ports(5)
        site = (DEMO / "site.yaml").read_text().replace("./render", str(DEMO / "render"))
        for before, after in zip(PORTS, ports, strict=True):
            site = re.sub(rf"\b{before}\b", str(after), site)
        super().__init__(folder, site)

    def page(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.proxy}/", timeout=10) as answer:
            return str(answer.read().decode()).strip()

    def answers(self) -> set[int]:
        """The ports that the SRV records of the web servers name."""
        query = dns.message.make_query("web.skydns.local", "SRV")
        answer = dns.query.udp(query, "127.0.0.1", port=self.dns, timeout=5)
        return {record.port for records in answer.answer for record in records}

    def file(self) -> list[str]:
        return (self.data / "app.conf").read_text().splitlines()[1:]

    def etcdctl(self, *words: str) -> str:
        command = [peers.find("etcdctl") or "etcdctl", "--endpoints", f"127.0.0.1:{self.store}", *words]
        env = clean_environment({"ETCDCTL_API": "3"})
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True, timeout=30).stdout

    def pid_of(self, agent: str) -> int:
        """What the agent says in its status key."""
        got = run(
            "kv", "get", f"/fairlead/agents/{agent}", "--prefix", "-o", "json", "--endpoints", self.endpoint
        )
        return int(json.loads(json.loads(got.out)["kvs"][0]["value"])["pid"])

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.store}"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo, up; the tests of this module share it and leave it as they found it."""
    up = Demo(tmp_path_factory.mktemp("demo"))
    up.start()
    yield up
    up.program.stop(SIGINT)
    assert "Traceback" not in up.program.log(), up.program.log()


def eventually(claim: Callable[[], object], what: str) -> None:
    def holds() -> object:
        try:
            return claim()
        except (OSError, dns.exception.DNSException):
            return False

    wait_for(holds, what, within_s=15)


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


class TestDemo:
    def test_all_is_there_at_once_and_three_commands_show_it(self, demo: Demo) -> None:
        assert {demo.page() for _ in range(4)} == {"hello from web1", "hello from web2"}
        assert demo.answers() == {demo.web1, demo.web2}
        assert demo.file() == [
            "name = demo",
            f"upstream web1 = 127.0.0.1:{demo.web1}",
            f"upstream web2 = 127.0.0.1:{demo.web2}",
        ]
        after = demo.program.log().partition(IS_UP)[2]
        assert [line.strip() for line in after.splitlines() if line.startswith("    ")][:3] == [
            f"curl http://127.0.0.1:{demo.proxy}/",
            f"dig @127.0.0.1 -p {demo.dns} web.skydns.local SRV",
            f"cat {demo.data}/app.conf",
        ]

    def test_a_new_site_begins_without_a_complaint(self, demo: Demo) -> None:
        """Its keys are written before the agents look for them."""
        before = demo.program.log().partition(IS_UP)[0]
        assert "does not exist" not in before
        assert "wrote 9 of the site's keys" in before

    @pytest.mark.peer("etcdctl")
    def test_one_transaction_by_the_stock_client_changes_file_answer_and_route(self, demo: Demo) -> None:
        keys = ("/app/upstream/web2", "/skydns/local/skydns/web/2", "/vulcand/backends/web/servers/web2")
        values = {key: demo.etcdctl("get", key, "--print-value-only").strip() for key in keys}
        for key in keys:
            demo.etcdctl("del", key)

        eventually(
            lambda: demo.file() == ["name = demo", f"upstream web1 = 127.0.0.1:{demo.web1}"], "the file"
        )
        eventually(lambda: demo.answers() == {demo.web1}, "the answer")
        eventually(lambda: {demo.page() for _ in range(6)} == {"hello from web1"}, "the route")

        for key, value in values.items():
            demo.etcdctl("put", key, value)
        eventually(lambda: len(demo.file()) == 3, "the file as it was")
        eventually(lambda: demo.answers() == {demo.web1, demo.web2}, "the answer as it was")
        eventually(lambda: len({demo.page() for _ in range(6)}) == 2, "the route as it was")

    def test_an_agent_that_is_killed_is_started_again_and_said_so(self, demo: Demo) -> None:
        pid = demo.pid_of("dns")
        os.kill(pid, SIGKILL)

        eventually(
            lambda: "dns │ ended with status -9; starting it again in" in demo.program.log(), "said so"
        )
        eventually(lambda: demo.answers() == {demo.web1, demo.web2}, "answers again")
        assert not is_alive(pid)

    def test_a_second_one_gives_up_and_says_who_is_there(self, demo: Demo) -> None:
        answer = run("up", demo.site, "--data-dir", demo.data)

        assert answer.status == 1
        assert answer.err.count("\n") == 1
        assert answer.err.startswith(
            f"fairlead: store did not start: {demo.data / 'store'} is in use by process"
        )
        assert demo.page().startswith("hello from")


@pytest.mark.parametrize("number", [SIGINT, SIGHUP], ids=lambda number: number.name)
def test_a_signal_stops_all_in_order_and_leaves_nobody(tmp_path: Path, number: signal.Signals) -> None:
    """SIGHUP is what a closed terminal sends."""
    store, names, web = free_ports(3)
    up = Up(
        tmp_path,
        f"{{store: {{listen: 'http://127.0.0.1:{store}'}}, agents: {{dns: {{listen: '127.0.0.1:{names}'}}}},"
        f" processes: {{web: [{sys.executable}, -m, http.server, '{web}', --bind, 127.0.0.1]}}}}",
    ).start()
    pids = children_of(up.program.pid)
    assert len(pids) == 3
    up.program.signal(number)

    assert up.program.wait() == 0
    assert [pid for pid in pids if is_alive(pid)] == []
    after = up.program.log().partition("stopping")[2]
    assert "Traceback" not in up.program.log()
    assert after.index("dns │ stopped") < after.index("store │ stopped")


def children_of(pid: int) -> list[int]:
    tasks = (Path("/proc") / str(pid) / "task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def test_the_port_of_the_store_in_use_is_the_last_line(tmp_path: Path, demo: Demo) -> None:
    refused = Up(tmp_path, f"{{store: {{listen: '{demo.endpoint}'}}, agents: {{}}}}").refused()

    assert refused.startswith("fairlead: store did not start: ")
    assert f"127.0.0.1:{demo.store}" in refused
    assert "in use" in refused


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    up = Up(tmp_path, "{store: null, processes: {web: [no-such-program]}}")

    assert (
        up.refused() == "fairlead: web did not start: cannot run 'no-such-program': No such file or directory"
    )


def test_a_wrong_flag_of_an_agent_is_the_last_line(tmp_path: Path) -> None:
    up = Up(tmp_path, "{store: null, agents: {dns: {listn: '127.0.0.1:1'}}}")

    assert up.refused().startswith("fairlead: dns did not start: fairlead dns run: no such option '--listn'")


def test_keys_without_a_store_to_write_them_to(tmp_path: Path) -> None:
    up = Up(tmp_path, f"{{store: null, endpoints: 'http://127.0.0.1:{free_port()}', keys: {{/a: 1}}}}")

    assert up.refused().startswith("fairlead: no store answers at http://127.0.0.1:")


def test_a_site_that_cannot_be_read_makes_no_folder(tmp_path: Path) -> None:
    assert "name a site file" in run("up", tmp_path / "none.yaml", "--data-dir", tmp_path / "data").refusal
    assert not (tmp_path / "data").exists()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    line = run("up", DEMO / "site.yaml", "--data-dir", tmp_path / "file" / "data").refusal
    assert line.endswith("Not a directory; give another --data-dir")
