"""What keys mean: SkyDNS's and CoreDNS's published behaviour, over whole messages."""

import json

import dns.message
import pytest
from tests.unit.dns.site import Site, flags, rcode, rdatas, records

from fairlead.dns import COREDNS, SKYDNS, Dialect

SOA_SKYDNS = "skydns.test. 60 IN SOA ns.dns.skydns.test. hostmaster.skydns.test. 2 28800 7200 604800 60"
SOA_COREDNS = "skydns.test. 30 IN SOA ns.dns.skydns.test. hostmaster.skydns.test. 2 7200 1800 86400 30"

POOL = {
    "1.web.skydns.test": {"host": "10.0.0.1", "port": 80},
    "2.web.skydns.test": {"host": "10.0.0.2", "port": 80},
    "6.web.skydns.test": {"host": "2001:db8::1", "port": 80},
}


def test_a_name_is_answered_from_all_records_below_it() -> None:
    response = Site(POOL).ask("web.skydns.test", "A")
    assert records(response.answer) == [
        "web.skydns.test. 3600 IN A 10.0.0.1",
        "web.skydns.test. 3600 IN A 10.0.0.2",
    ]
    assert not response.authority
    assert not response.additional


def test_addresses_go_to_the_type_of_their_family() -> None:
    assert rdatas(Site(POOL).ask("web.skydns.test", "AAAA"), "AAAA") == ["2001:db8::1"]


def test_an_ipv4_address_in_ipv6_clothes_is_an_a_record() -> None:
    site = Site({"x.skydns.test": {"host": "::ffff:10.0.0.9"}})
    assert rdatas(site.ask("x.skydns.test", "A"), "A") == ["10.0.0.9"]
    assert site.ask("x.skydns.test", "AAAA").answer == []


def test_a_key_and_the_keys_below_it_are_both_seen() -> None:
    site = Site({"web.skydns.test": {"host": "10.0.0.1"}, "a.web.skydns.test": {"host": "10.0.0.2"}})
    assert sorted(rdatas(site.ask("web.skydns.test"), "A")) == ["10.0.0.1", "10.0.0.2"]


def test_a_name_is_no_prefix_of_another() -> None:
    """SkyDNS on etcd v3 matched ``my`` against ``my1``."""
    site = Site({"my1.skydns.test": {"host": "10.0.0.1"}})
    assert rcode(site.ask("my.skydns.test")) == "NXDOMAIN"


def test_identical_addresses_collapse() -> None:
    site = Site(
        {"http.m.skydns.test": {"host": "10.0.0.1", "port": 80}, "s.m.skydns.test": {"host": "10.0.0.1"}}
    )
    assert rdatas(site.ask("m.skydns.test"), "A") == ["10.0.0.1"]


@pytest.mark.parametrize("question", ["*.skydns.test", "any.skydns.test", "ANY.skydns.test", "web.*.test"])
def test_a_wildcard_in_the_question_stands_for_one_label(question: str) -> None:
    response = Site(POOL, zones=("test",)).ask(question)
    assert sorted(rdatas(response, "A")) == ["10.0.0.1", "10.0.0.2"]
    assert {str(rrset.name).lower() for rrset in response.answer} == {f"{question.lower()}."}


def test_a_wildcard_does_not_match_shorter_names() -> None:
    site = Site({"a.skydns.test": {"host": "10.0.0.1"}})
    assert rcode(site.ask("*.*.skydns.test")) == "NXDOMAIN"


@pytest.mark.parametrize(("dialect", "soa"), [(SKYDNS, SOA_SKYDNS), (COREDNS, SOA_COREDNS)])
def test_a_name_that_is_not_there_is_nxdomain_with_the_soa(dialect: Dialect, soa: str) -> None:
    """RFC 2308: the SOA's minimum is how long the answer may be remembered."""
    response = Site(POOL, dialect=dialect).ask("nothing.skydns.test")
    assert rcode(response) == "NXDOMAIN"
    assert records(response.authority) == [soa]


def test_a_type_that_is_not_there_is_nodata_with_the_soa() -> None:
    response = Site(POOL).ask("1.web.skydns.test", "TXT")
    assert rcode(response) == "NOERROR"
    assert response.answer == []
    assert records(response.authority) == [SOA_SKYDNS]


