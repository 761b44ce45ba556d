"""Probes over sockets: what counts as healthy, and what a verdict does to requests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from tests.unit.proxy.harness import Peer, Proxy, Upstream, eventually, running
from tests.unit.proxy.test_balancing import Named, answers

from fairlead.proxy.health import Prober, Verdict
from fairlead.proxy.state import ServerState, Snapshot


class Sick(Named):
    """Answers probes as it is told to, and everything else with its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.handler = self._sick
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nalive"
        self.probes: list[bytes] = []

    async def _sick(self, peer: Peer) -> None:
        while True:
            head = await peer.head()
            if b"fairlead-health" in head:
                self.probes.append(head)
                if not self.answer:
                    await asyncio.Event().wait()
                await peer.send(self.answer)
            else:
                await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%b" % self.name)


class Probed:
    """A proxy whose servers are probed."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy
        self.said: list[tuple[str, bool, str]] = []
        self.prober = Prober(told=self._tell)

    def _tell(self, state: ServerState, verdict: Verdict) -> None:
        self.said.append((state.server.id, verdict.is_healthy, verdict.reason))

    def switch(self, snapshot: Snapshot) -> None:
        self.proxy.service.snapshot = snapshot
        self.prober.follow(snapshot.groups)

    def check(self, **health: object) -> None:
        base = {"Interval": "20ms", "Timeout": "2s", "Rise": 1, "Fall": 1}
        self.proxy.put({"backends/b/backend": {"Health": {**base, **health}}})


@contextlib.asynccontextmanager
async def probed(*servers: Upstream) -> AsyncIterator[Probed]:
    async with running(*servers) as proxy:
        each = Probed(proxy)
        proxy.routes._switch = each.switch
        try:
            yield each
        finally:
            await each.prober.close()


async def test_probes_have_fields_of_their_own_and_follow_redirects_where_they_are_to() -> None:
    server = Sick("a")
    async with probed(server) as proxy:
        server.answer = b"HTTP/1.1 302 there\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"
        proxy.check(Path="/up", Headers={"X-Who": "me"}, Status=200)
        await eventually(lambda: proxy.said)
        assert proxy.said == [("s0", False, "answers 302")]
        assert all(b"x-who: me\r\n" in each.lower() for each in server.probes)
        server.probes.clear()
        proxy.check(Path="/up", Status=200, FollowRedirects=True)
        await eventually(lambda: any(each.startswith(b"GET /there ") for each in server.probes))
        server.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        await eventually(lambda: len(proxy.said) == 2)


async def test_a_server_that_falls_ill_is_left_and_comes_back_when_it_is_well() -> None:
    ill, well = Sick("a"), Sick("b")
    async with probed(ill, well) as proxy:
        proxy.check(Path="/up", Host="check.example")
        await eventually(lambda: ill.probes and well.probes)
        assert ill.probes[0].startswith(b"GET /up HTTP/1.1\r\n")
        assert b"check.example" in ill.probes[0]
        assert await answers(proxy.proxy, 4) == {b"a": 2, b"b": 2}
        ill.answer = b"HTTP/1.1 503 no\r\nContent-Length: 0\r\n\r\n"
        await eventually(lambda: proxy.said)
        assert await answers(proxy.proxy, 4) == {b"b": 4}
        ill.answer = well.answer
        await eventually(lambda: len(proxy.said) == 2)
        assert await answers(proxy.proxy, 4) == {b"a": 2, b"b": 2}
        assert proxy.said == [("s0", False, "answers 503"), ("s0", True, "")]


@pytest.mark.parametrize(
    ("health", "answer", "reason"),
    [
        ({"Status": 204}, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "answers 200"),
        ({"Status": "500-599"}, b"HTTP/1.1 503 OK\r\nContent-Length: 0\r\n\r\n", ""),
        ({"Body": "alive"}, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nalive", ""),
        ({"Body": "alive"}, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndead", "does not contain 'alive'"),
        ({}, b"nonsense\r\n\r\n", "cannot be asked"),
        ({"Timeout": "50ms"}, b"", "no answer within 0.05 s"),
        ({"Method": "HEAD"}, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", ""),
    ],
)
async def test_what_counts_as_healthy(health: dict[str, object], answer: bytes, reason: str) -> None:
    server = Sick("a")
    server.answer = answer
    async with probed(server) as proxy:
        proxy.check(**health)
        await eventually(lambda: proxy.said if reason else len(server.probes) > 2)
        assert [each[1] for each in proxy.said] == ([False] if reason else [])
        if reason:
            assert reason in proxy.said[0][2]


async def test_who_is_watched_no_more_counts_as_well_again() -> None:
    server, other = Sick("a"), Sick("b")
    server.answer = b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n"
    async with probed(server, other) as proxy:
        proxy.check()
        await eventually(lambda: proxy.said)
        state = proxy.proxy.service.snapshot.groups["b"].servers[0]
        proxy.proxy.put({"backends/b/backend": {}})
        assert state.standing.is_healthy
        assert proxy.said == [("s0", False, "answers 500"), ("s0", True, "")]
        assert await answers(proxy.proxy, 4) == {b"a": 2, b"b": 2}
        asked = len(server.probes)
        proxy.check()
        await eventually(lambda: len(proxy.said) == 3)
        assert len(server.probes) > asked
        proxy.proxy.put({}, delete=("backends/b/servers/s0",))
        assert set(proxy.prober.verdicts) == set(proxy.proxy.service.snapshot.groups["b"].servers)


async def test_when_all_are_ill_all_are_asked_and_the_operator_is_told() -> None:
    servers = [Sick("a"), Sick("b")]
    for each in servers:
        each.answer = b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n"
    async with probed(*servers) as proxy:
        proxy.check()
        await eventually(lambda: len(proxy.said) == 2)
        assert await answers(proxy.proxy, 4) == {b"a": 2, b"b": 2}
        problems = proxy.proxy.board.problems
        await eventually(lambda: "backend b" in problems)
        servers[0].answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        await eventually(lambda: len(proxy.said) == 3)
        assert await answers(proxy.proxy, 4) == {b"a": 4}
        await eventually(lambda: "backend b" not in problems)


async def test_an_unrelated_change_does_not_begin_the_checks_anew() -> None:
    server = Sick("a")
    async with probed(server) as proxy:
        proxy.check(Interval="1h")
        await eventually(lambda: server.probes)
        before = dict(proxy.prober._watched)
        proxy.proxy.put({"backends/b/servers/s9": {"URL": f"http://127.0.0.1:{server.port}"}})
        await eventually(lambda: len(server.probes) == 2)
        assert before.items() <= proxy.prober._watched.items()
