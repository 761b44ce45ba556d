"""What a plain zone has and SkyDNS had not: other types, stored wildcards, delegations, exact zones, zones in zones."""

import dns.message
import dns.rdatatype
import pytest
from tests.unit.dns.site import Site, flags, key_of, rcode, rdatas, records, value_of

from fairlead.agent import ConfigError
from fairlead.dns import names
from fairlead.dns.commands.zones import zones_of

# Types beyond SkyDNS's


@pytest.mark.parametrize(
    ("fields", "rtype", "found"),
    [
        ({"caa": '0 issue "ca.example"'}, "CAA", ['0 issue "ca.example"']),
        (
            {"caa": ['0 issue "ca.example"', '128 issuewild ";"']},
            "CAA",
            ['0 issue "ca.example"', '128 issuewild ";"'],
        ),
        (
            {"https": "1 . alpn=h2,h3 ipv4hint=10.0.0.1 port=8443"},
            "HTTPS",
            ['1 . alpn="h2,h3" port="8443" ipv4hint="10.0.0.1"'],
        ),
        ({"svcb": "0 Pool.skydns.test."}, "SVCB", ["0 Pool.skydns.test."]),
        (
            {"naptr": '100 10 "U" "E2U+sip" "!^.*$!sip:i@example.com!" .'},
            "NAPTR",
            ['100 10 "U" "E2U+sip" "!^.*$!sip:i@example.com!" .'],
        ),
        ({"tlsa": "3 1 1 " + "ab" * 32}, "TLSA", ["3 1 1 " + "ab" * 32]),
        ({"sshfp": "4 2 " + "cd" * 32}, "SSHFP", ["4 2 " + "cd" * 32]),
        ({"records": ["TYPE65280 \\# 3 010203"]}, "TYPE65280", ["\\# 3 010203"]),
        ({"records": ["CAA \\# 6 000161622e63"]}, "CAA", ['0 a "b.c"']),
        ({"records": ["A 10.0.0.1", "A 10.0.0.2"]}, "A", ["10.0.0.1", "10.0.0.2"]),
        ({"records": ["AAAA 2001:db8::1"]}, "AAAA", ["2001:db8::1"]),
        ({"records": ['TXT "one" "two"'], "text": "three"}, "TXT", ['"one" "two"', '"three"']),
        ({"records": ["MX 5 mx.example."]}, "MX", ["5 mx.example."]),
        ({"records": ["SRV 1 2 3 t.example"]}, "SRV", ["1 2 3 t.example."]),
    ],
)
def test_a_key_may_bring_records_of_any_type(fields: object, rtype: str, found: list[str]) -> None:
    site = Site({"x.skydns.test": fields})
    assert sorted(rdatas(site.ask("x.skydns.test", rtype), rtype)) == sorted(found)
    assert site.complaints.open == {}


def test_such_records_belong_to_exactly_their_name() -> None:
    site = Site({"a.x.skydns.test": {"caa": '0 issue "ca.example"', "records": ["A 10.0.0.1"]}})
    assert site.ask("x.skydns.test", "CAA").answer == []
    assert site.ask("x.skydns.test", "A").answer == []


def test_they_stand_beside_skydns_fields() -> None:
    site = Site({"x.skydns.test": {"host": "10.0.0.1", "ttl": 9, "caa": '0 issue "ca.example"'}})
    assert rdatas(site.ask("x.skydns.test"), "A") == ["10.0.0.1"]
    assert site.ask("x.skydns.test", "CAA").answer[0].ttl == 9


