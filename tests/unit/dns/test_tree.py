"""What a tree counts, and that nobody has to look at a whole zone to say that something is not in it."""

import random

import pytest
from tests.unit.dns.site import Site, rcode, rdatas

from fairlead.dns import COREDNS, SKYDNS, Dialect, names
from fairlead.dns.records import Record, parse_record
from fairlead.dns.tree import MATCHES_MAX, TooManyError, Tree

VALUES = [
    b'{"host": "10.0.0.1"}',
    b'{"host": "a.b", "mail": true}',
    b'{"text": "x"}',
    b'{"host": "10.0.0.1", "text": "x", "mail": true}',
    b"{}",
]


def counted(records: list[Record], below: bytes) -> tuple[int, int, int]:
    within = [record for record in records if names.is_within(record.owner, below)]
    return (
        sum(r.address is not None or r.target is not None for r in within),
        sum(bool(r.text) or r.target is not None for r in within),
        sum(r.is_mail for r in within),
    )


@pytest.mark.parametrize("seed", range(5))
def test_counts_are_those_of_the_records(seed: int) -> None:
    rng = random.Random(seed)
    tree = Tree()
    held: dict[bytes, Record] = {}
    for _ in range(600):
        name = names.from_text(".".join(rng.choice("abc") for _ in range(rng.randint(1, 4))))
        if rng.random() < 0.4:
            tree.remove(name)
            held.pop(name, None)
        else:
            held[name] = parse_record(name, rng.choice(VALUES))
            tree.put(held[name])
    for name in (names.ROOT, *held, *map(names.from_text, "abc")):
        found = tuple(tree.count(name, kind) for kind in ("hosts", "texts", "mails"))
        assert found == counted([*held.values()], name)
    for kind in ("hosts", "texts", "mails"):
        assert {r.owner for r in tree.below(names.ROOT, kind)} >= {
            r.owner for r in held.values() if tree.count(r.owner, kind) and counted([r], r.owner)[KIND[kind]]
        }


KIND = {"hosts": 0, "texts": 1, "mails": 2}


def test_what_is_not_there_is_not_looked_for() -> None:
    """In a zone of half a million names a question for MX at its apex would take a second."""
    site = Site({f"n{n}.skydns.test": {"host": "10.0.0.1"} for n in range(500)})
    apex = names.from_text("skydns.test")
    assert len(list(site.model.tree.below(apex, "mails"))) == 0
    assert len(list(site.model.tree.below(apex, "hosts"))) == 500
    site.put({"m.n7.skydns.test": {"host": "10.0.0.2", "mail": True}})
    assert [names.to_text(r.owner) for r in site.model.tree.below(apex, "mails")] == [
        "n7.skydns.test.",
        "m.n7.skydns.test.",
    ]


@pytest.mark.parametrize("dialect", [SKYDNS, COREDNS])
def test_a_text_at_the_apex_of_a_large_zone_is_found(dialect: Dialect) -> None:
    """SPF, say; the addresses below are none of its business."""
    site = Site({f"n{n}.skydns.test": {"host": "10.0.0.1"} for n in range(9000)}, dialect=dialect)
    site.put({"skydns.test": {"text": "v=spf1 -all"}})
    assert rdatas(site.ask("skydns.test", "TXT"), "TXT") == ['"v=spf1 -all"']
    assert rcode(site.ask("skydns.test", "A", tcp=True)) == "SERVFAIL"
    assert rdatas(site.ask("n7.skydns.test"), "A") == ["10.0.0.1"]


def test_a_wildcard_that_stands_for_too_much_is_servfail_and_no_lie() -> None:
    site = Site({f"n{n}.skydns.test": {"host": "10.0.0.1"} for n in range(MATCHES_MAX + 1)})
    assert rcode(site.ask("x.*.skydns.test")) == "SERVFAIL"
    with pytest.raises(TooManyError):
        next(site.model.tree.below(names.from_text("*.skydns.test")))
    site.delete("n0.skydns.test")
    assert rcode(site.ask("x.*.skydns.test")) == "NXDOMAIN"
