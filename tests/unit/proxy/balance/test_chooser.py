"""Who may be asked: states, health, ejection, backups, zones, limits, queues, sticky clients, slow starts."""

from dataclasses import replace

import pytest
from tests.unit.proxy.balance.asking import Asking, plan

from fairlead.proxy.balance import LOST, make_balancer
from fairlead.proxy.model import Outlier, Queue, Sticky
from fairlead.proxy.plan import Plan

STICKY = Sticky(cookie="sid")


def cookie_from(line: bytes) -> str:
    return line.removeprefix(b"Set-Cookie: ").split(b";")[0].decode()


def test_a_draining_server_gets_nobody_new_and_keeps_those_that_stick_to_it() -> None:
    asking = Asking(2, sticky=STICKY)
    cookie = cookie_from(asking.balancer.lines_for(plan(), asking.states[0]))
    asking.states[0].server = replace(asking.states[0].server, state="drain")
    asking.remade()
    assert asking.many(10) == {"s1": 10}
    assert asking.one(of=plan(cookie=cookie)) == "s0"
    asking.states[0].server = replace(asking.states[0].server, state="maintenance")
    asking.remade()
    assert asking.one(of=plan(cookie=cookie)) == "s1"


def test_a_sticky_client_stays_while_others_come_and_go() -> None:
    """Acceptance check 8.4: an unrelated server is removed, and the client notices nothing."""
    asking = Asking(4, sticky=STICKY)
    line = asking.balancer.lines_for(plan(), asking.states[2])
    assert line.endswith(b"; Path=/; HttpOnly; SameSite=Lax\r\n")
    client = plan(cookie=f"a=b; {cookie_from(line)}; c")
    del asking.states[0]
    asking.add()
    asking.remade()
    assert [asking.one(of=client) for _ in range(5)] == ["s2"] * 5
    assert asking.balancer.lines_for(client, asking.states[1]) == b"", "it knows already"
    assert asking.one(2, of=client) is not None
    assert asking.balancer.lines_for(client, asking.states[0]) != b"", "it went elsewhere and is told so"


def test_a_sticky_cookie_has_what_its_settings_say_and_tells_nothing() -> None:
    asking = Asking(1, sticky=Sticky(cookie="x", ttl_s=60, is_secure=True, key="secret"))
    line = asking.balancer.lines_for(plan(), asking.states[0])
    assert line.endswith(b"; HttpOnly; SameSite=Lax; Max-Age=60; Secure\r\n")
    assert b"s0" not in line
    other = Asking(1, sticky=Sticky(cookie="x", key="another"))
    assert cookie_from(other.balancer.lines_for(plan(), other.states[0])) != cookie_from(line)
    assert asking.one(of=plan(cookie="x=forged")) == "s0", "what is not ours counts as none"


def test_a_sticky_client_leaves_a_server_that_is_out_or_full() -> None:
    asking = Asking(2, sticky=STICKY, connections_max=1)
    client = plan(cookie=cookie_from(asking.balancer.lines_for(plan(), asking.states[0])))
    held = asking.ask(of=client)
    assert held is asking.states[0]
    assert asking.one(of=client) == "s1"
    asking.end(held)
    held.standing.is_healthy = False
    asking.memory.changed()
    assert asking.one(of=client) == "s1"


def test_a_server_that_is_unhealthy_is_not_asked_until_it_is_well() -> None:
    asking = Asking(3, balance="leastconn")
    asking.states[0].standing.is_healthy = False
    asking.memory.changed()
    assert asking.many(10)["s0"] == 0
    asking.states[0].standing.is_healthy = True
    asking.memory.changed()
    assert asking.many(9)["s0"] == 3


def test_who_fails_in_a_row_is_out_for_longer_each_time() -> None:
    asking = Asking(3, balance="first", outlier=Outlier(failures_max=3, eject_s=10, ejected_ratio_max=0.5))
    for length_s in (10, 20, 30):
        assert [asking.one(status=500) for _ in range(3)] == ["s0"] * 3
        assert asking.one() == "s1"
        asking.now_s += length_s - 1
        assert asking.one() == "s1"
        asking.now_s += 1.5
        assert asking.one() == "s0", "back in, on probation"
    asking.one()
    asking.now_s += 1000
    asking.one()
    assert asking.states[0].standing.ejections == 2, "who behaves for long is forgiven step by step"


def test_a_good_answer_in_between_begins_the_count_anew() -> None:
    asking = Asking(2, balance="first", outlier=Outlier(failures_max=2))
    for _ in range(5):
        assert [asking.one(status=500), asking.one(status=404)] == ["s0", "s0"]


def test_failures_of_the_network_count_and_clients_that_leave_do_not() -> None:
    asking = Asking(2, balance="first", outlier=Outlier(failures_max=1))
    state = asking.ask()
    assert state is not None
    asking.end(state, status=0)
    assert asking.one() == "s0"
    state = asking.ask()
    assert state is not None
    asking.end(state, status=0, failure=LOST)
    assert asking.one() == "s1"


def test_no_more_than_the_allowed_part_is_put_out() -> None:
    asking = Asking(4, outlier=Outlier(failures_max=1, eject_s=60, ejected_ratio_max=0.5))
    for _ in range(40):
        asking.one(status=500)
    assert sum(state.standing.ejected_until_s > asking.now_s for state in asking.states) == 2