@pytest.mark.parametrize(
    "fields",
    [
        {"caa": "what"},
        {"caa": 1},
        {"caa": ["0 issue x", 3]},
        {"records": ["NOSUCHTYPE x"]},
        {"records": ["A 10.0.0.256"]},
        {"records": ["SOA a. b. 1 2 3 4 5"]},
        {"records": ["CNAME a."]},
        {"records": ["DNAME a."]},
        {"records": ["RRSIG A 13 2 300 20260101000000 20250101000000 1 a. AAAA"]},
        {"records": ["ANY x"]},
        {"records": ["TYPE0 \\# 0"]},
        {"records": ["TYPE65280 \\# 3 0102"]},
        {"records": ["A 10.0.0.1"] * 257},
        {"records": [""]},
        {"ns": "a..b"},
    ],
)
def test_bad_data_costs_its_own_record_only(fields: object) -> None:
    site = Site({"x.skydns.test": fields, "y.skydns.test": {"host": "10.0.0.1"}})
    assert list(site.complaints.open) == [key_of("x.skydns.test")]
    assert "\n" not in site.complaints.open[key_of("x.skydns.test")]
    assert rdatas(site.ask("y.skydns.test"), "A") == ["10.0.0.1"]


# Wildcards stored in keys: RFC 4592, section 2.2.1 is the example

RFC4592 = {
    "*.example.test": {"text": "this is a wildcard", "records": ["MX 10 host1.example.test"]},
    "sub.*.example.test": {"text": "this is not a wildcard"},
    "host1.example.test": {"host": "192.0.2.1"},
    "_ssh._tcp.host1.example.test": {"records": ["SRV 1 1 22 host1.example.test"]},
    "_ssh._tcp.host2.example.test": {"records": ["SRV 1 1 22 host2.example.test"]},
    "subdel.example.test": {"ns": ["ns.example.com.", "ns.example.net."]},
}


@pytest.fixture(scope="module", params=["subtree", "exact"])
def rfc4592(request: pytest.FixtureRequest) -> Site:
    exact = ("example.test",) if request.param == "exact" else ()
    return Site(RFC4592, zones=("example.test",), exact=exact)


@pytest.mark.parametrize(
    ("name", "rtype", "found"),
    [
        ("host3.example.test", "MX", "10 host1.example.test."),
        ("foo.bar.example.test", "TXT", '"this is a wildcard"'),
        ("host3.example.test", "A", None),
        ("host1.example.test", "MX", None),
        ("sub.*.example.test", "MX", None),
        ("sub.*.example.test", "TXT", '"this is not a wildcard"'),
    ],
)
def test_wildcards_are_those_of_rfc_4592(rfc4592: Site, name: str, rtype: str, found: str | None) -> None:
    response = rfc4592.ask(name, rtype)
    assert rcode(response) == "NOERROR"
    if found is None:
        assert response.answer == []
        assert len(response.authority) == 1
    else:
        assert found in rdatas(response, rtype)
        assert {str(rrset.name) for rrset in response.answer} == {f"{name}."}


@pytest.mark.parametrize(
    "name", ["_telnet._tcp.host1.example.test", "ghost.*.example.test", "x.host2.example.test"]
)
def test_what_exists_blocks_the_wildcard(rfc4592: Site, name: str) -> None:
    assert rcode(rfc4592.ask(name, "MX")) == "NXDOMAIN"


def test_a_delegation_hides_the_wildcard(rfc4592: Site) -> None:
    response = rfc4592.ask("host.subdel.example.test")
    assert response.answer == []
    assert {str(rrset.name) for rrset in response.authority} == {"subdel.example.test."}


def test_a_wildcard_is_no_instance_of_the_names_above() -> None:
    site = Site({"*.apps.skydns.test": {"host": "10.0.0.9"}, "a.apps.skydns.test": {"host": "10.0.0.1"}})
    assert rdatas(site.ask("apps.skydns.test"), "A") == ["10.0.0.1"]
    assert rdatas(site.ask("any.apps.skydns.test"), "A") == ["10.0.0.1"]
    assert rdatas(site.ask("*.apps.skydns.test"), "A") == ["10.0.0.9"]
    assert rdatas(site.ask("b.apps.skydns.test"), "A") == ["10.0.0.9"]
    assert rdatas(site.ask("c.b.apps.skydns.test"), "A") == ["10.0.0.9"]


