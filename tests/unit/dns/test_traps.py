"""What SkyDNS, CoreDNS and those who write their keys have stumbled over, and has no test elsewhere."""

import json

import dns.message
import pytest
from tests.unit.dns.site import Site, flags, key_of, rcode, rdatas, records, value_of

from fairlead.dns import COREDNS, SKYDNS, Dialect

# Keys


def test_a_value_at_the_prefix_itself_is_no_record() -> None:
    site = Site()
    assert not b"/skydns".startswith(site.model.keys.prefix)  # so the mirror leaves it out
    site.apply({b"/skydns/": value_of({"host": "10.0.0.1"})})
    assert list(site.complaints.open) == [b"/skydns/"]
    site.apply({b"/skydns/": b""})  # the mark of a folder
    assert site.complaints.open == {}


def test_a_key_that_skydns_would_never_find_is_told() -> None:
    """SkyDNS lower-cases the question, and not the key."""
    site = Site()
    site.apply({b"/skydns/test/skydns/Web": value_of({"host": "10.0.0.1"})})
    assert "lower case" in site.complaints.open[b"/skydns/test/skydns/Web"]


@pytest.mark.parametrize("host", ["Web.Example.COM", "web.example.com.", "WEB.EXAMPLE.COM."])
def test_hosts_are_alike_in_any_case_and_with_a_dot(host: str) -> None:
    site = Site({"x.skydns.test": {"host": host}})
    assert rdatas(site.ask("x.skydns.test", "CNAME"), "CNAME") == ["web.example.com."]


def test_a_zone_does_not_end_within_a_label() -> None:
    """SkyDNS took ``endocode.com`` for a name in ``ndocode.com``."""
    site = Site({"x.endocode.com": {"host": "10.0.0.1"}}, zones=("ndocode.com",))
    assert rcode(site.ask("endocode.com")) == "REFUSED"
    assert rcode(site.ask("x.endocode.com")) == "REFUSED"


def test_a_transaction_that_moves_a_record_is_never_seen_half_done() -> None:
    site = Site({"a.x.skydns.test": {"host": "10.0.0.1"}})
    site.ask("x.skydns.test")
    site.apply({key_of("b.x.skydns.test"): value_of({"host": "10.0.0.1"})}, [key_of("a.x.skydns.test")])
    assert rdatas(site.ask("x.skydns.test"), "A") == ["10.0.0.1"]
    assert rcode(site.ask("a.x.skydns.test")) == "NXDOMAIN"


def test_a_key_that_is_deleted_and_written_in_one_revision_is_there() -> None:
    site = Site({"x.skydns.test": {"host": "10.0.0.1"}})
    site.apply({key_of("x.skydns.test"): value_of({"host": "10.0.0.2"})}, [key_of("x.skydns.test")])
    assert rdatas(site.ask("x.skydns.test"), "A") == ["10.0.0.2"]


# Values


@pytest.mark.parametrize("dialect", [SKYDNS, COREDNS])
@pytest.mark.parametrize("weights", [(0, 0), (-1, -5), (1, 1), (65535, 65535), (10**12, 1)])
def test_weights_of_any_size_make_shares(dialect: Dialect, weights: tuple[int, int]) -> None:
    site = Site(
        {f"{n}.s.skydns.test": {"host": f"h{n}.h", "weight": weight} for n, weight in enumerate(weights)},
        dialect=dialect,
    )
    shares = [int(text.split()[1]) for text in rdatas(site.ask("s.skydns.test", "SRV"), "SRV")]
    assert len(shares) == 2
    assert all(dialect.srv_weight_min <= share <= 100 for share in shares)


def test_two_records_that_say_the_same_are_one_service_to_skydns() -> None:
    same = {f"{n}.s.skydns.test": {"host": "h.h", "port": 80} for n in (1, 2)}
    assert rdatas(Site(same).ask("s.skydns.test", "SRV"), "SRV") == ["10 100 80 h.h."]
    assert rdatas(Site(same, dialect=COREDNS).ask("s.skydns.test", "SRV"), "SRV") == ["10 50 80 h.h."]


def test_what_external_dns_writes_is_taken_as_it_is() -> None:
    site = Site(dialect=COREDNS)
    value = {
        "host": "10.0.0.1",
        "text": '"heritage=external-dns,external-dns/owner=me"',
        "ttl": 60,
        "targetstrip": 1,
    }
    site.apply({key_of("1a2b3c4d.www.skydns.test"): json.dumps(value).encode()})
    assert records(site.ask("www.skydns.test").answer) == ["www.skydns.test. 60 IN A 10.0.0.1"]
    assert rdatas(site.ask("www.skydns.test", "SRV"), "SRV") == ["10 100 0 www.skydns.test."]
    assert b"heritage" in site.ask("www.skydns.test", "TXT").answer[0][0].strings[0]


