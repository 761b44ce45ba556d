"""What workers tell each other of servers that they have put out."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.unit.proxy.harness import Board

from fairlead.proxy import Limits, Routes
from fairlead.proxy.middleware.world import World
from fairlead.proxy.state import Groups, Snapshot
from fairlead.proxy.workers.desk import Desk, Health, tell
from fairlead.proxy.workers.ejections import Ejection, Ejections

OUTLIER = {"Consecutive5xx": 2, "EjectTime": "30s", "MaxEjectPercent": 50}


class Worker:
    """One process of a proxy, without a network."""

    def __init__(self, servers: int = 4, outlier: Any = OUTLIER) -> None:
        self.ejections = Ejections()
        self.groups: Groups = {}
        self.routes = Routes(
            (b"/vulcand/",), limits=Limits(), board=Board(), switch=self._switch, tools=World().tools
        )
        self.put("backends/b/backend", {"Outlier": outlier} if outlier else {})
        for number in range(servers):
            self.put(f"backends/b/servers/s{number}", {"URL": f"http://10.0.0.{number}"})

    def _switch(self, snapshot: Snapshot) -> None:
        self.groups = snapshot.groups

    def put(self, key: str, value: object) -> None:
        self.routes.apply(1, {f"/vulcand/{key}".encode(): json.dumps(value).encode()}, ())

    def fail(self, number: int, *, now_s: float) -> None:
        group = self.groups["b"]
        for _ in range(2):
            group.balancer.ended(group.servers[number], status=503, failure=None, head_us=0, now_s=now_s)

    def news(self, *, now_s: float) -> list[Ejection]:
        return self.ejections.news(self.groups, now_s=now_s)

    def take(self, news: list[Ejection], *, now_s: float) -> None:
        for each in news:
            self.ejections.take(each, self.groups, now_s=now_s)

    def out(self, *, now_s: float) -> list[str]:
        return [e.server.id for e in self.groups["b"].servers if not e.standing.is_available(now_s)]


def test_a_server_that_one_worker_has_put_out_is_out_in_the_others_as_long() -> None:
    one, two = Worker(), Worker()
    one.fail(2, now_s=100.0)
    news = one.news(now_s=110.0)
    assert [(each.server_id, each.for_s, each.ejections) for each in news] == [("s2", 20.0, 1)]
    two.groups["b"].balancer.is_fit(5.0)
    version = two.groups["b"].memory.version
    two.take(news, now_s=5.0)
    assert (two.out(now_s=24.9), two.out(now_s=25.1)) == (["s2"], [])
    assert two.groups["b"].memory.version == version + 1, "who may be asked is found out anew"


def test_news_are_told_once_and_not_told_on() -> None:
    one, two = Worker(), Worker()
    one.fail(2, now_s=100.0)
    news = one.news(now_s=100.0)
    assert one.news(now_s=101.0) == []
    two.take(news, now_s=5.0)
    assert two.news(now_s=6.0) == []
    two.fail(1, now_s=7.0)
    assert [each.server_id for each in two.news(now_s=7.0)] == ["s1"]
    one.fail(2, now_s=140.0)
    assert [(each.server_id, each.ejections) for each in one.news(now_s=140.0)] == [("s2", 2)]


def test_no_more_are_put_out_than_the_backend_lets() -> None:
    one, two = Worker(), Worker()
    one.fail(0, now_s=100.0)
    one.fail(1, now_s=100.0)
    two.fail(3, now_s=5.0)
    two.take(one.news(now_s=100.0), now_s=5.0)
    assert two.out(now_s=6.0) == ["s0", "s3"]


def test_what_is_another_server_by_now_is_left_alone() -> None:
    one, two = Worker(), Worker()
    one.fail(2, now_s=100.0)
    (told,) = one.news(now_s=100.0)
    strangers = [
        replace(told, address=("http", "10.9.9.9", 80)),
        replace(told, server_id="s9"),
        replace(told, backend_id="c"),
    ]
    two.take(strangers, now_s=5.0)
    assert two.out(now_s=6.0) == []
    plain = Worker(outlier=None)
    plain.take([told], now_s=5.0)
    assert plain.out(now_s=6.0) == []


async def test_all_other_workers_are_told(tmp_path: Path) -> None:
    told = Ejection(backend_id="b", server_id="s", address=("http", "h", 80), for_s=9.5, ejections=1)
    heard: list[tuple[int, Ejection]] = []
    desks = [Desk(lambda: Health(metrics=b"", is_ready=True, degraded="")) for _ in range(3)]
    for number, desk in enumerate(desks):
        desk.take = lambda news, number=number: heard.append((number, news))  # type: ignore[misc]
    (tmp_path / "gone").touch()
    async with desks[0].open(tmp_path / "0"), desks[1].open(tmp_path / "1"), desks[2].open(tmp_path / "2"):
        await asyncio.wait_for(tell(tmp_path / "1", [told]), 10)
    assert sorted(heard, key=lambda each: each[0]) == [(0, told), (2, told)]
