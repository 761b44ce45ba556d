"""oxy's rebalancer: who fails more than the others is asked less, and is asked as before once it is well."""

import itertools

import pytest
from tests.unit.proxy.balance.asking import Asking

from fairlead.proxy.balance.rebalance import FACTOR_MAX, Rebalancer


class Pool:
    """Servers whose answers are given, and a clock."""

    def __init__(self, **errors: float) -> None:
        self.now_s = 1000.0
        self.errors = errors
        self.rebalancer = Rebalancer[str]()

    def pass_s(self, seconds: int) -> int:
        """Let each answer 100 times a second, so many of them with 503; return how often shares changed."""
        changes = 0
        for _ in range(seconds):
            self.now_s += 1
            for name, ratio in self.errors.items():
                for n in range(100):
                    status = 503 if n < ratio * 100 else 200
                    self.rebalancer.record(name, status, now_s=self.now_s)
            changes += self.rebalancer.adjust(list(self.errors), now_s=self.now_s)
        return changes

    @property
    def factors(self) -> dict[str, float]:
        return {name: self.rebalancer.factor(name) for name in self.errors}


@pytest.mark.parametrize(
    ("errors", "grows"),
    [
        ({"a": 0.0, "b": 0.3}, "a"),
        ({"a": 0.0, "b": 0.0, "c": 0.3}, "ab"),
        ({"a": 0.01, "b": 0.02, "c": 0.5}, "ab"),
        ({"a": 0.5, "b": 0.5, "c": 0.5}, ""),
        ({"a": 0.0, "b": 0.0}, ""),
        ({"a": 0.9}, ""),
    ],
)
def test_the_good_are_asked_four_times_as_often(errors: dict[str, float], grows: str) -> None:
    pool = Pool(**errors)
    assert pool.pass_s(9 if 0.0 in errors.values() else 4) == 0, (
        "ten seconds, of errors and of others, have to be seen"
    )
    assert pool.pass_s(1) == bool(grows)
    assert pool.factors == {name: 4.0 if name in grows else 1.0 for name in errors}


def test_the_difference_grows_step_by_step_to_an_end_and_goes_back_the_same_way() -> None:
    pool = Pool(a=0.0, b=0.5)
    seen = []
    for _ in range(8):
        pool.pass_s(11)
        seen.append(pool.factors["a"])
    assert seen == [4.0, 16.0, 64.0, 256.0, 1024.0, FACTOR_MAX, FACTOR_MAX, FACTOR_MAX]
    pool.errors["b"] = 0.0
    pool.pass_s(10)
    back = []
    for _ in range(7):
        pool.pass_s(11)
        back.append(pool.factors["a"])
    assert back[-1] == 1.0
    assert all(after <= before for before, after in itertools.pairwise(back))
    assert pool.factors == {"a": 1.0, "b": 1.0}


def test_nothing_changes_within_ten_seconds_of_a_change() -> None:
    pool = Pool(a=0.0, b=0.5)
    assert pool.pass_s(10) == 1
    assert pool.pass_s(9) == 0
    assert pool.pass_s(1) == 1


def test_what_is_gone_is_forgotten_and_a_stranger_is_waited_for() -> None:
    pool = Pool(a=0.0, b=0.5)
    assert pool.pass_s(10) == 1
    pool.errors = {"a": 0.0, "c": 1.0}
    pool.pass_s(9)
    assert pool.factors == {"a": 4.0, "c": 1.0}
    pool.errors = {"b": 0.5, "c": 0.5}
    assert pool.pass_s(10) == 0
    pool.errors = {"a": 0.5, "c": 0.5}
    pool.pass_s(1)
    assert pool.factors == {"a": 1.0, "c": 1.0}, "it comes back as a stranger"


def test_a_server_is_judged_once_it_has_answered_in_ten_seconds_whatever_has_passed() -> None:
    rebalancer = Rebalancer[str]()
    for second in range(0, 40, 4):
        rebalancer.record("often", 200, now_s=second)
        rebalancer.record("often", 200, now_s=second + 0.5)
        if second < 36:
            rebalancer.record("seldom", 503, now_s=second)
    assert not rebalancer.adjust(["often", "seldom"], now_s=37.0)
    rebalancer.record("seldom", 503, now_s=38.0)
    assert rebalancer.adjust(["often", "seldom"], now_s=38.5)


@pytest.mark.parametrize(("status", "grows"), [(499, False), (500, True), (504, True), (505, False)])
def test_errors_are_those_that_oxy_counts(status: int, *, grows: bool) -> None:
    rebalancer = Rebalancer[str]()
    for second in range(10):
        rebalancer.record("good", 200, now_s=second)
        rebalancer.record("bad", status, now_s=second)
    assert rebalancer.adjust(["good", "bad"], now_s=9.0) is grows


def test_a_backend_that_rebalances_sends_less_to_the_server_that_fails() -> None:
    asking = Asking(3, rebalances=True, servers=[{}, {}, {"weight": 2}])
    assert asking.many(400) == {"s0": 100, "s1": 100, "s2": 200}
    for second in range(12):
        asking.now_s += 1
        for _ in range(80):
            state = asking.ask()
            assert state is not None
            asking.end(state, status=500 if state is asking.states[0] and second % 2 else 200)
    counts = asking.many(1300)
    assert counts == {"s0": 100, "s1": 400, "s2": 800}
    asking.remade()
    assert asking.many(1300) == counts, "what was learned outlives a change"
    for _ in range(30):
        asking.now_s += 1
        asking.many(80)
    assert asking.many(400) == {"s0": 100, "s1": 100, "s2": 200}
