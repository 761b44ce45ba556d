"""Signatures and denials, judged by dnspython's validator."""

from collections.abc import Mapping

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.node
import dns.rdataset
import dns.rdatatype
import dns.rrset
import pytest
from tests.unit.dns.site import Asker, Site, rcode, rdatas

from fairlead.dns import names
from fairlead.dns.client import Transport
from fairlead.dns.dnssec import Algorithm, Signer, SigningKey, SigningLimits, State, ZoneKey
from fairlead.dns.dnssec.canonical import successor, type_bitmap

NOW_S = 1_800_000_000
ZONE = names.from_text("skydns.test")
RECORDS: dict[str, object] = {
    "skydns.test": {"caa": '0 issue "ca.example"'},
    "1.web.skydns.test": {"host": "10.0.0.1", "port": 80},
    "2.web.skydns.test": {"host": "10.0.0.2", "port": 80},
    "www.skydns.test": {"host": "web.skydns.test"},
    "note.skydns.test": {"text": "hello"},
    "a.ns.dns.skydns.test": {"host": "10.0.0.53"},
    "*.apps.skydns.test": {"host": "10.0.0.9"},
    "sub.skydns.test": {"ns": "ns1.sub.skydns.test"},
    "ns1.sub.skydns.test": {"host": "10.1.0.1"},
    "safe.skydns.test": {"ns": "ns.example.com", "ds": "12345 13 2 " + "AB" * 32},
    "short.skydns.test": {"host": "server1"},
    "two.skydns.test": {"host": "www.skydns.test"},
    "1.mix.skydns.test": {"host": "a.example.com"},
    "2.mix.skydns.test": {"host": "b.example.com"},
}
KEYS = {algorithm: SigningKey.generate(algorithm) for algorithm in Algorithm}


class SignedSite(Site):
    """A site that signs."""

    def __init__(self, keys: Mapping[bytes, tuple[ZoneKey, ...]], **options: object) -> None:
        super().__init__(RECORDS, **options)  # type: ignore[arg-type]
        limits = SigningLimits(signatures_max=100)
        self.signer = Signer(tree=self.model.tree, zones=self.model.zones, limits=limits)
        self.signer.set_time(NOW_S)
        self.signer.set_keys(keys)
        self.responder.hooks.sign = self.signer.sign

    def secure(self, name: str, rtype: str, *, compact_ok: bool = False) -> dns.message.Message:
        """Ask with DO, and validate every RRset of answer and authority."""
        flags = dns.flags.DO | (0x4000 if compact_ok else 0)
        query = dns.message.make_query(name, rtype, use_edns=0, ednsflags=flags, payload=4096)
        response = self.exchange(query, tcp=True)
        again = self.exchange(query, tcp=True)
        self.validate(response)
        self.validate(again)
        return response

    def secure_keys(self, rtype: str) -> dns.rrset.RRset:
        """Ask for what the zone says of its keys, which all of them sign; return it."""
        query = dns.message.make_query("skydns.test", rtype, want_dnssec=True, payload=4096)
        return self.exchange(query, tcp=True).answer[0]

    def validate(self, response: dns.message.Message) -> None:
        for section in (response.answer, response.authority):
            for rrset in section:
                if rrset.rdtype == dns.rdatatype.RRSIG or self._is_delegation(rrset):
                    continue
                signatures = [
                    one
                    for one in section
                    if one.rdtype == dns.rdatatype.RRSIG
                    and one.name == rrset.name
                    and one.covers == rrset.rdtype
                ]
                assert len(signatures) == 1, rrset
                dns.dnssec.validate(rrset, signatures[0], self.anchors(), now=NOW_S)

    def _is_delegation(self, rrset: dns.rrset.RRset) -> bool:
        return rrset.rdtype == dns.rdatatype.NS and rrset.name.to_text() not in self.zones()

    def zones(self) -> list[str]:
        return [names.to_text(zone) for zone in self.signer.keys]

    def anchors(self) -> dict[dns.name.Name, dns.node.Node | dns.rdataset.Rdataset]:
        return {
            dns.name.from_text(zone): next(
                rrset for rrset in self.ask(zone, "DNSKEY").answer if rrset.rdtype == dns.rdatatype.DNSKEY
            )
            for zone in self.zones()
        }


