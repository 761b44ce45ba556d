"""``/skydns/config``: every field of SkyDNS's, taken up while running."""

import json
import logging

import dns.message
import pytest
from tests.unit.dns.site import Site, rcode, rdatas, records

from fairlead.dns import COREDNS
from fairlead.dns.settings import MEANINGLESS

CONFIG = b"/skydns/config"
POOL = {"1.x.skydns.test": {"host": "10.0.0.1"}, "2.x.skydns.test": {"host": "10.0.0.2"}}


def configured(fields: object, site: Site | None = None) -> Site:
    site = site or Site(POOL)
    site.apply({CONFIG: json.dumps(fields).encode()})
    return site


def test_domain_moves_the_authority() -> None:
    site = configured({"domain": "other.test."}, Site({"x.other.test": {"host": "10.0.0.9"}}))
    assert rdatas(site.ask("x.other.test"), "A") == ["10.0.0.9"]
    assert rcode(site.ask("x.skydns.test")) == "REFUSED"


def test_the_zone_that_was_before_leaves_no_name_behind() -> None:
    site = configured({"domain": "other.test."}, Site(zones=("empty.skydns.test",)))
    site.apply({CONFIG: b'{"domain": "skydns.test"}'})
    assert rcode(site.ask("empty.skydns.test")) == "NXDOMAIN"


def test_ttl_is_of_records_that_name_none() -> None:
    assert records(configured({"ttl": 17}).ask("1.x.skydns.test").answer) == [
        "1.x.skydns.test. 17 IN A 10.0.0.1"
    ]


def test_min_ttl_is_how_long_no_may_be_remembered() -> None:
    soa = records(configured({"min_ttl": 7}).ask("no.skydns.test").authority)[0]
    assert soa.split()[1] == "7"
    assert soa.split()[-1] == "7"


def test_hostmaster_is_written_as_a_mail_address() -> None:
    soa = records(configured({"hostmaster": "dns@example.com"}).ask("no.skydns.test").authority)[0]
    assert soa.split()[5] == "dns.example.com."


def test_priority_is_of_records_that_name_none() -> None:
    site = configured(
        {"priority": 4},
        Site({"a.x.skydns.test": {"host": "h.h"}, "b.x.skydns.test": {"host": "i.i", "priority": 9}}),
    )
    assert sorted(rdatas(site.ask("x.skydns.test", "SRV"), "SRV")) == ["4 100 0 h.h.", "9 100 0 i.i."]


def test_local_is_what_the_host_local_name_stands_for() -> None:
    site = configured({"local": "1.x.skydns.test"})
    assert records(site.ask("local.dns.skydns.test").answer) == ["local.dns.skydns.test. 3600 IN A 10.0.0.1"]
    site.put({"1.x.skydns.test": {"host": "10.0.0.7"}})
    assert rdatas(site.ask("local.dns.skydns.test"), "A") == ["10.0.0.7"]
    site.apply({}, [CONFIG])
    assert rcode(site.ask("local.dns.skydns.test")) == "NXDOMAIN"


def test_round_robin_can_be_off() -> None:
    site = Site(POOL)
    query = dns.message.make_query("x.skydns.test", "A")

    def firsts() -> set[str]:
        return {rdatas(site.exchange(query), "A")[0] for _ in range(4)}

    assert firsts() == {"10.0.0.1", "10.0.0.2"}
    configured({"round_robin": False}, site)
    assert firsts() == {"10.0.0.1"}


@pytest.mark.parametrize("field", ["ndot", "ndots"])
def test_ndots_is_the_least_length_of_a_name_to_be_left_to_the_resolver(field: str) -> None:
    site = configured({field: 3}, Site({"x.skydns.test": {"host": "server.example"}}))
    assert site.ask("x.skydns.test").answer == []
    site = configured({field: 1}, Site({"x.skydns.test": {"host": "server"}}))
    assert rdatas(site.ask("x.skydns.test"), "CNAME") == ["server."]


def test_what_concerns_names_outside_is_there_for_the_forwarder() -> None:
    site = configured(
        {"nameservers": ["10.0.0.53:53"], "no_rec": True, "ns_rotate": False, "read_timeout": 1_500_000_000}
    )
    forwarding = site.model.zones.settings.forwarding
    assert forwarding.nameservers == ("10.0.0.53:53",)
    assert forwarding.no_rec is True
    assert forwarding.ns_rotate is False
    assert forwarding.read_timeout_s == 1.5
    assert Site().model.zones.settings.forwarding.no_rec is None


@pytest.mark.parametrize("field", sorted(MEANINGLESS))
def test_a_field_without_meaning_here_is_said_to_have_none(
    field: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        site = configured({field: "x", "ttl": 9})
    assert field in caplog.text
    assert site.complaints.open == {}
    assert site.ask("1.x.skydns.test").answer[0].ttl == 9


@pytest.mark.parametrize(
    "fields",
    [
        [],
        {"ttl": "9"},
        {"ttl": -1},
        {"ttl": True},
        {"domain": 3},
        {"domain": "a..b"},
        {"local": ["x"]},
        {"round_robin": 1},
        {"nameservers": "10.0.0.53"},
        {"nameservers": [53]},
        {"nameservers": ["10.0.0.53"] * 65},
        {"read_timeout": "2s"},
        {"no_rec": "yes"},
    ],
)
def test_bad_settings_change_nothing_and_are_told(fields: object) -> None:
    site = configured({"ttl": 9})
    configured(fields, site)
    assert list(site.complaints.open) == [CONFIG]
    assert site.ask("1.x.skydns.test").answer[0].ttl == 9


def test_empty_settings_are_no_settings() -> None:
    """SkyDNS writes all of its fields, most of them empty."""
    site = configured(
        {"domain": "", "ttl": 0, "hostmaster": "", "nameservers": [], "local": "", "read_timeout": 0}
    )
    assert site.complaints.open == {}
    assert site.ask("1.x.skydns.test").answer[0].ttl == 3600


def test_coredns_has_no_such_key() -> None:
    site = configured({"ttl": 9}, Site(POOL, dialect=COREDNS))
    assert site.ask("1.x.skydns.test").answer[0].ttl == 300