def test_a_pool_may_stand_behind_a_wildcard() -> None:
    site = Site({f"{n}.*.apps.skydns.test": {"host": f"10.0.0.{n}", "port": 80} for n in (1, 2)})
    assert sorted(rdatas(site.ask("x.apps.skydns.test"), "A")) == ["10.0.0.1", "10.0.0.2"]
    assert len(rdatas(site.ask("x.apps.skydns.test", "SRV"), "SRV")) == 2


def test_made_up_names_below_a_wildcard_fill_nothing() -> None:
    site = Site({"*.apps.skydns.test": {"host": "10.0.0.9"}})
    before = len(site.model.table.entries)
    for number in range(50):
        site.ask(f"n{number}.apps.skydns.test")
    assert len(site.model.table.entries) == before


@pytest.mark.parametrize("beside", [{}, {"q.apps.skydns.test": {"text": "apps is there already"}}])
def test_answers_follow_wildcards_that_come_and_go(beside: dict[str, object]) -> None:
    site = Site(beside | {"x.skydns.test": {"host": "b.apps.skydns.test"}})
    assert site.ask("x.skydns.test").answer == []
    site.put({"*.apps.skydns.test": {"host": "10.0.0.9"}})
    assert rdatas(site.ask("x.skydns.test"), "A") == ["10.0.0.9"]
    site.put({"z.b.apps.skydns.test": {"text": "b.apps exists now"}})
    assert site.ask("x.skydns.test").answer == []
    site.delete("z.b.apps.skydns.test")
    assert rdatas(site.ask("x.skydns.test"), "A") == ["10.0.0.9"]
    site.delete("*.apps.skydns.test")
    assert site.ask("x.skydns.test").answer == []


# Delegation

DS = "12345 13 2 " + "AB" * 32
DELEGATION: dict[str, object] = {
    "sub.skydns.test": {"ns": ["ns1.sub.skydns.test", "ns.skydns.test", "ns.example.com"], "ttl": 60},
    "ns1.sub.skydns.test": {"host": "10.1.0.1"},
    "x.sub.skydns.test": {"host": "10.9.9.9"},
    "ns.skydns.test": {"host": "2001:db8::53"},
}


@pytest.mark.parametrize("name", ["sub.skydns.test", "x.sub.skydns.test", "a.b.sub.skydns.test"])
@pytest.mark.parametrize("rtype", ["A", "NS", "SOA", "TXT"])
def test_what_is_delegated_gets_a_referral_with_glue(name: str, rtype: str) -> None:
    response = Site(DELEGATION).ask(name, rtype)
    assert rcode(response) == "NOERROR"
    assert "AA" not in flags(response).split()
    assert response.answer == []
    assert records(response.authority) == [
        "sub.skydns.test. 60 IN NS ns.example.com.",
        "sub.skydns.test. 60 IN NS ns.skydns.test.",
        "sub.skydns.test. 60 IN NS ns1.sub.skydns.test.",
    ]
    assert records(response.additional) == [
        "ns.skydns.test. 3600 IN AAAA 2001:db8::53",
        "ns1.sub.skydns.test. 3600 IN A 10.1.0.1",
    ]


def test_ds_is_the_parents_to_answer() -> None:
    site = Site(DELEGATION | {"sub.skydns.test": {"ns": ["ns.example.com"], "ds": DS}})
    response = site.ask("sub.skydns.test", "DS")
    assert "AA" in flags(response).split()
    assert [text.upper() for text in rdatas(response, "DS")] == [DS]
    assert len([r for r in site.ask("x.sub.skydns.test").authority if r.rdtype == dns.rdatatype.DS]) == 1
    assert rcode(site.ask("x.sub.skydns.test", "DS")) == "NOERROR"
    assert Site(DELEGATION).ask("sub.skydns.test", "DS").authority[0].rdtype == dns.rdatatype.SOA


def test_a_subtree_answer_ends_at_a_delegation() -> None:
    site = Site(DELEGATION)
    assert site.ask("skydns.test", "A").answer == []
    assert rdatas(site.ask("skydns.test", "AAAA"), "AAAA") == ["2001:db8::53"]
    assert rcode(site.ask("*.sub.skydns.test")) == "NOERROR"
    assert len(site.ask("*.sub.skydns.test").authority) == 1


