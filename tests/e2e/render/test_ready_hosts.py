"""The ready folders as they are shipped, each on a host of its own with the real program: what it answers follows the keys.

A host here is a namespace of mounts and processes: ``/etc`` is a copy, ``/run`` and the like are empty, and whatever was
started in it ends with it.  Only systemd is a stand-in, since none runs where tests do: a script that starts, reloads and
stops a unit by the words that the test gives it.
"""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL
from typing import Self

import pytest
from tests.e2e.render.conftest import COMMAND, TEMPLATES, Etcdctl, Site, get, needs_root
from tests.peers import path_of
from tests.support.ports import free_port, free_ports
from tests.support.processes import Program, wait_for

pytestmark = [
    needs_root,
    pytest.mark.peer("etcdctl"),
    # What is tested here is between the renderer and a program; one store will do.
    pytest.mark.parametrize("store", ["fairlead"], indirect=True),
]
EMPTY = ("/run", "/var/log", "/var/cache", "/var/spool")
SYSTEMCTL = """#!/bin/sh
# systemctl ACTION UNIT: `start`, `reload` and `pidfile` are in the file UNIT beside this one.
. "$(dirname "$0")/$2"
alive() { test -s "$pidfile" && kill -0 "$(cat "$pidfile")" 2> /dev/null; }
stop() { ! alive || { kill "$(cat "$pidfile")"; while alive; do sleep 0.02; done; rm -f "$pidfile"; }; }
case $1 in
is-active) alive ;;
reload) alive && reload ;;
restart) stop; start ;;
reload-or-restart) if alive; then reload; else start; fi ;;
esac
"""
# Process 1 waits for what has lost its parent, and all ends with it.
INIT = "while :; do sleep 0.1; done"


