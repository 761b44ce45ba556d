"""What the store says, good and bad, and that it is taken up whole."""

import pytest
from tests.unit.dns.site import Site, key_of, rcode, rdatas, records, value_of

from fairlead.dns import COREDNS

GOOD = {"x.skydns.test": {"host": "10.0.0.1"}}

BAD_VALUES = {
    "not JSON": b"{",
    "nothing": b"",
    "not UTF-8": b'{"host": "\xff"}',
    "a number": b"1",
    "null": b"null",
    "a list": b'["10.0.0.1"]',
    "too deep": b"[" * 100_000,
    "a huge number": b'{"port": 1' + b"0" * 5000 + b"}",
    "a number for host": b'{"host": 10}',
    "a string for port": b'{"host": "10.0.0.1", "port": "80"}',
    "a fraction for port": b'{"host": "10.0.0.1", "port": 80.5}',
    "a truth for port": b'{"host": "10.0.0.1", "port": true}',
    "a number for mail": b'{"host": "10.0.0.1", "mail": 1}',
    "an address out of range": b'{"host": "10.0.0.256"}',
    "an address with a port": b'{"host": "10.0.0.1:80"}',
    "an address with a zone": b'{"host": "fe80::1%eth0"}',
    "an empty label": b'{"host": "a..b"}',
    "a long label": value_of({"host": "a" * 64}),
    "a long name": value_of({"host": ".".join(["a" * 63] * 4)}),
    "half a character": b'{"host": "\\ud800"}',
    "half a character of text": b'{"text": "\\ud800"}',
    "too much text": value_of({"text": "a" * 64_001}),
}

BAD_KEYS = {
    "a slash at the end": b"/skydns/test/skydns/y/",
    "two slashes": b"/skydns/test//y",
    "upper case": b"/skydns/test/skydns/Y",
    "a long label": b"/skydns/test/skydns/" + b"y" * 64,
    "a long name": b"/skydns/test/skydns" + b"/yyyyyyy" * 40,
    "the prefix itself": b"/skydns/",
}


@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES.keys())
def test_a_bad_value_costs_its_own_record_only_and_is_told_once(value: bytes) -> None:
    site = Site(GOOD)
    bad = key_of("y.skydns.test")
    site.apply({bad: value, key_of("z.skydns.test"): b'{"host": "10.0.0.3"}'})
    assert sorted(rdatas(site.ask("skydns.test"), "A")) == ["10.0.0.1", "10.0.0.3"]
    assert list(site.complaints.open) == [bad]
    assert "\n" not in site.complaints.open[bad]
    site.apply({bad: b'{"host": "10.0.0.2"}'})
    assert site.complaints.open == {}
    assert rdatas(site.ask("y.skydns.test"), "A") == ["10.0.0.2"]


@pytest.mark.parametrize("value", BAD_VALUES.values(), ids=BAD_VALUES.keys())
def test_the_last_good_value_stays_until_the_key_goes(value: bytes) -> None:
    site = Site(GOOD)
    site.apply({key_of("x.skydns.test"): value})
    assert rdatas(site.ask("x.skydns.test"), "A") == ["10.0.0.1"]
    site.delete("x.skydns.test")
    assert rcode(site.ask("x.skydns.test")) == "NXDOMAIN"
    assert site.complaints.open == {}


@pytest.mark.parametrize("key", BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_a_key_that_stands_for_no_name_is_told_and_forgotten_when_it_goes(key: bytes) -> None:
    site = Site(GOOD)
    site.apply({key: b'{"host": "10.0.0.2"}'})
    assert list(site.complaints.open) == [key]
    assert rdatas(site.ask("skydns.test"), "A") == ["10.0.0.1"]
    site.apply({}, [key])
    assert site.complaints.open == {}


def test_a_folder_mark_is_no_mistake() -> None:
    site = Site(GOOD)
    site.apply({b"/skydns/test/skydns/folder/": b""})
    assert site.complaints.told == 0


def test_a_revision_is_taken_up_whole() -> None:
    """A record that moves from one name to another is never at both, nor at none."""
    site = Site({"old.skydns.test": {"host": "10.0.0.1"}})
    assert rdatas(site.ask("skydns.test"), "A") == ["10.0.0.1"]
    site.apply({key_of("new.skydns.test"): b'{"host": "10.0.0.1", "ttl": 7}'}, [key_of("old.skydns.test")])
    assert records(site.ask("skydns.test").answer) == ["skydns.test. 7 IN A 10.0.0.1"]
    assert rcode(site.ask("old.skydns.test")) == "NXDOMAIN"


def test_the_serial_never_goes_back() -> None:
    """A store restored from a backup starts at a lower revision; secondaries must still see news as news."""
    site = Site()
    serials = []
    for revision in (10, 11, 5, 6, 6, 2, 3):
        site.model.apply(revision, {})
        serials.append(int(rdatas(site.ask("skydns.test", "SOA"), "SOA")[0].split()[2]))
    assert serials[:2] == [10, 11]
    assert serials == sorted(serials)
    assert len(set(serials)) == 6


# <prefix>/config


def test_settings_in_the_store_are_taken_up_live() -> None:
    site = Site({"x.skydns.test": {"host": "10.0.0.1"}, "y.skydns.test": {"host": "10.0.0.2", "ttl": 5}})
    site.ask("x.skydns.test")
    site.ask("nothing.skydns.test")
    site.put(
        {"config": {"ttl": 77, "min_ttl": 11, "hostmaster": "ops@example.com", "dns_addr": "0.0.0.0:53"}}
    )
    assert site.model.table._denials == {}
    assert records(site.ask("x.skydns.test").answer) == ["x.skydns.test. 77 IN A 10.0.0.1"]
    assert records(site.ask("y.skydns.test").answer) == ["y.skydns.test. 5 IN A 10.0.0.2"]
    denial = "skydns.test. 11 IN SOA ns.dns.skydns.test. ops.example.com. 3 28800 7200 604800 11"
    assert records(site.ask("nothing.skydns.test").authority) == [denial]
    site.delete("config")
    assert records(site.ask("x.skydns.test").answer) == ["x.skydns.test. 3600 IN A 10.0.0.1"]


def test_the_domain_in_the_store_wins_over_the_flag() -> None:
    site = Site({"x.other.test": {"host": "10.0.0.1"}})
    assert rcode(site.ask("x.other.test")) == "REFUSED"
    site.put({"config": {"domain": "other.test."}})
    assert rdatas(site.ask("x.other.test"), "A") == ["10.0.0.1"]
    assert rcode(site.ask("x.skydns.test")) == "REFUSED"


@pytest.mark.parametrize(
    "value", [b"{", b"[]", b'{"ttl": "1"}', b'{"ttl": -1}', b'{"domain": 1}', b'{"domain": "a..b"}']
)
def test_bad_settings_leave_the_last_good_ones(value: bytes) -> None:
    site = Site(GOOD)
    site.put({"config": {"ttl": 77}})
    site.apply({b"/skydns/config": value})
    assert list(site.complaints.open) == [b"/skydns/config"]
    assert records(site.ask("x.skydns.test").answer) == ["x.skydns.test. 77 IN A 10.0.0.1"]


def test_coredns_reads_no_settings_from_the_store() -> None:
    site = Site(GOOD, dialect=COREDNS)
    site.put({"config": {"ttl": 77}})
    assert site.ask("x.skydns.test").answer[0].ttl == 300
