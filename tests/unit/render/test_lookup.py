"""What templates see of the world; a failed lookup is an error."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import dnslib
import pytest

from fairlead.render import lookup
from fairlead.render.errors import LookupFailedError

Answer = Callable[[dnslib.DNSRecord], dnslib.DNSRecord]


class NameServer:
    """Answers each UDP question with what ``answer`` makes of it."""

    def __init__(self) -> None:
        self.answer: Answer = lambda question: question.reply()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._socket.getsockname()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            self._socket.sendto(self.answer(dnslib.DNSRecord.parse(data)).pack(), peer)

    def close(self) -> None:
        self._socket.sendto(b"", self.address)
        self._thread.join()
        self._socket.close()


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    server = NameServer()
    monkeypatch.setattr(lookup, "name_servers", lambda: [server.address])
    yield server
    server.close()


def test_srv_records_come_sorted_by_target(name_server: NameServer) -> None:
    def answer(question: dnslib.DNSRecord) -> dnslib.DNSRecord:
        reply = question.reply()
        for target, port in (("b.local.", 80), ("a.local.", 81)):
            record = dnslib.SRV(priority=1, weight=2, port=port, target=target)
            reply.add_answer(dnslib.RR(question.q.qname, dnslib.QTYPE.SRV, rdata=record))
        return reply

    name_server.answer = answer
    found = lookup.lookup_srv("http", "tcp", "web.local")
    assert found == [lookup.SRV("a.local.", 81, 1, 2), lookup.SRV("b.local.", 80, 1, 2)]
    assert (found[0].Target, found[0].Port, found[0].Priority, found[0].Weight) == ("a.local.", 81, 1, 2)


@pytest.mark.parametrize(("ttls", "kept_s"), [([300, 60], 60.0), ([0], 5.0), ([86400], 3600.0)])
def test_records_may_be_kept_as_long_as_the_shortest_of_them(
    ttls: list[int], kept_s: float, name_server: NameServer
) -> None:
    def answer(question: dnslib.DNSRecord) -> dnslib.DNSRecord:
        reply = question.reply()
        for number, ttl in enumerate(ttls):
            reply.add_answer(
                dnslib.RR(
                    "web.local", dnslib.QTYPE.SRV, rdata=dnslib.SRV(1, 2, 80 + number, "a.local"), ttl=ttl
                )
            )
        return reply

    name_server.answer = answer
    assert lookup.lookup_srv("", "", "web.local").ttl_s == kept_s


@pytest.mark.parametrize(
    ("rcode", "complaint"),
    [
        ("SERVFAIL", "_http._tcp.web.local cannot be looked up: 127.0.0.1 answers SERVFAIL"),
        ("NXDOMAIN", "_http._tcp.web.local does not exist in the DNS"),
        ("NOERROR", "_http._tcp.web.local has no SRV records"),
    ],
)
def test_a_lookup_without_records_is_an_error(rcode: str, complaint: str, name_server: NameServer) -> None:
    """An empty list would be rendered as a configuration without servers."""

    def answer(question: dnslib.DNSRecord) -> dnslib.DNSRecord:
        reply = question.reply()
        reply.header.rcode = getattr(dnslib.RCODE, rcode)
        return reply

    name_server.answer = answer
    with pytest.raises(LookupFailedError, match=complaint):
        lookup.lookup_srv("http", "tcp", "web.local")


def test_an_answer_to_another_question_is_not_taken(name_server: NameServer) -> None:
    def answer(question: dnslib.DNSRecord) -> dnslib.DNSRecord:
        reply = question.reply()
        reply.header.id = question.header.id ^ 1
        return reply

    name_server.answer = answer
    with pytest.raises(LookupFailedError, match="the answer is to another question"):
        lookup.lookup_srv("", "", "web.local")


def test_addresses_come_sorted_and_by_family(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(_: str, __: None, family: int, ___: int) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        found = {socket.AF_INET: ["10.0.0.2", "10.0.0.1"], socket.AF_INET6: ["fd00::1"]}
        wanted = found.values() if family == socket.AF_UNSPEC else [found[socket.AddressFamily(family)]]
        return [(family, 1, 6, "", (address, 0)) for addresses in wanted for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert lookup.lookup_ip("db") == ["10.0.0.1", "10.0.0.2", "fd00::1"]
    assert lookup.lookup_ipv4("db") == ["10.0.0.1", "10.0.0.2"]
    assert lookup.lookup_ipv6("db") == ["fd00::1"]


def test_a_host_that_cannot_be_resolved_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(LookupFailedError, match=r"the addresses of db cannot be looked up: .*Temporary"):
        lookup.lookup_ip("db")


def test_getenv_takes_the_default_for_unset_and_for_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENDER_TEST", "")
    assert lookup.getenv("RENDER_TEST", "d") == "d"
    assert lookup.getenv("RENDER_TEST") == ""
    monkeypatch.setenv("RENDER_TEST", "v")
    assert lookup.getenv("RENDER_TEST", "d") == "v"


def test_file_exists_and_the_time_has_a_zone(tmp_path: Path) -> None:
    assert lookup.file_exists(str(tmp_path))
    assert not lookup.file_exists(str(tmp_path / "no"))
    assert lookup.now().tzinfo is not None


def test_name_servers_are_read_from_resolv_conf(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text("# x\nsearch local\nnameserver 10.0.0.1\nnameserver fd00::1\nnameserver\n")
    assert lookup.name_servers(path) == [("10.0.0.1", 53), ("fd00::1", 53)]
    assert lookup.name_servers(tmp_path / "no") == [("127.0.0.1", 53)]


def test_an_interface_gives_its_first_address(tmp_path: Path) -> None:
    assert lookup.lookup_iface_ipv4("lo") == "127.0.0.1"
    assert lookup.lookup_iface_ipv4("no-such-interface") == ""
    table = tmp_path / "if_inet6"
    table.write_text(
        "fe800000000000000000000000000001 02 40 20 80     eth0\n"
        "20010db8000000000000000000000005 02 40 00 80     eth0\n"
        "00000000000000000000000000000001 01 80 10 80       lo\n"
    )
    assert lookup.lookup_iface_ipv6("eth0", table=table) == "2001:db8::5"
    assert lookup.lookup_iface_ipv6("lo", table=table) == "::1"
    assert lookup.lookup_iface_ipv6("eth1", table=table) == ""
    assert lookup.lookup_iface_ipv6("lo", table=tmp_path / "none") == ""