@pytest.mark.parametrize("rtype", ["TXT", "HINFO", "TYPE65280", "CNAME", "NS", "SOA", "PTR", "MX"])
def test_an_empty_non_terminal_is_nodata_never_nxdomain(rtype: str) -> None:
    """RFC 8020: NXDOMAIN would deny the names below it too."""
    response = Site({"a.b.c.skydns.test": {"host": "10.0.0.1"}}).ask("c.skydns.test", rtype)
    assert rcode(response) == "NOERROR"
    assert records(response.authority) == [SOA_SKYDNS]


def test_the_apex_of_an_empty_zone_exists() -> None:
    assert rcode(Site().ask("skydns.test")) == "NOERROR"


def test_a_deleted_record_leaves_no_empty_name_behind() -> None:
    site = Site({"a.b.skydns.test": {"host": "10.0.0.1"}})
    site.delete("a.b.skydns.test")
    assert rcode(site.ask("b.skydns.test")) == "NXDOMAIN"


# SRV


def test_srv_shares_100_by_weight_within_a_priority() -> None:
    site = Site(
        {
            "1.s.skydns.test": {"host": "server1", "weight": 130},
            "2.s.skydns.test": {"host": "server2", "weight": 80},
            "3.s.skydns.test": {"host": "server3", "weight": 150},
            "4.s.skydns.test": {"host": "server4", "priority": 30},
        }
    )
    assert sorted(rdatas(site.ask("s.skydns.test", "SRV"), "SRV")) == [
        "10 22 0 server2.",
        "10 36 0 server1.",
        "10 41 0 server3.",
        "30 100 0 server4.",
    ]


def test_srv_of_an_address_points_to_the_name_of_its_key() -> None:
    response = Site(POOL).ask("web.skydns.test", "SRV")
    assert sorted(rdatas(response, "SRV")) == [
        "10 33 80 1.web.skydns.test.",
        "10 33 80 2.web.skydns.test.",
        "10 33 80 6.web.skydns.test.",
    ]
    assert records(response.additional) == [
        "1.web.skydns.test. 3600 IN A 10.0.0.1",
        "2.web.skydns.test. 3600 IN A 10.0.0.2",
        "6.web.skydns.test. 3600 IN AAAA 2001:db8::1",
    ]


@pytest.mark.parametrize(
    ("strip", "target"), [(0, "x.bar."), (1, "bar."), (2, ""), (4, "x.bar."), (99, "x.bar.")]
)
def test_targetstrip_shortens_the_name_unless_nothing_is_left(strip: int, target: str) -> None:
    site = Site({"x.bar.skydns.test": {"host": "10.0.0.1", "port": 80, "targetstrip": strip}})
    response = site.ask("bar.skydns.test", "SRV")
    assert rdatas(response, "SRV") == [f"10 100 80 {target}skydns.test."]
    assert records(response.additional) == [f"{target}skydns.test. 3600 IN A 10.0.0.1"]


@pytest.mark.parametrize(
    ("dialect", "extra"),
    [
        (SKYDNS, ["both.skydns.test. 3600 IN A 10.0.0.1", "both.skydns.test. 3600 IN AAAA 2001:db8::1"]),
        (COREDNS, ["both.skydns.test. 300 IN A 10.0.0.1"]),
    ],
)
def test_srv_brings_the_addresses_of_a_target_of_ours(dialect: Dialect, extra: list[str]) -> None:
    site = Site(
        {
            "s.skydns.test": {"host": "BOTH.skydns.test."},
            "a.both.skydns.test": {"host": "10.0.0.1"},
            "b.both.skydns.test": {"host": "2001:db8::1"},
        },
        dialect=dialect,
    )
    assert records(site.ask("s.skydns.test", "SRV").additional) == extra


def test_srv_with_targets_elsewhere_or_nowhere_still_answers() -> None:
    site = Site(
        {"1.s.skydns.test": {"host": "www.example.com"}, "2.s.skydns.test": {"host": "gone.skydns.test"}}
    )
    response = site.ask("s.skydns.test", "SRV")
    assert len(rdatas(response, "SRV")) == 2
    assert response.additional == []


@pytest.mark.parametrize(("dialect", "least"), [(SKYDNS, 0), (COREDNS, 1)])
def test_the_least_weight_is_the_dialects(dialect: Dialect, least: int) -> None:
    site = Site(
        {
            "1.s.skydns.test": {"host": "a.b", "weight": 1},
            "2.s.skydns.test": {"host": "c.d", "weight": 60000},
        },
        dialect=dialect,
    )
    assert min(rdatas(site.ask("s.skydns.test", "SRV"), "SRV")) == f"10 {least} 0 a.b."


