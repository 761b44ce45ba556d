"""Which records a client gets: alive, of the first tier, near, and the first as often as its weight says."""

from collections import Counter

import dns.edns
import dns.message
import pytest
from tests.unit.dns.site import Asker, Site, rdatas

from fairlead.dns import names
from fairlead.dns.choose import Ramp, parse_map, weighted_turns
from fairlead.dns.choose.turns import TURNS_MAX
from fairlead.dns.client import LATER, Transport

NAME = "web.skydns.test"
TOPOLOGY = b"""{"10.1.0.0/16": {"zone": "a", "region": "eu"}, "10.2.0.0/16": {"zone": "b", "region": "eu"},
                "10.9.0.0/16": {"zone": "z", "region": "us"}}"""


def pool(**fields: dict[str, object]) -> Site:
    """Records by their last address byte: ``pool(n1={...})`` is 10.0.0.1."""
    return Site({f"{key}.{NAME}": {"host": f"10.0.0.{key[1:]}", **more} for key, more in fields.items()})


def down(site: Site, *keys: str) -> None:
    """As when checks have found these ill."""
    site.model.tree.conditions.down.update(names.from_text(f"{key}.{NAME}") for key in keys)
    site.model.table.clear()


def asked(site: Site, *, ip: str = "127.0.0.1", subnet: str | None = None, rtype: str = "A") -> list[str]:
    options: list[dns.edns.Option] = [dns.edns.ECSOption(subnet, 24)] if subnet else []
    query = dns.message.make_query(NAME, rtype, options=options)
    response = site.responder.respond(query.to_wire(), Asker(Transport.TCP, ip=ip))
    assert response not in {None, LATER}
    return sorted(rdatas(dns.message.from_wire(response or b""), rtype))


def firsts(site: Site, times: int) -> Counter[str]:
    query = dns.message.make_query(NAME, "A").to_wire()
    return Counter(rdatas(dns.message.from_wire(site.send(query) or b""), "A")[0] for _ in range(times))


@pytest.mark.parametrize(
    ("weights", "shares"),
    [
        ((1, 1), (1, 1)),
        ((5, 1, 1), (5, 1, 1)),
        ((100, 50), (2, 1)),
        ((0, 0), (1, 1)),
        ((7,), (1,)),
        ((0, 3), (0, 1)),
    ],
)
def test_turns_are_as_many_as_the_weights_say(weights: tuple[int, ...], shares: tuple[int, ...]) -> None:
    counts = Counter(weighted_turns(weights))
    assert tuple(counts[number] for number in range(len(weights))) == shares


def test_turns_are_spread_out_and_bounded() -> None:
    assert weighted_turns((5, 1, 1)) == [0, 0, 1, 0, 2, 0, 0]
    turns = weighted_turns((65535, 65534, 1))
    assert len(turns) == TURNS_MAX
    assert abs(turns.count(0) - turns.count(1)) <= 1


def test_the_heavier_record_comes_first_more_often() -> None:
    site = pool(n1={"weight": 300}, n2={"weight": 100})
    assert firsts(site, 400) == {"10.0.0.1": 300, "10.0.0.2": 100}
    assert asked(site) == ["10.0.0.1", "10.0.0.2"], "and all are sent"


def test_records_of_equal_weight_take_turns_as_ever() -> None:
    assert firsts(pool(n1={}, n2={}), 100) == {"10.0.0.1": 50, "10.0.0.2": 50}


def test_priorities_are_tiers_only_when_asked_for() -> None:
    site = pool(n1={"priority": 10}, n2={"priority": 20})
    assert len(asked(site)) == 2
    site.model.tree.conditions.is_tiered = True
    site.model.table.clear()
    assert asked(site) == ["10.0.0.1"]
    down(site, "n1")
    assert asked(site) == ["10.0.0.2"], "the next tier takes over"
    down(site, "n2")
    assert asked(site) == ["10.0.0.1"], "when all are ill the first tier is as good as any"


