"""Real programs that say yes and mean no: what a check and a reload do not notice, a probe or a guard does.

From a key in a store to what the program itself answers, on etcd and on Fairlead's store.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.e2e.render.conftest import TEMPLATES, Etcdctl, Site, get, needs_root
from tests.peers import path_of
from tests.support.ports import free_port, free_ports
from tests.support.processes import Program, clean_environment, wait_for

pytestmark = pytest.mark.peer("etcdctl")


class Host:
    """One group on one host; ``PATH`` in what a test writes is the host's folder, ``CONF`` the group's file."""

    def __init__(self, site: Site, etcdctl: Etcdctl) -> None:
        self.site = site
        self.path = site.path
        self.conf = site.out / "app.conf"
        self._etcdctl = etcdctl
        self._reloads = 0

    def group(self, resource: str, template: str = "") -> None:
        if template:
            (self.path / "templates" / "app.j2").write_text(self.filled(template))
        text = f"files: [{{src: app.j2, dest: {self.conf}}}]\n{self.filled(resource)}"
        (self.path / "conf.d" / "app.yaml").write_text(text)
        if self.site.agent.is_running:
            self._reloads += 1
            self.site.agent.signal(signal.SIGHUP)
            self.site.until_logged("[info     ] reloaded ", times=self._reloads)

    def filled(self, text: str) -> str:
        return text.replace("PATH", str(self.path)).replace("CONF", str(self.conf))

    def put(self, *words: str) -> None:
        """Write every ``KEY=VALUE`` in one transaction; without a value the key is deleted."""
        pairs = [word.partition("=") for word in words]
        lines = [f'put {key} "{value}"' if value else f"del {key}" for key, _, value in pairs]
        self._etcdctl("txn", stdin="\n" + "\n".join(lines) + "\n\n\n")

    def until(self, text: str) -> None:
        """Wait until the file holds ``text`` and the change is done with."""
        conf = self.conf
        self.site.agent.wait_until(lambda: conf.exists() and text in conf.read_text(), f"with {text!r}")
        self.site.until_settled(self._etcdctl)
        assert text in conf.read_text()


@pytest.fixture
def host(site: Site, etcdctl: Etcdctl) -> Host:
    return Host(site, etcdctl)


NGINX = """
pid PATH/nginx.pid; error_log PATH/error.log;
events {}
http {
    access_log off;
{% for address in getvs('/listen/*') %}
    server { listen {{ address }}; location / { return 200 {{ getv('/text') }}; } }
{% endfor %}
}
"""
NGINX_GROUP = """
check: {{cmd: [{nginx}, -t, -q, -c, "{{{{ src }}}}"]}}
reload: {{signal: HUP, pidfile: PATH/nginx.pid}}
verify:
  - {{http: "http://127.0.0.1:{port}/"}}
  - {{log_absent: PATH/error.log, match: '\\[emerg\\]'}}
"""


@needs_root
@pytest.mark.peer("nginx")
def test_nginx_that_cannot_bind_is_rolled_back_and_says_why(host: Host) -> None:
    """``nginx -t`` is content, ``nginx -s reload`` too, and what is served is the old configuration."""
    port, taken = free_ports(2)
    listen = f"127.0.0.1:{port}"
    host.group(NGINX_GROUP.format(nginx=path_of("nginx"), port=port), NGINX)
    head = host.filled(NGINX).split("{%", 1)[0]
    host.conf.write_text(head + f"server {{ listen {listen}; location / {{ return 200 zero; }} }} }}")
    argv = [path_of("nginx"), "-c", str(host.conf), "-g", "daemon off;"]
    with Program(argv, log=host.path / "nginx.log") as nginx, socket.socket() as other:
        nginx.start(lambda: answer(port) == "zero")
        host.put("/text=one", f"/listen/a={listen}")
        host.site.watch()
        nginx.wait_until(lambda: answer(port) == "one", "serving the new file")
        other.bind(("127.0.0.1", taken))
        other.listen()
        host.put("/text=two", f"/listen/b=127.0.0.1:{taken}")
        host.site.until_logged(f"bind() to 127.0.0.1:{taken} failed")
        host.until("return 200 one")
        assert "rolled back, " in host.site.agent.log()
        assert answer(port) == "one"
        host.put("/text=three", "/listen/b=")
        host.until("return 200 three")
        nginx.wait_until(lambda: answer(port) == "three", "serving the next good file")


def answer(port: int) -> str:
    with contextlib.suppress(OSError):
        return get(port, "x")[1]
    return ""


HAPROXY = """
defaults
  mode http
  timeout connect 1s
  timeout client 1s
  timeout server 1s
frontend f
  bind 127.0.0.1:1
  default_backend b
