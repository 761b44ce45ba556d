"""Names that are nobody's to delegate are answered here, whatever else is served."""

import dns.message
import pytest
from tests.unit.dns.site import Asker, Site, flags, rcode, rdatas, records
from tests.unit.dns.test_hooks import Elsewhere

from fairlead.dns import names


@pytest.mark.parametrize("name", ["localhost", "LocalHost", "a.b.localhost"])
def test_localhost_is_this_host(name: str) -> None:
    """RFC 6761, section 6.3."""
    site = Site()
    assert rdatas(site.ask(name), "A") == ["127.0.0.1"]
    assert rdatas(site.ask(name, "AAAA"), "AAAA") == ["::1"]
    other = site.ask(name, "TXT")
    assert (rcode(other), other.answer) == ("NOERROR", [])
    assert "AA" in flags(other).split()


@pytest.mark.parametrize(
    "name",
    ["x.invalid", "a.onion", "1.0.0.10.in-addr.arpa", "9.9.31.172.in-addr.arpa", "1.1.168.192.in-addr.arpa",
     "1.0.64.100.in-addr.arpa", "4.3.2.0.in-addr.arpa", "1.0.0.d.f.ip6.arpa", "1.b.e.f.ip6.arpa",
     "0.8.b.d.0.1.0.0.2.ip6.arpa"],
)  # fmt: skip
def test_names_without_a_global_meaning_do_not_exist(name: str) -> None:
    """RFC 6303, section 3: with an SOA record that lets the denial be remembered."""
    response = Site().ask(name, "PTR")
    assert rcode(response) == "NXDOMAIN"
    assert "AA" in flags(response).split()
    (soa,) = records(response.authority)
    assert soa.endswith("nobody.invalid. 1 3600 1200 604800 10800")


@pytest.mark.parametrize("name", ["1.0.0.127.in-addr.arpa", f"1.{'0.' * 31}ip6.arpa"])
def test_loopback_addresses_are_localhost(name: str) -> None:
    assert rdatas(Site().ask(name, "PTR"), "PTR") == ["localhost."]


def test_what_lies_between_a_zone_and_its_name_exists() -> None:
    """RFC 8020: 0.127.in-addr.arpa has 1.0.0.127.in-addr.arpa below it."""
    assert rcode(Site().ask("0.127.in-addr.arpa")) == "NOERROR"
    assert rcode(Site().ask("1.127.in-addr.arpa")) == "NXDOMAIN"


@pytest.mark.parametrize(
    "name", ["local", "1.0.15.172.in-addr.arpa", "1.0.63.100.in-addr.arpa", "e.f.ip6.arpa"]
)
def test_their_neighbours_are_not_ours(name: str) -> None:
    assert rcode(Site().ask(name)) == "REFUSED"


def test_keys_and_zones_of_ours_come_first() -> None:
    site = Site({"1.0.0.10.in-addr.arpa": {"host": "web.skydns.test"}})
    assert rdatas(site.ask("1.0.0.10.in-addr.arpa", "PTR"), "PTR") == ["web.skydns.test."]
    zone = Site({"a.localhost": {"host": "192.0.2.1"}}, zones=("localhost",))
    assert rdatas(zone.ask("a.localhost"), "A") == ["192.0.2.1"]


def test_they_fill_no_memory() -> None:
    site = Site()
    for n in range(100):
        site.ask(f"{n}.localhost")
    assert len(site.model.table.entries) == 0


def test_a_forwarder_may_know_private_reverse_names_and_is_never_asked_for_the_others() -> None:
    site = Site()
    elsewhere = Elsewhere(site)
    asker = Asker()
    for name in ("1.0.0.10.in-addr.arpa", "1.0.0.127.in-addr.arpa", "x.localhost", "x.invalid"):
        site.responder.respond(dns.message.make_query(name, "PTR").to_wire(), asker)
    assert [names.to_text(query.name) for query, _ in elsewhere.asked] == ["1.0.0.10.in-addr.arpa."]