def test_a_cname_into_a_delegation_is_left_to_the_resolver() -> None:
    site = Site(DELEGATION | {"www.skydns.test": {"host": "x.sub.skydns.test"}})
    assert records(site.ask("www.skydns.test").answer) == [
        "www.skydns.test. 3600 IN CNAME x.sub.skydns.test."
    ]


def test_answers_follow_delegations_that_come_and_go() -> None:
    site = Site({"x.sub.skydns.test": {"host": "10.0.0.1"}})
    assert rdatas(site.ask("x.sub.skydns.test"), "A") == ["10.0.0.1"]
    site.put({"sub.skydns.test": {"ns": "ns.example.com"}})
    assert site.ask("x.sub.skydns.test").answer == []
    site.delete("sub.skydns.test")
    assert rdatas(site.ask("x.sub.skydns.test"), "A") == ["10.0.0.1"]


def test_answers_follow_glue() -> None:
    site = Site(DELEGATION)
    assert len(site.ask("x.sub.skydns.test").additional) == 2
    site.put({"ns1.sub.skydns.test": {"host": "10.1.0.2"}})
    assert "ns1.sub.skydns.test. 3600 IN A 10.1.0.2" in records(site.ask("x.sub.skydns.test").additional)


def test_glue_that_does_not_fit_is_told() -> None:
    """RFC 9471: a referral without its glue leads nowhere."""
    servers: dict[str, object] = {f"ns{n}.sub.skydns.test": {"host": f"10.1.0.{n}"} for n in range(1, 31)}
    site = Site({"sub.skydns.test": {"ns": list(servers)}} | servers)
    response = site.exchange(dns.message.make_query("x.sub.skydns.test", "A", use_edns=0, payload=512))
    assert "TC" in flags(response).split()
    assert len(site.ask("x.sub.skydns.test", tcp=True).additional) == 30


def test_a_wildcard_cannot_be_delegated() -> None:
    site = Site({"*.skydns.test": {"ns": "ns.example.com"}})
    assert list(site.complaints.open) == [key_of("*.skydns.test")]


def test_servers_named_at_the_apex_are_the_zones_own() -> None:
    site = Site({"skydns.test": {"ns": ["ns.example.com"]}, "a.ns.dns.skydns.test": {"host": "10.0.0.2"}})
    assert sorted(rdatas(site.ask("skydns.test", "NS"), "NS")) == ["a.ns.dns.skydns.test.", "ns.example.com."]
    assert rdatas(site.ask("skydns.test", "A"), "A") == ["10.0.0.2"]
    assert "AA" in flags(site.ask("a.ns.dns.skydns.test")).split()
    assert rcode(site.ask("nothing.skydns.test")) == "NXDOMAIN"


# Exact zones

EXACT: dict[str, object] = {
    "web.skydns.test": {"host": "10.0.0.1"},
    "1.web.skydns.test": {"host": "10.0.0.2"},
    "www.skydns.test": {"host": "web.skydns.test"},
    "a.ns.dns.skydns.test": {"host": "10.0.0.53"},
    "x.pool.skydns.test": {"host": "10.0.0.3"},
}


def exact(more: dict[str, object] | None = None) -> Site:
    return Site(EXACT | (more or {}), exact=("skydns.test",))


def test_in_an_exact_zone_a_name_is_answered_from_its_own_key() -> None:
    site = exact()
    assert rdatas(site.ask("web.skydns.test"), "A") == ["10.0.0.1"]
    assert rdatas(site.ask("www.skydns.test"), "A") == ["10.0.0.1"]
    assert rdatas(site.ask("skydns.test", "NS"), "NS") == ["a.ns.dns.skydns.test."]


@pytest.mark.parametrize("name", ["pool.skydns.test", "skydns.test", "dns.skydns.test"])
def test_in_an_exact_zone_a_name_without_a_key_is_empty(name: str) -> None:
    response = exact().ask(name)
    assert rcode(response) == "NOERROR"
    assert response.answer == []