def test_the_ill_give_way_and_when_all_are_ill_none_does() -> None:
    site = pool(n1={"port": 80}, n2={"port": 80}, n3={"host": "2001:db8::3"})
    down(site, "n1")
    assert asked(site) == ["10.0.0.2"]
    assert len(asked(site, rtype="SRV")) == 2
    down(site, "n2")
    assert asked(site) == ["10.0.0.1", "10.0.0.2"], (
        "although an IPv6 address lives: who asks for IPv4 needs one"
    )
    assert asked(site, rtype="AAAA") == ["2001:db8::3"]


def near() -> Site:
    site = pool(
        n1={"zone": "a", "region": "eu"},
        n2={"zone": "b", "region": "eu"},
        n3={"zone": "z", "region": "us"},
        n4={"cidr": ["192.0.2.0/24", "198.51.100.0/24"]},
    )
    site.model.tree.conditions.map = parse_map(TOPOLOGY)
    site.model.table.clear()
    return site


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("10.1.7.7", ["10.0.0.1"]),
        ("10.2.7.7", ["10.0.0.2"]),
        ("10.9.7.7", ["10.0.0.3"]),
        ("192.0.2.7", ["10.0.0.4"]),
        ("203.0.113.1", ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]),
    ],
)
def test_who_is_near_comes_first(ip: str, expected: list[str]) -> None:
    assert asked(near(), ip=ip) == expected


def test_the_subnet_that_a_resolver_tells_counts_before_its_own_address() -> None:
    assert asked(near(), ip="10.9.0.1", subnet="10.1.7.0") == ["10.0.0.1"]


def test_an_ill_place_spills_over_to_its_region_and_then_to_all() -> None:
    site = near()
    down(site, "n1")
    assert asked(site, ip="10.1.7.7") == ["10.0.0.2"]
    down(site, "n2")
    assert asked(site, ip="10.1.7.7") == ["10.0.0.3", "10.0.0.4"]
    assert asked(site, ip="10.9.7.7") == ["10.0.0.3"]


def test_a_record_that_goes_is_out_of_every_place() -> None:
    site = near()
    asked(site, ip="10.1.7.7")
    site.delete(f"n1.{NAME}")
    assert asked(site, ip="10.1.7.7") == ["10.0.0.2"]


def test_the_kinds_of_client_are_bounded() -> None:
    site = Site({f"n{n}.{NAME}": {"host": f"10.0.0.{n}", "cidr": f"10.{n}.0.0/16"} for n in range(200)})
    assert len(asked(site, ip="203.0.113.1")) == 200
    assert asked(site, ip="10.7.0.1") == ["10.0.0.7"]


def test_a_new_record_gets_its_share_bit_by_bit() -> None:
    ramp = Ramp(10)
    name = names.from_text("a.test")
    ramp.begin(name, now_s=0)
    assert [ramp.shares(now_s=now_s).get(name) for now_s in (0, 5, 9.5)] == [0.1, 0.5, 0.95]
    assert ramp.shares(now_s=10) == {}
    assert len(ramp) == 0
    ramp.begin(name, now_s=0)
    ramp.end(name)
    assert ramp.shares(now_s=1) == {}
    off = Ramp(0)
    off.begin(name, now_s=0)
    assert off.shares(now_s=0) == {}


def test_a_small_share_is_a_small_part_of_first_answers() -> None:
    site = pool(n1={}, n2={})
    site.model.tree.conditions.shares[names.from_text(f"n2.{NAME}")] = 0.1
    site.model.table.clear()
    counts = firsts(site, 640)
    assert 40 <= counts["10.0.0.2"] <= 70


@pytest.mark.parametrize(
    "value", [b"{", b"[]", b'{"10.0.0.0/8": 3}', b'{"x": {}}', b'{"10.0.0.0/8": {"zone": 3}}']
)
def test_a_map_that_is_none_is_refused(value: bytes) -> None:
    with pytest.raises(Exception, match=r".+") as caught:
        parse_map(value)
    assert type(caught.value).__name__ == "BadRecordError"


@pytest.mark.parametrize("fields", [{"cidr": "x"}, {"cidr": 3}, {"zone": 3}, {"cidr": ["10.0.0.0/8"] * 65}])
def test_hints_that_are_none_cost_their_record(fields: dict[str, object]) -> None:
    assert len(pool(n1=fields).complaints.open) == 1
