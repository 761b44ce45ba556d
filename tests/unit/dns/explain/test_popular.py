"""Short lists of what is asked for the most, whatever is asked."""

import random

from tests.unit.dns.site import Site

from fairlead.dns import names
from fairlead.dns.explain import Popular
from fairlead.dns.explain.live import Live


def test_few_items_are_counted_exactly() -> None:
    popular: Popular[str] = Popular(4)
    for item in "aababcd":
        popular.add(item)
    assert list(popular.top(2)) == [("a", 3), ("b", 2)]
    assert popular.total == 7


def test_what_is_frequent_stands_out_of_a_flood_of_random_names() -> None:
    popular: Popular[int] = Popular(64)
    rng = random.Random(1)
    for turn in range(50_000):
        is_frequent = turn > 1000 and rng.random() < 0.2  # when the list is full already
        popular.add(rng.randrange(5) if is_frequent else rng.randrange(10, 10**9))
    assert len(popular) == 64
    assert {item for item, _ in popular.top(5)} == set(range(5))


def test_answers_from_the_table_are_counted_too_and_misses_apart() -> None:
    site = Site({"web.skydns.test": {"host": "10.0.0.1"}})
    live = Live(site.model)
    site.responder.hooks.seen = live.seen
    site.model.table.heard = live.heard
    for _ in range(10):
        site.ask("web.skydns.test")
    site.ask("no.skydns.test")
    top = live.top()
    assert top["asked"] == [{"name": "web.skydns.test.", "count": 20}]
    assert top["missing"] == [{"name": "no.skydns.test.", "count": 2}]
    site.ask("web.skydns.test")
    site.put({"web.skydns.test": {"host": "10.0.0.2"}})  # what is dropped has been counted
    assert live.top()["asked"] == [{"name": "web.skydns.test.", "count": 22}]


def test_the_tree_is_shown_one_level_at_a_time() -> None:
    site = Site({"1.web.skydns.test": {"host": "10.0.0.1"}})
    live = Live(site.model)
    assert [row["name"] for row in live.tree(names.ROOT)] == ["test."]
    [row] = live.tree(names.from_text("web.skydns.test"))
    assert row == {
        "name": "1.web.skydns.test.",
        "has_key": True,
        "has_more": False,
        "is_ill": False,
        "count": 0,
    }