@pytest.mark.parametrize(("dialect", "count"), [(SKYDNS, 2), (COREDNS, 1)])
def test_port_minus_one_hides_a_record_from_srv_in_coredns(dialect: Dialect, count: int) -> None:
    site = Site(
        {"1.s.skydns.test": {"host": "a.b", "port": -1}, "2.s.skydns.test": {"host": "c.d"}}, dialect=dialect
    )
    assert len(rdatas(site.ask("s.skydns.test", "SRV"), "SRV")) == count


# CNAME

CHAIN = {
    "www.skydns.test": {"host": "lb.skydns.test"},
    "lb.skydns.test": {"host": "pool.skydns.test", "ttl": 30},
    "1.pool.skydns.test": {"host": "10.0.0.1"},
    "2.pool.skydns.test": {"host": "10.0.0.2"},
}


def test_a_chain_of_names_is_followed_and_comes_first() -> None:
    """Resolvers of the C library want each CNAME before what it leads to; one TTL holds for the whole answer."""
    response = Site(CHAIN).ask("www.skydns.test")
    assert [str(rrset.name) for rrset in response.answer] == [
        "www.skydns.test.",
        "lb.skydns.test.",
        "pool.skydns.test.",
    ]
    assert records(response.answer) == [
        "lb.skydns.test. 30 IN CNAME pool.skydns.test.",
        "pool.skydns.test. 30 IN A 10.0.0.1",
        "pool.skydns.test. 30 IN A 10.0.0.2",
        "www.skydns.test. 30 IN CNAME lb.skydns.test.",
    ]


def test_cname_itself_is_asked_of_the_exact_key_only() -> None:
    site = Site(CHAIN | {"a.sub.skydns.test": {"host": "lb.skydns.test"}})
    assert rdatas(site.ask("www.skydns.test", "CNAME"), "CNAME") == ["lb.skydns.test."]
    assert site.ask("sub.skydns.test", "CNAME").answer == []


@pytest.mark.parametrize("dialect", [SKYDNS, COREDNS])
@pytest.mark.parametrize("rtype", ["A", "AAAA", "TXT"])
def test_names_in_a_circle_end(dialect: Dialect, rtype: str) -> None:
    site = Site(
        {
            "a.skydns.test": {"host": "b.skydns.test"},
            "b.skydns.test": {"host": "A.skydns.test"},
            "self.skydns.test": {"host": "SELF.skydns.test"},
        },
        dialect=dialect,
    )
    for name in ("a", "b", "self"):
        response = site.ask(f"{name}.skydns.test", rtype)
        assert rcode(response) == "NOERROR"
        assert response.answer == []
        assert len(response.authority) == 1


def test_a_chain_that_is_too_long_is_not_followed() -> None:
    names = {f"{n}.skydns.test": {"host": f"{n + 1}.skydns.test"} for n in range(9)}
    site = Site(names | {"9.skydns.test": {"host": "10.0.0.1"}})
    assert len(records(site.ask("1.skydns.test").answer)) == 9
    assert site.ask("0.skydns.test").answer == []


def test_a_tangle_of_names_costs_no_more_than_its_records() -> None:
    """Followed naively, ten names that each lead to ten others are 10^8 steps."""
    tangle = {
        f"{i}.l{level}.skydns.test": {"host": f"l{level + 1}.skydns.test", "port": i}
        for level in range(7)
        for i in range(100)
    }
    site = Site(tangle | {"end.l7.skydns.test": {"host": "10.0.0.1"}})
    assert rdatas(site.ask("l0.skydns.test"), "A") == ["10.0.0.1"]


def test_names_that_all_lead_to_each_other_are_each_read_once() -> None:
    site = Site(
        {f"{j}.n{i}.skydns.test": {"host": f"n{j}.skydns.test"} for i in range(30) for j in range(30)}
    )
    response = site.ask("n0.skydns.test")
    assert rcode(response) == "NOERROR"
    assert response.answer == []


def test_a_chain_that_leads_nowhere_is_nodata() -> None:
    response = Site({"x.skydns.test": {"host": "gone.skydns.test"}}).ask("x.skydns.test")
    assert rcode(response) == "NOERROR"
    assert records(response.authority) == [SOA_SKYDNS]


def test_a_name_outside_is_left_to_the_resolver() -> None:
    site = Site({"x.skydns.test": {"host": "www.example.com"}, "y.skydns.test": {"host": "server1"}})
    assert records(site.ask("x.skydns.test").answer) == ["x.skydns.test. 3600 IN CNAME www.example.com."]
    assert site.ask("y.skydns.test").answer == []