def active(key: SigningKey, state: State = State.ACTIVE) -> ZoneKey:
    return ZoneKey(key, state, NOW_S)


@pytest.fixture(params=list(Algorithm), ids=lambda algorithm: algorithm.name)
def site(request: pytest.FixtureRequest) -> SignedSite:
    return SignedSite({ZONE: (active(KEYS[request.param]),)})


@pytest.mark.parametrize(
    ("name", "rtype", "sets"),
    [
        ("1.web.skydns.test", "A", ["A"]),
        ("web.skydns.test", "A", ["A"]),
        ("web.skydns.test", "SRV", ["SRV"]),
        ("note.skydns.test", "TXT", ["TXT"]),
        ("two.skydns.test", "A", ["CNAME", "CNAME", "A"]),
        ("mix.skydns.test", "A", ["CNAME"]),
        ("skydns.test", "SOA", ["SOA"]),
        ("skydns.test", "NS", ["NS"]),
        ("skydns.test", "CAA", ["CAA"]),
        ("skydns.test", "DNSKEY", ["DNSKEY"]),
        ("skydns.test", "CDS", ["CDS"]),
        ("skydns.test", "CDNSKEY", ["CDNSKEY"]),
        ("x.apps.skydns.test", "A", ["A"]),
        ("*.apps.skydns.test", "A", ["A"]),
        ("any.web.skydns.test", "A", ["A"]),
        ("*.web.skydns.test", "A", ["A"]),
        ("safe.skydns.test", "DS", ["DS"]),
        ("web.skydns.test", "ANY", ["HINFO"]),
    ],
)
def test_every_answer_is_signed(site: SignedSite, name: str, rtype: str, sets: list[str]) -> None:
    response = site.secure(name, rtype)
    kinds = [dns.rdatatype.to_text(rrset.rdtype) for rrset in response.answer]
    assert [kind for kind in kinds if kind != "RRSIG"] == sets
    assert kinds.count("RRSIG") == len(sets)


@pytest.mark.parametrize(
    ("name", "rtype", "types"),
    [
        ("note.skydns.test", "A", "TXT RRSIG NSEC"),
        ("1.web.skydns.test", "TXT", "A RRSIG NSEC SRV"),
        ("dns.skydns.test", "TXT", "A RRSIG NSEC SRV"),
        ("apps.skydns.test", "A", "RRSIG NSEC"),
        ("skydns.test", "HTTPS", "A NS SOA TXT AAAA SRV RRSIG NSEC DNSKEY CDS CDNSKEY CAA"),
        ("skydns.test", "DS", "A NS SOA TXT AAAA SRV RRSIG NSEC DNSKEY CDS CDNSKEY CAA"),
        ("sub.skydns.test", "DS", "NS RRSIG NSEC"),
        ("x.apps.skydns.test", "MX", "A SRV RRSIG NSEC"),
        ("short.skydns.test", "A", "AAAA TXT SRV RRSIG NSEC"),
    ],
)
def test_a_type_that_is_not_there_is_denied(site: SignedSite, name: str, rtype: str, types: str) -> None:
    """RFC 9824, section 3.1: one NSEC record, of the name itself."""
    response = site.secure(name, rtype)
    assert rcode(response) == "NOERROR"
    assert response.answer == []
    found = denial(response)
    assert found.name.to_text() == f"{name}."
    text = found[0].to_text().split(" ")
    assert text[0] == f"\\000.{name}."
    assert {*text[1:]} - {"PTR"} == {*types.split()}
    assert "CNAME" not in text


def test_a_name_that_is_not_there_is_denied_as_if_it_were(site: SignedSite) -> None:
    """RFC 9824, section 3.2."""
    response = site.secure("no.such.skydns.test", "A")
    assert rcode(response) == "NOERROR"
    assert denial(response)[0].to_text() == "\\000.no.such.skydns.test. RRSIG NSEC NXNAME"


@pytest.mark.parametrize("name", ["web.skydns.test", "apps.skydns.test", "skydns.test"])
def test_the_records_of_denials_are_there_when_asked_for(site: SignedSite, name: str) -> None:
    """Their bits are in every bitmap (RFC 4035, section 2.3), so they cannot be denied."""
    for rtype in ("NSEC", "RRSIG"):
        response = site.secure(name, rtype)
        kinds = [dns.rdatatype.to_text(rrset.rdtype) for rrset in response.answer]
        assert kinds == {"NSEC": ["NSEC", "RRSIG"], "RRSIG": ["RRSIG"]}[rtype]
        assert response.authority == []
    assert denial(site.secure("no.such.skydns.test", "NSEC"))[0].to_text().endswith("RRSIG NSEC NXNAME")