backend b
{% for kv in gets('/up/*') %}
  server {{ kv.key|base }} {{ kv.value }}
{% endfor %}
"""


@pytest.mark.peer("haproxy")
def test_haproxy_finds_an_empty_backend_good_and_a_guard_does_not(host: Host) -> None:
    check = f"check: {{cmd: [{path_of('haproxy')}, -c, -q, -f, '{{{{ src }}}}']}}\n"
    host.group(check + "guards: {\"gets('/up/*')\": {min: 1}}\n", HAPROXY)
    host.put("/up/a=127.0.0.1:81")
    host.site.watch()
    host.until("server a 127.0.0.1:81")
    host.put("/up/a=")
    host.site.until_logged("guard gets('/up/*'): gives 0, fewer than 1")
    assert "server a" in host.conf.read_text()
    host.group(check)
    host.site.agent.wait_until(
        lambda: "server a" not in host.conf.read_text(), "taken by haproxy's own check"
    )


@pytest.mark.peer("dnsmasq", "dig")
def test_dnsmasq_does_not_read_its_file_on_a_hang_up_and_does_when_restarted(host: Host) -> None:
    """A reload that does nothing exits with 0 as well; only a probe can tell."""
    port = free_port()
    dnsmasq, dig, pid = path_of("dnsmasq"), path_of("dig"), host.path / "pid"
    template = (
        f"port={port}\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nuser=root\n"
        f"pid-file={pid}\naddress=/web.lan/{{{{ getv('/address') }}}}\n"
    )
    ask = f"{dig} @127.0.0.1 -p {port} +short +tries=1 +time=1 web.lan"
    verify = (
        f'verify: [{{shell: \'test "$({ask})" = "$(sed -n s,address=/web.lan/,,p CONF)"\', within: 3s}}]\n'
    )
    start = f"{dnsmasq} -C {host.conf}"
    restart = f"reload: {{shell: 'kill $(cat {pid}) && while test -e {pid}; do sleep 0.05; done; {start}'}}\n"
    hang_up = f"reload: {{signal: HUP, pidfile: {pid}}}\n"
    host.conf.write_text(template.replace("{{ getv('/address') }}", "10.0.0.0"))
    subprocess.run([*start.split()], check=True)
    try:
        host.group(restart + verify, template)
        host.put("/address=10.0.0.1")
        host.site.watch()
        host.until("10.0.0.1")
        host.group(hang_up + verify.replace("within: 3s", "within: 300ms"))
        host.put("/address=10.0.0.2")
        host.site.until_logged("(tried for 0.3 s)")
        host.until("10.0.0.1")
        host.group(restart + verify)
        host.put("/address=10.0.0.3")
        host.until("10.0.0.3")
    finally:
        number = int(pid.read_text())
        os.kill(number, signal.SIGTERM)
        wait_for(lambda: not Path(f"/proc/{number}").exists(), "dnsmasq is gone")


class Postgres:
    """A server of its own; the preset finds it by libpq's variables."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.port = free_port()
        self.environment = {"PGHOST": str(path), "PGPORT": str(self.port)}
        self.included = path / "data" / "conf.d" / "fairlead.conf"

    def argv(self, program: str, *words: str) -> list[str]:
        return ["runuser", "-u", "postgres", "--", path_of(program), *words]

    def create(self) -> None:
        shutil.chown(self.path, "postgres")
        data = str(self.path / "data")
        words = ["-D", data, "--auth", "trust", "--no-sync", "--no-locale", "--encoding", "UTF8"]
        subprocess.run(self.argv("initdb", *words), check=True, capture_output=True, cwd=self.path)
        self.included.parent.mkdir(mode=0o755)
        shutil.chown(self.included.parent, "postgres")
        with (self.path / "data" / "postgresql.conf").open("a") as file:
            file.write(
                f"include_dir = 'conf.d'\nport = {self.port}\nunix_socket_directories = '{self.path}'\n"
                "listen_addresses = ''\nfsync = off\nshared_buffers = 1MB\n"
            )

    def ask(self, query: str) -> str:
        done = subprocess.run(
            self.argv("psql", "-AtqX", "-c", query),
            env=clean_environment(self.environment),
            cwd=self.path,
            check=False,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    # The server runs as a user of its own, who may not enter a folder of pytest's.
    with tempfile.TemporaryDirectory(prefix="fairlead-postgres-") as path:
        server = Postgres(Path(path))
        server.create()
        argv = server.argv("postgres", "-D", str(server.path / "data"))
        with Program(argv, log=server.path / "server.log", cwd=server.path) as program:
            program.start(lambda: server.ask("select 1") == "1")
            yield server


@needs_root
@pytest.mark.peer("postgres")
def test_postgres_that_would_need_a_restart_is_rolled_back_and_a_bad_value_is_never_in_place(
    host: Host, postgres: Postgres
) -> None:
    """The ready template and the preset: check by the server's own program, reload, and what it says of itself."""
    template = (TEMPLATES / "postgres" / "templates" / "settings.conf.j2").read_text()
    host.conf = postgres.included
    host.group("app: postgres\n", template)
    host.site.agent.env |= postgres.environment
    connections = postgres.ask("show max_connections")
    host.put("/settings/work_mem=8MB")
    host.site.watch()
    host.until("work_mem = '8MB'")
    assert postgres.ask("show work_mem") == "8MB"
    host.put("/settings/max_connections=33")
    host.site.until_logged("max_connections needs a restart")
    host.until("work_mem")
    assert "max_connections" not in host.conf.read_text()
    assert postgres.ask("select count(*) from pg_settings where pending_restart") == "0"
    assert postgres.ask("show max_connections") == connections
    host.put("/settings/max_connections=", "/settings/work_mem=lots")
    host.site.until_logged('invalid value for parameter "work_mem": "lots"')
    assert "check failed" in host.site.agent.log()
    assert "work_mem = '8MB'" in host.conf.read_text()
    host.put("/settings/work_mem=9MB")
    host.until("work_mem = '9MB'")
    assert postgres.ask("show work_mem") == "9MB"


REDIS_GROUP = """
app: redis
reload: {{shell: 'kill $(cat {pid}) && while test -e {pid}; do sleep 0.02; done; {start} --daemonize yes'}}
verify: [{{tcp: "127.0.0.1:{port}"}}]
"""


@pytest.mark.peer("redis-server")
def test_redis_has_no_check_and_a_trial_start_finds_what_it_would_not_start_with(host: Host) -> None:
    port, pid = free_port(), host.path / "pid"
    start = f"{path_of('redis-server')} {host.conf}"
    host.group(
        REDIS_GROUP.format(pid=pid, port=port, start=start),
        f"port {port}\nbind 127.0.0.1\npidfile {pid}\ndir PATH\nsave ''\nmaxmemory {{{{ getv('/memory') }}}}\n",
    )
    host.conf.write_text(f"port {port}\nbind 127.0.0.1\npidfile {pid}\ndir {host.path}\n")
    subprocess.run([*start.split(), "--daemonize", "yes"], check=True, capture_output=True)

    def limit() -> str:
        words = ["redis-cli", "-p", str(port), "config", "get", "maxmemory"]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        return done.stdout.split()[-1] if done.returncode == 0 else ""

    try:
        host.put("/memory=10mb")
        host.site.watch()
        wait_for(lambda: limit() == str(10 * 1024 * 1024), "redis runs on the new file")
        first = int(pid.read_text())
        host.put("/memory=lots")
        host.site.until_logged("argument must be a memory value")
        assert "check failed" in host.site.agent.log()
        assert "maxmemory 10mb" in host.conf.read_text()
        assert int(pid.read_text()) == first, "it was not restarted for nothing"
        host.put("/memory=20mb")
        wait_for(lambda: limit() == str(20 * 1024 * 1024), "redis runs on the next good file")
    finally:
        wait_for(pid.exists, "redis has written its id")
        number = int(pid.read_text())
        os.kill(number, signal.SIGTERM)
        wait_for(lambda: not Path(f"/proc/{number}").exists(), "redis is gone")


class Kernel:
    """The rules of a network namespace that nobody else is in, and that goes with the process that holds it."""

    def __init__(self, path: Path) -> None:
        self.holder = Program(["unshare", "--net", "sleep", "infinity"], log=path / "namespace.log")

    def inside(self, *words: str) -> list[str]:
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", path_of("nft"), *words]

    def is_apart(self) -> bool:
        spaces = [Path(f"/proc/{pid}/ns/net").readlink() for pid in (self.holder.pid, "self")]
        return spaces[0] != spaces[1]

    def blocked(self) -> list[str]:
        """Return what the kernel drops; the table must be there, whole."""
        words = self.inside("-j", "list", "table", "inet", "fairlead")
        table = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)[
            "nftables"
        ]
        [chain] = [entry["chain"]["name"] for entry in table if "chain" in entry]
        [blocked] = [entry["set"] for entry in table if "set" in entry]
        assert chain == "input"
        addresses: list[str] = blocked.get("elem", [])
        return addresses


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path)
    with kernel.holder as holder:
        holder.start(kernel.is_apart)
        yield kernel