# CNAME beside other data


def test_beside_addresses_a_name_has_no_cname() -> None:
    """RFC 1034, section 3.6.2.  SkyDNS sent both."""
    site = Site(
        {
            "1.x.skydns.test": {"host": "10.0.0.1"},
            "2.x.skydns.test": {"host": "pool.skydns.test"},
            "3.x.skydns.test": {"host": "www.example.com"},
            "a.pool.skydns.test": {"host": "10.0.0.2", "ttl": 60},
        }
    )
    assert records(site.ask("x.skydns.test").answer) == [
        "x.skydns.test. 60 IN A 10.0.0.1",
        "x.skydns.test. 60 IN A 10.0.0.2",
    ]


def test_a_chain_ends_at_its_dialects_length() -> None:
    names: dict[str, object] = {f"{n}.skydns.test": {"host": f"{n + 1}.skydns.test"} for n in range(11)}
    names["11.skydns.test"] = {"host": "10.0.0.1"}
    for dialect, first in ((SKYDNS, 3), (COREDNS, 1)):
        site = Site(names, dialect=dialect)
        assert rdatas(site.ask(f"{first}.skydns.test"), "A") == ["10.0.0.1"]
        assert site.ask(f"{first - 1}.skydns.test").answer == []


@pytest.mark.parametrize("dialect", [SKYDNS, COREDNS])
def test_txt_is_not_sought_outside(dialect: Dialect) -> None:
    site = Site({"x.skydns.test": {"host": "www.example.com"}}, dialect=dialect)
    assert site.ask("x.skydns.test", "TXT").answer == []


# Size


def test_two_thousand_services_are_cut_by_udp_and_too_many_for_tcp() -> None:
    site = Site({f"machine{n}.machines.skydns.test": {"host": f"2001::{n}"} for n in range(2000)})
    query = dns.message.make_query("machines.skydns.test", "SRV", use_edns=0, payload=1232)
    assert "TC" in flags(site.exchange(query)).split()
    assert rcode(site.ask("machines.skydns.test", "SRV", tcp=True)) == "SERVFAIL"
    site.delete(*(f"machine{n}.machines.skydns.test" for n in range(1000, 2000)))
    assert len(rdatas(site.ask("machines.skydns.test", "SRV", tcp=True), "SRV")) == 1000


# Questions


@pytest.mark.parametrize("rtype", ["DNSKEY", "HINFO", "LOC", "TYPE4711", "DS", "NSEC"])
@pytest.mark.parametrize(("name", "expected"), [("x.skydns.test", "NOERROR"), ("y.skydns.test", "NXDOMAIN")])
def test_types_that_nobody_wrote_tell_what_is_there(rtype: str, name: str, expected: str) -> None:
    response = Site({"x.skydns.test": {"host": "10.0.0.1"}}).ask(name, rtype)
    assert rcode(response) == expected
    assert response.answer == []
    assert len(response.authority) == 1


@pytest.mark.parametrize("question", ["*.*.*.skydns.test", "any.b.*.skydns.test", "a.any.c.skydns.test"])
def test_wildcards_stand_anywhere_and_more_than_once(question: str) -> None:
    site = Site({"a.b.c.skydns.test": {"host": "10.0.0.1"}, "1.a.b.d.skydns.test": {"host": "10.0.0.2"}})
    assert "10.0.0.1" in rdatas(site.ask(question), "A")


def test_a_wildcard_matches_keys_that_are_deeper() -> None:
    site = Site({"a.b.c.skydns.test": {"host": "10.0.0.1"}})
    assert rdatas(site.ask("*.skydns.test"), "A") == ["10.0.0.1"]


def test_local_stands_for_its_name_in_every_type() -> None:
    site = Site(
        {"1.me.skydns.test": {"host": "10.0.0.1", "port": 80}, "2.me.skydns.test": {"text": "hello"}},
        local="me.skydns.test",
    )
    assert rdatas(site.ask("local.dns.skydns.test"), "A") == ["10.0.0.1"]
    assert rdatas(site.ask("local.dns.skydns.test", "SRV"), "SRV") == ["10 100 80 1.me.skydns.test."]
    assert rdatas(site.ask("local.dns.skydns.test", "TXT"), "TXT") == ['"hello"']
    assert rcode(Site(local=None).ask("local.dns.skydns.test")) == "NXDOMAIN"
