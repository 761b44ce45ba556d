"""Whole zones, read by dnspython as a secondary reads them."""

import ipaddress
from collections.abc import Iterator

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.tsigkeyring
import dns.xfr
import dns.zone
import pytest
from tests.unit.dns.site import Asker
from tests.unit.dns.transfer.primary_site import RECORDS, PrimarySite, lines, of, read, refused

from fairlead.dns import COREDNS
from fairlead.dns.client import Transport
from fairlead.dns.transfer import TransferLimits, TransferSettings
from fairlead.dns.transfer.stream import is_newer


def test_a_secondary_says_what_we_say() -> None:
    """Every name and type that it has, but aliases, is answered alike by us."""
    site = PrimarySite()
    zone = site.axfr()
    assert len(lines(zone)) > 30
    for name, rdataset in zone.iterate_rdatasets():
        if name.is_subdomain(dns.name.from_text("sub.skydns.test")):
            continue
        ours = site.ask(name.to_text(), dns.rdatatype.to_text(rdataset.rdtype), tcp=True)
        terminal = [rrset for rrset in ours.answer if rrset.rdtype == rdataset.rdtype]
        assert {rdata.to_text() for rrset in terminal for rdata in rrset} == {
            r.to_text() for r in rdataset
        }, name


def test_every_kind_of_record_arrives() -> None:
    zone = PrimarySite().axfr()
    assert of(zone, "web.skydns.test") == [
        "A 10.0.0.1",
        "A 10.0.0.2",
        "SRV 10 50 80 1.web.skydns.test.",
        "SRV 10 50 80 2.web.skydns.test.",
    ]
    assert "NS a.ns.dns.skydns.test." in of(zone, "skydns.test")
    assert of(zone, "note.skydns.test") == ['TXT "hello"']
    assert of(zone, "caa.skydns.test") == ['CAA 0 issue "ca.example"', "TYPE65280 \\# 2 abcd"]
    assert "MX 10 web.skydns.test." in of(zone, "x.mail.skydns.test")
    assert "A 10.0.0.9" in of(zone, "*.apps.skydns.test")


def test_an_alias_stays_one_where_it_is_nothing_else() -> None:
    zone = PrimarySite().axfr()
    assert of(zone, "www.skydns.test") == ["CNAME web.skydns.test."]
    assert of(zone, "ext.skydns.test") == ["CNAME www.example.com."]


def test_beside_other_data_an_alias_becomes_addresses() -> None:
    """RFC 1034, section 3.6.2: a name with a CNAME has nothing else; servers refuse to load such a zone."""
    zone = PrimarySite().axfr()
    assert of(zone, "both.skydns.test") == [
        "A 10.0.0.1",
        "A 10.0.0.2",
        "SRV 10 100 0 www.skydns.test.",
        'TXT "and a text"',
    ]
    assert of(zone, "svc.skydns.test") == ["A 10.0.0.1", "A 10.0.0.2", "SRV 10 100 8080 web.skydns.test."]
    assert of(zone, "out.skydns.test") == ["SRV 10 100 0 www.example.com.", 'TXT "and a text"']


def test_a_delegation_arrives_with_its_glue_and_nothing_below_it() -> None:
    zone = PrimarySite().axfr()
    assert of(zone, "sub.skydns.test") == [
        "DS 1 13 2 " + "ab" * 32,
        "NS ns.example.com.",
        "NS ns1.sub.skydns.test.",
    ]
    assert of(zone, "ns1.sub.skydns.test") == ["A 10.1.0.1"]
    assert of(zone, "hidden.sub.skydns.test") == []


def test_a_zone_in_a_zone_is_delegated_to_its_own_servers() -> None:
    site = PrimarySite(
        RECORDS | {"b.ns.dns.test": {"host": "10.0.0.54"}, "x.test": {"text": "x"}},
        zones=("test", "skydns.test"),
    )
    zone = site.axfr("test")
    assert of(zone, "skydns.test") == ["NS a.ns.dns.skydns.test."]
    assert of(zone, "a.ns.dns.skydns.test") == ["A 10.0.0.53"]
    assert of(zone, "web.skydns.test") == []
    assert of(zone, "x.test") == ['TXT "x"']


