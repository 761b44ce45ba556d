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
from tests.unit.dns.site import Asker, Site

from fairlead.dns import COREDNS, names
from fairlead.dns.client import Transport
from fairlead.dns.transfer import Keyring, SignedAnswerer, TransferLimits, Transfers, TransferSettings
from fairlead.dns.transfer.stream import is_newer
from fairlead.dns.transfer.tsig import SharedKey

NOW_S = 1_800_000_000
KEY = SharedKey(names.from_text("k1.example"), "hmac-sha256", b"0123456789abcdef" * 2)
RECORDS: dict[str, object] = {
    "a.ns.dns.skydns.test": {"host": "10.0.0.53"},
    "1.web.skydns.test": {"host": "10.0.0.1", "port": 80},
    "2.web.skydns.test": {"host": "10.0.0.2", "port": 80},
    "www.skydns.test": {"host": "web.skydns.test"},
    "ext.skydns.test": {"host": "www.example.com"},
    "both.skydns.test": {"host": "www.skydns.test", "text": "and a text"},
    "out.skydns.test": {"host": "www.example.com", "text": "and a text"},
    "svc.skydns.test": {"host": "web.skydns.test", "port": 8080},
    "note.skydns.test": {"text": "hello"},
    "x.mail.skydns.test": {"host": "web.skydns.test", "mail": True},
    "caa.skydns.test": {"caa": '0 issue "ca.example"', "records": ["TYPE65280 \\# 2 abcd"]},
    "*.apps.skydns.test": {"host": "10.0.0.9"},
    "sub.skydns.test": {"ns": ["ns1.sub.skydns.test", "ns.example.com"], "ds": "1 13 2 " + "AB" * 32},
    "ns1.sub.skydns.test": {"host": "10.1.0.1"},
    "hidden.sub.skydns.test": {"host": "10.1.0.2"},
}


class PrimarySite(Site):
    """A site that gives whole zones."""

    def __init__(
        self,
        records: dict[str, object] | None = None,
        *,
        settings: TransferSettings | None = None,
        limits: TransferLimits | None = None,
        is_signed: bool = False,
        **options: object,
    ) -> None:
        super().__init__(RECORDS if records is None else records, **options)  # type: ignore[arg-type]
        settings = settings or TransferSettings(allowed=(ipaddress.ip_network("127.0.0.0/8"),))
        self.transfers = Transfers(
            settings,
            limits or TransferLimits(),
            tree=self.model.tree,
            zones=self.model.zones,
            is_signed_here=lambda _: is_signed,
        )
        self.responder.hooks.transfer = self.transfers.answer
        self.answerer = SignedAnswerer(self.responder, settings.keyring, clock=lambda: NOW_S, fudge_s=300)

    def transfer(self, query: dns.message.Message, *, ip: str = "127.0.0.1") -> list[bytes]:
        asker = Asker(Transport.TCP, ip=ip)
        response = self.answerer.respond(query.to_wire(), asker)
        assert response is not None
        return [response] if response else asker.sent

    def axfr(self, zone: str = "skydns.test", **options: str) -> dns.zone.Zone:
        query = dns.message.make_query(zone, "AXFR")
        return read(self.transfer(query, **options), zone)


def read(messages: list[bytes], origin: str) -> dns.zone.Zone:
    zone = dns.zone.Zone(origin, relativize=False)
    with dns.xfr.Inbound(zone, rdtype=dns.rdatatype.AXFR) as inbound:
        for number, message in enumerate(messages, 1):
            is_done = inbound.process_message(dns.message.from_wire(message, xfr=True))
            assert is_done == (number == len(messages))
    zone.check_origin()
    return zone


def lines(zone: dns.zone.Zone) -> list[str]:
    return sorted(
        f"{name} {rdataset.ttl} {dns.rdatatype.to_text(rdataset.rdtype)} {rdata}"
        for name, rdataset in zone.iterate_rdatasets()
        for rdata in rdataset
        if rdataset.rdtype != dns.rdatatype.SOA
    )


def of(zone: dns.zone.Zone, name: str) -> list[str]:
    return [line.partition(" ")[2].partition(" ")[2] for line in lines(zone) if line.startswith(f"{name}. ")]


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


def refused(messages: list[bytes]) -> str:
    (message,) = messages
    return dns.rcode.to_text(dns.rcode.from_flags(int.from_bytes(message[2:4], "big"), 0))


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


# TSIG, by dnspython's