def test_when_nobody_is_fit_everybody_is_asked() -> None:
    """Fail open (8.23): a wrong verdict on all of them must not close the house."""
    asking = Asking(3, balance="leastconn")
    for state in asking.states:
        state.standing.is_healthy = False
    asking.memory.changed()
    assert len(asking.many(9)) == 3
    assert asking.memory.is_panicking
    asking.states[1].standing.is_healthy = True
    asking.memory.changed()
    assert asking.many(9) == {"s1": 9}
    assert not asking.memory.is_panicking


def test_backups_are_asked_when_all_others_are_out() -> None:
    asking = Asking(3, servers=[{}, {"is_backup": True}, {"is_backup": True}])
    assert asking.many(6) == {"s0": 6}
    asking.states[0].standing.is_healthy = False
    asking.memory.changed()
    assert asking.many(6) == {"s1": 3, "s2": 3}


def test_a_proxy_stays_in_its_zone_while_half_of_it_is_fit() -> None:
    servers = [{"zone": "a"}, {"zone": "a"}, {"zone": "a"}, {"zone": "b"}]
    asking = Asking(4, servers=servers, zone="a")
    assert set(asking.many(9)) == {"s0", "s1", "s2"}
    for lost, expected in ((0, {"s1", "s2"}), (1, {"s2", "s3"})):
        asking.states[lost].standing.is_healthy = False
        asking.memory.changed()
        assert set(asking.many(9)) == expected
    assert set(Asking(4, servers=servers, zone="c", balance="leastconn").many(9)) == {"s0", "s1", "s2", "s3"}


def test_a_new_server_takes_its_share_slowly() -> None:
    asking = Asking(1, slow_start_s=10)
    asking.add().standing.slow_from_s = asking.now_s
    asking.remade()
    shares = []
    for _ in range(4):
        shares.append(asking.many(1000)["s1"] / 1000)
        asking.now_s += 5
    assert shares == pytest.approx([1 / 11, 1 / 3, 1 / 2, 1 / 2], abs=0.01)


class Waiting:
    """Somebody who wants a place; notes what becomes of it."""

    def __init__(self, asking: Asking) -> None:
        self.asking = asking
        self.said: list[str] = []

    @property
    def plan(self) -> Plan:
        return plan()

    def try_it(self) -> None:
        chosen = self.asking.balancer.choose(self.plan, (), self.asking.now_s)
        if chosen is None:
            self.said.append("nobody")
        elif chosen is self.asking.memory.queue:
            self.asking.memory.queue.join(self)
        else:
            self.asking.states[0].in_flight += 1
            self.said.append("asked")

    def on_turn(self) -> None:
        self.try_it()

    def on_turned_away(self) -> None:
        self.said.append("turned away")


def test_who_finds_no_place_waits_and_is_served_in_order() -> None:
    asking = Asking(1, connections_max=1, queue=Queue(size=2, timeout_s=5))
    held = asking.ask()
    assert held is not None
    waiting: list[Waiting] = [Waiting(asking) for _ in range(4)]
    for each in waiting[:3]:
        each.try_it()
    assert [each.said for each in waiting] == [[], [], ["turned away"], []], "there is room for two"
    asking.end(held)
    assert [each.said for each in waiting[:2]] == [["asked"], []]
    asking.end(held)
    assert waiting[1].said == ["asked"]
    assert held.in_flight == 1, "never two at a time"


@pytest.mark.parametrize(("size", "part"), [(8, 2), (2, 1), (0, 0)])
def test_a_worker_has_its_part_of_the_queue(size: int, part: int) -> None:
    asking = Asking(1, connections_max=1, queue=Queue(size=size, timeout_s=5))
    make_balancer(asking.backend, asking.states, asking.memory, rng=asking.rng, workers=4)
    assert asking.memory.queue.size == part


def test_patience_ends_and_who_left_is_forgotten() -> None:
    asking = Asking(1, connections_max=1, queue=Queue(size=5, timeout_s=5))
    asking.ask()
    first, gone, late = (Waiting(asking) for _ in range(3))
    first.try_it()
    gone.try_it()
    asking.memory.queue.leave(gone)
    asking.now_s += 3
    late.try_it()
    asking.memory.queue.expire(asking.now_s + 2.5)
    assert [each.said for each in (first, gone, late)] == [["turned away"], [], []]
    assert len(asking.memory.queue) == 1


def test_without_a_queue_nobody_waits() -> None:
    asking = Asking(1, servers=[{"connections_max": 2}])
    assert asking.ask()
    assert asking.ask()
    assert asking.ask() is None


@pytest.mark.parametrize(("allowed", "ours"), [(5, 2), (1, 1)])
def test_workers_have_each_their_part_of_what_a_server_may_have(allowed: int, ours: int) -> None:
    asking = Asking(1, connections_max=allowed)
    asking.balancer = make_balancer(asking.backend, asking.states, asking.memory, rng=asking.rng, workers=2)
    assert [bool(asking.ask()) for _ in range(ours + 1)] == [True] * ours + [False]


def test_a_server_may_have_a_limit_of_its_own() -> None:
    asking = Asking(2, servers=[{"connections_max": 1}], connections_max=3)
    for _ in range(4):
        assert asking.ask()
    assert [state.in_flight for state in asking.states] == [1, 3]
    assert asking.ask() is None
