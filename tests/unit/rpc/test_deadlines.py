"""Deadlines: never early, at most a grain late, and gone when the call is."""

import random

from fairlead.rpc.deadlines import GRAIN_S, Wheel


class Item:
    def __init__(self, log: list["Item"]) -> None:
        self.log = log
        self.deadline_s = 0.0

    def expire(self) -> None:
        self.log.append(self)


def test_each_item_expires_once_and_in_time() -> None:
    rng = random.Random(7)
    wheel, log = Wheel(), list[Item]()
    items = []
    for _ in range(500):
        item = Item(log)
        item.deadline_s = rng.uniform(0, 5)
        bucket = wheel.add(item, item.deadline_s)
        if rng.random() < 0.5:
            del bucket[item]
        else:
            items.append(item)
    now_s = 0.0
    while (next_s := wheel.next_deadline_s) is not None:
        now_s = max(now_s + rng.uniform(0, 0.2), next_s)
        seen = len(log)
        wheel.expire(now_s)
        assert all(item.deadline_s <= now_s for item in log[seen:])
        assert all(item.deadline_s > now_s - GRAIN_S for item in items if item not in log)
    assert sorted(map(id, log)) == sorted(map(id, items))


def test_the_shell_is_told_when_the_next_deadline_comes_earlier() -> None:
    wheel, told = Wheel(), []
    wheel.on_earlier = lambda: told.append(wheel.next_deadline_s)
    for deadline_s in (5.0, 7.0, 2.0, 2.0):
        wheel.add(Item([]), deadline_s)
    assert len(told) == 2
    assert told[0] is not None
    assert told[0] >= 5.0


def test_one_that_expires_may_end_another_of_the_same_slot() -> None:
    wheel, log = Wheel(), list[Item]()
    first, second = Item(log), Item(log)
    wheel.add(first, 1.0)
    bucket = wheel.add(second, 1.0)

    def expire() -> None:
        log.append(second)
        del bucket[first]

    second.expire = expire  # type: ignore[method-assign]
    wheel.expire(2.0)
    assert log == [second]