def test_a_name_has_one_cname_whatever_the_keys_say() -> None:
    """RFC 2181, section 10.1.  Each takes its turn."""
    site = Site({"1.x.skydns.test": {"host": "a.example.com"}, "2.x.skydns.test": {"host": "b.example.com"}})
    query = dns.message.make_query("x.skydns.test", "A")
    answers = [rdatas(site.exchange(query), "CNAME") for _ in range(4)]
    assert sorted(answers) == [["a.example.com."]] * 2 + [["b.example.com."]] * 2


# TXT


def test_every_text_below_a_name_is_txt() -> None:
    site = Site(
        {"a.t.skydns.test": {"text": "abc"}, "b.t.skydns.test": {"text": "abc abc", "host": "10.0.0.1"}}
    )
    assert sorted(rdatas(site.ask("t.skydns.test", "TXT"), "TXT")) == ['"abc abc"', '"abc"']


@pytest.mark.parametrize("length", [0, 1, 254, 255, 256, 510, 511, 2000])
def test_text_is_split_at_255_bytes(length: int) -> None:
    site = Site({"x.skydns.test": {"text": "a" * length, "host": "10.0.0.1"}})
    found = site.ask("x.skydns.test", "TXT", tcp=True).answer
    strings = [chunk for rrset in found for rdata in rrset for chunk in rdata.strings]
    assert b"".join(strings) == b"a" * length
    assert [len(chunk) for chunk in strings[:-1]] == [255] * (len(strings) - 1)
    assert len(strings) == -(-length // 255)


def test_text_keeps_its_quotes_and_letters() -> None:
    """external-dns writes text with quotes inside."""
    text = '"heritage=external-dns" äß'
    site = Site({"x.skydns.test": {"text": text}})
    assert site.ask("x.skydns.test", "TXT").answer[0][0].strings == (text.encode(),)


@pytest.mark.parametrize(("dialect", "found"), [(SKYDNS, []), (COREDNS, ['"hello"'])])
def test_coredns_follows_names_for_txt(dialect: Dialect, found: list[str]) -> None:
    site = Site(
        {"x.skydns.test": {"host": "t.skydns.test"}, "t.skydns.test": {"text": "hello"}}, dialect=dialect
    )
    assert rdatas(site.ask("x.skydns.test", "TXT"), "TXT") == found


def test_a_record_of_text_alone_is_no_service() -> None:
    site = Site(POOL | {"t.web.skydns.test": {"text": "abc"}})
    assert len(rdatas(site.ask("web.skydns.test", "SRV"), "SRV")) == 3


# MX, NS, SOA, PTR


def test_only_mail_records_exchange_mail() -> None:
    site = Site(
        {
            "a.mx.skydns.test": {"host": "in.skydns.test", "priority": 50, "mail": True},
            "b.mx.skydns.test": {"host": "mx.example.com", "mail": True},
            "c.mx.skydns.test": {"host": "10.0.0.9", "mail": True, "priority": 60},
            "d.mx.skydns.test": {"host": "10.0.0.8"},
            "in.skydns.test": {"host": "10.0.0.1"},
        }
    )
    response = site.ask("mx.skydns.test", "MX")
    assert sorted(rdatas(response, "MX")) == [
        "10 mx.example.com.",
        "50 in.skydns.test.",
        "60 c.mx.skydns.test.",
    ]
    assert records(response.additional) == [
        "c.mx.skydns.test. 3600 IN A 10.0.0.9",
        "in.skydns.test. 3600 IN A 10.0.0.1",
    ]


def test_the_zone_names_its_servers() -> None:
    site = Site(
        {
            "a.ns.dns.skydns.test": {"host": "10.0.0.2"},
            "b.ns.dns.skydns.test": {"host": "2001:db8::2"},
            "c.ns.dns.skydns.test": {"host": "not.an.address"},
        }
    )
    response = site.ask("skydns.test", "NS")
    assert sorted(rdatas(response, "NS")) == ["a.ns.dns.skydns.test.", "b.ns.dns.skydns.test."]
    assert records(response.additional) == [
        "a.ns.dns.skydns.test. 3600 IN A 10.0.0.2",
        "b.ns.dns.skydns.test. 3600 IN AAAA 2001:db8::2",
    ]


def test_coredns_lets_name_servers_share_a_name() -> None:
    site = Site(
        {
            "a.ns.dns.skydns.test": {"host": "10.0.0.2", "targetstrip": 1},
            "b.ns.dns.skydns.test": {"host": "10.0.0.3", "targetstrip": 1},
        },
        dialect=COREDNS,
    )
    assert rdatas(site.ask("skydns.test", "NS"), "NS") == ["ns.dns.skydns.test."]


def test_the_soa_says_the_revision() -> None:
    site = Site(POOL)
    assert rdatas(site.ask("skydns.test", "SOA"), "SOA")[0].split()[2] == "2"
    site.put({"new.skydns.test": {"host": "10.0.0.1"}})
    assert rdatas(site.ask("skydns.test", "SOA"), "SOA")[0].split()[2] == "3"
    assert records(site.ask("1.web.skydns.test", "TXT").authority)[0].split()[6] == "3"


PTR = {
    "1.0.0.10.in-addr.arpa": {"host": "reverse.example.com"},
    "2.0.0.10.in-addr.arpa": {"host": "10.0.0.1"},
}


def test_skydns_answers_ptr_from_its_key_without_claiming_the_zone() -> None:
    site = Site(PTR)
    response = site.ask("1.0.0.10.in-addr.arpa", "PTR")
    assert rdatas(response, "PTR") == ["reverse.example.com."]
    assert "AA" not in flags(response).split()
    assert rcode(site.ask("0.0.10.in-addr.arpa", "PTR")) == "REFUSED", "a key lies below"
    assert rcode(site.ask("9.0.0.10.in-addr.arpa", "PTR")) == "NXDOMAIN", "nobody's address (RFC 6303)"
    assert rcode(site.ask("1.0.0.10.in-addr.arpa", "A")) == "REFUSED"


def test_a_reverse_zone_of_ours_is_answered_with_authority() -> None:
    site = Site(PTR, dialect=COREDNS, zones=("skydns.test", "10.in-addr.arpa"))
    assert rdatas(site.ask("1.0.0.10.in-addr.arpa", "PTR"), "PTR") == ["reverse.example.com."]
    assert rcode(site.ask("9.0.0.10.in-addr.arpa", "PTR")) == "NXDOMAIN"
    assert rcode(Site(PTR, dialect=COREDNS).ask("1.0.0.10.in-addr.arpa", "PTR")) == "REFUSED"


def test_an_ipv6_address_has_its_ptr_nibble_by_nibble() -> None:
    name = "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"
    assert rdatas(Site({name: {"host": "six.example.com"}}).ask(name, "PTR"), "PTR") == ["six.example.com."]


@pytest.mark.parametrize(("dialect", "found"), [(SKYDNS, ["10.0.0.1", "10.0.0.4"]), (COREDNS, ["10.0.0.4"])])
def test_coredns_keeps_the_apex_addresses_apart(dialect: Dialect, found: list[str]) -> None:
    site = Site(
        {"x.skydns.test": {"host": "10.0.0.1"}, "apex.dns.skydns.test": {"host": "10.0.0.4"}}, dialect=dialect
    )
    assert sorted(rdatas(site.ask("skydns.test"), "A")) == found


def test_losing_its_apex_addresses_a_zone_answers_from_everything_again() -> None:
    site = Site(
        {"x.skydns.test": {"host": "10.0.0.1"}, "apex.dns.skydns.test": {"host": "10.0.0.4"}}, dialect=COREDNS
    )
    assert rdatas(site.ask("skydns.test"), "A") == ["10.0.0.4"]
    site.delete("apex.dns.skydns.test")
    assert rdatas(site.ask("skydns.test"), "A") == ["10.0.0.1"]


# Groups, TTLs, limits


@pytest.mark.parametrize(
    ("groups", "found"),
    [
        ({"a.dom": "g1", "b.sub.dom": "g1"}, [1, 2]),
        ({"a.dom": "g1", "b.sub.dom": ""}, [1, 2]),
        ({"a.dom": "g1", "b.sub.dom": "g2"}, [1]),
        ({"a.dom": "g1", "b.dom": "g2"}, [1, 2]),
        ({"a.dom": "", "b.sub.dom": "g2"}, [1, 2]),
        ({"a.sub.dom": "g1", "b.dom": "g2", "c.dom": ""}, [2, 3]),
        ({"x.a.dom": "g1", "b.dom": "", "y.z.c.dom": "g2"}, [1, 2]),
    ],
)
def test_the_shortest_key_chooses_the_group(groups: dict[str, str], found: list[int]) -> None:
    site = Site(
        {
            f"{name}.skydns.test": {"host": f"10.0.0.{number}", "group": group}
            for number, (name, group) in enumerate(groups.items(), 1)
        }
    )
    assert sorted(rdatas(site.ask("dom.skydns.test"), "A")) == [f"10.0.0.{number}" for number in found]


def test_one_answer_has_one_ttl_the_least() -> None:
    site = Site({"1.x.skydns.test": {"host": "10.0.0.1", "ttl": 20}, "2.x.skydns.test": {"host": "10.0.0.2"}})
    assert records(site.ask("x.skydns.test").answer) == [
        "x.skydns.test. 20 IN A 10.0.0.1",
        "x.skydns.test. 20 IN A 10.0.0.2",
    ]


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("port", 70000, "10 100 65535 h.h."),
        ("port", -5, "10 100 0 h.h."),
        ("priority", 0, "10 100 0 h.h."),
        ("priority", 10**30, "65535 100 0 h.h."),
        ("priority", -1, "10 100 0 h.h."),
        ("weight", -7, "10 100 0 h.h."),
        ("weight", 10**9, "10 100 0 h.h."),
    ],
)
def test_numbers_out_of_range_are_brought_into_range(field: str, value: int, found: str) -> None:
    site = Site({"s.skydns.test": {"host": "h.h", field: value}})
    assert rdatas(site.ask("s.skydns.test", "SRV"), "SRV") == [found]


