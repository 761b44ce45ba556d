"""Other people's name servers behind ours, and in front of it, as docs/dns-clients.md sets them up."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from tests import peers
from tests.e2e.dns.test_dns import SITE, NameServer, put
from tests.support.ports import free_port
from tests.support.processes import Program
from tests.support.store import StoreServer

WITHIN_S = 5.0


def ask(port: int, name: str, rtype: str = "A", *, tcp: bool = False) -> dns.message.Message:
    exchange = dns.query.tcp if tcp else dns.query.udp
    return exchange(dns.message.make_query(name, rtype, use_edns=0), "127.0.0.1", port=port, timeout=WITHIN_S)


def data(message: dns.message.Message) -> list[str]:
    return sorted(rdata.to_text() for rrset in message.answer for rdata in rrset)


@contextmanager
def running(argv: list[str], port: int, directory: Path, *, probe: str) -> Iterator[int]:
    """A name server of other people, ready once it answers anything about ``probe``."""
    program = Program(argv, log=directory / f"{Path(argv[0]).name}.log")

    def answers() -> bool:
        try:
            dns.query.udp(dns.message.make_query(probe, "A"), "127.0.0.1", port=port, timeout=0.2)
        except (OSError, dns.exception.Timeout):
            return False
        return True

    program.start(answers)
    try:
        yield port
    finally:
        program.stop()


def unbound(directory: Path, port: int, *lines: str) -> list[str]:
    """unbound on ``port``, with ``lines`` of configuration and nothing else to ask."""
    program = peers.find("unbound")
    assert program is not None
    path = directory / f"unbound-{port}.conf"
    common = [
        "server:",
        f'  directory: "{directory}"',
        '  username: ""',
        '  chroot: ""',
        '  pidfile: ""',
        "  use-syslog: no",
        "  interface: 127.0.0.1",
        f"  port: {port}",
        "  do-ip6: no",
        "  do-not-query-localhost: no",
        '  module-config: "iterator"',
        "  access-control: 127.0.0.0/8 allow",
    ]
    path.write_text("\n".join([*common, *lines, "remote-control:", "  control-enable: no", ""]))
    return [program, "-d", "-p", "-c", str(path)]


def dnsmasq(port: int, *flags: str) -> list[str]:
    program = peers.find("dnsmasq")
    assert program is not None
    common = ["--no-daemon", "--no-resolv", "--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.1"]
    return [program, *common, "--conf-file=/dev/null", "--pid-file=", "--user=root", f"--port={port}", *flags]


@contextmanager
def forwarding(store: StoreServer, directory: Path, upstream: int, *flags: str) -> Iterator[NameServer]:
    server = NameServer(store, directory)
    server.program.argv += ["--nameservers", f"127.0.0.1:{upstream}", *flags]
    server.start()
    try:
        yield server
    finally:
        server.program.stop()


LOCAL_DATA = (
    '  local-zone: "example.net." static',
    '  local-data: "www.example.net. 300 IN A 192.0.2.1"',
    '  local-data: "www.example.net. 300 IN AAAA 2001:db8::1"',
    '  local-data: "db.example.net. 300 IN A 192.0.2.5"',
    *(f'  local-data: "big.example.net. 300 IN A 10.9.{n // 200}.{n % 200}"' for n in range(300)),
)


@pytest.mark.peer("unbound")
def test_what_unbound_knows_is_forwarded_cached_and_completes_our_own(
    fairlead_store: StoreServer, tmp_path: Path
) -> None:
    put(
        fairlead_store,
        {
            **SITE,
            "local/skydns/out": {"host": "www.example.net"},
            "local/skydns/pg": {"host": "db.example.net", "port": 5432},
        },
    )
    port = free_port()
    argv = unbound(tmp_path, port, *LOCAL_DATA)
    with (
        running(argv, port, tmp_path, probe="www.example.net") as upstream,
        forwarding(fairlead_store, tmp_path, upstream) as server,
    ):
        answer = ask(server.port, "WWW.example.net")
        assert data(answer) == ["192.0.2.1"]
        assert answer.flags & dns.flags.RA
        assert data(ask(server.port, "www.example.net", "AAAA", tcp=True)) == ["2001:db8::1"]
        assert dns.rcode.to_text(ask(server.port, "no.example.net").rcode()) == "NXDOMAIN"
        assert data(ask(server.port, "out.skydns.local")) == ["192.0.2.1", "www.example.net."]
        service = ask(server.port, "pg.skydns.local", "SRV")
        assert data(service) == ["10 100 5432 db.example.net."]
        assert [rrset.to_text() for rrset in service.additional] == ["db.example.net. 300 IN A 192.0.2.5"]
        assert ask(server.port, "big.example.net").flags & dns.flags.TC
        assert len(data(ask(server.port, "big.example.net", tcp=True))) == 300
        assert server.ask("web.skydns.local") == ["10.0.0.1", "10.0.0.2"]
        lines = server.get("/metrics")[1].splitlines()
        assert f'fairlead_dns_upstream_up_state{{upstream="127.0.0.1:{port}",zone="."}} 1.0' in lines
        assert "fairlead_dns_forward_failures_total 0.0" in lines
        assert "fairlead_dns_stale_state 0.0" in lines
        assert "Traceback" not in server.program.log()


@pytest.mark.peer("dnsmasq")
def test_what_dnsmasq_knows_is_forwarded_and_outlives_it(fairlead_store: StoreServer, tmp_path: Path) -> None:
    put(fairlead_store, SITE)
    port = free_port()
    argv = dnsmasq(port, "--address=/www.example.net/192.0.2.1", "--local-ttl=1")
    with forwarding(fairlead_store, tmp_path, port) as server:
        with running(argv, port, tmp_path, probe="www.example.net"):
            assert data(ask(server.port, "www.example.net")) == ["192.0.2.1"]
        seen: set[int] = set()
        while 3 not in seen:  # a second later its TTL is over, and nobody is there
            answer = ask(server.port, "www.example.net")
            assert data(answer) == ["192.0.2.1"]
            seen.update(option.code for option in answer.options if isinstance(option, dns.edns.EDEOption))


@pytest.mark.peer("dnsmasq")
def test_dnsmasq_in_front_hands_our_zone_to_us(fairlead_store: StoreServer, tmp_path: Path) -> None:
    put(fairlead_store, SITE)
    server, front = NameServer(fairlead_store, tmp_path), free_port()
    server.start()
    ours = f"127.0.0.1#{server.port}"
    flags = [
        f"--server=/skydns.local/{ours}",
        f"--server=/10.in-addr.arpa/{ours}",
        "--rebind-domain-ok=/skydns.local/",
    ]
    try:
        with running(dnsmasq(front, *flags), front, tmp_path, probe="www.skydns.local"):
            assert data(ask(front, "web.skydns.local")) == ["10.0.0.1", "10.0.0.2"]
            assert data(ask(front, "note.skydns.local", "TXT", tcp=True)) == ['"hello world"']
            assert data(ask(front, "1.0.0.10.in-addr.arpa", "PTR")) == ["1.web.skydns.local."]
            assert dns.rcode.to_text(ask(front, "gone.skydns.local").rcode()) == "NXDOMAIN"
    finally:
        server.program.stop()


@pytest.mark.peer("unbound")
def test_unbound_in_front_hands_our_zone_to_us(fairlead_store: StoreServer, tmp_path: Path) -> None:
    put(fairlead_store, SITE)
    server, front = NameServer(fairlead_store, tmp_path), free_port()
    server.start()
    lines = [
        '  domain-insecure: "skydns.local"',
        '  local-zone: "10.in-addr.arpa." nodefault',
        *("stub-zone:", '  name: "skydns.local"', f"  stub-addr: 127.0.0.1@{server.port}"),
        *("forward-zone:", '  name: "10.in-addr.arpa"', f"  forward-addr: 127.0.0.1@{server.port}"),
    ]
    try:
        with running(unbound(tmp_path, front, *lines), front, tmp_path, probe="www.skydns.local"):
            assert data(ask(front, "web.skydns.local")) == ["10.0.0.1", "10.0.0.2"]
            assert data(ask(front, "www.skydns.local")) == ["10.0.0.1", "10.0.0.2", "web.skydns.local."]
            assert data(ask(front, "1.0.0.10.in-addr.arpa", "PTR")) == ["1.web.skydns.local."]
            assert dns.rcode.to_text(ask(front, "gone.skydns.local").rcode()) == "NXDOMAIN"
    finally:
        server.program.stop()


@pytest.mark.peer("dnsmasq")
def test_a_loop_through_dnsmasq_ends_and_is_said(fairlead_store: StoreServer, tmp_path: Path) -> None:
    put(fairlead_store, SITE)
    port = free_port()
    with forwarding(fairlead_store, tmp_path, port) as server:
        argv = dnsmasq(port, f"--server=127.0.0.1#{server.port}")
        with running(argv, port, tmp_path, probe="localhost"):
            for name in ("a.example.net", "b.example.net"):
                assert dns.rcode.to_text(ask(server.port, name).rcode()) == "SERVFAIL"
            assert "forwarding loop" in server.program.log()
            assert server.ask("web.skydns.local") == ["10.0.0.1", "10.0.0.2"]
