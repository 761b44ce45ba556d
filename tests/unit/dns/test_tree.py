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


def shown(tree: Tree) -> object:
    """All that a tree says."""
    every = [names.ROOT, *(names.from_text(name) for name in ("a", "b", "c", "a.b", "b.a", "c.a", "a.a.b"))]
    return (
        len(tree),
        tree.apexes,
        list(tree.records()),
        [(name, tree.labels_below(name), tree.own(name), tree.exists(name)) for name in every],
        [tree.count(name, kind) for name in every for kind in ("hosts", "texts", "mails")],
        [
            tree.locate(name, zone=apex)
            for apex in tree.apexes
            for name in every
            if names.is_within(name, apex)
        ],
    )


@pytest.mark.parametrize("seed", range(20))
def test_a_snapshot_stays_what_it_was_and_so_does_what_it_was_taken_of(seed: int) -> None:
    """Whichever of them changes next, and however many there are."""
    rng = random.Random(seed)
    trees = [Tree()]
    expected = [shown(trees[0])]
    for _ in range(150):
        at = rng.randrange(len(trees))
        tree = trees[at]
        name = names.from_text(".".join(rng.choice("abc") for _ in range(rng.randint(1, 3))))
        match rng.randrange(8):
            case 0 if len(trees) < 6:
                trees.append(tree.snapshot())
                expected.append(shown(tree))
            case 1:
                tree.set_apexes([names.from_text(zone) for zone in rng.sample(["a", "b", "b.a", "c"], 2)])
            case 2 | 3:
                tree.remove(name)
            case _:
                tree.put(parse_record(name, rng.choice(VALUES)))
        expected[at] = shown(tree)
        assert [shown(one) for one in trees] == expected


def test_a_snapshot_costs_nothing_however_much_it_shows() -> None:
    """And the first change after it copies the nodes on its way, and no others."""
    tree = Tree()
    for n in range(2000):
        tree.put(parse_record(names.from_text(f"{n % 50}.{n // 50}.a"), VALUES[0]))
    before = {id(node) for _, node in tree.walk_zone(names.ROOT)}
    held = tree.snapshot()
    assert {id(node) for _, node in held.walk_zone(names.ROOT)} == before
    tree.put(parse_record(names.from_text("7.7.a"), VALUES[2]))
    assert len({id(node) for _, node in tree.walk_zone(names.ROOT)} - before) == 4
    tree.put(parse_record(names.from_text("7.7.a"), VALUES[1]))
    assert len({id(node) for _, node in tree.walk_zone(names.ROOT)} - before) == 4, "once"