def test_what_is_asked_for_in_vain_is_heard_of_although_the_code_does_not_say_it(site: SignedSite) -> None:
    """Resolvers ask with DO, and get NOERROR: the list of names asked for in vain would stay empty."""
    heard: list[tuple[bytes, int]] = []
    site.responder.hooks.seen = lambda name, _, code: heard.append((name, code))
    site.exchange(dns.message.make_query("no.skydns.test", "A", want_dnssec=True))
    site.exchange(dns.message.make_query("note.skydns.test", "MX", want_dnssec=True))
    site.exchange(dns.message.make_query("version.bind", "TXT", "CH"))
    assert heard == [(names.from_text("no.skydns.test"), 3), (names.from_text("note.skydns.test"), 0)]


def test_the_end_of_a_chain_of_an_exact_zone_is_denied_with_a_proof() -> None:
    site = SignedSite({ZONE: (active(KEYS[Algorithm.ED25519]),)}, exact=("skydns.test",))
    site.put(
        {"gone.skydns.test": {"host": "no.skydns.test"}, "alias.skydns.test": {"host": "note.skydns.test"}}
    )
    for is_compact, code in ((False, "NOERROR"), (True, "NXDOMAIN")):
        response = site.secure("gone.skydns.test", "A", compact_ok=is_compact)
        assert rcode(response) == code
        assert rdatas(response, "CNAME") == ["no.skydns.test."]
        assert denial(response).name.to_text() == "no.skydns.test."
        assert denial(response)[0].to_text().endswith("NSEC NXNAME")
    response = site.secure("alias.skydns.test", "A")
    assert denial(response).name.to_text() == "note.skydns.test."
    assert "TXT" in denial(response)[0].to_text()


def test_who_says_so_gets_nxdomain_with_it(site: SignedSite) -> None:
    """RFC 9824, section 5.1: the CO bit."""
    nothing = site.secure("no.such.skydns.test", "A", compact_ok=True)
    assert rcode(nothing) == "NXDOMAIN"
    assert nothing.ednsflags == dns.flags.DO | 0x4000
    assert rcode(site.secure("note.skydns.test", "A", compact_ok=True)) == "NOERROR"


def test_who_does_not_validate_gets_what_was_there_before(site: SignedSite) -> None:
    assert rcode(site.ask("no.such.skydns.test")) == "NXDOMAIN"
    plain = site.ask("web.skydns.test")
    assert [rrset.rdtype for rrset in plain.answer] == [dns.rdatatype.A]


def test_a_referral_proves_that_there_is_no_ds(site: SignedSite) -> None:
    response = site.secure("x.sub.skydns.test", "A")
    assert denial(response).name.to_text() == "sub.skydns.test."
    assert denial(response)[0].to_text() == "\\000.sub.skydns.test. NS RRSIG NSEC"
    assert [rrset.rdtype for rrset in response.additional] == [dns.rdatatype.A]


def test_a_referral_brings_the_ds_signed(site: SignedSite) -> None:
    response = site.secure("x.safe.skydns.test", "A")
    kinds = [dns.rdatatype.to_text(rrset.rdtype) for rrset in response.authority]
    assert kinds == ["NS", "DS", "RRSIG"]


def test_only_zones_with_keys_are_signed() -> None:
    site = SignedSite({}, zones=("skydns.test",))
    query = dns.message.make_query("web.skydns.test", "A", want_dnssec=True)
    assert [rrset.rdtype for rrset in site.exchange(query).answer] == [dns.rdatatype.A]
    assert rcode(site.exchange(dns.message.make_query("no.skydns.test", "A", want_dnssec=True))) == "NXDOMAIN"
    assert rdatas(site.ask("skydns.test", "DNSKEY"), "DNSKEY") == []


def test_signatures_are_made_once_and_found_again() -> None:
    site = SignedSite({ZONE: (active(KEYS[Algorithm.ED25519]),)})
    site.secure("web.skydns.test", "A")
    made = site.signer.signed
    site.model.table.clear()
    site.secure("web.skydns.test", "A")
    assert site.signer.signed == made
    assert site.signer.reused > 0