class ReadyHost:
    """A host with the ready folder of one program."""

    def __init__(self, app: str, site: Site, etcdctl: Etcdctl, path: Path) -> None:
        self.etc = path / "etc"
        self._bin = path / "bin"
        self._bin.mkdir(parents=True)
        self._site, self._put, self._confdir = site, etcdctl, TEMPLATES / app
        subprocess.run(["cp", "-a", "/etc", str(self.etc)], check=True)
        mounts = [f"mount -t tmpfs tmpfs {folder}" for folder in EMPTY]
        script = " && ".join(["set -e", *mounts, f"mount --bind {self.etc} /etc", "touch /run/up", INIT])
        words = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
            "--propagation",
            "private",
        ]
        self._init = Program(
            [*words, "/bin/sh", "-c", script.replace("set -e && ", "set -e; ")], log=path / "host.log"
        )
        systemctl = self._bin / "systemctl"
        systemctl.write_text(SYSTEMCTL)
        systemctl.chmod(0o755)

    def __enter__(self) -> Self:
        self._init.start(lambda: self._children() and self.root.joinpath("run", "up").exists())
        return self

    def __exit__(self, *_: object) -> None:
        self._site.agent.stop()
        self._init.stop(SIGKILL)

    def _children(self) -> list[str]:
        return Path(f"/proc/{self._init.pid}/task/{self._init.pid}/children").read_text().split()

    @property
    def root(self) -> Path:
        """Its file system, as seen from outside."""
        return Path(f"/proc/{self._children()[0]}/root")

    def inside(self, *argv: str) -> list[str]:
        path = f"PATH={self._bin}:/usr/sbin:/usr/bin:/sbin:/bin"
        return [
            "nsenter",
            "--target",
            self._children()[0],
            "--mount",
            "--pid",
            "--",
            "/usr/bin/env",
            path,
            *argv,
        ]

    def run(self, *argv: str) -> str:
        done = subprocess.run(self.inside(*argv), check=False, capture_output=True, text=True, timeout=60)
        return done.stdout + done.stderr

    def unit(self, name: str, *, pidfile: str, start: str, reload: str = "false") -> None:
        words = f"pidfile={pidfile}\nstart() {{ {start}; }}\nreload() {{ {reload}; }}\n"
        (self._bin / name).write_text(words)

    def folder(self, *paths: str) -> None:
        for path in paths:
            (self.root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def put(self, **keys: str) -> None:
        """Write or, with nothing, delete keys in one transaction; ``__`` in a name is a slash."""
        lines = [
            f'put /{name.replace("__", "/")} "{value}"' if value else f"del /{name.replace('__', '/')}"
            for name, value in keys.items()
        ]
        self._put("txn", stdin="\n" + "\n".join(lines) + "\n\n\n")

    def watch(self) -> None:
        site = self._site
        words = [
            "--endpoints",
            site.endpoint,
            "--confdir",
            str(self._confdir),
            "--metrics-listen",
            site.metrics,
        ]
        site.agent.argv = self.inside(*COMMAND, "run", "--state-dir", "/run/render", *words)
        site.agent.start()
        site.agent.wait_until(lambda: "ready" in site.agent.log(), "ready")

    def until_logged(self, text: str) -> None:
        self._site.until_logged(text)


@contextlib.contextmanager
def ready_host(app: str, site: Site, etcdctl: Etcdctl, path: Path) -> Iterator[ReadyHost]:
    with ReadyHost(app, site, etcdctl, path / "host") as host:
        yield host


def answer(port: int, host: str) -> tuple[int, str]:
    with contextlib.suppress(OSError):
        return get(port, host)
    return 0, ""


@pytest.mark.peer("apachectl")
def test_apache_serves_what_the_keys_say_and_a_bad_file_is_never_in_place(
    site: Site, etcdctl: Etcdctl, upstream: int, tmp_path: Path
) -> None:
    port = free_port()
    with ready_host("apache2", site, etcdctl, tmp_path) as host:
        (host.etc / "apache2" / "ports.conf").write_text(f"Listen 127.0.0.1:{port}\n")
        for module in ["proxy", "proxy_http", "proxy_balancer", "lbmethod_byrequests", "slotmem_shm"]:
            for name in host.etc.glob(f"apache2/mods-available/{module}.*"):
                link = host.etc / "apache2" / "mods-enabled" / name.name
                if not link.is_symlink():
                    link.symlink_to(f"../mods-available/{name.name}")
        host.folder("/var/log/apache2", "/run/apache2", "/run/lock", "/var/cache/apache2")
        pidfile = "/run/apache2/apache2.pid"
        host.unit("apache2", pidfile=pidfile, start="apachectl start", reload="apachectl graceful")
        host.run("systemctl", "restart", "apache2")
        host.put(
            apache2__port=str(port),
            apps__shop__host="shop.example",
            apps__shop__upstreams__a=f"127.0.0.1:{upstream}",
        )
        host.watch()
        wait_for(lambda: answer(port, "shop.example") == (200, "shop"), "apache serves the first app")
        host.put(apps__blog__host="blog.example", apps__shop__host="store.example")
        wait_for(lambda: answer(port, "blog.example")[0] == 503, "an app without upstreams is unavailable")
        wait_for(lambda: answer(port, "store.example") == (200, "shop"), "the new name is served")
        before = (host.etc / "apache2" / "conf-enabled" / "fairlead.conf").read_text()
        host.put(apps__shop__upstreams__a="127.0.0.1:nonsense")
        host.until_logged("check failed")
        assert (host.etc / "apache2" / "conf-enabled" / "fairlead.conf").read_text() == before
        assert answer(port, "store.example") == (200, "shop")


NAMED = """
options {{
    directory "/var/cache/bind"; pid-file "/run/named/named.pid"; session-keyfile "/run/named/session.key";
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
}};
key "rndc-key" {{ algorithm hmac-sha256; secret "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="; }};
controls {{ inet 127.0.0.1 port {control} allow {{ 127.0.0.1; }} keys {{ "rndc-key"; }}; }};
"""
RNDC = """
key "rndc-key" {{ algorithm hmac-sha256; secret "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI="; }};
options {{ default-key "rndc-key"; default-server 127.0.0.1; default-port {control}; }};
"""


def dig(port: int, name: str, kind: str = "A") -> str:
    words = [path_of("dig"), "@127.0.0.1", "-p", str(port), "+short", "+tries=1", "+time=1", name, kind]
    return subprocess.run(words, check=False, capture_output=True, text=True).stdout.strip()


@pytest.mark.peer("named", "dig")
def test_bind_answers_what_the_keys_say_and_drops_a_zone_with_its_file(
    site: Site, etcdctl: Etcdctl, tmp_path: Path
) -> None:
    port, control = free_ports(2)
    zone = "bind9__zones__lan.example__"
    with ready_host("bind9", site, etcdctl, tmp_path) as host:
        (host.etc / "bind" / "named.conf.options").write_text(NAMED.format(port=port, control=control))
        (host.etc / "bind" / "rndc.key").unlink(missing_ok=True)
        (host.etc / "bind" / "rndc.conf").write_text(RNDC.format(control=control))
        host.folder("/run/named", "/var/cache/bind")
        host.unit("named", pidfile="/run/named/named.pid", start="named -c /etc/bind/named.conf")
        host.run("systemctl", "restart", "named")
        host.put(
            **{
                f"{zone}server": "ns1.lan.example.",
                f"{zone}serial": "1",
                f"{zone}records__ns1__a__1": "10.0.0.1",
                f"{zone}records__web__a__1": "10.0.0.2",
            }
        )
        host.watch()
        wait_for(lambda: dig(port, "web.lan.example") == "10.0.0.2", "named answers from the keys")
        host.put(
            **{
                f"{zone}serial": "2",
                f"{zone}records__web__a__1": "10.0.0.3",
                "bind9__zones__other.example__server": "ns1.lan.example.",
                "bind9__zones__other.example__serial": "1",
            }
        )
        wait_for(lambda: dig(port, "web.lan.example") == "10.0.0.3", "named answers from the changed keys")
        wait_for(lambda: "ns1.lan.example. " in dig(port, "other.example", "SOA"), "the new zone is served")
        host.put(**{f"{zone}serial": "3", f"{zone}records__web__a__1": "10.0.0.999"})
        host.until_logged("check failed")
        assert dig(port, "web.lan.example") == "10.0.0.3"
        host.put(
            **{
                f"{zone}records__web__a__1": "10.0.0.4",
                "bind9__zones__other.example__server": "",
                "bind9__zones__other.example__serial": "",
            }
        )
        wait_for(lambda: dig(port, "web.lan.example") == "10.0.0.4", "named answers from the next good keys")
        zones = host.etc / "bind" / "zones"
        wait_for(
            lambda: [path.name for path in zones.iterdir()] == ["db.lan.example"],
            "the other zone's file is gone",
        )
        assert dig(port, "other.example", "SOA") == ""


@pytest.mark.peer("unbound", "dig")
def test_unbound_checks_the_whole_of_its_configuration_and_answers_what_the_keys_say(
    site: Site, etcdctl: Etcdctl, tmp_path: Path
) -> None:
    port = free_port()
    with ready_host("unbound", site, etcdctl, tmp_path) as host:
        for name in ("root-auto-trust-anchor-file.conf", "remote-control.conf"):
            (host.etc / "unbound" / "unbound.conf.d" / name).unlink(missing_ok=True)
        own = (
            'server:\n chroot: ""\n username: ""\n pidfile: /run/unbound.pid\n do-ip6: no\n use-syslog: no\n'
        )
        own_file = host.etc / "unbound" / "unbound.conf.d" / "own.conf"
        own_file.write_text(own)
        host.unit(
            "unbound", pidfile="/run/unbound.pid", start="unbound", reload='kill -HUP "$(cat $pidfile)"'
        )
        host.put(**{"unbound__listen__a": f"127.0.0.1@{port}", "unbound__hosts__web.lan": "10.0.0.1"})
        host.watch()
        wait_for(lambda: dig(port, "web.lan") == "10.0.0.1", "unbound answers from the keys")
        host.put(**{"unbound__hosts__web.lan": "10.0.0.2"})
        wait_for(lambda: dig(port, "web.lan") == "10.0.0.2", "unbound answers from the changed key")
        host.put(**{"unbound__hosts__web.lan": "10.0.0.999"})
        host.until_logged("check failed")
        assert dig(port, "web.lan") == "10.0.0.2"
        # Alone the fragment is good; what counts is all of it.
        own_file.write_text(f"{own} no-such-option: yes\n")
        host.put(**{"unbound__hosts__web.lan": "10.0.0.3"})
        host.until_logged("unknown keyword 'no-such-option'")
        own_file.write_text(own)
        wait_for(lambda: dig(port, "web.lan") == "10.0.0.3", "the check is made again by itself")


RSYSLOG = """
module(load="imtcp")
input(type="imtcp" port="{port}" address="127.0.0.1")
global(workDirectory="/var/spool/rsyslog")
include(file="/etc/rsyslog.d/*.conf")
"""


class Collector:
    """Takes syslog lines over TCP."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.2)
        self.port: int = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._seen = b""

    def has(self, text: str) -> bool:
        with contextlib.suppress(TimeoutError):
            connection, _ = self._listener.accept()
            connection.settimeout(0.1)
            self._connections.append(connection)
        for connection in self._connections:
            with contextlib.suppress(TimeoutError, ConnectionError):
                self._seen += connection.recv(65536)
        return text.encode() in self._seen

    def close(self) -> None:
        for one in (self._listener, *self._connections):
            one.close()


def log(port: int, text: str) -> None:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(f"<14>Jan  1 00:00:00 host test: {text}\n".encode())


@pytest.mark.peer("rsyslogd")
def test_rsyslog_sends_where_the_keys_say(site: Site, etcdctl: Etcdctl, tmp_path: Path) -> None:
    port = free_port()
    first, second = Collector(), Collector()
    with (
        contextlib.closing(first),
        contextlib.closing(second),
        ready_host("rsyslog", site, etcdctl, tmp_path) as host,
    ):
        shutil.rmtree(host.etc / "rsyslog.d")
        (host.etc / "rsyslog.d").mkdir()
        (host.etc / "rsyslog.conf").write_text(RSYSLOG.format(port=port))
        host.folder("/var/spool/rsyslog")
        start = "rsyslogd -i /run/rsyslogd.pid; until test -s $pidfile; do sleep 0.02; done"
        host.unit("rsyslog", pidfile="/run/rsyslogd.pid", start=start)

        def arrives(at: Collector, text: str) -> bool:
            log(port, text)
            return at.has(text)

        host.put(rsyslog__targets__hub__host="127.0.0.1", rsyslog__targets__hub__port=str(first.port))
        host.watch()
        wait_for(lambda: arrives(first, "one"), "rsyslog sends to the first target")
        host.put(rsyslog__targets__hub__port=str(second.port))
        wait_for(lambda: arrives(second, "two"), "rsyslog sends to the second target")
        host.put(rsyslog__targets__hub__protocol="pigeon")
        host.until_logged("check failed")
        wait_for(lambda: arrives(second, "three"), "rsyslog goes on as before")


def stats(port: int) -> dict[str, str]:
    """What memcached says of its settings; nothing where none listens."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(b"stats settings\r\nquit\r\n")
        lines = connection.makefile().read().splitlines()
        return {
            name: value
            for _, name, value in (line.split(" ", 2) for line in lines if line.startswith("STAT"))
        }
    return {}


@pytest.mark.peer("memcached")
def test_memcached_runs_on_what_the_keys_say_and_a_port_that_another_has_is_rolled_back(
    site: Site, etcdctl: Etcdctl, tmp_path: Path
) -> None:
    port, other = free_ports(2)
    with ready_host("memcached", site, etcdctl, tmp_path) as host:
        start = (
            "/usr/share/memcached/scripts/systemd-memcached-wrapper /etc/memcached.conf > /run/memcached.log 2>&1 &"
            " echo $! > $pidfile"
        )
        host.unit("memcached", pidfile="/run/memcached.pid", start=start)
        host.put(memcached__port=str(port), memcached__memory_mb="32")
        host.watch()
        wait_for(lambda: stats(port).get("maxbytes") == str(32 << 20), "memcached runs on the first file")
        host.put(memcached__memory_mb="48", memcached__port=str(other))
        wait_for(lambda: stats(other).get("maxbytes") == str(48 << 20), "memcached runs on the second file")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            host.put(memcached__port=str(taken.getsockname()[1]))
            host.until_logged("rolled back")
        wait_for(
            lambda: stats(other).get("maxbytes") == str(48 << 20), "memcached is back on the file before"
        )
        assert f"-p {other}\n" in (host.etc / "memcached.conf").read_text()


@pytest.mark.peer("chronyd")
def test_chrony_asks_the_servers_that_the_keys_name(site: Site, etcdctl: Etcdctl, tmp_path: Path) -> None:
    with ready_host("chrony", site, etcdctl, tmp_path) as host:
        (host.etc / "chrony" / "chrony.conf").write_text(
            "sourcedir /etc/chrony/sources.d\nport 0\ncmdport 0\nbindcmdaddress /run/chrony/chronyd.sock\n"
        )
        # -x: it leaves the clock alone.
        host.unit("chrony", pidfile="/run/chrony/chronyd.pid", start="chronyd -x -u root")
        host.run("systemctl", "restart", "chrony")
        host.put(chrony__servers__a="127.0.0.11")
        host.watch()
        wait_for(lambda: "127.0.0.11" in host.run("chronyc", "-n", "sources"), "chrony asks the first server")
        host.put(chrony__servers__a="127.0.0.12")
        wait_for(
            lambda: "127.0.0.12" in host.run("chronyc", "-n", "sources"), "chrony asks the second server"
        )
        wait_for(
            lambda: "127.0.0.11" not in host.run("chronyc", "-n", "sources"), "and the first one no more"
        )
        host.put(chrony__servers__a="")
        host.until_logged("guard gets('/servers/*'): gives 0, fewer than 1")
        assert "127.0.0.12" in host.run("chronyc", "-n", "sources")


UP_AND_MULTICAST = 0x1001  # netdevice(7)
INTERFACES = [
    path.parent.name
    for path in sorted(Path("/sys/class/net").glob("*/flags"))
    if int(path.read_text(), 16) & UP_AND_MULTICAST == UP_AND_MULTICAST and path.parent.name != "lo"
]


@pytest.mark.peer("keepalived")
@pytest.mark.skipif(
    not INTERFACES, reason="keepalived takes an interface that is no loopback, and there is none"
)
def test_keepalived_refuses_what_this_host_cannot_do(site: Site, etcdctl: Etcdctl, tmp_path: Path) -> None:
    """It is not started, since it would speak to the network: checked by the program, and put in place."""
    with ready_host("keepalived", site, etcdctl, tmp_path) as host:
        host.unit(
            "keepalived", pidfile="/run/keepalived.pid", start="sleep 1000 & echo $! > $pidfile", reload=":"
        )
        host.put(
            keepalived__instances__web__interface=INTERFACES[0],
            keepalived__instances__web__router_id="51",
            keepalived__instances__web__addresses__a="10.99.0.1/24",
        )
        host.watch()
        conf = host.etc / "keepalived" / "keepalived.conf"
        wait_for(
            lambda: conf.exists() and f"interface {INTERFACES[0]}\n" in conf.read_text(),
            "the file is in place",
        )
        host.put(keepalived__instances__web__interface="nosuch0")
        host.until_logged("check failed")
        assert f"interface {INTERFACES[0]}\n" in conf.read_text()
