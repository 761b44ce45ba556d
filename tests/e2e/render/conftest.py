"""The renderer beside a store: a configuration directory, etcdctl for the keys, and the agent."""

import http.client
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests import peers
from tests.support.ports import free_ports
from tests.support.processes import Program, clean_environment
from tests.support.store import KINDS, StoreServer, emptied

TEMPLATES = Path(__file__).parents[3] / "templates"
UPSTREAM = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = sys.argv[2].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
needs_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may do what the program does even to check: namespaces, log folders"
)

APPLIED = "fairlead_agent_applied_revision "
COMMAND = [sys.executable, "-m", "fairlead.cli", "render"]


class Etcdctl:
    """The stock client, since the keys come from other people's programs."""

    def __init__(self, store: StoreServer) -> None:
        found = peers.find("etcdctl")
        assert found is not None, "etcdctl is not installed"
        self._argv = [found, "--endpoints", store.address]

    def __call__(self, *words: str, stdin: str = "") -> str:
        return subprocess.run(
            [*self._argv, *words],
            input=stdin,
            env=clean_environment({"ETCDCTL_API": "3"}),
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout


class Site:
    """``conf.d``, ``templates``, destinations below ``out``, and the renderer over them."""

    def __init__(self, path: Path, store: StoreServer) -> None:
        self.path = path
        self.out = path / "out"
        self._store = store
        self.endpoint = store.endpoint
        for name in ("conf.d", "templates", "out"):
            (path / name).mkdir(parents=True)
        self.agent = Program([], log=path / "agent.log")
        self.metrics = f"127.0.0.1:{free_ports(1)[0]}"

    def resource(self, name: str, template: str, **fields: str | list[str]) -> Path:
        """Write template and resource; return the destination."""
        dest = self.out / f"{name}.conf"
        (self.path / "templates" / f"{name}.j2").write_text(template)
        given = {"src": f"{name}.j2", "dest": str(dest), **fields}
        lines = [f"{field} = {value!r}" for field, value in given.items()]
        (self.path / "conf.d" / f"{name}.toml").write_text("\n".join(["[template]", *lines]))
        return dest

    def argv(self, *flags: str) -> list[str]:
        state = str(self.path / "state")
        return [
            *COMMAND,
            *("--endpoints", self._store.endpoint, "--confdir", str(self.path), "--state-dir", state),
            *flags,
        ]

    def once(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run ``--onetime`` to its end."""
        return subprocess.run(
            self.argv("--onetime", *flags),
            env=clean_environment(),
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def watch(self, *flags: str) -> Program:
        """Start the agent and wait for its first pass."""
        self.start(*flags)
        self.agent.wait_until(lambda: "ready" in self.agent.log(), "ready")
        return self.agent

    def start(self, *flags: str) -> Program:
        """Start the agent."""
        self.agent.argv = self.argv(*(flags or ("--watch",)), "--metrics-listen", self.metrics)
        return self.agent.start()

    def until(self, path: Path, text: str) -> None:
        """Wait until the file holds exactly ``text``."""
        self.agent.wait_until(lambda: path.exists() and path.read_text() == text, f"{path.name} == {text!r}")

    def until_logged(self, text: str, *, times: int = 1) -> None:
        """Wait until the agent has said so."""
        self.agent.wait_until(lambda: self.agent.log().count(text) >= times, f"saying {text!r}")

    def until_settled(self, etcdctl: Etcdctl) -> None:
        """Wait until the agent is done with everything written so far."""
        header = json.loads(etcdctl("put", "/marker", "x", "-w", "json"))["header"]
        self.agent.wait_until(
            lambda: self.applied_revision() >= header["revision"], f"at revision {header['revision']}"
        )

    def applied_revision(self) -> int:
        """The revision up to which everything is in force."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return int(float(next(line for line in lines if line.startswith(APPLIED)).split()[1]))


@pytest.fixture(scope="module", params=[pytest.param("etcd", marks=pytest.mark.peer("etcd")), "fairlead"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    """One store for all tests of a module, which take it through ``empty_store``: to start one takes long."""
    with KINDS[request.param](tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture
def empty_store(store: StoreServer) -> StoreServer:
    """The store, running and without a key."""
    return emptied(store)


@pytest.fixture
def etcdctl(empty_store: StoreServer) -> Etcdctl:
    return Etcdctl(empty_store)


@pytest.fixture
def site(empty_store: StoreServer, tmp_path: Path) -> Iterator[Site]:
    """A site whose agent is ended with the test."""
    made = Site(tmp_path / "site", empty_store)
    made.resource("marker", "{{ getv('/marker', '') }}", keys=["/marker"])
    yield made
    made.agent.stop()


def get(port: int, host: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/", headers={"Host": host})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[int]:
    """A web server that answers ``shop``."""
    port = free_ports(1)[0]
    with Program(
        [sys.executable, "-c", UPSTREAM, str(port), "shop"], log=tmp_path / "upstream.log"
    ) as program:
        program.start(lambda: _is_open(port))
        yield port


def _is_open(port: int) -> bool:
    try:
        return get(port, "x")[0] == http.HTTPStatus.OK
    except OSError:
        return False