def test_made_up_names_fill_no_cache() -> None:
    site = SignedSite({ZONE: (active(KEYS[Algorithm.ED25519]),)})
    site.secure("no.skydns.test", "A")
    before = repr(site.signer)
    for number in range(20):
        site.secure(f"no{number}.skydns.test", "A")
    assert repr(site.signer) == before


def test_the_signature_cache_is_bounded() -> None:
    site = SignedSite({ZONE: (active(KEYS[Algorithm.ED25519]),)})
    site.put({f"n{n}.skydns.test": {"host": "10.0.0.1"} for n in range(150)})
    for number in range(150):
        site.secure(f"n{number}.skydns.test", "A")
    assert "100 signatures" in repr(site.signer)


def test_a_changed_record_is_signed_anew() -> None:
    site = SignedSite({ZONE: (active(KEYS[Algorithm.ED25519]),)})
    site.secure("1.web.skydns.test", "A")
    site.put({"1.web.skydns.test": {"host": "10.0.0.77"}})
    assert rdatas(site.secure("1.web.skydns.test", "A"), "A") == ["10.0.0.77"]


def test_a_new_revision_is_a_new_serial_and_signed() -> None:
    site = SignedSite({ZONE: (active(KEYS[Algorithm.ED25519]),)})
    before = rdatas(site.secure("skydns.test", "SOA"), "SOA")[0]
    site.put({"x.skydns.test": {"host": "10.0.0.1"}})
    after = rdatas(site.secure("skydns.test", "SOA"), "SOA")[0]
    assert int(after.split()[2]) == int(before.split()[2]) + 1
    site.secure("no.skydns.test", "A")
    site.put({"x.elsewhere.test": {"host": "10.0.0.1"}})
    assert int(rdatas(site.secure("skydns.test", "SOA"), "SOA")[0].split()[2]) == int(before.split()[2]) + 2


def test_signatures_follow_the_calendar() -> None:
    site = SignedSite({ZONE: (active(KEYS[Algorithm.ED25519]),)})
    limits = SigningLimits()
    assert not site.signer.set_time(NOW_S + 1)
    later_s = NOW_S + limits.period_s
    assert site.signer.set_time(later_s)
    response = site.exchange(dns.message.make_query("note.skydns.test", "TXT", want_dnssec=True))
    signature = response.answer[1][0]
    assert signature.inception <= later_s - limits.backdate_s
    assert signature.expiration >= later_s + limits.validity_s


def test_during_a_rollover_all_keys_sign_the_keys_and_one_the_rest() -> None:
    old, new = SigningKey.generate(Algorithm.ED25519), SigningKey.generate(Algorithm.ED25519)
    site = SignedSite({ZONE: (active(old), active(new, State.COMING))})
    response = site.exchange(
        dns.message.make_query("skydns.test", "DNSKEY", want_dnssec=True, payload=4096), tcp=True
    )
    keys, signatures = response.answer
    assert len(keys) == 2
    assert {one.key_tag for one in signatures} == {old.tag, new.tag}
    data = site.exchange(dns.message.make_query("note.skydns.test", "TXT", want_dnssec=True))
    assert {one.key_tag for one in data.answer[1]} == {old.tag}


def test_the_parent_is_asked_for_a_new_key_once_everybody_can_have_it() -> None:
    """RFC 7583, section 3.3.2: a parent that polls would name a key that caches of the old key set do not hold."""
    old, new = SigningKey.generate(Algorithm.ED25519), SigningKey.generate(Algorithm.ED25519)
    site = SignedSite({ZONE: (active(old), active(new, State.COMING))})

    def asked_for() -> tuple[int, int]:
        cds = site.secure_keys("CDS")[0]
        cdnskey = site.secure_keys("CDNSKEY")[0]
        return cds.key_tag, dns.dnssec.key_id(cdnskey)

    turn_s = NOW_S + SigningLimits().key_ttl_s
    assert asked_for() == (old.tag, old.tag)
    assert not site.signer.set_time(turn_s - 1)
    assert asked_for() == (old.tag, old.tag)
    assert site.signer.set_time(turn_s), "what was kept is dropped"
    site.model.table.clear()
    assert asked_for() == (new.tag, new.tag)
    assert not site.signer.set_time(turn_s + 1)


