"""bind9 as a secondary: it loads our zones by AXFR, follows every change by NOTIFY, and goes on through a restored store."""

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest
from tests import peers
from tests.e2e.dns.test_dns import SITE, WITHIN_S, NameServer, eventually, put, serving
from tests.support.ports import free_port
from tests.support.processes import Program
from tests.support.store import StoreServer

SECRET = base64.b64encode(b"0123456789abcdef" * 2).decode()
RECORDS = SITE | {
    "local/skydns/svc": {"host": "web.skydns.local", "port": 80},
    "local/skydns/apps/*": {"host": "10.0.0.9"},
    "local/skydns/sub": {"ns": "ns.sub.skydns.local"},
    "local/skydns/sub/ns": {"host": "10.1.0.1"},
    "local/skydns/caa": {"caa": '0 issue "ca.example"'},
}
QUESTIONS = [
    ("web.skydns.local", "A"),
    ("web.skydns.local", "AAAA"),
    ("web.skydns.local", "SRV"),
    ("www.skydns.local", "A"),
    ("svc.skydns.local", "SRV"),
    ("mail.skydns.local", "MX"),
    ("note.skydns.local", "TXT"),
    ("skydns.local", "NS"),
    ("caa.skydns.local", "CAA"),
    ("x.apps.skydns.local", "A"),
    ("x.sub.skydns.local", "A"),
]


class Secondary:
    """named, which has the zone from ``server``."""

    def __init__(self, directory: Path, *, primary_port: int, port: int, is_keyed: bool) -> None:
        self.port = port
        directory.mkdir()
        key = f'key k1 {{ algorithm hmac-sha256; secret "{SECRET}"; }};' if is_keyed else ""
        (directory / "named.conf").write_text(
            f"""
{key}
options {{
  directory "{directory}";
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  pid-file none;
  session-keyfile none;
  recursion no;
  dnssec-validation no;
  notify no;
  managed-keys-directory "{directory}";
}};
controls {{ }};
zone "skydns.local" {{
  type secondary;
  file "skydns.local.db";
  masterfile-format text;
  primaries {{ 127.0.0.1 port {primary_port} {"key k1" if is_keyed else ""}; }};
  allow-notify {{ 127.0.0.1; }};
}};
"""
        )
        binary = peers.find("named")
        assert binary is not None
        self.program = Program(
            [binary, "-g", "-c", str(directory / "named.conf"), "-n", "1"], log=directory / "named.log"
        )

    def ask(self, name: str, rtype: str, *, timeout_s: float = WITHIN_S) -> dns.message.Message:
        query = dns.message.make_query(name, rtype)
        return dns.query.udp(query, "127.0.0.1", port=self.port, timeout=timeout_s)

    def serial(self) -> int:
        """The serial that it serves; 0 while it has none."""
        try:
            answer = self.ask("skydns.local", "SOA", timeout_s=0.3).answer
        except (OSError, dns.exception.Timeout):
            return 0
        return int(answer[0][0].serial) if answer else 0


@contextmanager
def secondary_of(
    directory: Path, *, primary_port: int, port: int, is_keyed: bool = False
) -> Iterator[Secondary]:
    secondary = Secondary(directory, primary_port=primary_port, port=port, is_keyed=is_keyed)
    secondary.program.start(secondary.serial)
    try:
        yield secondary
    finally:
        secondary.program.stop()


def said(message: dns.message.Message) -> list[list[str]]:
    """Answer and authority, without their order; TTLs of a secondary's are ours."""
    return [
        sorted(line.lower() for rrset in section for line in rrset.to_text().splitlines())
        for section in (message.answer, message.authority)
    ]


def ours(server: NameServer, name: str, rtype: str) -> dns.message.Message:
    query = dns.message.make_query(name, rtype)
    return dns.query.udp(query, "127.0.0.1", port=server.port, timeout=WITHIN_S)


def _has(secondary: Secondary, address: str) -> bool:
    return any(address in line for line in said(secondary.ask("new.skydns.local", "A"))[0])


