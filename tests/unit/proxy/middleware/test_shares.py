"""Limits that proxies share: their slices never add up to more than the whole, and soon to all of it."""

import random

import pytest
from tests.unit.proxy.middleware.harness import Told, answer_of, call_of, made

from fairlead.proxy.middleware.shares import WHOLE, Ledger, next_ledger, read_ledger, write_ledger


class Cluster:
    """Proxies that look at the ledger in any order, with what each of them uses."""

    def __init__(self) -> None:
        self.ledger: Ledger = {}
        self.used: dict[str, int] = {}
        self.demand: dict[str, int] = {}

    def look(self, me: str, *, seen: Ledger | None = None) -> None:
        """What ``sharing`` does, on the ledger or on an older one that it still believes in."""
        ledger = self.ledger if seen is None else seen
        mine = ledger.get(me)
        self.used[me] = min(self.used.get(me, 0), mine.parts) if mine else 0
        wanted = next_ledger(ledger, me=me, present=list(self.demand), demand=self.demand[me])
        if wanted is None:
            self.used[me] = mine.parts if mine and ledger is self.ledger else self.used[me]
            return
        self.used[me] = min(self.used[me], wanted[me].parts)
        if ledger is self.ledger:  # the transaction holds only then
            self.ledger = read_ledger(write_ledger(wanted))
            self.used[me] = wanted[me].parts


@pytest.mark.parametrize("seed", range(20))
def test_slices_in_use_never_add_up_to_more_than_the_whole(seed: int) -> None:
    rng = random.Random(seed)
    cluster = Cluster()
    seen: Ledger = {}
    for step in range(400):
        if step % 40 == 0 and len(cluster.demand) < 6:
            cluster.demand[f"p{step}"] = 0
        if rng.random() < 0.02 and len(cluster.demand) > 1:
            gone = rng.choice(list(cluster.demand))
            del cluster.demand[gone]
            cluster.used.pop(gone, None)
        me = rng.choice(list(cluster.demand))
        cluster.demand[me] = rng.choice([0, 10, 1000])
        cluster.look(me, seen=seen if rng.random() < 0.2 else None)
        if rng.random() < 0.3:
            seen = cluster.ledger
        assert sum(cluster.used.values()) <= WHOLE
        assert sum(line.parts for line in cluster.ledger.values()) <= WHOLE


@pytest.mark.parametrize(
    ("demand", "least", "most"),
    [
        ({"a": 0, "b": 0}, {"a": 480, "b": 480}, {"a": 520, "b": 520}),
        ({"a": 100, "b": 0}, {"a": 880, "b": 80}, {"a": 920, "b": 120}),
        ({"a": 100, "b": 100, "c": 100, "d": 100}, dict.fromkeys("abcd", 230), dict.fromkeys("abcd", 260)),
        ({"a": 5}, {"a": WHOLE}, {"a": WHOLE}),
    ],
)
def test_soon_nearly_all_of_it_is_given_by_demand(
    demand: dict[str, int], least: dict[str, int], most: dict[str, int]
) -> None:
    cluster = Cluster()
    cluster.demand = dict.fromkeys(demand, 0)
    for _ in range(4):
        for me in demand:
            cluster.look(me)
    cluster.demand = demand
    for _ in range(6):
        for me in demand:
            cluster.look(me)
    assert all(least[me] <= cluster.used[me] <= most[me] for me in demand), cluster.used
    before = cluster.ledger
    for me in demand:
        cluster.look(me)
    assert cluster.ledger is before  # nothing is written when nothing has changed


def test_who_is_gone_leaves_what_he_had() -> None:
    cluster = Cluster()
    cluster.demand = {"a": 0, "b": 0}
    for _ in range(3):
        cluster.look("a")
        cluster.look("b")
    del cluster.demand["a"]
    cluster.look("b")
    assert cluster.used["b"] == WHOLE


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"{",
        b"[]",
        b'{"members": 7}',
        b'{"members": {"a": {"parts": "x"}}}',
        b'{"members": {"a": {"parts": 1001, "demand": 0}}}',
    ],
)
def test_a_ledger_that_cannot_be_is_begun_anew(value: bytes) -> None:
    assert read_ledger(value) == {}


def test_a_limiter_lets_through_its_slice() -> None:
    world = Told()
    spec = {"Requests": 100, "PeriodSeconds": 100, "Burst": 100, "Cluster": True}
    limiter = made("ratelimit", spec, world=world)
    assert world.share.is_wanted
    world.share.parts = 250
    assert [answer_of(limiter, call_of()) for _ in range(100)].count(None) == 25
    assert world.share.demand == 100
    assert [answer_of(limiter, call_of(now_s=40)) for _ in range(100)].count(None) == 10
    world.share.parts = 0
    answer = answer_of(limiter, call_of(now_s=100))
    assert answer is not None
    assert answer.status == 429
    world.share.parts = WHOLE
    assert [answer_of(limiter, call_of(now_s=200)) for _ in range(200)].count(None) > 90


def test_a_count_of_connections_is_sliced_too() -> None:
    world = Told()
    limiter = made("connlimit", {"Connections": 10, "Cluster": True}, world=world)
    world.share.parts = 500
    assert [answer_of(limiter, call_of()) for _ in range(10)].count(None) == 5


def test_what_is_not_shared_has_all_of_it() -> None:
    world = Told()
    world.share.parts = 0
    assert answer_of(made("connlimit", {"Connections": 1}, world=world), call_of()) is None
    assert not world.share.is_wanted
