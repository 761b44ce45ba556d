"""The whole suite on one store: DNS, proxy and templates, and services that register."""

import http.client
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import dns.message
import dns.query
import dns.rdatatype
import pytest
from tests.e2e.cli.command import Answer, run
from tests.support.ports import free_port
from tests.support.processes import Program, wait_for
from tests.support.store import StoreServer
from tests.support.wire import Wire

from fairlead.proto import rpc_pb2 as pb

DIES_WITH_ITS_PARENT = ("setpriv", "--pdeathsig", "KILL")
"""A registration that a test kills leaves its service behind, on purpose; the test must not."""
_WRITTEN = (b"/services/", b"/skydns/", b"/vulcand/backends/")
"""Where registrations write."""
FAIRLEAD = (sys.executable, "-m", "fairlead.cli")


class Suite:
    """The agents, and what they say of the service ``web``."""

    def __init__(self, store: StoreServer, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.dns_port, self.proxy_port = free_port(), free_port()
        self.file = folder / "web.list"
        self.programs: list[Program] = []

    def begin(self, folder: Path) -> None:
        """Have what is started from now on keep its logs in ``folder``."""
        self.folder, self.programs = folder, []

    def clear(self) -> None:
        """End what a test has started, and wait until nobody knows of a service."""
        for program in self.programs:
            program.stop(SIGKILL)
        with Wire(self.store.address) as wire:
            for prefix in _WRITTEN:
                wire.get("DeleteRange", pb.DeleteRangeRequest(key=prefix, range_end=prefix[:-1] + b"0"))
        wait_for(self.knows, "all have forgotten it")

    def start(self, *words: object, name: str) -> Program:
        program = Program([*FAIRLEAD, *map(str, words)], log=self.folder / f"{name}.log")
        self.programs.append(program)
        program.start()
        return program

    def start_agents(self) -> None:
        confdir = self.folder / "render"
        (confdir / "conf.d").mkdir(parents=True)
        (confdir / "templates").mkdir()
        (confdir / "conf.d" / "web.toml").write_text(
            f'[template]\nsrc = "web.j2"\ndest = "{self.file}"\nkeys = ["/services/web"]\n'
        )
        (confdir / "templates" / "web.j2").write_text(
            "{% for kv in gets('/services/web/*') %}{{ json(kv.Value).address }}\n{% endfor %}"
        )
        self.kv(
            "put",
            "/vulcand/frontends/web/frontend",
            json.dumps({"Type": "http", "BackendId": "web", "Route": "PathRegexp(`.*`)"}),
        )
        at = ("--endpoints", self.store.endpoint)
        started = [
            self.start("dns", *at, "--listen", f"127.0.0.1:{self.dns_port}", name="dns"),
            self.start("proxy", *at, "--listen", f"127.0.0.1:{self.proxy_port}", name="proxy"),
            self.start(
                "render",
                *at,
                "--confdir",
                confdir,
                "--state-dir",
                self.folder / "state",
                "--watch",
                name="render",
            ),
        ]
        for program in started:
            program.wait_until(lambda program=program: "ready" in program.log(), "it is ready")  # type: ignore[misc]

    def register(self, port: int, *words: object, name: str = "register") -> Program:
        return self.start(
            *("register", "web", "--endpoints", self.store.endpoint, "--address", f"127.0.0.1:{port}"),
            *("--interval", "200ms", *words),
            name=name,
        )

    def service(self, port: int) -> tuple[object, ...]:
        """The words of a command that serves HTTP at ``port``."""
        return (
            "--",
            *DIES_WITH_ITS_PARENT,
            *FAIRLEAD,
            "hello",
            "--listen",
            f"127.0.0.1:{port}",
            "--name",
            f"port {port}",
        )

    def kv(self, *words: str) -> Answer:
        answer = run("kv", words[0], "--endpoints", self.store.endpoint, *words[1:])
        assert answer.status == 0, answer
        return answer

    def in_dns(self) -> set[int]:
        """The ports that DNS knows ``web`` at."""
        query = dns.message.make_query("web.skydns.local.", dns.rdatatype.SRV)
        answer = dns.query.udp(query, "127.0.0.1", port=self.dns_port, timeout=5)
        return {record.port for rrset in answer.answer for record in rrset}

    def in_file(self) -> set[int]:
        text = self.file.read_text() if self.file.exists() else ""
        return {int(line.rpartition(":")[2]) for line in text.split()}

    def through_proxy(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy_port, timeout=10)
        connection.request("GET", "/")
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status

    def knows(self, *ports: int) -> bool:
        """Whether all three say that ``web`` is at just these ports."""
        return self.in_dns() == self.in_file() == set(ports) and self.through_proxy() == (
            200 if ports else 503
        )


@pytest.fixture(scope="module")
def running_suite(kept_store: StoreServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    made = Suite(kept_store, tmp_path_factory.mktemp("suite"))
    made.start_agents()
    agents = made.programs
    yield made
    for program in agents:
        program.stop(SIGKILL)


@pytest.fixture
def suite(running_suite: Suite, tmp_path: Path) -> Iterator[Suite]:
    """The agents, which all tests of a module have in turn, and no service."""
    running_suite.begin(tmp_path)
    yield running_suite
    running_suite.clear()


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