@pytest.mark.parametrize("name", ["*.skydns.test", "any.skydns.test", "*.pool.skydns.test"])
def test_in_an_exact_zone_no_question_has_wildcards(name: str) -> None:
    assert rcode(exact().ask(name)) == "NXDOMAIN"


@pytest.mark.parametrize("rtype", ["A", "TXT", "HTTPS", "CAA"])
def test_in_an_exact_zone_a_cname_answers_every_type(rtype: str) -> None:
    site = exact(
        {"ext.skydns.test": {"host": "www.example.com"}, "gone.skydns.test": {"host": "no.skydns.test"}}
    )
    assert rdatas(site.ask("ext.skydns.test", rtype), "CNAME") == ["www.example.com."]
    assert rdatas(site.ask("gone.skydns.test", rtype), "CNAME") == ["no.skydns.test."]


def test_in_an_exact_zone_a_chain_that_ends_in_nothing_says_so_of_its_last_name() -> None:
    """RFC 2308, section 2.1, RFC 6604: the CNAMEs, the code of the last name, and the SOA record that bounds "no"."""
    site = exact(
        {
            "gone.skydns.test": {"host": "no.skydns.test"},
            "two.skydns.test": {"host": "gone.skydns.test"},
            "empty.skydns.test": {"host": "text.skydns.test"},
            "text.skydns.test": {"text": "x"},
            "ext.skydns.test": {"host": "www.example.com"},
        }
    )
    for name, links, code in (("gone", 1, "NXDOMAIN"), ("two", 2, "NXDOMAIN"), ("empty", 1, "NOERROR")):
        response = site.ask(f"{name}.skydns.test")
        assert (rcode(response), len(response.answer)) == (code, links)
        assert [rrset.to_text().split()[:4] for rrset in response.authority] == [
            ["skydns.test.", "60", "IN", "SOA"]
        ]
        assert "AA" in flags(response).split()
    assert rcode(site.ask("gone.skydns.test", "CNAME")) == "NOERROR"
    assert site.ask("ext.skydns.test").authority == []
    site.put({"no.skydns.test": {"host": "10.0.0.5"}})
    assert rdatas(site.ask("two.skydns.test"), "A") == ["10.0.0.5"]


@pytest.mark.parametrize("rtype", ["CAA", "HTTPS", "TYPE65280", "HINFO", "AAAA", "A"])
def test_in_an_exact_zone_an_address_is_data_of_its_own_type_alone(rtype: str) -> None:
    site = exact({"six.skydns.test": {"host": "2001:db8::6"}, "to.skydns.test": {"host": "six.skydns.test"}})
    for name in ("six.skydns.test", "to.skydns.test"):
        expected = ["2001:db8::6"] if rtype == "AAAA" else []
        assert rdatas(site.ask(name, rtype), rtype) == expected


def test_at_a_cut_of_an_exact_zone_ds_is_all_that_is_said() -> None:
    """An alias at or below the cut is the child's, and must not stand for the parent's DS."""
    ds = "1 13 2 " + "AB" * 32
    site = Site(
        EXACT
        | {
            "a.in.skydns.test": {"host": "web.skydns.test"},
            "sub.skydns.test": {"ns": "ns.example.com", "host": "web.skydns.test", "ds": ds},
        },
        zones=("skydns.test", "in.skydns.test"),
        exact=("skydns.test",),
    )
    assert site.ask("in.skydns.test", "DS").answer == []
    assert records(site.ask("sub.skydns.test", "DS").answer)[0].startswith("sub.skydns.test. 3600 IN DS")
    assert len(site.ask("sub.skydns.test", "DS").answer) == 1


def test_exactness_is_of_a_zone_and_not_of_all() -> None:
    site = Site(
        EXACT | {"a.y.other.test": {"host": "10.0.0.8"}},
        zones=("skydns.test", "other.test"),
        exact=("skydns.test",),
    )
    assert rdatas(site.ask("y.other.test"), "A") == ["10.0.0.8"]
    assert site.ask("pool.skydns.test").answer == []