@pytest.mark.parametrize(
    ("ttl", "found"), [(0, 3600), (-3, 3600), (1, 1), (2**31, 2**31 - 1), (10**20, 2**31 - 1)]
)
def test_a_ttl_is_brought_into_range(ttl: int, found: int) -> None:
    """RFC 2181, section 8: a TTL has 31 bits."""
    assert (
        Site({"x.skydns.test": {"host": "10.0.0.1", "ttl": ttl}}).ask("x.skydns.test").answer[0].ttl == found
    )


def test_what_no_message_can_carry_is_servfail_not_a_stall() -> None:
    site = Site({f"{n}.x.skydns.test": {"host": f"10.0.{n >> 8}.{n & 255}"} for n in range(5000)})
    assert rcode(site.ask("x.skydns.test", tcp=True)) == "SERVFAIL"
    site.delete(*(f"{n}.x.skydns.test" for n in range(10, 5000)))
    assert len(rdatas(site.ask("x.skydns.test", tcp=True), "A")) == 10


# Zones


def test_the_longest_zone_answers() -> None:
    site = Site({"a.b.test": {"host": "10.0.0.1"}}, zones=("test", "b.test"))
    assert records(site.ask("x.b.test").authority)[0].startswith("b.test.")
    assert records(site.ask("x.test").authority)[0].startswith("test.")


