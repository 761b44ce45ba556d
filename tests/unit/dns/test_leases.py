"""A record is remembered for no longer than its lease was granted for."""

import pytest
from tests.unit.dns.site import Site, key_of, value_of

from fairlead.dns import COREDNS, SKYDNS, Dialect
from fairlead.dns.leases import ASKED_MAX, Leases

LEASE = 0x7ABC_0000_0000_0001


def leased(granted_s: int, *, dialect: Dialect = SKYDNS, ttl_s: int = 0) -> Site:
    site = Site(dialect=dialect)
    hang(site, ttl_s=ttl_s)
    site.model.learn_lease(LEASE, granted_s)
    return site


def hang(site: Site, *, ttl_s: int = 0, lease: int = LEASE) -> None:
    key = key_of("x.skydns.test")
    site.apply({key: value_of({"host": "10.0.0.1", "ttl": ttl_s})}, leases={key: lease} if lease else {})


def ttl_of(site: Site) -> int:
    return site.ask("x.skydns.test").answer[0].ttl


@pytest.mark.parametrize(
    ("dialect", "granted_s", "ttl_s", "found"),
    [
        (SKYDNS, 5, 0, 5),
        (SKYDNS, 60, 20, 20),
        (SKYDNS, 20, 60, 20),
        (SKYDNS, 86400, 0, 86400),
        (COREDNS, 5, 0, 30),
        (COREDNS, 60, 20, 20),
        (COREDNS, 10**7, 0, 86400),
        (COREDNS, 120, 300, 120),
    ],
)
def test_the_ttl_is_the_lesser_of_lease_and_value(
    dialect: Dialect, granted_s: int, ttl_s: int, found: int
) -> None:
    """CoreDNS keeps what a lease gives between 30 s and a day."""
    assert ttl_of(leased(granted_s, dialect=dialect, ttl_s=ttl_s)) == found


@pytest.mark.parametrize(("dialect", "default_s"), [(SKYDNS, 3600), (COREDNS, 300)])
def test_an_id_of_a_lease_is_no_ttl(dialect: Dialect, default_s: int) -> None:
    """SkyDNS on etcd v3 took it for one."""
    site = Site(dialect=dialect)
    hang(site)
    assert ttl_of(site) == default_s
    assert site.model.leases.unknown() == [LEASE]


def test_answers_made_before_the_lease_was_read_go() -> None:
    site = Site()
    hang(site)
    assert ttl_of(site) == 3600
    site.model.learn_lease(LEASE, 10)
    assert ttl_of(site) == 10


def test_a_record_that_leaves_its_lease_is_free_of_it() -> None:
    site = leased(10)
    hang(site, lease=0)
    assert ttl_of(site) == 3600


def test_a_lease_that_is_known_is_not_asked_about_again() -> None:
    site = leased(10)
    hang(site)
    assert site.model.leases.unknown() == []
    assert ttl_of(site) == 10


def test_a_lease_that_is_gone_says_nothing() -> None:
    site = leased(0)
    assert ttl_of(site) == 3600
    assert site.model.leases.unknown() == []


def test_a_lease_is_forgotten_with_its_last_key() -> None:
    site = leased(10)
    site.delete("x.skydns.test")
    site.model.learn_lease(LEASE, 99)
    hang(site)
    assert site.model.leases.unknown() == [LEASE]
    assert ttl_of(site) == 3600


def test_few_leases_are_asked_about_at_once() -> None:
    leases = Leases()
    for lease_id in range(1, 100):
        leases.hang(b"\1x\0", lease_id)
    assert len(leases.unknown()) == ASKED_MAX
