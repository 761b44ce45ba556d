"""Which server is asked, policy by policy: shares, load, latency, and what moves when servers come and go."""

import pytest
from tests.unit.proxy.balance.asking import Asking, plan

from fairlead.proxy.balance import Chooser, RoundRobin
from fairlead.proxy.balance.standing import Standing


def test_a_backend_that_asks_for_nothing_gets_the_plain_round_robin() -> None:
    assert isinstance(Asking(3).balancer, RoundRobin)
    assert isinstance(Asking(3, balance="p2c").balancer, Chooser)
    assert isinstance(Asking(3, servers=[{"weight": 2}]).balancer, Chooser)
    assert isinstance(Asking(3, servers=[{"zone": "a"}]).balancer, RoundRobin)
    assert isinstance(Asking(3, servers=[{"zone": "a"}], zone="b").balancer, Chooser)


def test_weighted_round_robin_gives_each_its_share_evenly_spread() -> None:
    asking = Asking(3, servers=[{"weight": 5}, {"weight": 1}, {"weight": 1}])
    order = [asking.one() for _ in range(14)]
    assert order == ["s0", "s0", "s1", "s0", "s2", "s0", "s0"] * 2, "nginx's own example"


def test_a_weight_of_none_is_a_server_of_none() -> None:
    asking = Asking(2, servers=[{"weight": 0}, {}])
    assert asking.many(10) == {"s1": 10}
    assert Asking(1, servers=[{"weight": 0}]).one() is None


def test_the_turn_goes_on_when_servers_come() -> None:
    asking = Asking(3, servers=[{"weight": 2}, {"weight": 2}, {"weight": 2}])
    before = [asking.one(), asking.one()]
    asking.add(weight=2)
    asking.remade()
    assert [asking.one() for _ in range(2)] == ["s3", "s0"]
    assert before == ["s1", "s2"]


def test_least_connections_asks_who_has_least_for_its_weight() -> None:
    asking = Asking(3, balance="leastconn", servers=[{"weight": 2}])
    asked = [asking.ask() for _ in range(8)]
    assert [state.in_flight for state in asking.states] == [4, 2, 2]
    assert None not in asked
    for state in asked[:4]:
        assert state is not None
        asking.end(state)
    asking.states[2].in_flight = 0
    assert asking.one() == "s2"


def test_two_choices_prefer_who_answers_sooner() -> None:
    asking = Asking(4, balance="p2c")
    for state, us in zip(asking.states, (1_000, 1_000, 1_000, 500_000), strict=True):
        state.standing.measure(us, now_s=asking.now_s)
    chosen = asking.many(300)
    assert chosen["s3"] == 0, "whoever it is compared with answers sooner"
    assert min(chosen[name] for name in ("s0", "s1", "s2")) > 50


def test_two_choices_prefer_who_has_less_to_do() -> None:
    asking = Asking(2, balance="p2c")
    for _ in range(10):
        asking.ask()
    assert [state.in_flight for state in asking.states] == [5, 5]


def test_a_peak_of_latency_counts_at_once_and_is_forgotten_by_and_by() -> None:
    standing = Standing()
    standing.measure(1_000, now_s=0.0)
    standing.measure(90_000, now_s=1.0)
    assert standing.latency_us == 90_000
    standing.measure(1_000, now_s=2.0)
    assert 80_000 < standing.latency_us < 90_000
    assert standing.latency_at(1e3) < 1, "who is not asked is not condemned for ever"


def test_a_failure_counts_as_slow_however_fast_it_was() -> None:
    asking = Asking(2, balance="p2c")
    state = asking.states[0]
    state.in_flight += 1
    asking.end(state, status=503, us=10)
    assert asking.many(20) == {"s1": 20}


def test_the_same_client_gets_the_same_server_and_only_a_lost_ones_clients_move() -> None:
    asking = Asking(5, balance="hrw")
    clients = [plan(f"10.0.{n // 250}.{n % 250}") for n in range(1000)]
    before = [asking.one(of=each) for each in clients]
    assert [asking.one(of=each) for each in clients] == before
    assert min(before.count(f"s{n}") for n in range(5)) > 150, "evenly spread"
    del asking.states[2]
    asking.remade()
    after = [asking.one(of=each) for each in clients]
    assert {name for name, then in zip(before, after, strict=True) if name != then} == {"s2"}


def test_rendezvous_hashing_respects_weights() -> None:
    asking = Asking(2, balance="hrw", servers=[{"weight": 3}])
    chosen = [asking.one(of=plan(f"10.0.{n // 250}.{n % 250}")) for n in range(2000)]
    assert 0.70 < chosen.count("s0") / 2000 < 0.80


def test_first_asks_the_next_only_when_the_first_may_not_be() -> None:
    asking = Asking(3, balance="first", connections_max=1)
    assert [asking.one(), asking.one()] == ["s0", "s0"]
    held = asking.ask()
    assert asking.one() == "s1"
    assert held is not None
    asking.end(held)
    assert asking.one(0) == "s1"


@pytest.mark.parametrize("balance", ["wrr", "p2c", "leastconn", "hrw", "first"])
def test_every_policy_avoids_who_has_failed_this_request_already(balance: str) -> None:
    asking = Asking(3, balance=balance, servers=[{"weight": 2}])
    for _ in range(20):
        assert asking.one(0, 1) == "s2"
        assert asking.one(0, 1, 2) is not None, "unless all have"


@pytest.mark.parametrize("balance", ["wrr", "p2c", "leastconn", "hrw", "first"])
def test_no_policy_asks_anybody_when_there_is_nobody(balance: str) -> None:
    assert Asking(0, balance=balance).one() is None