@pytest.mark.parametrize("name", ["myskydns.test", "test", "example.com", "."])
def test_a_zone_ends_at_a_label(name: str) -> None:
    assert rcode(Site(POOL).ask(name)) == "REFUSED"


def test_the_root_can_be_a_zone() -> None:
    site = Site({"x.example": {"host": "10.0.0.1"}}, zones=(".",))
    assert rdatas(site.ask("x.example"), "A") == ["10.0.0.1"]
    assert records(site.ask("y.example").authority)[0].startswith(". 60 IN SOA ns.dns. hostmaster. ")


def test_any_is_answered_with_one_small_record() -> None:
    """RFC 8482."""
    response = Site(POOL).ask("web.skydns.test", "ANY")
    assert rdatas(response, "HINFO") == ['"RFC8482" ""']
    assert len(response.answer) == 1
    assert rcode(Site(POOL).ask("nothing.skydns.test", "ANY")) == "NXDOMAIN"


def test_underscores_are_letters_like_others() -> None:
    site = Site({"_http._tcp.web.skydns.test": {"host": "10.0.0.1", "port": 8080}})
    assert rdatas(site.ask("_http._tcp.web.skydns.test", "SRV"), "SRV") == [
        "10 100 8080 _http._tcp.web.skydns.test."
    ]


def test_values_are_read_as_go_reads_them() -> None:
    """Field names in any case; unknown fields ignored."""
    site = Site()
    site.apply({b"/skydns/test/skydns/x": json.dumps({"Host": "10.0.0.1", "check": {"http": "/"}}).encode()})
    assert rdatas(site.ask("x.skydns.test"), "A") == ["10.0.0.1"]