def test_a_name_that_comes_to_another_zone_is_signed_by_that_zone() -> None:
    """``domain`` of /skydns/config is taken up live."""
    outer, inner = SigningKey.generate(Algorithm.ED25519), SigningKey.generate(Algorithm.ED25519)
    site = SignedSite({names.from_text("test"): (active(outer),), ZONE: (active(inner),)})

    def signer() -> str:
        response = site.exchange(dns.message.make_query("note.skydns.test", "TXT", want_dnssec=True))
        return str(response.answer[1][0].signer)

    assert signer() == "skydns.test."
    site.apply({b"/skydns/config": b'{"domain": "test."}'})
    assert signer() == "test."


def test_two_algorithms_both_sign_everything() -> None:
    """RFC 4035, section 2.2."""
    site = SignedSite(
        {ZONE: (active(KEYS[Algorithm.ED25519]), active(KEYS[Algorithm.ECDSAP256SHA256], State.COMING))}
    )
    data = site.exchange(dns.message.make_query("note.skydns.test", "TXT", want_dnssec=True, payload=4096))
    assert {one.algorithm for one in data.answer[1]} == {13, 15}


def test_a_signed_zone_in_a_signed_zone_is_vouched_for() -> None:
    outer, inner = SigningKey.generate(Algorithm.ED25519), SigningKey.generate(Algorithm.ED25519)
    zones = {names.from_text("test"): (active(outer),), ZONE: (active(inner),)}
    site = SignedSite(zones, zones=("test", "skydns.test"))
    response = site.secure("skydns.test", "DS")
    assert rdatas(response, "DS")[0].split()[0] == str(inner.tag)
    assert response.answer[1][0].signer.to_text() == "test."
    plain = SignedSite({names.from_text("test"): (active(outer),)}, zones=("test", "skydns.test"))
    assert denial(plain.secure("skydns.test", "DS"))[0].to_text() == "\\000.skydns.test. NS RRSIG NSEC"


def test_an_answer_that_depends_on_who_asks_is_signed_for_each(site: SignedSite) -> None:
    site.put(
        {
            "n.geo.skydns.test": {"host": "10.0.0.1", "cidr": "10.1.0.0/16", "weight": 10},
            "f.geo.skydns.test": {"host": "10.0.0.2", "cidr": "10.2.0.0/16", "weight": 90},
        }
    )
    query = dns.message.make_query("geo.skydns.test", "A", want_dnssec=True, payload=4096)
    found = set()
    for ip in ("10.1.0.1", "10.2.0.1", "10.3.0.1"):
        asker = Asker(Transport.TCP, ip=ip)
        response = dns.message.from_wire(site.responder.respond(query.to_wire(), asker) or b"")
        site.validate(response)
        found.add(tuple(sorted(rdatas(response, "A"))))
    assert len(found) > 1


def test_weights_do_not_matter_to_signatures(site: SignedSite) -> None:
    site.put({f"{n}.w.skydns.test": {"host": f"10.0.0.{n}", "weight": n * 30} for n in (1, 2, 3)})
    for _ in range(5):
        site.secure("w.skydns.test", "A")


def test_nsec_itself_may_be_asked_for(site: SignedSite) -> None:
    response = site.exchange(dns.message.make_query("note.skydns.test", "NSEC", want_dnssec=True))
    assert rcode(response) == "NOERROR"


def denial(response: dns.message.Message) -> dns.rrset.RRset:
    return next(rrset for rrset in response.authority if rrset.rdtype == dns.rdatatype.NSEC)


# Canonical forms


@pytest.mark.parametrize(
    "text",
    ["a.b.", "x" * 63 + ".b.", ".".join(["x" * 63] * 3 + ["y" * 61]) + ".", ".".join(["x" * 60] * 4) + "."],
)
def test_the_successor_comes_right_after(text: str) -> None:
    name = names.from_text(text)
    after = successor(name)
    assert len(after) <= names.NAME_BYTES_MAX
    this, that = dns.name.from_wire(name, 0)[0], dns.name.from_wire(after, 0)[0]
    assert this < that


def test_a_bitmap_has_windows() -> None:
    """RFC 4034, section 4.3, is the example."""
    assert type_bitmap([1, 15, 46, 47, 1234]).hex() == "0006400100000003041b" + "00" * 26 + "20"
