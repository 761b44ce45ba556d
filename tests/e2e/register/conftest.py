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
from tests.support.processes import Program
from tests.support.store import StoreServer

DIES_WITH_ITS_PARENT = ("setpriv", "--pdeathsig", "KILL")
"""A registration that a test kills leaves its service behind, on purpose; the test must not."""
FAIRLEAD = (sys.executable, "-m", "fairlead.cli")


class Suite:
    """The agents, and what they say of the service ``web``."""

    def __init__(self, store: StoreServer, folder: Path) -> None:
        self.store = store
        self.folder = folder
        self.dns_port, self.proxy_port = free_port(), free_port()
        self.file = folder / "web.list"
        self.programs: list[Program] = []

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


@pytest.fixture
def suite(store: StoreServer, tmp_path: Path) -> Iterator[Suite]:
    made = Suite(store, tmp_path)
    made.start_agents()
    yield made
    for program in made.programs:
        program.stop(SIGKILL)


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
