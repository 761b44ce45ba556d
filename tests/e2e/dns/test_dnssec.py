"""Signed zones as others see them: delv and unbound validate them from a trust anchor, before, in and after a roll-over."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from click.testing import CliRunner
from tests import peers
from tests.e2e.dns.test_dns import SITE, WITHIN_S, NameServer, eventually, put, serving
from tests.support.ports import free_port
from tests.support.processes import Program
from tests.support.store import StoreServer

from fairlead.dns.cli import dns as command

ZONE = "skydns.local."
RECORDS = SITE | {
    "local/skydns/apps/*": {"host": "10.0.0.9"},
    "local/skydns/sub": {"ns": "ns.sub.skydns.local"},
    "local/skydns/sub/ns": {"host": "127.0.0.1"},
}
POSITIVE = [
    ("web.skydns.local.", "A"),
    ("web.skydns.local.", "SRV"),
    ("www.skydns.local.", "A"),
    ("note.skydns.local.", "TXT"),
    ("mail.skydns.local.", "MX"),
    ("skydns.local.", "SOA"),
    ("skydns.local.", "NS"),
    ("skydns.local.", "DNSKEY"),
    ("x.apps.skydns.local.", "A"),
]
NEGATIVE = [
    ("no.such.skydns.local.", "A"),
    ("note.skydns.local.", "A"),
    ("apps.skydns.local.", "TXT"),
    ("skydns.local.", "HTTPS"),
    ("sub.skydns.local.", "DS"),
]


def keys(*arguments: str, directory: Path) -> str:
    result = CliRunner().invoke(
        command, ["keys", *arguments, "--dir", str(directory)], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def trust(directory: Path) -> Path:
    """Write the trust anchors of both programs; return delv's."""
    lines = keys("ds", ZONE, "--dnskey", directory=directory / "keys").splitlines()
    (directory / "anchor").write_text("\n".join(lines) + "\n")
    anchors = "".join(
        f'{name} static-key {flags} {protocol} {algorithm} "{key}";'
        for name, _, _, flags, protocol, algorithm, key in (line.split(" ") for line in lines)
    )
    path = directory / "delv.keys"
    path.write_text(f"trust-anchors {{ {anchors} }};\n")
    return path


def delv(server: NameServer, anchors: Path, name: str, rtype: str) -> str:
    program = peers.find("delv")
    assert program is not None
    options = ["-a", str(anchors), f"+root={ZONE}", "-p", str(server.port), "@127.0.0.1"]
    done = subprocess.run(
        [program, *options, name, rtype], check=False, capture_output=True, text=True, timeout=WITHIN_S
    )
    return done.stdout + done.stderr


@pytest.mark.peer("delv")
@pytest.mark.parametrize("algorithm", ["ecdsap256sha256", "ed25519"])
def test_delv_validates_answers_and_denials(
    fairlead_store: StoreServer, tmp_path: Path, algorithm: str
) -> None:
    put(fairlead_store, RECORDS)
    keys("generate", ZONE, "--algorithm", algorithm, directory=tmp_path / "keys")
    anchors = trust(tmp_path)
    with serving(fairlead_store, tmp_path, "--dnssec-keys", str(tmp_path / "keys")) as server:
        for name, rtype in POSITIVE:
            assert "; fully validated" in delv(server, anchors, name, rtype), (name, rtype)
        for name, rtype in NEGATIVE:
            found = delv(server, anchors, name, rtype)
            assert "; negative response, fully validated" in found, (name, rtype, found)


@contextmanager
def validating(server: NameServer, directory: Path) -> Iterator[int]:
    """Unbound in front of ``server``, which trusts the zone's keys and nothing else; its port."""
    port = free_port()
    config = directory / "unbound.conf"
    config.write_text(
        f"""
server:
  directory: "{directory}"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  interface: 127.0.0.1
  port: {port}
  do-not-query-localhost: no
  module-config: "validator iterator"
  trust-anchor-file: "{directory / "anchor"}"
  local-zone: "local." nodefault
  cache-max-ttl: 0
  cache-max-negative-ttl: 0
  num-threads: 1
  so-rcvbuf: 0
stub-zone:
  name: "{ZONE}"
  stub-addr: 127.0.0.1@{server.port}
remote-control:
  control-enable: no
"""
    )
    binary = peers.find("unbound")
    assert binary is not None
    program = Program([binary, "-d", "-c", str(config)], log=directory / "unbound.log")

    def answers() -> bool:
        try:
            ask(port, "skydns.local.", "SOA", timeout_s=0.5)
        except (OSError, dns.exception.Timeout):
            return False
        return True

    program.start(answers)
    try:
        yield port
    finally:
        program.stop()


def ask(port: int, name: str, rtype: str, *, timeout_s: float = WITHIN_S) -> dns.message.Message:
    query = dns.message.make_query(name, rtype, want_dnssec=True)
    return dns.query.udp(query, "127.0.0.1", port=port, timeout=timeout_s)


def is_secure(port: int, name: str, rtype: str) -> bool:
    """Whether a validator vouches for an answer, or for a denial."""
    response = ask(port, name, rtype)
    is_known = response.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}
    return is_known and bool(response.flags & dns.flags.AD)


def follows(server: NameServer, tags: set[str]) -> bool:
    """Whether the key set is signed by the keys with ``tags``."""
    query = dns.message.make_query(ZONE, "DNSKEY", want_dnssec=True)
    response = dns.query.tcp(query, "127.0.0.1", port=server.port, timeout=WITHIN_S)
    return {
        str(signature.key_tag) for rrset in response.answer for signature in rrset if rrset.covers
    } == tags


@pytest.mark.peer("unbound")
def test_unbound_validates_through_a_whole_rollover(fairlead_store: StoreServer, tmp_path: Path) -> None:
    put(fairlead_store, RECORDS)
    folder = tmp_path / "keys"
    keys("generate", ZONE, directory=folder)
    trust(tmp_path)
    with serving(fairlead_store, tmp_path, "--dnssec-keys", str(folder)) as server:
        for step, count in enumerate((1, 2, 2, 1)):
            if step:
                keys("roll", ZONE, "--force", directory=folder)
            if step == 3:
                trust(tmp_path)  # until now the parent vouched for the old key
            tags = {line.split(" ")[1] for line in keys("list", directory=folder).splitlines()}
            assert len(tags) == count
            eventually(partial(follows, server, tags))
            with validating(server, tmp_path) as port:
                for name, rtype in POSITIVE + NEGATIVE[:-1]:
                    assert is_secure(port, name, rtype), (step, name, rtype, ask(port, name, rtype))
        assert "Traceback" not in server.program.log()


@pytest.mark.peer("unbound")
def test_a_wrong_anchor_is_noticed(fairlead_store: StoreServer, tmp_path: Path) -> None:
    """The validator of the tests above can say no."""
    put(fairlead_store, RECORDS)
    keys("generate", ZONE, directory=tmp_path / "keys")
    (tmp_path / "other").mkdir()
    keys("generate", ZONE, directory=tmp_path / "other" / "keys")
    trust(tmp_path / "other")
    with (
        serving(fairlead_store, tmp_path, "--dnssec-keys", str(tmp_path / "keys")) as server,
        validating(server, tmp_path / "other") as port,
    ):
        assert ask(port, "web.skydns.local.", "A").rcode() == dns.rcode.SERVFAIL