def test_a_reverse_zone_holds_pointers() -> None:
    site = PrimarySite(
        {
            "1.0.0.10.in-addr.arpa": {"host": "web.skydns.test"},
            "x.ns.dns.10.in-addr.arpa": {"host": "10.0.0.53"},
        },
        dialect=COREDNS,
        zones=("10.in-addr.arpa", "skydns.test"),
    )
    zone = site.axfr("10.in-addr.arpa")
    assert of(zone, "1.0.0.10.in-addr.arpa") == ["PTR web.skydns.test."]
    assert "NS x.ns.dns.10.in-addr.arpa." in of(zone, "10.in-addr.arpa")
    assert "A 10.0.0.53" in of(zone, "x.ns.dns.10.in-addr.arpa")


def test_a_large_zone_comes_in_several_messages() -> None:
    many: dict[str, object] = {
        f"n{n}.big.skydns.test": {"host": f"10.0.{n >> 8}.{n & 255}"} for n in range(600)
    }
    site = PrimarySite(many | RECORDS)
    messages = site.transfer(dns.message.make_query("skydns.test", "AXFR"))
    assert len(messages) > 3
    assert max(map(len, messages)) <= TransferLimits().message_bytes_max
    assert of(read(messages, "skydns.test"), "n7.big.skydns.test")[0] == "A 10.0.0.7"


def test_a_transfer_is_of_one_revision_whatever_happens_meanwhile() -> None:
    many: dict[str, object] = {f"n{n}.skydns.test": {"host": "10.0.0.1"} for n in range(600)}
    site = PrimarySite(many | RECORDS)
    asker = _Slow()
    site.answerer.respond(dns.message.make_query("skydns.test", "AXFR").to_wire(), asker)
    messages = [next(asker.messages)]
    site.delete(*many)
    site.put({"n5.skydns.test": {"host": "10.9.9.9"}, "new.skydns.test": {"host": "10.9.9.9"}})
    messages += asker.messages
    zone = read(messages, "skydns.test")
    assert of(zone, "n5.skydns.test")[0] == "A 10.0.0.1"
    assert of(zone, "new.skydns.test") == []
    assert of(zone, "n599.skydns.test")[0] == "A 10.0.0.1"


class _Slow(Asker):
    def __init__(self) -> None:
        super().__init__(Transport.TCP)
        self.messages: Iterator[bytes] = iter(())

    def stream(self, messages: Iterator[bytes]) -> None:
        self.messages = messages


def test_a_transfer_is_of_the_zones_of_its_beginning() -> None:
    """``domain`` of /skydns/config is taken up live, and a transfer may take a while."""
    many: dict[str, object] = {f"n{n}.skydns.test": {"host": "10.0.0.1"} for n in range(600)}
    site = PrimarySite(many | RECORDS)
    expected = lines(site.axfr())
    asker = _Slow()
    site.answerer.respond(dns.message.make_query("skydns.test", "AXFR").to_wire(), asker)
    messages = [next(asker.messages)]
    site.apply({b"/skydns/config": b'{"domain": "n7.skydns.test.", "ttl": 5}'})
    assert lines(read([*messages, *asker.messages], "skydns.test")) == expected


def test_glue_is_told_once_and_what_is_no_glue_at_its_own_name() -> None:
    site = PrimarySite(
        {
            "one.skydns.test": {"ns": ["ns.two.skydns.test", "ns.skydns.test"]},
            "two.skydns.test": {"ns": ["ns.two.skydns.test", "ns.skydns.test"]},
            "ns.two.skydns.test": {"host": "10.1.0.1"},
            "ns.skydns.test": {"host": "10.1.0.2"},
        }
    )
    (message,) = site.transfer(dns.message.make_query("skydns.test", "AXFR"))
    sent = [
        line
        for rrset in dns.message.from_wire(message, xfr=True).answer
        for line in rrset.to_text().splitlines()
    ]
    assert sorted(line.split()[4] for line in sent if line.startswith("ns.") and " A " in line) == [
        "10.1.0.1",
        "10.1.0.2",
    ]