def serial_of(server: NameServer) -> int:
    return int(ours(server, "skydns.local", "SOA").answer[0][0].serial)


@pytest.mark.peer("named")
@pytest.mark.parametrize("is_keyed", [False, True], ids=["by address, of two workers", "by TSIG"])
def test_bind_has_the_zone_and_follows_every_change(
    fairlead_store: StoreServer, tmp_path: Path, *, is_keyed: bool
) -> None:
    put(fairlead_store, RECORDS)
    port = free_port()
    flags = ["--notify", f"127.0.0.1:{port}"]
    if is_keyed:
        keys = tmp_path / "tsig"
        keys.write_text(f"k1 hmac-sha256 {SECRET}\n")
        keys.chmod(0o600)
        flags += ["--transfer-keys", str(keys)]
    else:
        flags += ["--transfer-to", "127.0.0.0/8", "--workers", "2"]
    with (
        serving(fairlead_store, tmp_path, *flags) as server,
        secondary_of(tmp_path / "bind", primary_port=server.port, port=port, is_keyed=is_keyed) as secondary,
    ):
        eventually(lambda: secondary.serial() == serial_of(server))
        for name, rtype in QUESTIONS:
            assert said(secondary.ask(name, rtype))[0] == said(ours(server, name, rtype))[0], (name, rtype)
        for number in range(3):
            put(fairlead_store, {"local/skydns/new": {"host": f"10.0.7.{number}"}})
            # bind's own refresh is hours away: only NOTIFY can have told it.
            eventually(partial(_has, secondary, f"10.0.7.{number}"))
            assert secondary.serial() == serial_of(server)
        assert "Traceback" not in server.program.log()


@pytest.mark.peer("named")
def test_a_secondary_follows_on_through_a_store_that_began_again(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    """A store restored from a backup has lower revisions; a serial that went back would freeze every secondary."""
    put(fairlead_store, RECORDS)
    port = free_port()
    flags = ["--notify", f"127.0.0.1:{port}", "--transfer-to", "127.0.0.1"]
    saved = tmp_path / "copy" / "dns.serial"
    with (
        serving(fairlead_store, tmp_path, *flags) as server,
        secondary_of(tmp_path / "bind", primary_port=server.port, port=port) as secondary,
    ):
        eventually(lambda: secondary.serial() == serial_of(server))
        server.program.stop()
        before = secondary.serial()
        # As if the store had been a thousand revisions ahead when it was lost.
        saved.write_text(json.dumps({"revision": before + 1000, "added": 0}))
        server.start()
        assert serial_of(server) >= before + 1000
        put(fairlead_store, {"local/skydns/new": {"host": "10.0.7.1"}})
        eventually(partial(_has, secondary, "10.0.7.1"))
        assert secondary.serial() == serial_of(server) > before + 1000


@pytest.mark.peer("dig", "kdig")
def test_dig_and_kdig_read_the_zone_alike(fairlead_store: StoreServer, tmp_path: Path) -> None:
    put(fairlead_store, RECORDS)
    keys = tmp_path / "tsig"
    keys.write_text(f"k1 hmac-sha256 {SECRET}\n")
    keys.chmod(0o600)
    with serving(fairlead_store, tmp_path, "--transfer-keys", str(keys)) as server:

        def axfr(program: str, *options: str) -> list[str]:
            command = [peers.find(program) or program, *options, "AXFR", "skydns.local"]
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=WITHIN_S)
            lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
            return sorted(line for line in lines if line and not line.startswith(";"))

        where = ("@127.0.0.1", "-p", str(server.port))
        by_dig = axfr("dig", *where, "+noall", "+answer", "-y", f"hmac-sha256:k1:{SECRET}")
        by_kdig = axfr("kdig", *where, "+noall", "+answer", "-y", f"hmac-sha256:k1:{SECRET}")
        assert len(by_dig) > 20
        assert [line for line in by_kdig if " TSIG " not in line] == [
            line for line in by_dig if " TSIG " not in line
        ]
        assert axfr("dig", *where, "+noall", "+answer") == []