def test_an_exact_answer_follows_its_key() -> None:
    site = exact()
    site.ask("web.skydns.test")
    site.put({"web.skydns.test": {"host": "10.0.0.7"}})
    assert rdatas(site.ask("web.skydns.test"), "A") == ["10.0.0.7"]


# Zones in zones

NESTED: dict[str, object] = {
    "x.test": {"host": "10.0.0.1"},
    "y.b.test": {"host": "10.0.0.2"},
    "z.a.b.test": {"host": "10.0.0.3"},
}


def test_a_zones_subtree_ends_where_another_zone_begins() -> None:
    site = Site(NESTED, zones=("test", "a.b.test", "b.test"))
    assert rdatas(site.ask("test"), "A") == ["10.0.0.1"]
    assert rdatas(site.ask("b.test"), "A") == ["10.0.0.2"]
    assert rdatas(site.ask("*.b.test"), "A") == ["10.0.0.2"]
    assert rdatas(site.ask("a.b.test"), "A") == ["10.0.0.3"]


def test_the_ds_of_a_zone_in_a_zone_is_asked_of_the_outer_one() -> None:
    site = Site(NESTED | {"b.test": {"ds": DS}}, zones=("test", "b.test"))
    assert [text.upper() for text in rdatas(site.ask("b.test", "DS"), "DS")] == [DS]
    assert records(Site(NESTED, zones=("test", "b.test")).ask("b.test", "DS").authority)[0].startswith(
        "test."
    )
    assert records(Site(NESTED, zones=("b.test",)).ask("b.test", "DS").authority)[0].startswith("b.test.")


def test_an_empty_zone_in_a_zone_exists() -> None:
    site = Site(NESTED, zones=("test", "deep.empty.test"))
    assert rcode(site.ask("empty.test")) == "NOERROR"
    assert rcode(site.ask("deep.empty.test")) == "NOERROR"


def test_the_root_zone_holds_others() -> None:
    site = Site(NESTED, zones=(".", "b.test"))
    assert rdatas(site.ask("x.test"), "A") == ["10.0.0.1"]
    assert records(site.ask("b.test", "DS").authority)[0].startswith(". ")


# Reverse zones


@pytest.mark.parametrize(
    ("network", "zones"),
    [
        ("10.0.0.0/8", ["10.in-addr.arpa."]),
        ("192.168.4.0/24", ["4.168.192.in-addr.arpa."]),
        ("192.168.4.0/23", ["4.168.192.in-addr.arpa.", "5.168.192.in-addr.arpa."]),
        ("192.168.4.2/31", ["2.4.168.192.in-addr.arpa.", "3.4.168.192.in-addr.arpa."]),
        ("0.0.0.0/0", ["in-addr.arpa."]),
        ("2001:db8::/32", ["8.b.d.0.1.0.0.2.ip6.arpa."]),
        ("2001:db8::/31", ["8.b.d.0.1.0.0.2.ip6.arpa.", "9.b.d.0.1.0.0.2.ip6.arpa."]),
    ],
)
def test_a_network_means_its_reverse_zones(network: str, zones: list[str]) -> None:
    assert [names.to_text(zone) for zone in zones_of(network, flag="--domain")] == zones


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/33", "x/8", ",", "a..b", "a" * 64])
def test_what_is_neither_zone_nor_network_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        zones_of(text, flag="--domain")


def test_a_changed_key_costs_no_answer_but_its_own_and_those_above() -> None:
    site = Site({f"n{n}.skydns.test": {"host": "10.0.0.1"} for n in range(2000)})
    for number in range(200):
        site.ask(f"n{number}.skydns.test")
    kept = len(site.model.table.entries)
    site.apply({key_of("n1.skydns.test"): value_of({"host": "10.0.0.2"})})
    assert len(site.model.table.entries) == kept - 1
    assert rdatas(site.ask("n1.skydns.test"), "A") == ["10.0.0.2"]