def test_so_many_run_at_once_and_no_more() -> None:
    site = PrimarySite(limits=TransferLimits(streams_max=1, message_bytes_max=100))
    query = dns.message.make_query("skydns.test", "AXFR")
    slow = _Slow()
    site.answerer.respond(query.to_wire(), slow)
    next(slow.messages)
    assert dns.message.from_wire(site.transfer(query)[0]).rcode() == dns.rcode.SERVFAIL
    list(slow.messages)
    assert len(site.transfer(query)) > 1


# IXFR


def ixfr(site: PrimarySite, serial: int) -> list[dns.message.Message]:
    query = dns.message.make_query("skydns.test", "IXFR")
    query.authority.append(dns.rrset.from_text("skydns.test.", 0, "IN", "SOA", f". . {serial} 0 0 0 0"))
    return [dns.message.from_wire(one, xfr=True) for one in site.transfer(query)]


def test_an_incremental_transfer_is_a_whole_one() -> None:
    """RFC 1995, section 4."""
    messages = ixfr(PrimarySite(), 1)
    assert messages[0].answer[0].rdtype == dns.rdatatype.SOA
    assert sum(len(rrset) for one in messages for rrset in one.answer) > 30


@pytest.mark.parametrize("ahead", [0, 1, 1000])
def test_who_has_the_serial_already_gets_it_alone(ahead: int) -> None:
    site = PrimarySite()
    (message,) = ixfr(site, site.revision + ahead)
    assert [rrset.rdtype for rrset in message.answer] == [dns.rdatatype.SOA]


def test_an_incremental_transfer_without_a_serial_is_malformed() -> None:
    response = PrimarySite().transfer(dns.message.make_query("skydns.test", "IXFR"))
    assert dns.message.from_wire(response[0]).rcode() == dns.rcode.FORMERR


@pytest.mark.parametrize(
    ("serial", "known", "newer"),
    [(2, 1, True), (1, 1, False), (1, 2, False), (0, 2**32 - 1, True), (2**31 + 1, 1, False)],
)
def test_serials_are_compared_in_a_circle(serial: int, known: int, newer: bool) -> None:  # noqa: FBT001
    assert is_newer(serial, known) is newer


# Who may


def test_only_those_who_are_named_get_a_zone() -> None:
    settings = TransferSettings(
        allowed=(ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("2001:db8::/32"))
    )
    site = PrimarySite(settings=settings)
    query = dns.message.make_query("skydns.test", "AXFR")
    for ip in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1"):
        assert len(lines(read(site.transfer(query, ip=ip), "skydns.test"))) > 30
    for ip in ("127.0.0.1", "::1", "11.0.0.1"):
        assert refused(site.transfer(query, ip=ip)) == "REFUSED"
    assert site.transfers.refused == 3
    assert refused(PrimarySite(settings=TransferSettings()).transfer(query)) == "REFUSED"


@pytest.mark.parametrize(("name", "rcode"), [("web.skydns.test", "NOTAUTH"), ("other.test", "NOTAUTH")])
def test_only_zones_of_ours_can_be_had(name: str, rcode: str) -> None:
    assert refused(PrimarySite().transfer(dns.message.make_query(name, "AXFR"))) == rcode


def test_a_zone_that_is_signed_here_cannot_be_had() -> None:
    site = PrimarySite(is_signed=True)
    assert refused(site.transfer(dns.message.make_query("skydns.test", "AXFR"))) == "REFUSED"


def test_no_zone_goes_over_udp() -> None:
    site = PrimarySite()
    response = site.answerer.respond(dns.message.make_query("skydns.test", "AXFR").to_wire(), Asker())
    assert response is not None
    assert refused([response]) == "NOTIMP"