@needs_root
@pytest.mark.peer("nft")
def test_nftables_takes_all_of_a_new_ruleset_or_nothing(host: Host, kernel: Kernel) -> None:
    """Whoever looks in between sees the old rules or the new ones, whole; a bad address changes nothing."""
    template = (TEMPLATES / "nftables" / "templates" / "fairlead.nft.j2").read_text()
    check, reload = kernel.inside("-c", "-f", "{{ src }}"), kernel.inside("-f", "{{ dest }}")
    host.group(f"check: {{cmd: {json.dumps(check)}}}\nreload: {{cmd: {json.dumps(reload)}}}\n", template)
    host.put("/blocked/1=198.51.100.1", "/services/db/port=5432", "/services/db/from/a=10.0.1.0")
    host.site.watch()
    assert kernel.blocked() == ["198.51.100.1"]
    seen, done = [], threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.append(kernel.blocked())

    with ThreadPoolExecutor(1) as looking:
        looks = looking.submit(look)
        for number in range(2, 12):
            host.put(f"/blocked/1=198.51.100.{number}")
            host.until(f"198.51.100.{number}\n")
        done.set()
        looks.result()
    assert all(len(blocked) == 1 for blocked in seen)
    host.put("/blocked/1=198.51.100.900")
    host.site.until_logged("check failed")
    assert kernel.blocked() == ["198.51.100.11"]