def ring(key: SharedKey = KEY) -> dict[dns.name.Name, dns.tsig.Key]:
    name = names.to_text(key.name)
    return {dns.name.from_text(name): dns.tsig.Key(name, key.secret, key.algorithm)}


def signed(rtype: str = "AXFR", key: SharedKey = KEY) -> dns.message.Message:
    query = dns.message.make_query("skydns.test", rtype)
    query.use_tsig(ring(key), algorithm=key.algorithm)
    return query


@pytest.fixture
def keyed(monkeypatch: pytest.MonkeyPatch) -> PrimarySite:
    monkeypatch.setattr("dns.message.time.time", lambda: NOW_S)
    many: dict[str, object] = {f"n{n}.skydns.test": {"host": "10.0.0.1"} for n in range(600)}
    return PrimarySite(RECORDS | many, settings=TransferSettings(keyring=Keyring({KEY.name: KEY})))


@pytest.mark.parametrize("algorithm", ["hmac-sha256", "hmac-sha384", "hmac-sha512"])
def test_a_signed_query_gets_a_zone_of_signed_messages(
    monkeypatch: pytest.MonkeyPatch, algorithm: str
) -> None:
    monkeypatch.setattr("dns.message.time.time", lambda: NOW_S)
    key = SharedKey(KEY.name, algorithm, KEY.secret)
    many: dict[str, object] = {f"n{n}.skydns.test": {"host": "10.0.0.1"} for n in range(600)}
    site = PrimarySite(RECORDS | many, settings=TransferSettings(keyring=Keyring({key.name: key})))
    query = signed(key=key)
    messages = site.transfer(query)
    assert len(messages) > 1
    context = None
    for number, message in enumerate(messages):
        parsed = dns.message.from_wire(
            message,
            keyring=ring(key),
            request_mac=query.mac,
            xfr=True,
            tsig_ctx=context,
            multi=True,
            origin=dns.name.from_text("skydns.test"),
        )
        assert parsed.had_tsig, number
        context = parsed.tsig_ctx


def test_an_ordinary_signed_query_gets_a_signed_answer(keyed: PrimarySite) -> None:
    """A secondary asks for SOA in the same way."""
    query = signed("SOA")
    for _ in range(2):
        (response,) = keyed.transfer(query)
        parsed = dns.message.from_wire(response, keyring=ring(), request_mac=query.mac)
        assert parsed.had_tsig
        assert parsed.answer[0].rdtype == dns.rdatatype.SOA


def test_without_a_signature_there_is_no_zone(keyed: PrimarySite) -> None:
    assert refused(keyed.transfer(dns.message.make_query("skydns.test", "AXFR"))) == "REFUSED"
    assert keyed.ask("n1.skydns.test").rcode() == dns.rcode.NOERROR


@pytest.mark.parametrize(
    "key",
    [
        SharedKey(KEY.name, KEY.algorithm, b"another secret, as long as that"),
        SharedKey(names.from_text("k2.example"), KEY.algorithm, KEY.secret),
        SharedKey(KEY.name, "hmac-sha512", KEY.secret),
    ],
    ids=["another secret", "another name", "another algorithm"],
)
def test_a_signature_of_another_key_is_noticed(keyed: PrimarySite, key: SharedKey) -> None:
    assert refused(keyed.transfer(signed(key=key))) == "NOTAUTH"


def test_a_signature_of_another_time_is_noticed(keyed: PrimarySite, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8945, section 5.2.3: what was recorded cannot be sent again."""
    for offset_s, is_fine in ((-301, False), (-299, True), (299, True), (301, False)):
        monkeypatch.setattr("dns.message.time.time", lambda offset_s=offset_s: NOW_S + offset_s)
        messages = keyed.transfer(signed())
        assert (len(messages) > 1) is is_fine


def test_a_changed_byte_is_noticed(keyed: PrimarySite) -> None:
    wire = signed().to_wire()
    for at in range(2, len(wire)):
        asker = Asker(Transport.TCP)
        changed = wire[:at] + bytes((wire[at] ^ 1,)) + wire[at + 1 :]
        keyed.answerer.respond(changed, asker)
        assert len(asker.sent) <= 1, at


def test_a_signed_query_cut_short_anywhere_is_no_accident(keyed: PrimarySite) -> None:
    wire = signed().to_wire()
    for end in range(len(wire)):
        asker = Asker(Transport.TCP)
        keyed.answerer.respond(wire[:end], asker)
        assert asker.sent == []
